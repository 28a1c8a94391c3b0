// What threads are worth: training steps on 1, 2, 4, ... threads, in turns, up to twice as many as there are cores, to
// see that more threads than cores do no great harm.
//
// And what they could be worth at most: as many trainings side by side, on one thread each and in processes of their
// own. Cores that run alone are often faster than cores that all run.
//
// Last, what two threads are worth while their cores are near each other and while they are far apart.
//
//   npm run bench:threads -- [--threads 2,4] [--only <part of a row's name>]

import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.js";

const { values: options } = parseArgs({
  options: { threads: { type: "string" }, only: { type: "string", default: "" } },
});
const cores = availableParallelism();
const counts = options.threads?.split(",").map(Number) ?? [2, 4, 8, 16].filter((count) => count <= 2 * cores);

const { versions, platform, arch } = process;
console.log(`${cpus()[0].model}, ${cores} cores, ${platform} ${arch}, Node ${versions.node}`);
const { scaling, settings } = await import(await bundle("scaling"));
console.log(
  `Medians of ${settings.rounds} rounds, fewer where a round takes seconds. Ratio: how many times as fast as one thread,\n` +
    "lowest and highest of the rounds. Processes: as many trainings side by side, each on one thread.",
);
const child = await bundle("child");
for (const dtype of ["float64", "float32"]) {
  await scaling(
    dtype,
    counts,
    counts.filter((count) => count <= cores),
    child,
    options.only,
  );
}
if (cores > 1) {
  console.log(
    "\nNear and far: how long a cache line takes from one core to the other and back, see bench/README.md.",
  );
  const { distance } = await import(await bundle("distance"));
  await distance("float64", options.only, await bundle("player"));
}
