// The options of a network and of its calls: what they are, and their checks.

import { MOST_THREADS } from "../assembly/ops.js";
import type { Activation } from "./activations.js";
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkOptions,
  checkPositive,
  checkSignal,
  quote,
} from "./check.js";
import {
  type Rows,
  sliceRows,
  type Table,
  type TargetKind,
  type Targets,
  toTable,
  toTargets,
} from "./dataset.js";
import type { DType, FloatArray } from "./dtype.js";
import { availableThreads } from "./executors/environment.js";
import { Dense } from "./layers/dense.js";
import { defaultLoss, type Loss, losses, lossRow } from "./losses.js";
import type { BatchEntry, EpochEntry, Settings } from "./training.js";

/** Name of an executor: the compiled kernels, or the same program in plain TypeScript. */
export type ExecutorName = "wasm" | "reference";

export interface NetworkOptions {
  /** Values in a row of inputs. */
  inputs: number;
  /** The layers, first to last. */
  layers: readonly Dense[];
  /**
   * Seed of everything random (initial weights, shuffling): an integer from 0 to 2^53 - 1. The same seed
   * gives the same network, bit for bit. Default: a random one, readable as `network.seed`.
   */
  seed?: number;
  /** Element type of parameters and arithmetic; default "float64". */
  dtype?: DType;
  /**
   * Threads to train on: an integer from 1 to 64 (default 1), or "auto": up to one a core, fewer where a step
   * is too small to share. With more than one, `fit` computes on worker threads and leaves the calling one
   * free. The number of threads changes no bit of the results.
   */
  threads?: number | "auto";
  /**
   * Called once a process, with what happened and the way out, where threads were asked for but memory cannot
   * be shared (a page without cross-origin isolation): training then runs on one thread, with the same
   * results. Default console.warn.
   */
  onWarning?: (message: string) => void;
  /** Every input is multiplied by this as it is read; 1 / 255 suits 8-bit pixels. Default 1. */
  inputScale?: number;
  /**
   * Whether the results must be the same bits on every machine and both executors. It costs the fused
   * multiply-add that newer engines offer; without it the same seed still gives the same bits wherever that
   * instruction is there. Default false.
   */
  deterministic?: boolean;
  /** "wasm" (default), or "reference": plain TypeScript, slow, for where WebAssembly is blocked. */
  executor?: ExecutorName;
}

export interface FitOptions {
  /** Passes over the data; default 1. */
  epochs?: number;
  /** Rows a step; the last, smaller batch counts. Default 32. */
  batchSize?: number;
  /** Step size of plain SGD, w = w - learningRate * gradient. Default 0.01. */
  learningRate?: number;
  /** Whether to visit the rows in a new random order each epoch; default true. */
  shuffle?: boolean;
  /** Default: what fits the last activation; softmax: crossEntropy, sigmoid: binaryCrossEntropy, else meanSquaredError. */
  loss?: Loss;
  /** Inputs and targets to evaluate after each epoch. */
  validationData?: readonly [inputs: Rows, targets: Rows];
  /** Share of the rows, from the end, to keep for validation: above 0, below 1. */
  validationSplit?: number;
  /** Called, and awaited, after each epoch. */
  onEpoch?: (entry: EpochEntry) => unknown;
  /** Called, and awaited, after each batch. */
  onBatch?: (entry: BatchEntry) => unknown;
  /** Aborts the training: `fit` rejects with the signal's reason, the weights stay as they are then. */
  signal?: AbortSignal;
}

export interface EvaluateOptions {
  /** Default: the loss of the last `fit`, or what fits the last activation. */
  loss?: Loss;
}

export interface PredictOptions {
  /**
   * Where to write the outputs: an array of the network's type with rows x outputs elements, which is then
   * returned. Nothing of the size of the data is allocated.
   */
  out?: FloatArray;
}

/** What the checks need to know of a network. */
export interface Shape {
  inputs: number;
  outputs: number;
  /** Of the last layer. */
  activation: Activation;
  /** The loss that a call without one takes. */
  loss: Loss;
}

export const NETWORK_OPTIONS = [
  "inputs",
  "layers",
  "seed",
  "dtype",
  "threads",
  "onWarning",
  "inputScale",
  "deterministic",
  "executor",
];
const FIT_OPTIONS = [
  "epochs",
  "batchSize",
  "learningRate",
  "shuffle",
  "loss",
  "validationData",
  "validationSplit",
  "onEpoch",
  "onBatch",
  "signal",
];

/** Checks everything that `fit` is given. */
export function checkFit(shape: Shape, inputs: Rows, targets: Rows, options: FitOptions): Settings {
  checkOptions("fit", options, FIT_OPTIONS);
  const {
    epochs = 1,
    batchSize = 32,
    learningRate = 0.01,
    shuffle = true,
    validationData,
    validationSplit,
  } = options;
  const loss = checkLoss(shape, options.loss ?? shape.loss);
  const checked = {
    epochs: checkInteger("epochs", epochs, 1),
    batchSize: checkInteger("batchSize", batchSize, 1),
    learningRate: checkPositive("learningRate", learningRate),
    shuffle: checkBoolean("shuffle", shuffle),
    onEpoch: checkFunction("onEpoch", options.onEpoch),
    onBatch: checkFunction("onBatch", options.onBatch),
    signal: checkSignal("signal", options.signal),
    loss,
  };
  const [x, t] = checkData(shape, ["inputs", "targets"], inputs, targets, loss);
  if (validationData !== undefined && validationSplit !== undefined) {
    throw new TypeError("both validationData and validationSplit are given: pass one of them");
  }
  if (validationData !== undefined) {
    if (!Array.isArray(validationData) || validationData.length !== 2) {
      throw new TypeError(`validationData is ${quote(validationData)}, but must be [inputs, targets]`);
    }
    const names: [string, string] = ["validationData[0]", "validationData[1]"];
    const [validationInputs, validationTargets] = checkData(
      shape,
      names,
      validationData[0],
      validationData[1],
      loss,
    );
    return {
      ...checked,
      inputs: x,
      targets: t,
      validation: { inputs: validationInputs, targets: validationTargets },
    };
  }
  if (validationSplit === undefined) return { ...checked, inputs: x, targets: t, validation: undefined };
  if (typeof validationSplit !== "number" || Number.isNaN(validationSplit)) {
    throw new TypeError(`validationSplit is ${quote(validationSplit)}, but must be a number between 0 and 1`);
  }
  const kept = Math.round(x.rows * validationSplit);
  if (!(kept >= 1 && kept < x.rows)) {
    throw new RangeError(
      `validationSplit is ${quote(validationSplit)}, which leaves ${x.rows - kept} of ${x.rows} rows for training ` +
        `and ${kept} for validation: it must be a share between 0 and 1 that leaves rows on both sides`,
    );
  }
  const first = x.rows - kept;
  return {
    ...checked,
    inputs: sliceRows(x, 0, first),
    targets: sliceRows(t, 0, first),
    validation: { inputs: sliceRows(x, first, x.rows), targets: sliceRows(t, first, x.rows) },
  };
}

/** Checks inputs and targets for a loss. */
export function checkData(
  shape: Shape,
  names: readonly [string, string],
  inputs: Rows,
  targets: Rows,
  loss: Loss,
): [Table, Targets] {
  const x = toTable(names[0], inputs, shape.inputs, "inputs");
  const kinds: Record<Loss, TargetKind> = {
    meanSquaredError: "any",
    binaryCrossEntropy: "probability",
    crossEntropy: "distribution",
  };
  return [x, toTargets(names[1], targets, x.rows, shape.outputs, kinds[loss])];
}

/** Checks that a loss is known and fits the last activation. */
export function checkLoss({ activation: last }: Shape, loss: Loss): Loss {
  checkChoice("loss", loss, losses);
  const { fused } = lossRow(loss);
  if (fused !== undefined && fused !== last) {
    throw new RangeError(
      `loss is "${loss}", which is computed together with ${fused}, but the last layer's activation is ` +
        `"${last}": give the last layer activation "${fused}", or choose loss "${defaultLoss(last)}"`,
    );
  }
  return loss;
}

/** Room for the parameters, in the wider type, with alignment and the program that draws them. */
export function parameterBytes(inputs: number, layers: readonly Dense[]): number {
  let bytes = 0;
  let width = inputs;
  for (const { size } of layers) {
    bytes += (width + 1) * size * 8 + 512;
    width = size;
  }
  return bytes;
}

export function checkThreads(threads: unknown): number {
  if (threads === "auto") return availableThreads();
  if (typeof threads === "number") return checkInteger("threads", threads, 1, MOST_THREADS);
  throw new TypeError(
    `threads is ${quote(threads)}, but must be an integer from 1 to ${MOST_THREADS}, or "auto"`,
  );
}

export function checkLayers(layers: readonly Dense[]): readonly Dense[] {
  if (!Array.isArray(layers)) {
    throw new TypeError(`layers is ${quote(layers)}, but must be an array of layers, e.g. [new Dense(10)]`);
  }
  if (layers.length === 0) {
    throw new RangeError("layers is empty, but a network needs at least one layer, e.g. [new Dense(10)]");
  }
  for (const [index, layer] of layers.entries()) {
    if (!(layer instanceof Dense)) {
      throw new TypeError(`layers[${index}] is ${quote(layer)}, but must be a layer, e.g. new Dense(10)`);
    }
    if (layer.isAttached || layers.indexOf(layer) !== index) {
      throw new Error(
        `layers[${index}] is already part of a network: a layer owns its weights, so make a new one, ` +
          `new Dense(${layer.size}, { activation: "${layer.activation}" })`,
      );
    }
    if (layer.activation === "softmax" && index < layers.length - 1) {
      throw new RangeError(
        `layers[${index}] has activation "softmax" but is not the last layer: softmax makes the outputs ` +
          "of a layer compete to sum to 1, which belongs at the end of a classifier; " +
          'use "relu", "tanh" or "sigmoid" inside',
      );
    }
  }
  return Object.freeze([...layers]);
}
