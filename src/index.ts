// Public entry: everything a user imports from "wasmgrad".

import type { ActivationName } from "./activations.js";
import type {
  Callback as CallbackOf,
  CallbackOption as CallbackOptionOf,
  Run as RunOf,
} from "./callbacks/callback.js";
import type { DType } from "./dtype.js";
import { type ActivationConstructor, Activation as ActivationImplementation } from "./layers/activation.js";
import { type DenseConstructor, Dense as DenseImplementation } from "./layers/dense.js";
import type { Layer } from "./layers/layer.js";
import { Network as Implementation, type NetworkConstructor } from "./network.js";
import type { FitOptions as FitOptionsOf, NetworkOptions as Options } from "./options.js";

export type { ActivationName, SetActivation } from "./activations.js";
export { celu, elu, leakyRelu } from "./activations.js";
export type { BatchEntry, EpochEntry } from "./callbacks/callback.js";
export type { CheckpointOptions } from "./callbacks/checkpoint.js";
export { checkpoint } from "./callbacks/checkpoint.js";
export type { CsvLoggerOptions } from "./callbacks/csv-logger.js";
export { csvLogger } from "./callbacks/csv-logger.js";
export type { EarlyStoppingOptions } from "./callbacks/early-stopping.js";
export { earlyStopping } from "./callbacks/early-stopping.js";
export type { MonitorOptions } from "./callbacks/monitor.js";
export type { ProgressOptions } from "./callbacks/progress.js";
export { progress } from "./callbacks/progress.js";
export { confusionMatrix } from "./confusion.js";
export type { Float16Values, NumericArray, Rows } from "./dataset.js";
export type { ArrayOf, DType, FloatArray } from "./dtype.js";
export type { ExecutorKind } from "./executors/executor.js";
export type { Initializer } from "./initializers.js";
export type { DenseConstructor, DenseOptions } from "./layers/dense.js";
export { Embedding, type EmbeddingOptions } from "./layers/embedding.js";
export type { Layer } from "./layers/layer.js";
export { Dropout, GaussianNoise } from "./layers/noise.js";
export {
  BatchNormalization,
  type BatchNormalizationOptions,
  LayerNormalization,
  type LayerNormalizationOptions,
} from "./layers/normalization.js";
export {
  Normalization,
  type NormalizationOptions,
  Rescaling,
  type RescalingOptions,
} from "./layers/preprocessing.js";
export { Flatten, Reshape } from "./layers/reshape.js";
export type { ClassifierFigures, ClassifyingLoss, Figures, Loss, LossSettings } from "./losses.js";
export { focal, huber } from "./losses.js";
export type { Metric, MetricFigures, MetricName, MetricOption, ValidationFigures } from "./metrics.js";
export { auc, f1, precision, recall, topKAccuracy } from "./metrics.js";
export type { NetworkConstructor } from "./network.js";
export type {
  AdagradOptions,
  AdamOptions,
  AdamWOptions,
  LionOptions,
  Optimizer,
  OptimizerName,
  OptimizerOf,
  RmspropOptions,
  SgdOptions,
} from "./optimizers.js";
export { adagrad, adam, adamW, lion, rmsprop, sgd } from "./optimizers.js";
export type {
  ApplyGradientsOptions,
  AsyncOptions,
  EvaluateOptions,
  ExecutorName,
  FiguresOf,
  GradientsOptions,
  PredictOptions,
  TrainBatchOptions,
  Weights,
} from "./options.js";
export type { PenaltyOptions } from "./penalties.js";
export type { Extent, LearningRate, Schedule, Watched, WatchingSchedule } from "./rates.js";
export type {
  CosineDecayOptions,
  ExponentialDecayOptions,
  OneCycleOptions,
  ReduceOnPlateauOptions,
  StepDecayOptions,
} from "./schedules.js";
export {
  constant,
  cosineDecay,
  exponentialDecay,
  oneCycle,
  reduceOnPlateau,
  stepDecay,
} from "./schedules.js";
export type { Shape } from "./shape.js";
export type { Signal } from "./signal.js";
export type { Gradients, LossGradients } from "./steps.js";
export type { BatchStream, StreamBatch } from "./stream.js";

/** A fully connected layer as a type: of any activation, unless it says which. */
export type Dense<A extends ActivationName = ActivationName> = DenseImplementation<A>;
export const Dense: DenseConstructor = DenseImplementation;

/** A layer that is an activation as a type: of any, unless it says which. */
export type Activation<A extends ActivationName = ActivationName> = ActivationImplementation<A>;
export const Activation: ActivationConstructor = ActivationImplementation;

/**
 * A network as a type: of either element type and any layers, unless it says which. One of dense layers alone, of which each
 * has `weights`, is a `Network<DType, readonly Dense[]>`; one that is written out knows each of its layers.
 */
export type Network<D extends DType = DType, L extends readonly Layer[] = readonly Layer[]> = Implementation<
  D,
  L
>;
export const Network: NetworkConstructor = Implementation;

/** What callbacks are told of a `fit` before its first step. */
export type Run<N extends object = Network> = RunOf<N>;

/** What `fit` calls, and awaits: see its hooks. */
export type Callback<N extends object = Network> = CallbackOf<N>;

/** A callback, or a function that is its onEpoch. */
export type CallbackOption<N extends object = Network> = CallbackOptionOf<N>;

/** What `fit` may be told. */
export type FitOptions<N extends object = Network> = FitOptionsOf<N>;

/** What a network is made of, as a type: of either element type and any layers, unless it says which. */
export type NetworkOptions<D extends DType = DType, L extends readonly Layer[] = readonly Layer[]> = Options<
  D,
  L
>;
