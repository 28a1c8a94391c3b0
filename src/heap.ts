// The arena: regions of one linear memory, given out in stack order, and views of it.

import { className, formatBytes } from "./check.js";
import { bytesOf, type DType, type FloatArray } from "./dtype.js";
import type { Executor } from "./executors/executor.js";

const ALIGNMENT = 64;
/** Kernels may read a vector past the end of the last region. */
const PADDING = 64;

/** What helps where a call needs too much: the data and the workspace of a batch take the most. */
const SMALLER_DATA =
  'Use dtype "float32", keep the data as Uint8Array, take a smaller batchSize, or split the data ' +
  "over several calls of fit";

/**
 * A piece of memory. One of the heap has its offset at once; one of a program's workspace gets it when the program is
 * compiled, maybe one that another has before or after it.
 */
export interface Region {
  /** In bytes; UNPLACED until a region of the workspace has a place. */
  offset: number;
  readonly bytes: number;
}

export const UNPLACED = -1;

/**
 * Memory growth detaches views, so nobody keeps one: ask the heap each time. Regions are 64-byte aligned
 * and not cleared.
 */
export class Heap {
  readonly dtype: DType;
  readonly #executor: Executor;
  #top: number;
  #buffer: ArrayBufferLike | undefined;
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  #all!: { u8: Uint8Array; u32: Uint32Array; f32: Float32Array; f64: Float64Array };

  constructor(executor: Executor, dtype: DType) {
    this.#executor = executor;
    this.dtype = dtype;
    this.#top = align(executor.heapBase);
  }

  /** Bytes of an element of the working type. */
  get elementBytes(): number {
    return bytesOf(this.dtype);
  }

  /** The memory as it is now: growing replaces it. */
  get memory(): ArrayBuffer | SharedArrayBuffer {
    return this.#executor.buffer;
  }

  /** Whether a buffer is the memory, or was: one that threads share stays valid as it grows. */
  owns(buffer: ArrayBufferLike): boolean {
    this.#views();
    return this.#buffers.has(buffer);
  }

  /** End of the last region: give it to release() to drop all regions allocated since. */
  get top(): number {
    return this.#top;
  }

  /**
   * Makes room for `bytes` more bytes without giving them out. `advice` says what to do where that cannot be.
   * Throws RangeError, with nothing changed, when the memory cannot grow that far.
   */
  reserve(bytes: number, advice: string = SMALLER_DATA): void {
    const needed = align(this.#top + bytes) + PADDING;
    if (needed <= this.#executor.buffer.byteLength) return;
    try {
      this.#executor.grow(needed);
    } catch (cause) {
      throw new RangeError(
        `the network's memory would have to grow to ${formatBytes(needed)} (${formatBytes(bytes)} of it for the last ` +
          `region), which the engine does not grant; the limit is 4096 MiB. ${advice}`,
        { cause },
      );
    }
  }

  /** Takes `bytes` bytes and returns their offset. Throws as reserve() does. */
  allocate(bytes: number): number {
    this.reserve(bytes);
    const offset = this.#top;
    this.#top = align(offset + bytes);
    return offset;
  }

  /** As allocate(). */
  region(bytes: number): Region {
    return { offset: this.allocate(bytes), bytes };
  }

  /** A new f64 cell holding `value`. */
  cell(value: number): Region {
    const cell = this.region(8);
    this.setCell(cell, value);
    return cell;
  }

  setCell({ offset }: Region, value: number): void {
    this.f64[offset / 8] = value;
  }

  /** Drops every region allocated since `top` was `mark`. */
  release(mark: number): void {
    this.#top = mark;
  }

  get u8(): Uint8Array {
    return this.#views().u8;
  }

  get u32(): Uint32Array {
    return this.#views().u32;
  }

  get f32(): Float32Array {
    return this.#views().f32;
  }

  get f64(): Float64Array {
    return this.#views().f64;
  }

  /** A live view of `length` elements of the working type at byte `offset`. */
  elements(offset: number, length: number): FloatArray {
    const bytes = this.elementBytes;
    const all = this.dtype === "float64" ? this.f64 : this.f32;
    return all.subarray(offset / bytes, offset / bytes + length);
  }

  /** A live view of what lies in a region as values of the type of `data`, and as many, unless `length` says how many. */
  like<A extends Uint8Array | Uint32Array | FloatArray>(
    data: A,
    { offset }: Region,
    length: number = data.length,
  ): A {
    const first = offset / data.BYTES_PER_ELEMENT;
    const all = Object.values(this.#views()).find((view) => className(view) === className(data));
    return all!.subarray(first, first + length) as A;
  }

  /** The whole memory as it is now, in all types. */
  #views() {
    const { buffer } = this.#executor;
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#buffers.add(buffer);
      this.#all = {
        u8: new Uint8Array(buffer),
        u32: new Uint32Array(buffer),
        f32: new Float32Array(buffer),
        f64: new Float64Array(buffer),
      };
    }
    return this.#all;
  }
}

function align(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}
