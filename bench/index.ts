// What compiling to WebAssembly is worth: the kernels and whole training steps on the WASM executor and on the
// reference executor, which is plain TypeScript, in turns.
//
//   npm run bench -- [--quick] [--only <part of a row's name>]
//
// The reference gets the conditions it has in the package. It is bundled as that is: tsx alone would leave
// every member of an enum a look-up. And each element type has a process of its own: V8 specializes a function
// for the types it has seen.

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { chooseBuild } from "../src/executors/wasm/module.js";

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", default: "" } },
});
const rounds = options.quick ? 3 : 9;
const start = performance.now();
const { versions, platform, arch } = process;
console.log(`${cpus()[0].model}, ${platform} ${arch}, Node ${versions.node}, V8 ${versions.v8}`);
console.log(
  `One thread, ${chooseBuild(false)} build. Medians of ${rounds} rounds, fewer where a round takes seconds. Ratio: how many\n` +
    "times as fast as the reference, with the lowest and the highest of the rounds. Of peak: the share of what\n" +
    "a loop of multiply-adds in registers alone does in the same round.",
);

const script = fileURLToPath(new URL("../build/bench.mjs", import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL("child.ts", import.meta.url))],
  outfile: script,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2022",
});
for (const dtype of ["float64", "float32"]) {
  const command = [script, "--dtype", dtype, "--rounds", String(rounds), "--only", options.only];
  const { status } = spawnSync(process.execPath, command, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
console.log(`\n${((performance.now() - start) / 1000).toFixed(0)} s in all`);
