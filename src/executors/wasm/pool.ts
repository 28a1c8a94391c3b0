// The pool: one persistent set of workers for all networks of the process.
//
// Threads of a program wait for each other, so a job runs only when it has all its workers at once; jobs that
// find too few wait in line. Workers never keep the process alive while idle, and end after IDLE ms without
// work.

import { CONTROL_CELLS, Control, LONGEST_SPIN, SHORTEST_SPIN } from "../../../assembly/ops.js";
import { workerSource } from "../../../build/worker.js";
import type { Signal } from "../../signal.js";
import { availableThreads, nodeModule } from "../environment.js";
import { RunFailure } from "../executor.js";

/** Milliseconds without work after which the workers end. */
const IDLE = 30000;

/** A share of a program's run. */
export interface ToWorker {
  /** Identifies the network: an instance of the module over its memory is kept from job to job. */
  network: number;
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  run: "run64" | "run32";
  control: number;
  offset: number;
  count: number;
  thread: number;
  threads: number;
  fromStep: number;
  toStep: number;
}

export interface FromWorker {
  /** False: another thread died, or the run was aborted, and this one left in the middle. */
  whole: boolean;
}

/** A worker's first message: it has started. */
export interface Ready {
  ready: true;
}

export type Job = Omit<ToWorker, "thread">;

/** What differs between worker_threads and Web Workers. */
interface Handle {
  postMessage(message: ToWorker): void;
  terminate(): void;
  /** Whether the worker keeps the process alive. */
  hold(alive: boolean): void;
}

interface Member {
  handle: Handle;
  /** Settled when the worker has started, or has died before. */
  started: Promise<void>;
  /** Called with what the worker answers, or why it died. */
  settle: ((answer: FromWorker | Error) => void) | undefined;
}

/** A job that waits for workers. */
interface Waiting {
  threads: number;
  start: (members: Member[]) => void;
  refuse: (reason: Error) => void;
}

interface NodeWorker {
  postMessage(message: unknown): void;
  terminate(): Promise<number>;
  ref(): void;
  unref(): void;
  on(event: string, listener: (value: never) => void): void;
}

function startWorker(receive: (message: FromWorker | Ready) => void, died: (reason: Error) => void): Handle {
  const threads = nodeModule<{ Worker: new (source: string, options: object) => NodeWorker }>(
    "node:worker_threads",
  );
  if (threads) {
    const worker = new threads.Worker(workerSource, { eval: true, name: "wasmgrad" });
    worker.on("message", receive);
    worker.on("error", died);
    worker.on("exit", (code: number) => died(new Error(`it exited with code ${code}`)));
    worker.unref();
    return {
      postMessage: (message) => worker.postMessage(message),
      terminate: () => void worker.terminate(),
      hold: (alive) => (alive ? worker.ref() : worker.unref()),
    };
  }
  const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
  const worker = new Worker(url, { name: "wasmgrad" });
  worker.onmessage = ({ data }: MessageEvent<FromWorker | Ready>) => receive(data);
  worker.onerror = (event) => died(new Error(event.message || "it could not be started"));
  return {
    postMessage: (message) => worker.postMessage(message),
    terminate: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
    hold: () => {},
  };
}

export class Pool {
  readonly #members = new Set<Member>();
  readonly #idle: Member[] = [];
  readonly #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Workers alive, for tests. */
  get size(): number {
    return this.#members.size;
  }

  /**
   * Runs a job on `job.threads` workers. Rejects when a worker cannot be started, and when one dies; by then all
   * others have left the run. False: the signal was aborted, and the run ended in the middle.
   */
  async run(job: Job, signal?: Signal): Promise<boolean> {
    const members = await this.#take(job.threads);
    const starts = await Promise.allSettled(members.map(({ started }) => started));
    const failed = starts.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    if (failed || members.some((member) => !this.#members.has(member))) {
      // Only those that live go on to the next job.
      this.#give(members);
      throw notStarted(job.threads, failed?.reason ?? new Error("one of them died meanwhile"));
    }
    const cells = new Int32Array(job.memory.buffer, job.control, CONTROL_CELLS);
    const crowded = this.#members.size - this.#idle.length > availableThreads();
    cells.fill(0, Control.queues);
    cells[Control.patience] = crowded ? SHORTEST_SPIN : LONGEST_SPIN;
    let death: Error | undefined;
    let whole = true;
    const answers = members.map(
      (member, thread) =>
        new Promise<void>((resolve) => {
          member.settle = (answer) => {
            member.settle = undefined;
            if (answer instanceof Error) {
              death ??= answer;
              abandon(cells);
            } else if (!answer.whole) {
              whole = false;
            }
            resolve();
          };
          member.handle.hold(true);
          member.handle.postMessage({ ...job, thread });
        }),
    );
    const leave = () => abandon(cells);
    signal?.addEventListener("abort", leave);
    await Promise.all(answers);
    signal?.removeEventListener("abort", leave);
    this.#give(members);
    if (death || signal?.aborted) cells.fill(0);
    if (death) {
      throw new RunFailure(`a worker thread died in the middle of training: ${death.message}`, {
        cause: death,
      });
    }
    return whole;
  }

  /** Ends one worker, for tests of what happens then. */
  killOne(): void {
    for (const { handle, settle } of this.#members) {
      if (!settle) continue;
      handle.terminate();
      return;
    }
  }

  #take(threads: number): Promise<Member[]> {
    clearTimeout(this.#timer);
    return new Promise((start, refuse) => {
      this.#waiting.push({ threads, start, refuse });
      this.#dispatch();
    });
  }

  #give(members: Member[]): void {
    for (const member of members) {
      if (!this.#members.has(member)) continue;
      member.handle.hold(false);
      this.#idle.push(member);
    }
    this.#dispatch();
  }

  /** Starts the jobs in line for which there are workers, in order. */
  #dispatch(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      try {
        while (this.#members.size < next.threads) this.#idle.push(this.#start());
      } catch (cause) {
        // The job leaves the line; the workers that did start are idle, and nobody waits for them.
        this.#waiting.shift();
        for (const { handle } of this.#idle) handle.hold(false);
        next.refuse(notStarted(next.threads, cause as Error));
        continue;
      }
      if (this.#idle.length < next.threads) return;
      this.#waiting.shift();
      next.start(this.#idle.splice(0, next.threads));
    }
    if (this.#idle.length === this.#members.size) this.#endLater();
  }

  #start(): Member {
    let begin = () => {};
    let fail: (reason: Error) => void = () => {};
    const started = new Promise<void>((resolve, reject) => {
      begin = resolve;
      fail = reject;
    });
    // Whoever needs the worker hears of it; a worker that nobody has waited for may die in silence.
    started.catch(() => {});
    const handle = startWorker(
      (message) => {
        if ("ready" in message) begin();
        else member.settle?.(message);
      },
      (reason) => {
        if (!this.#members.delete(member)) return;
        member.handle.terminate();
        const place = this.#idle.indexOf(member);
        if (place >= 0) this.#idle.splice(place, 1);
        fail(reason);
        member.settle?.(reason);
      },
    );
    // Until it has started it keeps the process alive: somebody is waiting for it.
    handle.hold(true);
    const member: Member = { handle, started, settle: undefined };
    this.#members.add(member);
    return member;
  }

  #endLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      for (const { handle } of this.#idle.splice(0)) handle.terminate();
      this.#members.clear();
    }, IDLE);
    (this.#timer as { unref?: () => void }).unref?.();
  }
}

/** The error for workers that the process or the page does not give. */
function notStarted(threads: number, cause: Error): RunFailure {
  return new RunFailure(
    `could not start ${threads} worker threads (${cause.message}): use fewer (threads: 1 needs none), or allow them, in ` +
      "Node by --allow-worker, in a page's Content-Security-Policy by worker-src blob:",
    { cause },
  );
}

/** Makes the other threads of a job leave: those that wait are woken, those that run see it at their barrier. */
function abandon(cells: Int32Array): void {
  Atomics.store(cells, Control.abandoned, 1);
  Atomics.add(cells, Control.generation, 1);
  Atomics.notify(cells, Control.generation);
}

/** The pool of this process. */
export const pool = new Pool();
