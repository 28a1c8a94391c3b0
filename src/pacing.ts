// Keeps the event loop alive during training: work runs in slices. On the calling thread they are short, for
// nothing else runs meanwhile; on the pool they are longer, for each costs the workers a wake-up. A step that is
// longer than a slice is done in parts.

import { nodeModule } from "./executors/environment.js";
import type { Executor, Program } from "./executors/executor.js";
import type { Pieces } from "./pieces.js";
import type { Signal } from "./signal.js";
import type { WholeSteps } from "./whole-steps.js";

/** Aim of a slice, in milliseconds: on the calling thread, and on the pool. */
const TARGET = 20;
const POOL_TARGET = 60;
/** Milliseconds after which the event loop turns: with one more slice to come it would wait too long. */
const TURN_AFTER = TARGET / 2;
/** A slice that takes this many times its aim makes the next ones shorter. */
const TOLERANCE = 1.5;
/** A step on the calling thread that takes longer, in milliseconds, has the next ones done in parts. */
const LONGEST_STEP = 2 * TARGET;
/** A slice may have this many times the steps of the one before. */
const FASTEST_GROWTH = 32;

type Immediate = (callback: () => void) => void;
/** Taken at once, before test tools fake it. */
const immediate = nodeModule<{ setImmediate: Immediate }>("node:timers")?.setImmediate;

/**
 * Lets other tasks run: timers, I/O, rendering. In browsers by a message, for it is not throttled as nested timers are;
 * not in Node, where from 22 on the first message loads 30 milliseconds of other modules.
 */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (immediate) return immediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

export interface PacerOptions {
  signal?: Signal | undefined;
  /** What readers see meanwhile; only where programs change parameters. */
  wholeSteps?: WholeSteps | undefined;
  /** Whether a copy of the parameters costs little beside a step that takes long: it can be aborted in the middle then. */
  copyEachStep?: boolean;
}

/** Whether work that a pacer drives goes on: not by instanceof, for tools replace the global Promise. */
export function isPending<T>(work: T | Promise<T>): work is Promise<T> {
  return typeof (work as Promise<T> | undefined)?.then === "function";
}

/** Most parts of a phase. */
const MOST_PARTS = 1024;

export class Pacer {
  readonly #executor: Executor;
  readonly #signal: Signal | undefined;
  readonly #wholeSteps: WholeSteps | undefined;
  readonly #copyEachStep: boolean;
  #steps = 1;
  /** Parts that each phase of a step is done in; 1: whole steps. */
  #parts = 1;
  #lastTurn = performance.now();
  /** Steps done so far. */
  done = 0;

  constructor(executor: Executor, { signal, wholeSteps, copyEachStep = false }: PacerOptions = {}) {
    this.#executor = executor;
    this.#signal = signal;
    this.#wholeSteps = wholeSteps;
    this.#copyEachStep = copyEachStep;
  }

  /** Lets the event loop turn if it has waited long enough. Throws the signal's reason if it is aborted. */
  async breathe(): Promise<void> {
    await this.#pause();
    this.#signal?.throwIfAborted();
  }

  async #pause(): Promise<void> {
    if (!this.#due) return;
    await turn();
    this.#lastTurn = performance.now();
  }

  /** Whether the event loop has waited long enough. */
  get #due(): boolean {
    return performance.now() - this.#lastTurn >= TURN_AFTER;
  }

  /** Does work in pieces; a promise of what it makes only if that takes longer than a slice. */
  drive<T>(work: Pieces<T>): T | Promise<T> {
    for (;;) {
      const { done, value } = work.next();
      if (done) return value;
      if (this.#due) return this.#driveOn(work);
    }
  }

  async #driveOn<T>(work: Pieces<T>): Promise<T> {
    for (;;) {
      await this.breathe();
      const { done, value } = work.next();
      if (done) return value;
    }
  }

  /**
   * Waits for what a callback returned, and returns it, but not longer than until the signal is aborted: then throws its
   * reason.
   */
  async callback(result: unknown): Promise<unknown> {
    const signal = this.#signal;
    if (!signal) return await result;
    let listener = () => {};
    const aborted = new Promise<void>((resolve) => {
      listener = resolve;
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", listener);
    });
    let value: unknown;
    try {
      value = await Promise.race([result, aborted]);
    } finally {
      signal.removeEventListener("abort", listener);
    }
    signal.throwIfAborted();
    return value;
  }

  /** Runs one step. */
  step(program: Program, step: number): Promise<void> {
    return this.run(program, step, step + 1);
  }

  /** Runs steps in slices; `stop` is asked after each slice whether to leave the rest. */
  async run(
    program: Program,
    fromStep: number,
    toStep: number,
    stop: () => boolean = () => false,
  ): Promise<void> {
    for (let from = fromStep; from < toStep; ) {
      if (this.#partsOf(program) > 1) {
        await this.#cutStep(program, from++);
      } else {
        const to = Math.min(toStep, from + this.#steps);
        await this.#slice(program, from, to);
        from = to;
      }
      await this.breathe();
      if (stop()) return;
    }
  }

  /** Runs `work` on rows in slices of about 20 ms, each from a row to another. */
  async rows(count: number, step: number, work: (from: number, to: number) => void): Promise<void> {
    for (let from = 0; from < count; ) {
      const to = Math.min(count, from + step * this.#steps);
      const start = performance.now();
      work(from, to);
      this.#adapt(this.#steps, performance.now() - start, TARGET);
      from = to;
      await this.breathe();
    }
  }

  /** One slice, on the pool if the program was planned for threads. */
  async #slice(program: Program, fromStep: number, toStep: number): Promise<void> {
    const start = performance.now();
    const pooled = program.threads > 1;
    if (pooled) {
      // One step may take long. Where a copy costs little beside it, it can be aborted in the middle.
      const copy = this.#copyEachStep && toStep - fromStep === 1;
      this.#wholeSteps?.enter({ copy });
      try {
        const signal = copy ? this.#signal : undefined;
        if (!(await this.#executor.runParallel(program, fromStep, toStep, signal))) {
          this.#wholeSteps?.undo();
          this.done--;
        }
      } finally {
        this.#wholeSteps?.leave();
      }
    } else {
      this.#executor.run(program, fromStep, toStep);
    }
    this.done += toStep - fromStep;
    const elapsed = performance.now() - start;
    this.#adapt(toStep - fromStep, elapsed, pooled ? POOL_TARGET : TARGET);
    if (!pooled && toStep - fromStep === 1) this.#cut(elapsed);
  }

  /** In how many parts to do each phase of the program's steps. */
  #partsOf({ threads, parts }: Program): number {
    return threads > 1 ? 1 : Math.min(MOST_PARTS, Math.max(parts, this.#parts));
  }

  /** One step, part by part. Who aborts it finds the parameters of the step before. */
  async #cutStep(program: Program, step: number): Promise<void> {
    const parts = this.#partsOf(program);
    const copy = this.#copyEachStep;
    let elapsed = 0;
    this.#wholeSteps?.enter({ copy });
    try {
      for (const phase of program.phases.keys()) {
        for (let part = 0; part < parts; part++) {
          const start = performance.now();
          this.#executor.runPart(program, phase, step, part, parts);
          elapsed += performance.now() - start;
          await this.#pause();
          if (copy && this.#signal?.aborted) {
            this.#wholeSteps?.undo();
            this.#signal.throwIfAborted();
          }
        }
      }
    } finally {
      this.#wholeSteps?.leave();
    }
    this.done++;
    this.#cut(elapsed);
  }

  /** Whether steps like one that took so long are to be cut from now on. */
  #cut(elapsed: number): void {
    this.#parts = elapsed > LONGEST_STEP ? Math.ceil(elapsed / TARGET) : 1;
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
