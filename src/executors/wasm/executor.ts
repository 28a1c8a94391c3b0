// The WASM executor: one instance of the compiled kernels over a memory of its own.

import { instantiateSync } from "@assemblyscript/loader";
import type { Executor, ExecutorOptions, Program } from "../executor.js";
import { chooseBuild, compiled } from "./module.js";

const PAGE = 65536;
/** Of 32-bit WebAssembly. */
const MAXIMUM_PAGES = 65536;

type Run = (
  program: number,
  count: number,
  thread: number,
  threads: number,
  fromStep: number,
  toStep: number,
) => void;

interface Exports extends Record<string, unknown> {
  heapBase: WebAssembly.Global;
  run64: Run;
  run32: Run;
}

export class WasmExecutor implements Executor {
  readonly heapBase: number;
  readonly #memory: WebAssembly.Memory;
  readonly #run: Run;

  constructor({ dtype, deterministic }: ExecutorOptions) {
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: MAXIMUM_PAGES });
    const { exports } = instantiateSync<Exports>(compiled(chooseBuild(deterministic)), { env: { memory: this.#memory } });
    this.heapBase = exports.heapBase.value as number;
    this.#run = dtype === "float64" ? exports.run64 : exports.run32;
  }

  get buffer(): ArrayBuffer {
    return this.#memory.buffer as ArrayBuffer;
  }

  grow(bytes: number): void {
    const pages = Math.ceil((bytes - this.#memory.buffer.byteLength) / PAGE);
    if (pages > 0) this.#memory.grow(pages);
  }

  run(program: Program, fromStep: number, toStep: number): void {
    this.#run(program.offset, program.count, 0, 1, fromStep, toStep);
  }
}
