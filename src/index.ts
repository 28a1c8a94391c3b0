// Public entry: everything a user imports from "wasmgrad".

import type { Activation } from "./activations.js";
import type { DType } from "./dtype.js";
import { type DenseConstructor, Dense as DenseImplementation } from "./layers/dense.js";
import type { Layer } from "./layers/layer.js";
import { Network as Implementation, type NetworkConstructor } from "./network.js";
import type { NetworkOptions as Options } from "./options.js";

export type { Activation } from "./activations.js";
export type { Float16Values, NumericArray, Rows } from "./dataset.js";
export type { ArrayOf, DType, FloatArray } from "./dtype.js";
export type { DenseConstructor, DenseOptions } from "./layers/dense.js";
export type { Layer } from "./layers/layer.js";
export type { ClassifierFigures, ClassifyingLoss, Figures, Loss, LossSettings } from "./losses.js";
export { focal, huber } from "./losses.js";
export type { NetworkConstructor } from "./network.js";
export type { Optimizer, OptimizerName, SgdOptions } from "./optimizers.js";
export { sgd } from "./optimizers.js";
export type {
  AsyncOptions,
  EvaluateOptions,
  ExecutorName,
  FiguresOf,
  FitOptions,
  PredictOptions,
  Weights,
} from "./options.js";
export type { Shape } from "./shape.js";
export type { Signal } from "./signal.js";
export type { BatchEntry, EpochEntry } from "./training.js";

/** A fully connected layer as a type: of any activation, unless it says which. */
export type Dense<A extends Activation = Activation> = DenseImplementation<A>;
export const Dense: DenseConstructor = DenseImplementation;

/** A network as a type: of either element type and any layers, unless it says which. */
export type Network<D extends DType = DType, L extends readonly Layer[] = readonly Dense[]> = Implementation<
  D,
  L
>;
export const Network: NetworkConstructor = Implementation;

/** What a network is made of, as a type: of either element type and dense layers, unless it says which. */
export type NetworkOptions<D extends DType = DType, L extends readonly Layer[] = readonly Dense[]> = Options<
  D,
  L
>;
