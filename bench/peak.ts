// The speed limit of the kernels: a register-only multiply-add loop, compiled the way the kernels are.

import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";
import type { DType } from "../src/dtype.js";
import type { Build } from "../src/executors/wasm/module.js";
import { fastest } from "./measure.js";

const folder = fileURLToPath(new URL("assembly/", import.meta.url));

/** Vector multiply-adds a round of the loop in assembly/peak.ts. */
const ACCUMULATORS = 12;

type Loop = (count: number, factor: number, term: number) => number;

/** Operations a second, multiplications and additions counted; undefined where the engine lacks the instruction. */
export async function peak(build: Build, dtype: DType, rounds: number): Promise<number | undefined> {
  const bytes = await compile(build);
  if (!WebAssembly.validate(bytes)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const loop = (dtype === "float64" ? exports.peak64 : exports.peak32) as Loop;
  const unit = 1000;
  const seconds = await fastest((count) => {
    const start = performance.now();
    loop(count * unit, 0.75, 0.25);
    return (performance.now() - start) / 1000;
  }, rounds);
  const lanes = dtype === "float64" ? 2 : 4;
  return (unit * ACCUMULATORS * lanes * 2) / seconds;
}

async function compile(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  const features = build === "relaxed" ? "simd,relaxed-simd" : "simd";
  // In its own folder, away from the asconfig.json of the kernels.
  const place = ["peak.ts", "--baseDir", folder, "--outFile", "peak.wasm"];
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await main([...place, "-O3", "--runtime", "stub", "--enable", features], {
    writeFile: (_, contents) => {
      bytes = contents as Uint8Array;
    },
  });
  if (error || !bytes)
    throw new Error(`bench/assembly/peak.ts does not compile:\n${stderr}`, { cause: error });
  return Uint8Array.from(bytes);
}
