// What threads are worth: training steps on 1, 2, 4, ... threads, in turns, as many as there are cores, and one
// count more, to see that more threads than cores do no great harm.
//
//   npm run bench:threads -- [--threads 2,4] [--only <part of a row's name>]

import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build as bundle } from "esbuild";

const { values: options } = parseArgs({
  options: { threads: { type: "string" }, only: { type: "string", default: "" } },
});
const cores = availableParallelism();
const counts =
  options.threads?.split(",").map(Number) ?? [2, 4, 8, 16].filter((count) => count < 2 * cores + 1);

const { versions, platform, arch } = process;
console.log(`${cpus()[0].model}, ${cores} cores, ${platform} ${arch}, Node ${versions.node}`);
console.log(
  "Medians of 9 rounds. Ratio: how many times as fast as one thread, lowest and highest of the rounds.",
);
// Bundled as in the package, for the sake of its enums: see index.ts.
const script = fileURLToPath(new URL("../build/bench-threads.mjs", import.meta.url));
await bundle({
  entryPoints: [fileURLToPath(new URL("scaling.ts", import.meta.url))],
  outfile: script,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2022",
});
const { scaling } = await import(script);
for (const dtype of ["float64", "float32"]) await scaling(dtype, counts, options.only);
