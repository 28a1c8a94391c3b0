// What compiling to WebAssembly is worth: the kernels and whole training steps on the WASM executor and on the
// reference executor, which is plain TypeScript, in turns.
//
//   npm run bench -- [--quick] [--only <part of a row's name>]
//
// V8 specializes a function for the types it has seen, so each element type has a process of its own: the
// reference then runs as fast as code written for that type alone.

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { DType } from "../src/dtype.js";
import { chooseBuild } from "../src/executors/wasm/module.js";
import { type Kernel, contenders as kernelContenders, kernels } from "./kernels.js";
import { type Duel, duel } from "./measure.js";
import { peak } from "./peak.js";
import { type Task, contenders as taskContenders, tasks } from "./training.js";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    dtype: { type: "string" },
  },
});
const rounds = options.quick ? 3 : 9;
const build = chooseBuild(false);

if (options.dtype) await measure(options.dtype as DType);
else measureInProcesses();

function measureInProcesses(): void {
  const start = performance.now();
  const { versions, platform, arch } = process;
  console.log(`${cpus()[0].model}, ${platform} ${arch}, Node ${versions.node}, V8 ${versions.v8}`);
  console.log(
    `One thread, ${build} build. Medians of ${rounds} rounds; ratio: how many times as fast as the reference,\n` +
      "the median of the rounds' ratios with the lowest and the highest. Of peak: the fastest round against\n" +
      "a loop of multiply-adds in registers alone, the limit for 128-bit vectors in this engine.",
  );
  for (const dtype of ["float64", "float32"]) {
    const script = fileURLToPath(import.meta.url);
    const { status } = spawnSync(
      process.execPath,
      [...process.execArgv, script, "--dtype", dtype, ...process.argv.slice(2)],
      { stdio: "inherit" },
    );
    if (status !== 0) process.exit(status ?? 1);
  }
  console.log(`\n${((performance.now() - start) / 1000).toFixed(0)} s in all`);
}

async function measure(dtype: DType): Promise<void> {
  const wanted = ({ label }: { label: string }) => !options.only || label.includes(options.only);
  await measureKernels(kernels.filter(wanted), dtype);
  await measureTasks(tasks.filter(wanted), dtype);
}

async function measureKernels(selected: readonly Kernel[], dtype: DType): Promise<void> {
  if (selected.length === 0) return;
  const row = table([`${dtype} kernel`, "wasm", "reference", "ratio", "of peak"], [37, 15, 15, 22, 7]);
  const limits = { plain: await peak("plain", dtype, rounds), relaxed: await peak("relaxed", dtype, rounds) };
  const shown = (limit: number | undefined) => (limit ? rate(limit) : "not in engine");
  row(["peak: multiply, add", shown(limits.plain), "", "", ""]);
  row(["peak: relaxed multiply-add", shown(limits.relaxed), "", "", ""]);
  for (const kernel of selected) {
    const { amount, per } = kernel;
    const result = await duel(...kernelContenders(kernel, dtype), { rounds });
    const figure = (seconds: number) =>
      per === "operation" ? rate(amount / seconds) : `${((seconds / amount) * 1e9).toFixed(2)} ns/element`;
    const share = `${((amount / result.firstBest / limits[build]!) * 100).toFixed(0)} %`;
    row([
      kernel.label,
      figure(result.first),
      figure(result.second),
      ratio(result),
      per === "operation" ? share : "",
    ]);
  }
}

async function measureTasks(selected: readonly Task[], dtype: DType): Promise<void> {
  if (selected.length === 0) return;
  const row = table(
    [`${dtype} training step`, "wasm", "reference", "ratio", "wasm samples/s", "reference samples/s"],
    [37, 15, 15, 22, 14, 19],
  );
  for (const task of selected) {
    const result = await duel(...taskContenders(task, dtype), { rounds, length: 0.05 });
    const samples = (seconds: number) => Math.round(task.batch / seconds).toLocaleString("en");
    const [first, second] = [result.first, result.second];
    row([task.label, micro(first), micro(second), ratio(result), samples(first), samples(second)]);
  }
}

/** Prints the head of a Markdown table and returns what prints its rows. */
function table(head: readonly string[], widths: readonly number[]): (cells: readonly string[]) => void {
  const print = (cells: readonly string[]) => {
    const padded = cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])));
    console.log(`| ${padded.join(" | ")} |`);
  };
  console.log("");
  print(head);
  print(widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)));
  return print;
}

function rate(perSecond: number): string {
  return `${(perSecond / 1e9).toFixed(2)} GFLOP/s`;
}

function micro(seconds: number): string {
  return `${(seconds * 1e6).toLocaleString("en", { maximumSignificantDigits: 4 })} µs`;
}

function ratio({ ratio, lowest, highest }: Duel): string {
  const [middle, low, high] = [ratio, lowest, highest].map((value) => value.toFixed(value < 100 ? 2 : 0));
  return `${middle} [${low} to ${high}]`;
}
