// The WASM executor: one instance of the compiled kernels over a memory of its own, and, with threads, the
// pool's instances over the same memory.

import { instantiateSync } from "@assemblyscript/loader";
import { CONTROL_CELLS } from "../../../assembly/ops.js";
import type { Executor, ExecutorOptions, Program } from "../executor.js";
import { chooseBuild, compiled } from "./module.js";
import { pool } from "./pool.js";

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

interface Exports extends Record<string, unknown> {
  heapBase(): number;
  run64: Run;
  run32: Run;
}

export class WasmExecutor implements Executor {
  readonly heapBase: number;
  readonly #memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  readonly #control: number;
  readonly #name: "run64" | "run32";
  readonly #run: Run;
  readonly #network = networks++;

  constructor({ dtype, deterministic = false, shared = false }: ExecutorOptions) {
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: MAXIMUM_PAGES, shared });
    this.#module = compiled(chooseBuild(deterministic), shared);
    const { exports } = instantiateSync<Exports>(this.#module, { env: { memory: this.#memory } });
    this.#control = Math.ceil(exports.heapBase() / 64) * 64;
    // One thread alone needs no control block.
    this.heapBase = this.#control + (shared ? CONTROL_CELLS * 4 : 0);
    this.#name = dtype === "float64" ? "run64" : "run32";
    this.#run = exports[this.#name];
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

  runParallel({ offset, count, threads }: Program, fromStep: number, toStep: number): Promise<void> {
    return pool.run({
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
    });
  }
}
