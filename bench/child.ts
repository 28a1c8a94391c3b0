// The rows of the benchmark, for one element type: see index.ts, which runs this in a process of its own.

import { parseArgs } from "node:util";
import type { DType } from "../src/dtype.js";
import { type Build, chooseBuild } from "../src/executors/wasm/module.js";
import { type Kernel, contenders as kernelContenders, kernels } from "./kernels.js";
import { contest, median, type Ratio, ratioOf, type Work } from "./measure.js";
import { peak } from "./peak.js";
import { type Task, contenders as taskContenders, tasks } from "./training.js";

const { values: options } = parseArgs({
  options: { dtype: { type: "string" }, rounds: { type: "string" }, only: { type: "string" } },
});
const settings = { rounds: Number(options.rounds), length: 0.03 };
const build = chooseBuild(false);

await measure(options.dtype as DType);

async function measure(dtype: DType): Promise<void> {
  const wanted = ({ label }: { label: string }) => !options.only || label.includes(options.only);
  await measureKernels(kernels.filter(wanted), dtype);
  await measureTasks(tasks.filter(wanted), dtype);
}

async function measureKernels(selected: readonly Kernel[], dtype: DType): Promise<void> {
  if (selected.length === 0) return;
  const row = table([`${dtype} kernel`, "wasm", "reference", "ratio", "of peak"], [38, 17, 17, 22, 7]);
  const limits: Record<Build, Work | undefined> = {
    plain: peak("plain", dtype),
    relaxed: build === "relaxed" ? peak("relaxed", dtype) : undefined,
  };
  for (const [name, limit] of Object.entries(limits)) {
    const [times] = limit ? await contest([limit], settings) : [];
    row([`peak, ${name} build`, times ? rate(1 / median(times)) : "not in engine", "", "", ""]);
  }
  for (const kernel of selected) {
    const { amount, per } = kernel;
    const limit = per === "operation" ? [limits[build]!] : [];
    const [wasm, reference, peak] = await contest([...kernelContenders(kernel, dtype), ...limit], settings);
    const figure = (seconds: number) =>
      per === "operation" ? rate(amount / seconds) : `${((seconds / amount) * 1e9).toFixed(2)} ns/element`;
    const share = peak ? `${(ratioOf(wasm, peak).median * amount * 100).toFixed(0)} %` : "";
    row([
      kernel.label,
      figure(median(wasm)),
      figure(median(reference)),
      show(ratioOf(wasm, reference)),
      share,
    ]);
  }
}

async function measureTasks(selected: readonly Task[], dtype: DType): Promise<void> {
  if (selected.length === 0) return;
  const row = table(
    [`${dtype} training step`, "wasm", "reference", "ratio", "wasm samples/s", "reference samples/s"],
    [38, 17, 17, 22, 14, 19],
  );
  for (const task of selected) {
    const [wasm, reference] = await contest(taskContenders(task, dtype), settings);
    const samples = (seconds: number) => Math.round(task.batch / seconds).toLocaleString("en");
    const [first, second] = [median(wasm), median(reference)];
    row([
      task.label,
      micro(first),
      micro(second),
      show(ratioOf(wasm, reference)),
      samples(first),
      samples(second),
    ]);
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

function show({ median, lowest, highest }: Ratio): string {
  const [middle, low, high] = [median, lowest, highest].map((value) => value.toFixed(value < 99.995 ? 2 : 0));
  return `${middle} [${low} to ${high}]`;
}
