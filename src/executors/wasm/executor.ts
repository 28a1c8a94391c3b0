// The WASM executor: one instance of the compiled kernels over a memory of its own, and, with threads, the
// pool's instances over the same memory.

import { instantiateSync } from "@assemblyscript/loader";
import { CONTROL_CELLS, RECORD_WORDS } from "../../../assembly/ops.js";
import type { Signal } from "../../signal.js";
import type { Executor, ExecutorOptions, Program } from "../executor.js";
import { chooseBuild, compiled } from "./module.js";
import { type Job, pool } from "./pool.js";

const PAGE = 65536;
/** Of 32-bit WebAssembly. */
const MAXIMUM_PAGES = 65536;

let networks = 0;

type Run = (
  control: number,
  program: number,
  count: number,
  thread: number,
  threads: number,
  fromStep: number,
  toStep: number,
) => number;

/** The way out where WebAssembly is blocked. */
const WITHOUT =
  'import { reference } from "wasmgrad/reference" and pass executor: reference to compute in plain TypeScript';

/** A memory for a network, as small as can be. */
function reserveMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: MAXIMUM_PAGES, shared });
  } catch (cause) {
    throw new RangeError(
      `the engine has no memory for another network (${(cause as Error).message}): let go of networks that are no ` +
        "longer used, or raise the process's limit (ulimit -v)",
      { cause },
    );
  }
}

function compile(deterministic: boolean, shared: boolean): WebAssembly.Module {
  try {
    return compiled(chooseBuild(deterministic), shared);
  } catch (cause) {
    throw new Error(
      `the engine did not compile the WebAssembly kernels (${(cause as Error).message}): a page's ` +
        `Content-Security-Policy must have script-src 'wasm-unsafe-eval'; or ${WITHOUT}`,
      { cause },
    );
  }
}

type RunPart = (phase: number, count: number, step: number, part: number, parts: number) => void;

interface Exports extends Record<string, unknown> {
  heapBase(): number;
  run64: Run;
  run32: Run;
  part64: RunPart;
  part32: RunPart;
}

export class WasmExecutor implements Executor {
  readonly heapBase: number;
  readonly #memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  readonly #control: number;
  readonly #name: "run64" | "run32";
  readonly #run: Run;
  readonly #runPart: RunPart;
  readonly #network = networks++;

  constructor({ dtype, deterministic = false, shared = false }: ExecutorOptions) {
    if (typeof WebAssembly === "undefined") {
      throw new Error(
        `this engine has no WebAssembly (Node with --jitless, or a browser whose settings block it): allow it, or ${WITHOUT}`,
      );
    }
    this.#memory = reserveMemory(shared);
    this.#module = compile(deterministic, shared);
    const { exports } = instantiateSync<Exports>(this.#module, { env: { memory: this.#memory } });
    this.#control = Math.ceil(exports.heapBase() / 64) * 64;
    // One thread alone needs no control block.
    this.heapBase = this.#control + (shared ? CONTROL_CELLS * 4 : 0);
    this.#name = dtype === "float64" ? "run64" : "run32";
    this.#run = exports[this.#name];
    this.#runPart = dtype === "float64" ? exports.part64 : exports.part32;
  }

  get buffer(): ArrayBuffer | SharedArrayBuffer {
    return this.#memory.buffer;
  }

  grow(bytes: number): void {
    const pages = Math.ceil((bytes - this.#memory.buffer.byteLength) / PAGE);
    if (pages > 0) this.#memory.grow(pages);
  }

  run({ offset, count }: Program, fromStep: number, toStep: number): void {
    this.#run(this.#control, offset, count, 0, 1, fromStep, toStep);
  }

  runPart({ offset, phases }: Program, phase: number, step: number, part: number, parts: number): void {
    const { first, count } = phases[phase];
    this.#runPart(offset + first * RECORD_WORDS * 4, count, step, part, parts);
  }

  runParallel(
    { offset, count, threads }: Program,
    fromStep: number,
    toStep: number,
    signal?: Signal,
  ): Promise<boolean> {
    const job: Job = {
      network: this.#network,
      module: this.#module,
      memory: this.#memory,
      run: this.#name,
      control: this.#control,
      offset,
      count,
      threads,
      fromStep,
      toStep,
    };
    return pool.run(job, signal);
  }
}
