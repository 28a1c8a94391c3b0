// Layers that give the values of a batch or of a row mean 0 and variance 1: BatchNormalization and LayerNormalization.

import { checkNumber, checkPositive, readOptions } from "../check.js";
import { type DType, type FloatArray, rounded } from "../dtype.js";
import type { Region } from "../heap.js";
import type { ProgramBuilder } from "../program/builder.js";
import type { Matrix } from "../program/samples.js";
import { positionsOf, type Shape, sizeOf } from "../shape.js";
import type { TensorSpec } from "../store.js";
import { BaseLayer } from "./base.js";
import type { Description, Emitted, Pass } from "./layer.js";

export interface LayerNormalizationOptions {
  /** What is added to a variance before its root is taken; default 1e-5, as in PyTorch. */
  epsilon?: number;
  /** Whether training changes gamma and beta; default true. */
  trainable?: boolean;
}

export interface BatchNormalizationOptions extends LayerNormalizationOptions {
  /** Share of a batch in the running mean and variance, from 0 to 1; default 0.1. It is 1 - Keras' momentum. */
  momentum?: number;
}

abstract class NormalizationLayer extends BaseLayer {
  /** What is added to a variance before its root is taken. */
  readonly epsilon: number;

  constructor({ epsilon = 1e-5, trainable = true }: LayerNormalizationOptions) {
    super();
    this.epsilon = checkPositive("epsilon", epsilon, ", e.g. 1e-5");
    this.trainable = trainable;
  }

  /** Live view of the factors, shape (length of the last axis); they start at 1. PyTorch calls them weight. */
  get gamma(): FloatArray {
    return this.view("gamma");
  }

  /** Live view of the summands, shape (length of the last axis); they start at 0. PyTorch calls them bias. */
  get beta(): FloatArray {
    return this.view("beta");
  }

  /** @internal */
  override checkType(dtype: DType): void {
    if (rounded(dtype, this.epsilon) > 0 && Number.isFinite(rounded(dtype, this.epsilon))) return;
    throw new RangeError(
      `epsilon is ${this.epsilon}, which is ${rounded(dtype, this.epsilon)} in the network's ${dtype}: take e.g. 1e-5`,
    );
  }

  /** @internal */
  override describe(input: Shape): Description {
    const shape = input.slice(-1);
    const tensors: Record<string, TensorSpec> = { gamma: { shape }, beta: { shape } };
    return { ...super.describe(input), tensors, work: 4 * sizeOf(input) };
  }

  /** @internal */
  override initialize(_builder: ProgramBuilder, _seed: number, _stream: number): void {
    this.fill("gamma", 1);
    this.fill("beta", 0);
  }
}

/**
 * Batch normalization over the last axis: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta for each of its columns,
 * of which all rows of a batch, and all positions in them, are one sample. Inputs of any shape.
 *
 * As in PyTorch, training normalizes by the mean and the biased variance of the batch and keeps running ones,
 * running = (1 - momentum) * running + momentum * that of the batch, the variance by the unbiased one. `predict` and
 * `evaluate` normalize by the running ones, and so does training where the layer is not `trainable`, which then leaves them
 * as they are, as in Keras.
 *
 * A batch of one row has no variance: `fit` refuses a batchSize that makes one, also as the last of an epoch.
 *
 * Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift".
 */
export class BatchNormalization extends NormalizationLayer {
  /** Share of a batch in the running mean and variance. */
  readonly momentum: number;

  /** @throws RangeError or TypeError for unusable options */
  constructor(options: BatchNormalizationOptions = {}) {
    const given = readOptions("new BatchNormalization", options, ["momentum", "epsilon", "trainable"]);
    super(given);
    const { momentum = 0.1 } = given;
    this.momentum = checkNumber("momentum", momentum, "from 0 to 1, e.g. 0.1", (x) => x >= 0 && x <= 1);
  }

  /** Live view of the running mean, shape (length of the last axis). */
  get runningMean(): FloatArray {
    return this.view("runningMean");
  }

  /** Live view of the running variance, shape (length of the last axis). */
  get runningVariance(): FloatArray {
    return this.view("runningVariance");
  }

  /** @internal */
  get kind(): string {
    return "BatchNormalization";
  }

  /** @internal */
  override describe(input: Shape): Description {
    const description = super.describe(input);
    const state: TensorSpec = { shape: input.slice(-1), trainable: false };
    return {
      ...description,
      tensors: { ...description.tensors, runningMean: state, runningVariance: state },
      minimumRows: positionsOf(input) > 1 ? 1 : 2,
    };
  }

  /** @internal */
  override initialize(builder: ProgramBuilder, seed: number, stream: number): void {
    super.initialize(builder, seed, stream);
    this.fill("runningMean", 0);
    this.fill("runningVariance", 1);
  }

  /** @internal */
  emit(pass: Pass, input: Matrix): Emitted {
    const { positions, width, tensors } = this.place;
    const { gamma, beta } = tensors;
    const { builder } = pass;
    const rows = pass.rows * positions;
    const x = input as Region;
    const ofBatch = pass.training !== undefined && this.trainable;
    const scale = pass.parameter(gamma);
    const [mean, inverse] = [builder.matrix(1, width), builder.matrix(1, width)];
    const runningMean = pass.parameter(tensors.runningMean);
    const runningVariance = pass.parameter(tensors.runningVariance);
    const moments = { mean, inverse, runningMean, runningVariance };
    builder.columnMoments(moments, ofBatch ? x : undefined, rows, width, this);
    const output = builder.matrix(rows, width);
    const normalized = pass.backward ? builder.matrix(rows, width) : undefined;
    const given = { normalized, scale, shift: pass.parameter(beta), mean, inverse, epsilon: this.epsilon };
    builder.normalize(output, x, rows, width, given);
    return {
      output,
      backward: (d, inputWanted) => {
        // What dx needs of the batch must not be added to the parameters by a step that is folded.
        const sums = ofBatch ? builder.matrix(1, width) : undefined;
        const products = ofBatch ? builder.matrix(1, width) : undefined;
        if (sums && products) {
          builder.columnSums(sums, d, rows, width);
          builder.columnProducts(products, d, normalized!, rows, width);
        }
        const dx = inputWanted ? builder.matrix(rows, width) : undefined;
        if (dx)
          builder.normalizeBackward(dx, d, normalized!, rows, width, { scale, inverse, sums, products });
        if (this.trainable) {
          builder.late(() => {
            builder.columnSums(pass.gradient(beta), sums ?? d, sums ? 1 : rows, width);
            if (products) builder.columnSums(pass.gradient(gamma), products, 1, width);
            else builder.columnProducts(pass.gradient(gamma), d, normalized!, rows, width);
          });
        }
        return dx;
      },
    };
  }
}

/**
 * Layer normalization over the last axis: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the
 * biased variance of each vector of the last axis, as in PyTorch. It does the same in training and in `predict`. Inputs of
 * any shape.
 *
 * Ba, Kiros and Hinton 2016, "Layer Normalization".
 */
export class LayerNormalization extends NormalizationLayer {
  /** @throws RangeError or TypeError for unusable options */
  constructor(options: LayerNormalizationOptions = {}) {
    super(readOptions("new LayerNormalization", options, ["epsilon", "trainable"]));
  }

  /** @internal */
  get kind(): string {
    return "LayerNormalization";
  }

  /** @internal */
  emit(pass: Pass, input: Matrix): Emitted {
    const { positions, width, tensors } = this.place;
    const { gamma, beta } = tensors;
    const { builder, backward } = pass;
    const rows = pass.rows * positions;
    const scale = pass.parameter(gamma);
    const output = builder.matrix(rows, width);
    const normalized = backward ? builder.matrix(rows, width) : undefined;
    const rowInverse = backward ? builder.matrix(rows, 1) : undefined;
    const given = { normalized, rowInverse, scale, shift: pass.parameter(beta), epsilon: this.epsilon };
    builder.normalize(output, input as Region, rows, width, given);
    return {
      output,
      backward: (d, inputWanted) => {
        const dx = inputWanted ? builder.matrix(rows, width) : undefined;
        if (dx) builder.normalizeBackward(dx, d, normalized!, rows, width, { scale, rowInverse });
        if (this.trainable) {
          builder.late(() => {
            builder.columnProducts(pass.gradient(gamma), d, normalized!, rows, width);
            builder.columnSums(pass.gradient(beta), d, rows, width);
          });
        }
        return dx;
      },
    };
  }
}
