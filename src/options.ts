// The options of a network and of its calls.

import type { BatchEntry, CallbackOption, EpochEntry } from "./callbacks/callback.js";
import { checkSignal, readOptions } from "./check.js";
import type { NumericArray, Rows } from "./dataset.js";
import type { ArrayOf, DType } from "./dtype.js";
import type { ExecutorKind } from "./executors/executor.js";
import type { Layer } from "./layers/layer.js";
import type {
  ClassifierFigures,
  ClassifyingActivation,
  ClassifyingLoss,
  Figures,
  Loss,
  LossSettings,
} from "./losses.js";
import type { MetricOption } from "./metrics.js";
import type { Optimizer, OptimizerName } from "./optimizers.js";
import type { LearningRate } from "./rates.js";
import type { Shape } from "./shape.js";
import type { Signal } from "./signal.js";

/** Name of an executor: the compiled kernels, or the same program in plain TypeScript. */
export type ExecutorName = "wasm" | "reference";

export interface NetworkOptions<D extends DType = DType, L extends readonly Layer[] = readonly Layer[]> {
  /** Values in a row of inputs, or their shape, e.g. [28, 28, 1]: a row has as many values as its product then. */
  inputs: number | Shape;
  /** The layers, first to last. */
  layers: L;
  /**
   * Seed of everything random (initial weights, shuffling): an integer from 0 to 2^53 - 1. The same seed
   * gives the same network, bit for bit. Default: a random one, readable as `network.seed`.
   */
  seed?: number;
  /** Element type of parameters and arithmetic; default "float64". */
  dtype?: D;
  /**
   * Threads to train on: an integer from 1 to 64 (default 1), or "auto": up to one a core, fewer where a step
   * is too small to share. With more than one, `fit` computes on worker threads and leaves the calling one
   * free. The number of threads changes no bit of the results.
   */
  threads?: number | "auto";
  /**
   * Called with what happened and the way out, once a process where threads were asked for but memory cannot
   * be shared (a page without cross-origin isolation: training then runs on one thread, with the same results),
   * and once a `fit` whose loss explodes but stays finite. Default console.warn.
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
  /**
   * "wasm" (default), or the `reference` of `import { reference } from "wasmgrad/reference"`: plain TypeScript, slow,
   * for where WebAssembly is blocked.
   */
  executor?: "wasm" | ExecutorKind;
}

/** Weights of rows or of classes. */
export type Weights = NumericArray | readonly number[];

export interface FitOptions<N = object> {
  /** Passes over the data; default 1. */
  epochs?: number;
  /** Rows a step; the last, smaller batch counts. Default 32. */
  batchSize?: number;
  /**
   * Step size, a number or a schedule such as `cosineDecay(0.1)`, of an optimizer given by its name. Default: that of its
   * factory, e.g. 0.01 of plain SGD, w = w - learningRate * gradient.
   */
  learningRate?: LearningRate;
  /** How to make steps of gradients: a name, e.g. "adam", or `adam({ beta1: 0.8 })`. Default: "sgd". */
  optimizer?: Optimizer | OptimizerName;
  /** Whether to visit the rows in a new random order each epoch; default true. */
  shuffle?: boolean;
  /**
   * A name, or what `huber()` or `focal()` returns. Default: that of the last `fit`, at first what fits the last
   * activation; softmax: crossEntropy, sigmoid: binaryCrossEntropy, else meanSquaredError. Targets that are NaN do not
   * count: of a loss of elements the element, of one of rows (crossEntropy, focal after a softmax, klDivergence,
   * categoricalHinge, cosineSimilarity) the row.
   */
  loss?: Loss | LossSettings;
  /**
   * Share s of a target that is spread over all K classes, t (1 - s) + s / K (PyTorch), with binaryCrossEntropy and focal
   * after a sigmoid over both, t (1 - s) + s / 2 (Keras): 0 up to, but not, 1. For crossEntropy, binaryCrossEntropy and
   * focal; it belongs to the loss, in validation too. Default 0, or, where no `loss` is given, as in the last `fit`.
   */
  labelSmoothing?: number;
  /**
   * How much each class counts in training, not in validation: a number of at least 0 for each, by index; for
   * binaryCrossEntropy, hinge, squaredHinge and focal after a sigmoid two, of the lower target and of the upper one. For
   * losses that classify. The mean is PyTorch's: sum(w loss) / sum(w) over the batch.
   */
  classWeights?: Weights;
  /** How much each row counts, in the same mean: a number of at least 0 for each row of `inputs`. */
  sampleWeights?: Weights;
  /** Inputs and targets to evaluate after each epoch, and, as sampleWeights, weights of their rows. */
  validationData?:
    | readonly [inputs: Rows, targets: Rows]
    | readonly [inputs: Rows, targets: Rows, sampleWeights: Weights];
  /** Share of the rows, from the end, to keep for validation: above 0, below 1. */
  validationSplit?: number;
  /**
   * Metrics of each epoch, of the training data and the validation data, e.g. ["f1", topKAccuracy({ k: 3 })]: the entries
   * have them as `f1` and `validationF1`. See MetricName. The outputs for all rows are kept for that.
   */
  metrics?: readonly MetricOption[];
  /**
   * Called, and awaited, after each epoch: `predict`, `evaluate` and the weights show the network as it is then. Where
   * it returns `false`, the training stops: `fit` resolves with the entries so far.
   */
  onEpoch?: (entry: EpochEntry) => unknown;
  /**
   * Called, and awaited, after each batch. Where it returns `false`, the training stops after this step, and the epoch, if
   * it is not at its end, has no entry.
   */
  onBatch?: (entry: BatchEntry) => unknown;
  /** More to call, after onEpoch and onBatch, e.g. [earlyStopping({ patience: 3 }), progress()]: see Callback. */
  callbacks?: readonly CallbackOption<N>[];
  /**
   * Batches of an epoch where `fit` is given batches that come one after the other: the next epoch goes on with those
   * behind them. Default: an epoch is all batches there are.
   */
  stepsPerEpoch?: number;
  /**
   * An AbortSignal. Aborting it ends the training within a slice of 20 to 60 ms, or at once where a callback's promise
   * is pending: `fit` rejects with the signal's reason, the weights are those of the last whole step. (A step of
   * under 512 rows that takes longer than a slice, which only very large networks have, is done to its end.)
   */
  signal?: Signal;
}

export interface EvaluateOptions<L extends Loss | LossSettings = Loss | LossSettings> {
  /** Default: the loss of the last `fit`, or what fits the last activation. */
  loss?: L;
  /** Metrics besides the loss, e.g. ["f1", "auc"]: see MetricName. */
  metrics?: readonly MetricOption[];
  /** As in `fit`; default 0, or, where no `loss` is given, as in the last `fit`. */
  labelSmoothing?: number;
  /** As in `fit`: how much each row counts. */
  sampleWeights?: Weights;
}

/** Options of `trainBatch`: as those of `fit`. */
export type TrainBatchOptions = Omit<GradientsOptions, "training"> & ApplyGradientsOptions;

/** Options of `gradients`: as those of `fit`. */
export interface GradientsOptions
  extends Pick<FitOptions, "loss" | "labelSmoothing" | "classWeights" | "sampleWeights"> {
  /**
   * Whether layers do as in training: a Dropout drops, as the next step would, and a BatchNormalization normalizes by the
   * batch, which its running statistics then take up. Default false: as in `evaluate`.
   */
  training?: boolean;
}

/** Options of `applyGradients`: as those of `fit`. */
export type ApplyGradientsOptions = Pick<FitOptions, "optimizer" | "learningRate">;

export interface PredictOptions<D extends DType = DType> {
  /**
   * Where to write the outputs: an array of the network's type with rows x outputs elements, which is then
   * returned. Nothing of the size of the data is allocated, unless `out` and the inputs share memory: then the inputs
   * are copied first. A live view of the network's own weights is written to at the end.
   */
  out?: ArrayOf<D>;
}

export interface AsyncOptions {
  /** An AbortSignal: aborting it makes the promise reject with the signal's reason within about 20 ms. */
  signal?: Signal;
}

/**
 * What `evaluate` returns for the loss that it is given, or, without one, for layers of which the last is a softmax or a
 * sigmoid: those have an accuracy. (Not after a `fit` with loss "meanSquaredError", whose loss evaluate takes over:
 * say `loss` then.)
 */
export type FiguresOf<L extends readonly Layer[], G extends Loss | LossSettings | undefined> = [G] extends [
  ClassifyingLoss | LossSettings<ClassifyingLoss>,
]
  ? ClassifierFigures
  : [undefined] extends [G]
    ? L extends readonly [...Layer[], { readonly activation?: infer A }]
      ? [A] extends [ClassifyingActivation]
        ? ClassifierFigures
        : Figures
      : Figures
    : Figures;

export const NETWORK_OPTIONS: readonly (keyof NetworkOptions)[] = [
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

const FIT_OPTIONS: readonly (keyof FitOptions)[] = [
  "epochs",
  "batchSize",
  "learningRate",
  "optimizer",
  "shuffle",
  "loss",
  "labelSmoothing",
  "classWeights",
  "sampleWeights",
  "validationData",
  "validationSplit",
  "metrics",
  "onEpoch",
  "onBatch",
  "callbacks",
  "signal",
  "stepsPerEpoch",
];

export const LOSS_OPTIONS = ["loss", "labelSmoothing", "classWeights", "sampleWeights"] as const;

export const APPLY_GRADIENTS_OPTIONS = ["optimizer", "learningRate"] as const;

export const TRAIN_BATCH_OPTIONS = [...APPLY_GRADIENTS_OPTIONS, ...LOSS_OPTIONS] as const;

export const EVALUATE_OPTIONS: readonly (keyof EvaluateOptions)[] = [
  "loss",
  "labelSmoothing",
  "sampleWeights",
  "metrics",
];

/** Reads the options of `fit`, once. */
export function readFitOptions(options: FitOptions): FitOptions {
  const read = readOptions("fit", options, FIT_OPTIONS);
  checkSignal("signal", read.signal);
  return read;
}
