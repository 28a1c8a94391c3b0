// Golden dense networks: forward pass, loss, gradients and ten steps of gradient descent as PyTorch computes
// them in float64, and twenty steps of optimizers. networks.py and optimizers.py write the numbers; this file gives
// them their types.

import { readFileSync } from "node:fs";
import type { ActivationName, Loss, OptimizerName, PenaltyOptions } from "../../src/index.js";

/** One network with everything PyTorch computed for it. A layer computes `activation(x · W + b)`. */
export interface GoldenNetwork {
  /** What it is, in words: the name for its test. */
  name: string;
  /** Number of features in a row of `x`. */
  inputs: number;
  /** The layers, first to last. */
  layers: { size: number; activation: ActivationName }[];
  /**
   * `meanSquaredError` and `binaryCrossEntropy` are means over all batch × outputs elements; `crossEntropy` is
   * the mean over the rows.
   */
  loss: Loss;
  /** Step size of the gradient descent. */
  learningRate: number;
  /** The batch: one row of `inputs` numbers for each example. Exact in float32. */
  x: number[][];
  /** The targets: a row of numbers for each example, or (some `crossEntropy` networks) its class index. */
  targets: number[][] | number[];
  /** Initial weights of each layer, shape (inputs, outputs), flat in row-major order. Exact in float32. */
  weights: number[][];
  /** Initial biases of each layer, none of them zero. Exact in float32. */
  biases: number[][];
  /** The last layer before its activation, shape (batch, outputs), with the initial parameters. */
  logits: number[][];
  /** The network's outputs, shape (batch, outputs), with the initial parameters. */
  outputs: number[][];
  /** The loss with the initial parameters. */
  lossValue: number;
  /** Derivatives of the loss by the initial weights, laid out as `weights`. */
  weightGradients: number[][];
  /** Derivatives of the loss by the initial biases, laid out as `biases`. */
  biasGradients: number[][];
  /** The loss before each of ten steps of full-batch gradient descent; the first is `lossValue`. */
  losses: number[];
  /** The weights after the ten steps, laid out as `weights`. */
  finalWeights: number[][];
  /** The biases after the ten steps, laid out as `biases`. */
  finalBiases: number[][];
}

/** The golden networks, from one weight to 64-48-10. */
export const goldenNetworks: GoldenNetwork[] = read("./networks.json");

/** Twenty full-batch steps of an optimizer on a golden network, from its initial parameters. */
export interface GoldenTrajectory {
  /** Name of the network. */
  network: string;
  /** Name of the optimizer, and the options of its factory but the learning rate. */
  optimizer: OptimizerName;
  options: Record<string, number | boolean>;
  /** Options of every layer. */
  layers?: PenaltyOptions;
  /** Step size of the first ten steps; that of the others is half of it. */
  learningRate: number;
  /** The loss before each step. */
  losses: number[];
  finalWeights: number[][];
  finalBiases: number[][];
}

export const goldenTrajectories: GoldenTrajectory[] = read("./optimizers.json");

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
}
