// What the tests share. For kernels: the same operation on two sides, in regions with guard zones, compared bit for
// bit or to the rounding; random values; and comparisons with formulas.

import { vi } from "vitest";
import { RECORD_WORDS } from "../assembly/ops.js";
import type { ActivationName } from "../src/activations.js";
import type { DType } from "../src/dtype.js";
import type { Executor, Program } from "../src/executors/executor.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { WasmExecutor } from "../src/executors/wasm/executor.js";
import { type Build, chooseBuild } from "../src/executors/wasm/module.js";
import { Heap, type Region as Memory } from "../src/heap.js";
import { Dense, type EpochEntry, Network, type NetworkOptions, type PenaltyOptions } from "../src/index.js";
import { losses, rowAfter, type SetLoss, setLoss } from "../src/losses.js";
import { DataType, ProgramBuilder } from "../src/program/builder.js";
import type { SparseMatrix } from "../src/program/samples.js";
import { reference as referenceExecutor } from "../src/reference.js";
import { namesOf } from "../src/table.js";
import type { GoldenNetwork } from "./golden/networks.js";

// A busy machine must not fail a test: no test here is about time.
vi.setConfig({ testTimeout: 60_000 });

export const dtypes = ["float64", "float32"] as const;
/** The reference executor, called that in a test's title. */
export const reference = { ...referenceExecutor, toString: () => referenceExecutor.name };
export const executors = ["wasm", reference] as const;
export type ExecutorOption = NonNullable<NetworkOptions["executor"]>;
/** The builds that this engine can run: builds.test.ts says which they must be. */
export const builds: Build[] = chooseBuild(false) === "relaxed" ? ["plain", "relaxed"] : ["plain"];

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

/** The smallest number above 0 of the type. */
const least: Record<DType, number> = { float64: 2 ** -1074, float32: 2 ** -149 };

/** Bytes before and after a region that no operation may change. */
const GUARD_BYTES = 128;
/**
 * What memory holds before a run. No numbers of the type, so that an operation that reads a guard or an old output
 * shows it, and signalling ones, whose bits no operation returns.
 */
const GUARD: Record<DType, number> = { float64: 0x7ff40000, float32: 0x7fa00000 };

/** A heap with guards around all that it gives out, to tests and to the program builder alike. */
class GuardedHeap extends Heap {
  /** No two words of a guard are alike, so that none can be copied to another's place. */
  readonly #pattern = Buffer.from(Uint32Array.from({ length: 128 }, (_, i) => GUARD[this.dtype] + i).buffer);
  #guards: { place: string; at: number; bytes: Uint8Array }[] = [];

  override allocate(bytes: number): number {
    return this.allocateShifted(bytes, 0);
  }

  /** As allocate(), `shift` bytes past the alignment. */
  allocateShifted(bytes: number, shift: number): number {
    const from = super.allocate(GUARD_BYTES + shift + bytes + GUARD_BYTES);
    const offset = from + GUARD_BYTES + shift;
    const region = `region ${this.#guards.length / 2} of the heap`;
    this.u32.fill(GUARD[this.dtype], from / 4, this.top / 4);
    this.#guard(`before ${region}`, from, offset);
    this.#guard(`after ${region}`, offset + bytes, this.top);
    return offset;
  }

  #guard(place: string, at: number, end: number): void {
    // Its words lie where numbers would.
    const bytes = this.#pattern.subarray(at % 8, (at % 8) + end - at);
    this.u8.set(bytes, at);
    this.#guards.push({ place, at, bytes });
  }

  override release(mark: number): void {
    super.release(mark);
    this.#guards = this.#guards.filter(({ at }) => at < mark);
  }

  /** Throws if a guard is not what it was. */
  checkGuards(label: string): void {
    const memory = Buffer.from(this.u8.buffer);
    for (const { place, at, bytes } of this.#guards) {
      if (memory.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0) continue;
      throw new Error(`${label}: changed memory ${place}`);
    }
  }
}

/**
 * How far the relaxed build may be from the plain one in an output that it makes with multiply-adds, for it rounds
 * them once and the plain build twice: so many epsilons of the values, or of the sizes given.
 */
export interface Rounding {
  epsilons: number;
  of?: Numbers;
}

interface Region {
  offset: number;
  /** The data in it before the run. */
  before: Data;
  written: boolean;
  rounding: Rounding | undefined;
}

/** One side of a run: makes the regions, and has the builder to emit operations with. */
export class Bench {
  readonly builder: ProgramBuilder;
  readonly heap: GuardedHeap;
  readonly regions: Region[] = [];
  readonly #shifted: boolean;

  constructor(heap: GuardedHeap, { threads = 1, shifted = false }) {
    this.heap = heap;
    this.builder = new ProgramBuilder(heap, threads);
    this.#shifted = shifted;
  }

  /** Values of the working type that the operation only reads. */
  input(values: Numbers): Memory {
    return this.place(elements(this.heap.dtype, values));
  }

  /** Room for values of the working type, not numbers before the run. */
  output(count: number, rounding?: Rounding): Memory {
    return this.place(elements(this.heap.dtype, count).fill(Number.NaN), { written: true, rounding });
  }

  /** Values of the working type that the operation overwrites. */
  inPlace(values: Numbers, rounding?: Rounding): Memory {
    return this.place(elements(this.heap.dtype, values), { written: true, rounding });
  }

  /** Data in their own type. Outputs that are given no rounding have the same bits in every build. */
  place(data: Data, { written = false, rounding = undefined as Rounding | undefined } = {}): Memory {
    // A different shift for each region, so that no two need be aligned alike.
    const shift = this.#shifted ? (1 + (this.regions.length % 3)) * data.BYTES_PER_ELEMENT : 0;
    const offset = this.heap.allocateShifted(data.byteLength, shift);
    this.regions.push({ offset, before: data.slice(), written, rounding });
    this.#view(offset, data).set(data);
    return { offset, bytes: data.byteLength };
  }

  /** What is in a region now. */
  data({ offset, before }: Region): Data {
    return this.#view(offset, before).slice();
  }

  #view(offset: number, like: Data): Data {
    const type = like.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => Data;
    return new type(this.heap.u8.buffer, offset, like.length);
  }
}

interface Side {
  executor: Executor;
  heap: GuardedHeap;
}

interface RunOptions {
  /** What is run, for messages. */
  label?: string;
  steps?: [from: number, to: number];
}

interface Output {
  data: Data;
  rounding: Rounding | undefined;
}

/** Runs operations on two sides and compares them: the plain build with the reference, the relaxed with the plain. */
export class Lab {
  readonly dtype: DType;
  readonly build: Build;
  readonly #shifted: boolean;
  readonly #side: Side;
  readonly #other: Side;
  /** The build once more, over a memory that threads share. */
  readonly #shared: Side;

  /** @param shifted whether regions begin one to three elements past the alignment that the heap gives */
  constructor(dtype: DType, { shifted = false, build = "plain" as Build } = {}) {
    this.dtype = dtype;
    this.build = build;
    this.#shifted = shifted;
    const deterministic = build === "plain";
    const plain = new WasmExecutor({ dtype, deterministic: true });
    const side = (executor: Executor): Side => ({ executor, heap: new GuardedHeap(executor, dtype) });
    this.#side = side(deterministic ? plain : new WasmExecutor({ dtype }));
    this.#other = side(deterministic ? new ReferenceExecutor({ dtype }) : plain);
    this.#shared = side(new WasmExecutor({ dtype, deterministic, shared: true }));
  }

  /**
   * Runs what `emit` emits on both sides. Throws unless both leave the same in every region that is an output (the
   * same bits, or in the relaxed build what the output's rounding allows), and change nothing in the others and in
   * the guards around all. Returns the outputs.
   */
  run(emit: (bench: Bench) => void, options: RunOptions = {}): Data[] {
    const outputs = this.#runAlone(this.#side, emit, options);
    const others = this.#runAlone(this.#other, emit, options);
    return outputs.map(({ data, rounding }, index) => {
      const expected = others[index].data;
      const label = `${options.label ?? ""} output ${index}`;
      if (this.build === "plain" || !rounding) expectSameBits(data, expected, label);
      else expectRounded(data, expected, rounding, { dtype: this.dtype, label });
      return data;
    });
  }

  /**
   * Runs what `emit` emits on `threads` threads, and on one. Throws unless both leave the same bits in every region
   * that is an output, and change nothing in the others and in the guards around all. Returns the outputs.
   */
  async runOnThreads(
    threads: number,
    emit: (bench: Bench) => void,
    options: RunOptions = {},
  ): Promise<Data[]> {
    const trial = new Trial(this.#shared, emit, options, { threads, shifted: this.#shifted });
    await this.#shared.executor.runParallel(trial.program, ...trial.steps);
    const alone = this.#runAlone(this.#side, emit, options);
    return trial.end().map(({ data }, index) => {
      expectSameBits(data, alone[index].data, `${options.label ?? ""} output ${index} on ${threads} threads`);
      return data;
    });
  }

  #runAlone(side: Side, emit: (bench: Bench) => void, options: RunOptions): Output[] {
    const trial = new Trial(side, emit, options, { shifted: this.#shifted });
    side.executor.run(trial.program, ...trial.steps);
    return trial.end();
  }
}

/** One run of one side. */
class Trial {
  readonly program: Program;
  readonly steps: [from: number, to: number];
  readonly #label: string;
  readonly #mark: number;
  readonly #bench: Bench;
  readonly #records: Uint8Array;

  constructor(
    { heap }: Side,
    emit: (bench: Bench) => void,
    { label = "", steps = [0, 1] }: RunOptions,
    options: ConstructorParameters<typeof Bench>[1],
  ) {
    this.#label = label;
    this.steps = steps;
    this.#mark = heap.top;
    this.#bench = new Bench(heap, options);
    emit(this.#bench);
    this.program = this.#bench.builder.finish();
    this.#records = this.#recordsNow().slice();
  }

  #recordsNow(): Uint8Array {
    const { offset, count } = this.program;
    return this.#bench.heap.u8.subarray(offset, offset + count * RECORD_WORDS * 4);
  }

  /** Gives the memory back, checks that only outputs were written, and returns them. */
  end(): Output[] {
    const { heap } = this.#bench;
    try {
      return this.#outputs();
    } finally {
      heap.release(this.#mark);
    }
  }

  #outputs(): Output[] {
    const { heap, regions } = this.#bench;
    const outputs: Output[] = [];
    for (const [index, region] of regions.entries()) {
      const data = this.#bench.data(region);
      if (region.written) outputs.push({ data, rounding: region.rounding });
      else if (!bytes(data).equals(bytes(region.before))) {
        throw new Error(`${this.#label}: changed region ${index}, which is an input`);
      }
    }
    heap.checkGuards(this.#label);
    if (!bytes(this.#records).equals(this.#recordsNow())) {
      throw new Error(`${this.#label}: changed the program`);
    }
    return outputs;
  }
}

const bytes = (data: Data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Throws unless the relaxed build's values are as near as that; what is not finite must be the same. */
function expectRounded(
  actual: Data,
  expected: Data,
  { epsilons, of = expected }: Rounding,
  { dtype, label }: { dtype: DType; label: string },
): void {
  for (let i = 0; i < expected.length; i++) {
    const value = expected[i];
    if (Object.is(actual[i], value)) continue;
    // Below the normal numbers all are equally far apart.
    const allowed = epsilons * Math.max(epsilon[dtype] * Math.abs(of[i]), least[dtype]);
    const difference = Math.abs(actual[i] - value);
    if (Number.isFinite(value) && difference <= allowed) continue;
    throw new Error(
      `${label}: element ${i} is ${actual[i]}, but the plain build's ${value}: ${difference} apart, not ${allowed}`,
    );
  }
}

/** The bits, except that any NaN equals any other. */
export function expectSameBits(actual: Data, expected: Data, label = ""): void {
  if (actual.length !== expected.length) {
    throw new Error(`${label}: ${actual.length} values, expected ${expected.length}`);
  }
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

/** Every loss, those too that a name means after another activation. */
export function everyLoss(): SetLoss[] {
  return namesOf(losses).flatMap((name) => {
    const rows = new Set(
      [undefined, "sigmoid", "softmax"].map((last) => rowAfter(name, last as ActivationName)),
    );
    return [...rows].flatMap((row) => (row ? setLoss(row, { name }) : []));
  });
}

/** A network of dense layers alone, and what it is made of. */
export type DenseNetwork = Network<DType, readonly Dense[]>;
export type DenseNetworkOptions = NetworkOptions<DType, readonly Dense[]>;

/** A network of 4 inputs and 3 classes: one of any kind. */
export function makeClassifier(options: Partial<DenseNetworkOptions> = {}): DenseNetwork {
  const layers = [new Dense(5, { activation: "tanh" }), new Dense(3, { activation: "softmax" })];
  return new Network({ inputs: 4, layers, seed: 7, ...options });
}

/** A golden network with its initial parameters. */
export function buildGolden(
  golden: GoldenNetwork,
  options: Partial<DenseNetworkOptions> = {},
  penalties: PenaltyOptions = {},
): DenseNetwork {
  const layers = golden.layers.map(({ size, activation }) => new Dense(size, { activation, ...penalties }));
  const network = new Network({ inputs: golden.inputs, layers, seed: 0, ...options });
  for (const [i, { weights, biases }] of network.layers.entries()) {
    weights.set(golden.weights[i]);
    biases.set(golden.biases[i]);
  }
  return network;
}

/** A copy of all weights and biases, layer by layer. */
export function parameters(network: Network): Float64Array {
  return Float64Array.from(
    network.layers.flatMap(({ weights = [], biases = [] }) => [...weights, ...biases]),
  );
}

/** Puts such a copy into a network of the same layers. */
export function setParameters(network: Network, values: Float64Array): void {
  let at = 0;
  for (const { weights, biases } of network.layers) {
    for (const view of [weights, biases]) {
      if (!view) continue;
      view.set(values.subarray(at, at + view.length));
      at += view.length;
    }
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

/** Philox 4x32-10 by the book, in exact integers: four counter words and two key words to four words. */
export function philox(counter: number[], key: number[]): number[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

/** Mean, variance and largest magnitude of values, and how many there are. */
export function momentsOf(values: ArrayLike<number>) {
  const all = Array.from(values);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length;
  return { mean, variance, most: Math.max(...all.map(Math.abs)), n: all.length };
}

/** Entries without the one field that no two runs share. */
export function withoutSeconds(history: EpochEntry[]) {
  return history.map(({ seconds: _, ...rest }) => rest);
}

/** `count` values from `low` to `high`, exact in float32 so that both element types get the same. */
export function randomValues(count: number, seed: number, low = -2, high = 2): Float64Array {
  const next = random(seed);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = Math.fround(low + (high - low) * next());
  return values;
}

/**
 * As randomValues, but of twelve bits each: the product of two of them has 24 and is exact in both types. A sum of
 * such products has the same bits whether the multiply-adds are fused or not.
 */
export function factors(count: number, seed: number, low = -2, high = 2): Float64Array {
  return randomValues(count, seed, low, high).map(toTwelveBits);
}

/** A number as a float32 with the last 12 of its 24 bits cut off. */
export function toTwelveBits(value: number): number {
  float[0] = value;
  bitsOfFloat[0] &= 0xfffff000;
  return float[0];
}

const float = new Float32Array(1);
const bitsOfFloat = new Uint32Array(float.buffer);

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

/** Every build and element type, in aligned and in unaligned regions, with its title: what each kernel is tested on. */
export const settings = builds.flatMap((build) =>
  dtypes.flatMap((dtype) =>
    [false, true].map((shifted): [string, { dtype: DType; shifted: boolean; build: Build }] => [
      `the ${build} build, ${shifted ? "unaligned" : "aligned"} ${dtype}`,
      { dtype, shifted, build },
    ]),
  ),
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
  const starts = new Uint32Array(rows + 1);
  const columns: number[] = [];
  let capacity = 0;
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < width; j++) if (values[r * width + j] !== 0) columns.push(j);
    starts[r + 1] = columns.length;
    capacity = Math.max(capacity, starts[r + 1] - starts[r]);
  }
  return {
    starts: bench.place(starts),
    columns: bench.place(Uint32Array.from(columns)),
    data: bench.place(values.filter((value) => value !== 0)),
    dataType:
      values instanceof Uint8Array
        ? DataType.u8
        : values instanceof Float32Array
          ? DataType.f32
          : DataType.f64,
    width,
    capacity,
  };
}

/** A sparse batch of x (rows, width), gathered from a data set of just these rows. */
export function sparseInput(bench: Bench, x: Float64Array, rows: number, width: number): SparseMatrix {
  const { dtype } = bench.builder.heap;
  const data = placeWithoutZeros(bench, elements(dtype, x), width, rows);
  const matrix = bench.builder.sparseMatrix(rows, width, data.capacity);
  bench.builder.gatherSparse(matrix, data, { order: undefined, batch: rows }, bench.builder.cell(1));
  return matrix;
}
