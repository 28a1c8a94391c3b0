// The speed limits of the kernels: loops of multiply-adds, compiled the way the kernels are.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TALL_ROWS, TILE_ROWS } from "../assembly/ops.js";
import type { DType } from "../src/dtype.js";
import type { Build } from "../src/executors/wasm/module.js";
import type { Work } from "./measure.js";

/** Over registers alone, or a product's innermost loop, which loads what it multiplies. */
export type Loop = "peak" | "tile";

/** Terms of the tile in assembly/peak.ts. */
const TERMS = 128;

/** Vector multiply-adds a turn of the loops in assembly/peak.ts. */
const multiplyAdds = (loop: Loop, build: Build) =>
  loop === "peak" ? 20 : TERMS * 2 * (build === "relaxed" ? TALL_ROWS : TILE_ROWS);

/** A loop as work; a unit is one operation: a multiplication or an addition. */
export function peak(name: Loop, build: Build, dtype: DType): Work {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(compile(build)));
  const [bits, lanes] = dtype === "float64" ? [64, 2] : [32, 4];
  const loop = exports[name + bits] as (count: number, factor: number, term: number) => unknown;
  const operations = multiplyAdds(name, build) * lanes * 2;
  return (count) => {
    const turns = Math.ceil(count / operations);
    const start = performance.now();
    loop(turns, 0.75, 0.25);
    return ((performance.now() - start) / 1000) * (count / (turns * operations));
  };
}

/**
 * In a process of its own: the compiler is itself a large WebAssembly module, which V8 would go on optimizing
 * in the background for seconds, at the expense of what is measured.
 */
function compile(build: Build): Uint8Array<ArrayBuffer> {
  const { resolve } = createRequire(import.meta.url);
  const compiler = join(resolve("assemblyscript/package.json"), "../bin/asc.js");
  // Away from the asconfig.json of the kernels. (This code runs bundled, from build/.)
  const place = ["peak.ts", "--baseDir", fileURLToPath(new URL("../bench/assembly/", import.meta.url))];
  const features = build === "relaxed" ? "simd,relaxed-simd" : "simd";
  const folder = mkdtempSync(join(tmpdir(), "wasmgrad-"));
  try {
    const output = join(folder, "peak.wasm");
    const options = ["-O3", "--runtime", "stub", "--enable", features, "--outFile", output];
    execFileSync(process.execPath, [compiler, ...place, ...options]);
    return Uint8Array.from(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
