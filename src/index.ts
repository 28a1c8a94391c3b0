// Public entry: everything a user imports from "wasmgrad".

export type { Activation } from "./activations.js";
export type { NumericArray, Rows } from "./dataset.js";
export type { DType, FloatArray } from "./dtype.js";
export { Dense, type DenseOptions } from "./layers/dense.js";
export type { Loss } from "./losses.js";
export { Network } from "./network.js";
export type {
  EvaluateOptions,
  ExecutorName,
  FitOptions,
  NetworkOptions,
  PredictOptions,
} from "./options.js";
export type { Figures } from "./plan.js";
export type { BatchEntry, EpochEntry } from "./training.js";
