// What an executor is: a linear memory and an interpreter for the programs in it.

import type { DType } from "../dtype.js";

/** A program in the heap: `count` records from byte `offset` on. */
export interface Program {
  readonly offset: number;
  readonly count: number;
}

export interface Executor {
  /** First byte of the memory that the heap may use. */
  readonly heapBase: number;
  /** The memory as it is now; growing replaces it. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Makes the memory at least `bytes` long. Throws RangeError, with nothing changed, if it cannot. */
  grow(bytes: number): void;
  /** Runs every record of the program for each step from `fromStep` to `toStep`, exclusive. */
  run(program: Program, fromStep: number, toStep: number): void;
}

export interface ExecutorOptions {
  dtype: DType;
  /** The same bits on every engine, at the price of fused multiply-add. */
  deterministic: boolean;
}
