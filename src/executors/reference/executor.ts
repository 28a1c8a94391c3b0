// The reference executor: the living definition of every operation, and the fallback where WebAssembly is
// blocked.

import { RECORD_WORDS } from "../../../assembly/ops.js";
import type { Executor, ExecutorOptions, Program } from "../executor.js";
import { Machine } from "./machine.js";
import { run } from "./program.js";

const LIMIT = 2 ** 32;

export class ReferenceExecutor implements Executor {
  /** Not 0, which stands for nothing in a program. */
  readonly heapBase = 64;
  readonly #dtype: ExecutorOptions["dtype"];
  #buffer = new ArrayBuffer(65536);
  #machine: Machine;

  constructor({ dtype }: ExecutorOptions) {
    this.#dtype = dtype;
    this.#machine = new Machine(this.#buffer, this.#dtype);
  }

  get buffer(): ArrayBuffer {
    return this.#buffer;
  }

  grow(bytes: number): void {
    if (bytes > LIMIT) throw new RangeError(`offsets are 32 bits wide: ${bytes} bytes are too many`);
    // Twice the size, so that a plan's many small regions do not copy the memory each time.
    const grown = new ArrayBuffer(Math.max(bytes, Math.min(2 * this.#buffer.byteLength, LIMIT)));
    new Uint8Array(grown).set(new Uint8Array(this.#buffer));
    this.#buffer = grown;
    this.#machine = new Machine(this.#buffer, this.#dtype);
  }

  run(program: Program, fromStep: number, toStep: number): void {
    const { offset, count, threads } = program;
    for (let step = fromStep; step < toStep; step++) {
      if (threads === 1) {
        run(this.#machine, offset, count, step, 0, 1);
        continue;
      }
      for (const [phase, { parts }] of program.phases.entries()) {
        for (const part of this.order(parts)) this.runPart(program, phase, step, part, parts);
      }
    }
  }

  runPart({ offset, phases }: Program, phase: number, step: number, part: number, parts: number): void {
    const { first, count } = phases[phase];
    run(this.#machine, offset + first * RECORD_WORDS * 4, count, step, part, parts);
  }

  /** The reference has one thread: it does the parts of all others, too. */
  async runParallel(program: Program, fromStep: number, toStep: number): Promise<boolean> {
    this.run(program, fromStep, toStep);
    return true;
  }

  /** In which order the parts of a phase are done: of several threads' any, which is what tests try. */
  order(parts: number): Iterable<number> {
    return Array(parts).keys();
  }
}
