// What compiling to WebAssembly is worth: the kernels and whole training steps on the WASM executor and on the
// reference executor, which is plain TypeScript, in turns.
//
//   npm run bench -- [--quick] [--only <part of a row's name>]
//
// The reference gets the conditions it has where WebAssembly is blocked:
// - It is bundled as in the package: see bundle.ts.
// - Each executor has a process of its own, so that nothing the other one makes of the engine's state (a memory
//   that grows detaches its buffer) can slow it down.
// - Each element type has a process of its own. V8 specializes a function for the types it has seen.

import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { DType } from "../src/dtype.js";
import { type Build, chooseBuild } from "../src/executors/wasm/module.js";
import { bundle } from "./bundle.js";
import { type Contender, startContender } from "./contender.js";
import { kernels } from "./kernels.js";
import { contest, median, ratioOf } from "./measure.js";
import { micro, percent, rate, show, table } from "./table.js";
import { tasks } from "./training.js";

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", default: "" } },
});
const settings = { rounds: options.quick ? 3 : 9, length: 0.03 };
/** Of training: an epoch of one large step would mostly be what fit does once an epoch. */
const trainingSettings = { ...settings, length: 0.25 };
const build = chooseBuild(false);
const start = performance.now();

const { versions, platform, arch } = process;
console.log(`${cpus()[0].model}, ${platform} ${arch}, Node ${versions.node}, V8 ${versions.v8}`);
console.log(
  `One thread, ${build} build. Medians of ${settings.rounds} rounds, fewer where a round takes seconds. Ratio: how many\n` +
    "times as fast as the reference, with the lowest and the highest of the rounds. Of peak: the share of what\n" +
    "a loop of multiply-adds in registers alone does in the same round, median / best round against best round;\n" +
    "of tile: the same of a loop that loads what it multiplies as the innermost loop of a product does.",
);
const script = await bundle("child");
for (const dtype of ["float64", "float32"] as const) {
  const wasm = startContender(script, dtype, "wasm");
  const reference = startContender(script, dtype, "reference");
  await measureKernels(dtype, wasm, reference);
  await measureTasks(dtype, wasm, reference);
  wasm.stop();
  reference.stop();
}
console.log(`\n${((performance.now() - start) / 1000).toFixed(0)} s in all`);

async function measureKernels(dtype: DType, wasm: Contender, reference: Contender): Promise<void> {
  const selected = kernels.filter(({ label }) => label.includes(options.only));
  if (selected.length === 0) return;
  const print = table(
    [`${dtype} kernel`, "wasm", "reference", "ratio", "of peak", "of tile"],
    [38, 17, 17, 22, 11, 11],
  );
  const limits = (build: Build) => [wasm.work({ loop: "peak", build }), wasm.work({ loop: "tile", build })];
  for (const name of ["plain", "relaxed"] as const) {
    if (name === "relaxed" && build === "plain") {
      print([`peak, ${name} build`, "not in engine", "", "", "", ""]);
      break;
    }
    const [peak, tile] = await contest(limits(name), settings);
    print([`peak, ${name} build`, rate(1 / median(peak)), "", "", "", ""]);
    print([`register tile, ${name} build`, rate(1 / median(tile)), "", "", share(tile, peak, 1), ""]);
  }
  for (const { label, amount, per } of selected) {
    const works = [wasm.work(label), reference.work(label)];
    if (per === "operation") works.push(...limits(build));
    const [first, second, peak, tile] = await contest(works, settings);
    const figure = (seconds: number) =>
      per === "operation" ? rate(amount / seconds) : `${((seconds / amount) * 1e9).toFixed(2)} ns/element`;
    const shares = peak ? [share(first, peak, amount), share(first, tile, amount)] : ["", ""];
    print([label, figure(median(first)), figure(median(second)), show(ratioOf(first, second)), ...shares]);
  }
}

async function measureTasks(dtype: DType, wasm: Contender, reference: Contender): Promise<void> {
  const selected = tasks.filter(({ label }) => label.includes(options.only));
  if (selected.length === 0) return;
  const print = table(
    [`${dtype} training step`, "wasm", "reference", "ratio", "wasm samples/s", "reference samples/s"],
    [38, 17, 17, 22, 14, 19],
  );
  for (const { label, batch } of selected) {
    const [first, second] = await contest([wasm.work(label), reference.work(label)], trainingSettings);
    const samples = (seconds: number) => Math.round(batch / seconds).toLocaleString("en");
    const [a, b] = [median(first), median(second)];
    print([label, micro(a), micro(b), show(ratioOf(first, second)), samples(a), samples(b)]);
  }
}

/** What share of a limit so many operations reach: in the median of the rounds, and in the best round of each. */
function share(times: readonly number[], limit: readonly number[], operations: number): string {
  const best = Math.min(...limit) / Math.min(...times);
  return `${percent(ratioOf(times, limit).median * operations)} / ${percent(best * operations)}`;
}
