// Keeps the event loop alive during training: work runs in slices. On the calling thread they are short, for
// nothing else runs meanwhile; on the pool they are longer, for each costs the workers a wake-up.

import type { Executor, Program } from "./executors/executor.js";

/** Aim of a slice, in milliseconds: on the calling thread, and on the pool. */
const TARGET = 20;
const POOL_TARGET = 60;
/** A slice that takes this many times its aim makes the next ones shorter. */
const TOLERANCE = 1.5;
/** A slice may have this many times the steps of the one before. */
const FASTEST_GROWTH = 32;

/** Lets other tasks run: timers, I/O, rendering. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
    if (setImmediate) return setImmediate(resolve);
    // A message is not throttled as nested timers are in browsers.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

export class Pacer {
  readonly #executor: Executor;
  readonly #signal: AbortSignal | undefined;
  #steps = 1;
  #lastTurn = performance.now();

  constructor(executor: Executor, signal?: AbortSignal) {
    this.#executor = executor;
    this.#signal = signal;
  }

  /** Lets the event loop turn if it has waited long enough. Throws the signal's reason if it is aborted. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#lastTurn >= TARGET) {
      await turn();
      this.#lastTurn = performance.now();
    }
    this.#signal?.throwIfAborted();
  }

  /** Runs one step. */
  async step(program: Program, step: number): Promise<void> {
    await this.#slice(program, step, step + 1);
    await this.breathe();
  }

  /** Runs steps in slices; `stop` is asked after each slice whether to leave the rest. */
  async run(
    program: Program,
    fromStep: number,
    toStep: number,
    stop: () => boolean = () => false,
  ): Promise<void> {
    for (let from = fromStep; from < toStep; ) {
      const to = Math.min(toStep, from + this.#steps);
      const start = performance.now();
      await this.#slice(program, from, to);
      const elapsed = performance.now() - start;
      this.#adapt(to - from, elapsed, program.threads > 1 ? POOL_TARGET : TARGET);
      from = to;
      await this.breathe();
      if (stop()) return;
    }
  }

  /** One slice, on the pool if the program was planned for threads. */
  #slice(program: Program, fromStep: number, toStep: number): Promise<void> | undefined {
    if (program.threads > 1) return this.#executor.runParallel(program, fromStep, toStep);
    this.#executor.run(program, fromStep, toStep);
    return undefined;
  }

  #adapt(steps: number, elapsed: number, target: number): void {
    if (elapsed > TOLERANCE * target) this.#steps = Math.max(1, Math.floor((steps * target) / elapsed));
    // The first steps are slower than those to come, for the engine has yet to optimize the kernels: what they
    // promise is kept. But clocks are coarse, and a slice that took no time promises too much.
    else if (elapsed < target / 2 && steps === this.#steps) {
      this.#steps = Math.min(2 ** 24, Math.floor(steps * Math.min(FASTEST_GROWTH, target / elapsed)));
    }
  }
}
