// What an executor is: a linear memory and an interpreter for the programs in it.

import type { DType } from "../dtype.js";
import type { Signal } from "../signal.js";

/** A program in the heap: `count` records from byte `offset` on, planned for a number of threads. */
export interface Program {
  readonly offset: number;
  readonly count: number;
  readonly threads: number;
  /** Its phases in order: number of the first record, how many there are, and in how many parts threads share them. */
  readonly phases: readonly { readonly first: number; readonly count: number; readonly parts: number }[];
  /** In how many parts to do each phase of a step that would take too long at a stretch; 1: it would not. */
  readonly parts: number;
}

export interface Executor {
  /** First byte of the memory that the heap may use. */
  readonly heapBase: number;
  /** The memory as it is now; growing replaces it. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Makes the memory at least `bytes` long. Throws RangeError, with nothing changed, if it cannot. */
  grow(bytes: number): void;
  /** Runs every record of the program for each step from `fromStep` to `toStep`, exclusive, at once. */
  run(program: Program, fromStep: number, toStep: number): void;
  /**
   * Does a part of a phase, on the calling thread. All parts of a phase, in order, make the phase, and its bits; all
   * phases a step.
   */
  runPart(program: Program, phase: number, step: number, part: number, parts: number): void;
  /**
   * As run(), on the program's number of threads, away from the calling one. Rejects when a thread dies. With a
   * `signal` it may end in the middle of a step once that is aborted: then it resolves with false.
   */
  runParallel(program: Program, fromStep: number, toStep: number, signal?: Signal): Promise<boolean>;
}

/** A way to compute other than the WASM executor, as `wasmgrad/reference` exports it. */
export interface ExecutorKind {
  readonly name: "reference";
  /**
   * Makes the executor of one network.
   * @internal
   */
  readonly make: (options: ExecutorOptions) => Executor;
}

/** A run that ended in the middle through no fault of the program: its results must not be used. */
export class RunFailure extends Error {}

export interface ExecutorOptions {
  dtype: DType;
  /** The same bits on every engine, at the price of fused multiply-add; default false. */
  deterministic?: boolean;
  /** Whether the memory is one that threads can share; default false. */
  shared?: boolean;
}
