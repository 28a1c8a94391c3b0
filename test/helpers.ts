// What the kernel tests share: the same operation on both executors, in regions with guard zones, compared
// bit for bit; random values; and comparisons with formulas.

import { vi } from "vitest";
import type { DType } from "../src/dtype.js";
import type { Executor } from "../src/executors/executor.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { WasmExecutor } from "../src/executors/wasm/executor.js";
import { Heap } from "../src/heap.js";
import { DataType, ProgramBuilder, type SparseMatrix } from "../src/program.js";

// A busy machine must not fail a test: no test here is about time.
vi.setConfig({ testTimeout: 60_000 });

export const dtypes = ["float64", "float32"] as const;
export const executorNames = ["wasm", "reference"] as const;

/** Distance from 1 to the next number of the type. */
export const epsilon: Record<DType, number> = { float64: 2 ** -52, float32: 2 ** -23 };

export type Data = Uint8Array | Uint32Array | Float32Array | Float64Array;
export type Numbers = ArrayLike<number> & Iterable<number>;

/** A new array of the element type. */
export function elements(dtype: DType, values: Numbers | number): Float32Array | Float64Array {
  if (typeof values === "number")
    return dtype === "float64" ? new Float64Array(values) : new Float32Array(values);
  return dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values);
}

/** Where a test's regions begin: past the binary's own data, and the same on both executors. */
const FIRST = 4096;
/** Bytes on either side of a region that no operation may change. */
const GUARD_BYTES = 128;
/** Not a number in either type, so that an operation that reads a guard or an old output shows it. */
const GUARD = 0x7fffdead;

interface Region {
  /** Of the region with its guards. */
  from: number;
  to: number;
  /** Of the data in it. */
  offset: number;
  length: number;
  type: { new (buffer: ArrayBufferLike, offset: number, length: number): Data; BYTES_PER_ELEMENT: number };
  written: boolean;
  /** The region with its guards before the run. */
  before: Uint8Array;
}

/** One executor's side of a run: makes the regions, and has the builder to emit operations with. */
export class Bench {
  readonly builder: ProgramBuilder;
  readonly heap: Heap;
  readonly regions: Region[] = [];
  readonly #shifted: boolean;

  constructor(heap: Heap, shifted: boolean) {
    this.heap = heap;
    this.builder = new ProgramBuilder(heap);
    this.#shifted = shifted;
  }

  /** Values of the working type that the operation only reads. */
  input(values: Numbers): number {
    return this.place(elements(this.heap.dtype, values));
  }

  /** Room for values of the working type, not numbers before the run. */
  output(count: number): number {
    return this.place(elements(this.heap.dtype, count).fill(Number.NaN), { written: true });
  }

  /** Values of the working type that the operation overwrites. */
  inPlace(values: Numbers): number {
    return this.place(elements(this.heap.dtype, values), { written: true });
  }

  /** Data in their own type. */
  place(data: Data, { written = false } = {}): number {
    const type = data.constructor as unknown as Region["type"];
    const size = type.BYTES_PER_ELEMENT;
    // A different shift for each region, so that no two need be aligned alike.
    const shift = this.#shifted ? (1 + (this.regions.length % 3)) * size : 0;
    const from = this.heap.allocate(2 * GUARD_BYTES + 64 + data.byteLength);
    const to = this.heap.top;
    const offset = from + GUARD_BYTES + shift;
    this.heap.u32.fill(GUARD, from / 4, to / 4);
    new type(this.heap.u8.buffer, offset, data.length).set(data);
    this.regions.push({
      from,
      to,
      offset,
      length: data.length,
      type,
      written,
      before: this.heap.u8.slice(from, to),
    });
    return offset;
  }

  /** What is in a region now. */
  data({ type, offset, length }: Region): Data {
    return new type(this.heap.u8.buffer, offset, length).slice();
  }
}

/** Both executors, side by side. */
export class Lab {
  readonly dtype: DType;
  readonly #shifted: boolean;
  readonly #sides: { executor: Executor; heap: Heap }[];

  /** @param shifted whether regions begin one to three elements past the alignment that the heap gives */
  constructor(dtype: DType, { shifted = false } = {}) {
    this.dtype = dtype;
    this.#shifted = shifted;
    this.#sides = [
      // The build whose bits are the reference's.
      new WasmExecutor({ dtype, deterministic: true }),
      new ReferenceExecutor({ dtype }),
    ].map((executor) => {
      const heap = new Heap(executor, dtype);
      heap.allocate(FIRST - heap.top);
      return { executor, heap };
    });
  }

  /**
   * Runs what `emit` emits on both executors. Throws unless both leave the same bits in every region that is
   * an output, and change nothing in the others and in the guards around all. Returns the outputs.
   */
  run(emit: (bench: Bench) => void, { label = "", steps = [0, 1] as [number, number] } = {}): Data[] {
    const [wasm, reference] = this.#sides.map(({ executor, heap }) => {
      const mark = heap.top;
      const bench = new Bench(heap, this.#shifted);
      emit(bench);
      const program = bench.builder.finish();
      const records = heap.u8.slice(program.offset, heap.top);
      executor.run(program, ...steps);
      if (!Buffer.from(records).equals(heap.u8.subarray(program.offset, heap.top))) {
        throw new Error(`${label}: changed the program`);
      }
      heap.release(mark);
      for (const region of bench.regions) checkUntouched(bench, region, label);
      return bench;
    });
    const outputs: Data[] = [];
    for (const [index, region] of wasm.regions.entries()) {
      if (!region.written) continue;
      const output = wasm.data(region);
      expectSameBits(output, reference.data(reference.regions[index]), `${label} region ${index}`);
      outputs.push(output);
    }
    return outputs;
  }
}

function checkUntouched(bench: Bench, region: Region, label: string): void {
  const { from, to, offset, length, type, written, before } = region;
  const end = offset + length * type.BYTES_PER_ELEMENT;
  const after = bench.heap.u8;
  const same = (low: number, high: number) =>
    Buffer.from(before.buffer, low - from, high - low).equals(after.subarray(low, high));
  if (!same(from, offset))
    throw new Error(`${label}: changed memory before region ${bench.regions.indexOf(region)}`);
  if (!same(end, to))
    throw new Error(`${label}: changed memory after region ${bench.regions.indexOf(region)}`);
  if (!written && !same(offset, end)) {
    throw new Error(`${label}: changed region ${bench.regions.indexOf(region)}, which is an input`);
  }
}

/** The bits, except that any NaN equals any other. */
export function expectSameBits(actual: Data, expected: Data, label = ""): void {
  if (actual.length !== expected.length) {
    throw new Error(`${label}: ${actual.length} values, expected ${expected.length}`);
  }
  const bytes = (data: Data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes(actual).equals(bytes(expected))) return;
  // Object.is tells 0 from -0, and no other two numbers have one value.
  const index = actual.findIndex((value, i) => !Object.is(value, expected[i]));
  if (index < 0) return;
  throw new Error(`${label}: element ${index} is ${actual[index]}, expected the bits of ${expected[index]}`);
}

/** Throws unless |actual - expected| <= absolute + relative * |expected| everywhere. */
export function expectClose(
  actual: Numbers,
  expected: Numbers,
  { relative = 0, absolute = 0, label = "" }: { relative?: number; absolute?: number; label?: string },
): void {
  if (actual.length !== expected.length) {
    throw new Error(`${label}: ${actual.length} values, expected ${expected.length}`);
  }
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (Object.is(actual[i], expected[i]) || difference <= absolute + relative * Math.abs(expected[i]))
      continue;
    throw new Error(`${label}: element ${i} is ${actual[i]}, expected ${expected[i]} (${difference} apart)`);
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` values from `low` to `high`, exact in float32 so that both element types get the same. */
export function randomValues(count: number, seed: number, low = -2, high = 2): Float64Array {
  const next = random(seed);
  return Float64Array.from({ length: count }, () => Math.fround(low + (high - low) * next()));
}

const specials = [
  0,
  -0,
  1,
  -1,
  0.5,
  1000,
  -1000,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  2 ** -149,
  2 ** -126,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  88.8,
  -104,
  709.8,
  -745.2,
];

/** As randomValues, but every other value is a special one: zeros, infinities, NaN, the ends of the ranges. */
export function wildValues(count: number, seed: number): Float64Array {
  const next = random(seed);
  return Float64Array.from({ length: count }, () =>
    next() < 0.5 ? 20 * next() - 10 : specials[Math.floor(next() * specials.length)],
  );
}

/** Every element type, in aligned and in unaligned regions, with its title: what each kernel is tested on. */
export const settings = dtypes.flatMap((dtype) =>
  [false, true].map((shifted): [string, { dtype: DType; shifted: boolean }] => [
    `${shifted ? "unaligned" : "aligned"} ${dtype}`,
    { dtype, shifted },
  ]),
);

/** The sizes 0 to 67: below, at, above and at a multiple of every tile. */
export const sizes = Array.from({ length: 68 }, (_, size) => size);

/** Places a data set without its zeros. */
export function placeWithoutZeros(
  bench: Bench,
  values: Uint8Array | Float32Array | Float64Array,
  width: number,
  rows = values.length / width,
) {
  const entries = [...values.keys()].filter((i) => values[i] !== 0);
  const starts = Uint32Array.from(
    { length: rows + 1 },
    (_, r) => entries.filter((i) => i < r * width).length,
  );
  return {
    starts: bench.place(starts),
    columns: bench.place(Uint32Array.from(entries, (i) => i % width)),
    data: bench.place(values.filter((value) => value !== 0)),
    capacity: Math.max(0, ...Array.from({ length: rows }, (_, r) => starts[r + 1] - starts[r])),
  };
}

/** A sparse batch of x (rows, width), gathered from a data set of just these rows. */
export function sparseInput(bench: Bench, x: Float64Array, rows: number, width: number): SparseMatrix {
  const { dtype } = bench.builder.heap;
  const data = placeWithoutZeros(bench, elements(dtype, x), width, rows);
  const matrix = bench.builder.sparseMatrix(rows, width, data.capacity);
  const dataType = dtype === "float64" ? DataType.f64 : DataType.f32;
  const from = { ...data, order: 0, batch: rows };
  bench.builder.gatherSparse(matrix, from, dataType, bench.builder.cell(1));
  return matrix;
}
