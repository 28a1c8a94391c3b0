// The options of a network and of its calls: what they are, and their checks.

import { MOST_THREADS } from "../assembly/ops.js";
import { type Activation, activations } from "./activations.js";
import {
  type BatchEntry,
  type Callback,
  type CallbackOption,
  checkCallbacks,
  type EpochEntry,
} from "./callbacks/callback.js";
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkSignal,
  quote,
  readOptions,
} from "./check.js";
import {
  type Format,
  isClasses,
  type NumericArray,
  type Rows,
  refuseZeros,
  sliceRows,
  type Table,
  type Targets,
  toSmallTable,
  toTable,
  toTargets,
  toWeights,
} from "./dataset.js";
import { type ArrayOf, bytesOf, type DType, type FloatArray, largestOf, rounded, smaller } from "./dtype.js";
import type { Entrance } from "./entrance.js";
import type { Evaluation } from "./evaluation.js";
import { availableThreads } from "./executors/environment.js";
import type { ExecutorKind } from "./executors/executor.js";
import { COPY, type Description, LAYER, type Layer } from "./layers/layer.js";
import {
  type ClassifierFigures,
  type ClassifyingActivation,
  type ClassifyingLoss,
  defaultLoss,
  type Figures,
  type Loss,
  type LossRow,
  type LossSettings,
  losses,
  rowAfter,
  type SetLoss,
  setLoss,
  settingsOf,
  smooths,
  termsOf,
} from "./losses.js";
import { taskOf } from "./measuring.js";
import { checkMetrics, type MetricOption } from "./metrics.js";
import {
  checkSettings,
  isOptimizer,
  makeOptimizer,
  type Optimizer,
  type OptimizerName,
  optimizers,
  type SetOptimizer,
} from "./optimizers.js";
import { finish, type Pieces } from "./pieces.js";
import { ClassWeights } from "./program/builder.js";
import { checkRates, type LearningRate, Rates } from "./rates.js";
import { positionsOf, type Shape, shapeText, sizeOf } from "./shape.js";
import type { Signal } from "./signal.js";
import type { Batch, Gradients } from "./steps.js";
import type { Tensor, TensorSpec } from "./store.js";
import { BatchReader, type BatchStream } from "./stream.js";
import { namesOf } from "./table.js";
import type { Settings } from "./training.js";
import { survey } from "./upload.js";

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

type Data = [inputs: Table, targets: Targets, weights?: Table];

/** What the checks need to know of a network. */
export interface Facts {
  inputShape: Shape;
  outputShape: Shape;
  /** Whether it takes inputs without their zeros. */
  takesSparse: boolean;
  /** Fewest rows of a batch that its layers can be trained on. */
  minimumRows(): number;
  dtype: DType;
  inputScale: number;
  entrance: Entrance;
  /** Whether a buffer is its memory, or was. */
  owns(buffer: ArrayBufferLike): boolean;
  /** Of the last layer. */
  activation: Activation | undefined;
  /** The loss that a call without one takes. */
  loss: SetLoss;
  /** What inputs and targets must be like. */
  formats: { inputs: Format; outputs: Format };
  /** What the last trainBatch was told, checked: most often the next one is told the same. */
  told?: Told | undefined;
}

/** Options of a trainBatch, checked. */
interface Told {
  given: TrainBatchOptions;
  /** The loss before it. */
  before: SetLoss;
  optimizer: SetOptimizer;
  loss: SetLoss;
}

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

const LOSS_OPTIONS = ["loss", "labelSmoothing", "classWeights", "sampleWeights"] as const;
const APPLY_GRADIENTS_OPTIONS = ["optimizer", "learningRate"] as const;
const TRAIN_BATCH_OPTIONS = [...APPLY_GRADIENTS_OPTIONS, ...LOSS_OPTIONS] as const;
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

/** Checks all that `fit` is told but the data. */
function checkTraining(facts: Facts, options: FitOptions) {
  const { epochs = 1, batchSize = 32, shuffle = true } = options;
  const loss = checkLoss(facts, options);
  const optimizer = checkOptimizer(facts, options);
  return {
    epochs: checkInteger("epochs", epochs, 1),
    batchSize: checkInteger("batchSize", batchSize, 1),
    optimizer,
    shuffle: checkBoolean("shuffle", shuffle),
    callbacks: [
      {
        onEpoch: checkFunction("onEpoch", options.onEpoch),
        onBatch: checkFunction("onBatch", options.onBatch),
      } as Callback,
      ...checkCallbacks(options.callbacks),
    ],
    signal: options.signal,
    loss,
    ...checkMeasures(facts, loss, options.metrics),
  };
}

/** Checks everything that `fit` is given. */
export function* checkFit(facts: Facts, inputs: Rows, targets: Rows, options: FitOptions): Pieces<Settings> {
  const checked = checkTraining(facts, options);
  const { loss } = checked;
  const { sampleWeights, stepsPerEpoch } = options;
  if (stepsPerEpoch !== undefined) {
    throw new TypeError(
      "stepsPerEpoch is given, but goes with batches that come one after the other: leave it out",
    );
  }
  const all = yield* checkData(
    facts,
    ["inputs", "targets", "sampleWeights"],
    inputs,
    targets,
    loss,
    sampleWeights,
  );
  const held = yield* checkValidation(facts, all[0].rows, options, loss);
  const rows = typeof held === "number" ? all[0].rows - held : all[0].rows;
  checkBatches(facts, rows, checked.batchSize);
  yield* checkLearningRate(facts, checked, rows, held !== undefined);
  const part = (from: number, to: number) =>
    all.map((table) => table && sliceRows<Targets>(table, from, to)) as Data;
  const validation = typeof held === "number" ? part(rows, rows + held) : held;
  const training = part(0, rows);
  refuseNothing(training);
  return {
    ...checked,
    data: yield* survey(training, facts.takesSparse),
    validation: validation && (yield* survey(validation, facts.takesSparse)),
  };
}

/** As checkFit(), for batches that come one after the other. */
export function* checkStream(facts: Facts, stream: BatchStream, options: FitOptions): Pieces<Settings> {
  for (const name of ["batchSize", "shuffle", "sampleWeights", "validationSplit"] as const) {
    if (options[name] === undefined) continue;
    const way = name === "sampleWeights" ? "give [inputs, targets, sampleWeights]" : "leave it out";
    const instead = name === "validationSplit" ? "pass validationData" : way;
    throw new TypeError(`${name} is given, but batches come as they are: ${instead}`);
  }
  const checked = checkTraining(facts, options);
  const { loss, epochs, optimizer } = checked;
  const { stepsPerEpoch } = options;
  if (stepsPerEpoch !== undefined) checkInteger("stepsPerEpoch", stepsPerEpoch, 1);
  const validation = (yield* checkValidation(facts, 0, options, loss)) as Data | undefined;
  const steps = stepsPerEpoch ?? Number.NaN;
  checkMonitored(optimizer, validation !== undefined);
  // Where an epoch's length is not known, only the first rate is.
  const extent = { steps: epochs * steps, epochs, stepsPerEpoch: steps };
  const { learningRate } = optimizer;
  if (stepsPerEpoch) yield* checkRates(learningRate, extent);
  else new Rates(learningRate, extent).at(0, 0);
  const takes = facts.takesSparse;
  return {
    ...checked,
    data: {
      reader: new BatchReader(stream),
      stepsPerEpoch,
      *check([inputs, targets, weights], index) {
        const names = ["inputs", "targets", "sampleWeights"].map((name) => `${name} of batch ${index}`);
        const batch = yield* checkData(
          facts,
          names as [string, string, string],
          inputs as Rows,
          targets as Rows,
          loss,
          weights as Weights | undefined,
        );
        const { rows } = batch[0];
        checkBatches(facts, rows, rows);
        return { inputs: batch[0], targets: batch[1], weights: batch[2], density: 1 };
      },
    },
    validation: validation && (yield* survey(validation, takes)),
  };
}

/** Checks what `trainBatch` is given. */
export function checkTrainBatch(facts: Facts, inputs: Rows, targets: Rows, options: TrainBatchOptions) {
  const read = readOptions("trainBatch", options, TRAIN_BATCH_OPTIONS);
  if (!isToldAgain(facts, read)) {
    const told = { given: read, before: facts.loss, optimizer: checkOptimizer(facts, read) };
    facts.told = { ...told, loss: checkLoss(facts, read) };
  }
  const { optimizer, loss } = facts.told!;
  const batch = checkBatch(facts, inputs, targets, loss, read.sampleWeights);
  const { rows } = batch.inputs;
  checkBatches(facts, rows, rows);
  if (typeof optimizer.learningRate === "number") checkShare(facts, optimizer.learningRate, batch.loss, rows);
  return { batch, optimizer };
}

/** Checks what `gradients` is given. */
export function checkGradients(facts: Facts, inputs: Rows, targets: Rows, options: GradientsOptions) {
  const read = readOptions("gradients", options, [...LOSS_OPTIONS, "training"]);
  const training = checkBoolean("training", read.training ?? false);
  const batch = checkBatch(facts, inputs, targets, checkLoss(facts, read), read.sampleWeights);
  const { rows } = batch.inputs;
  if (training) checkBatches(facts, rows, rows);
  return { batch, training };
}

/** Whether a trainBatch is told the same as the one before: then its options need no check. */
function isToldAgain({ told, loss }: Facts, read: TrainBatchOptions): boolean {
  if (!told || (told.before !== loss && told.loss !== loss)) return false;
  for (const name of TRAIN_BATCH_OPTIONS) {
    if (name !== "sampleWeights" && read[name] !== told.given[name]) return false;
  }
  // What is in them may have changed.
  if (read.classWeights || typeof read.loss === "object") return false;
  const settings = told.optimizer as unknown as Record<string, unknown>;
  const now = (read.optimizer ?? {}) as unknown as Record<string, unknown>;
  if (typeof now === "object") for (const name in now) if (now[name] !== settings[name]) return false;
  return true;
}

/** Whether a loss surely takes targets: else it may, but there is more to see to. */
function takesAsTheyAre({ targets }: SetLoss, { data }: Table): boolean {
  if (targets === "any") return true;
  if (targets !== "probability") return false;
  for (let i = 0; i < data.length; i++) if (!(data[i] >= 0 && data[i] <= 1)) return false;
  return true;
}

function checkBatch(
  facts: Facts,
  inputs: Rows,
  targets: Rows,
  loss: SetLoss,
  sampleWeights: Weights | undefined,
): Batch {
  const { formats } = facts;
  const x = toSmallTable(inputs, formats.inputs);
  const t = x && !sampleWeights ? toSmallTable(targets, formats.outputs) : undefined;
  if (x && t?.rows === x.rows && takesAsTheyAre(loss, t))
    return { inputs: x, targets: t, weights: undefined, loss };
  const names = ["inputs", "targets", "sampleWeights"] as const;
  const [inputTable, targetTable, weights] = finish(
    checkData(facts, names, inputs, targets, loss, sampleWeights),
  );
  return { inputs: inputTable, targets: targetTable, weights, loss };
}

/** Checks what `applyGradients` is given; returns the gradients, one array a tensor. */
export function checkApplyGradients(
  facts: Facts,
  tensors: readonly Tensor[],
  gradients: Gradients,
  options: ApplyGradientsOptions,
) {
  const read = readOptions("applyGradients", options, APPLY_GRADIENTS_OPTIONS);
  const optimizer = checkOptimizer(facts, read);
  const arrays = new Map<Tensor, FloatArray>();
  for (const tensor of tensors.filter(({ trainable }) => trainable)) {
    const { name, shape } = tensor;
    const [, layer, own] = name.split(".");
    const label = `gradients.layers[${layer}].${own}`;
    const values: unknown = gradients?.layers?.[Number(layer)]?.[own];
    const size = sizeOf(shape);
    if (!ArrayBuffer.isView(values) || (values as FloatArray).length !== size) {
      throw new RangeError(
        `${label} is ${quote(values)}, but must be an array of ${size} numbers, as gradients() returns it`,
      );
    }
    const bad = (values as FloatArray).findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw new RangeError(
        `${label}[${bad}] is ${(values as FloatArray)[bad]}, but gradients must be finite: leave this step out`,
      );
    }
    arrays.set(tensor, values as FloatArray);
  }
  return { arrays, optimizer };
}

/** Refuses data of which nothing counts. */
function refuseNothing([, targets, weights]: Data): void {
  if (weights) refuseZeros("sampleWeights", weights, "rows");
  if (isClasses(targets) || !targets.masked || !targets.data.every(Number.isNaN)) return;
  throw new RangeError("targets is NaN everywhere, which means that nothing counts: give numbers for some");
}

/** What to validate with: nothing, data, or so many of the last rows. */
function* checkValidation(
  facts: Facts,
  rows: number,
  { validationData, validationSplit }: FitOptions,
  loss: SetLoss,
): Pieces<Data | number | undefined> {
  if (validationData !== undefined && validationSplit !== undefined) {
    throw new TypeError("both validationData and validationSplit are given: pass one of them");
  }
  if (validationData !== undefined) {
    if (!Array.isArray(validationData) || (validationData.length !== 2 && validationData.length !== 3)) {
      throw new TypeError(`validationData is ${quote(validationData)}, but must be [inputs, targets]`);
    }
    const names = ["validationData[0]", "validationData[1]", "validationData[2]"] as const;
    const [first, second, third] = validationData as readonly [Rows, Rows, Weights?];
    const data = yield* checkData(facts, names, first, second, loss, third);
    if (data[2]) refuseZeros(names[2], data[2], "rows");
    return data;
  }
  if (validationSplit === undefined) return undefined;
  if (typeof validationSplit !== "number" || Number.isNaN(validationSplit)) {
    throw new TypeError(`validationSplit is ${quote(validationSplit)}, but must be a number between 0 and 1`);
  }
  const kept = Math.round(rows * validationSplit);
  if (kept >= 1 && kept < rows) return kept;
  throw new RangeError(
    `validationSplit is ${quote(validationSplit)}, which leaves ${rows - kept} of ${rows} rows for training ` +
      `and ${kept} for validation: it must be a share between 0 and 1 that leaves rows on both sides`,
  );
}

/** The optimizer of a fit, with its settings as they are now. */
function checkOptimizer({ dtype }: Facts, { optimizer = "sgd", learningRate }: FitOptions): SetOptimizer {
  let chosen: unknown = optimizer;
  if (typeof optimizer === "string") {
    chosen = makeOptimizer(checkChoice("optimizer", optimizer, optimizers), { learningRate });
  } else if (learningRate !== undefined) {
    throw new TypeError("both optimizer and learningRate are given: pass the learningRate to the optimizer");
  }
  if (!isOptimizer(chosen)) {
    const names = namesOf(optimizers).map((name) => `"${name}"`);
    throw new TypeError(
      `optimizer is ${quote(chosen)}, but must be one of ${names.join(", ")}, or what a factory returns, e.g. adam()`,
    );
  }
  const settings = checkSettings(chosen);
  for (const name of ["epsilon", "clipValue"] as const)
    if (settings[name] !== undefined) checkRounded(name, settings[name], dtype);
  return settings;
}

/** Checks that a schedule has what it watches. */
function checkMonitored({ learningRate }: SetOptimizer, validated: boolean): void {
  if (typeof learningRate === "object" && learningRate.monitor === "validationLoss" && !validated) {
    throw new TypeError(
      'reduceOnPlateau monitors "validationLoss", but there are no validation data: pass validationData or ' +
        'validationSplit, or monitor "loss"',
    );
  }
}

/** Checks the rates of all steps. */
function* checkLearningRate(
  facts: Facts,
  { optimizer, epochs, batchSize, loss }: Omit<Settings, "data" | "validation">,
  rows: number,
  validated: boolean,
): Pieces<void> {
  checkMonitored(optimizer, validated);
  const stepsPerEpoch = Math.ceil(rows / batchSize);
  const extent = { steps: epochs * stepsPerEpoch, epochs, stepsPerEpoch };
  const highest = yield* checkRates(optimizer.learningRate, extent);
  checkShare(facts, highest, loss, Math.min(batchSize, rows));
}

/** Checks that a step is not 0 for every row of a batch. */
function checkShare({ dtype, outputShape }: Facts, rate: number, loss: SetLoss, rows: number): void {
  checkRounded("learningRate", rate, dtype);
  if (rounded(dtype, (rate * loss.factor) / termsOf(loss, rows, outputShape)) !== 0) return;
  throw new RangeError(
    `learningRate is ${rate}, of which a row's share in a batch of ${rows} is 0 in the network's ${dtype}: ` +
      "take a larger learningRate or a smaller batchSize",
  );
}

/** Checks that each batch, also the last, has as many rows as its layers need. */
function checkBatches(facts: Facts, rows: number, batchSize: number): void {
  const least = facts.minimumRows();
  const smallest = (size: number) => rows % size || size;
  if (smallest(batchSize) >= least) return;
  const needs = `but a BatchNormalization needs at least ${least}`;
  if (rows < least)
    throw new RangeError(`there is ${rows} row to train on, ${needs} for its variance: take more rows`);
  let better = batchSize + 1;
  while (smallest(better) < least) better++;
  throw new RangeError(
    `batchSize is ${batchSize}, which makes a batch of ${smallest(batchSize)} of the ${rows} rows, ${needs} in each, ` +
      `also in the last, for its variance: take another batchSize, e.g. ${better}`,
  );
}

/** Checks that a finite number other than 0 is one in the element type too. */
export function checkRounded(name: string, value: number, dtype: DType): number {
  const held = rounded(dtype, value);
  if (Number.isFinite(held) && held !== 0) return value;
  throw new RangeError(
    `${name} is ${value}, which is ${held} in the network's ${dtype}: take one that ${dtype} holds, or use dtype: "float64"`,
  );
}

function extentOf(shape: Shape) {
  return { width: sizeOf(shape), positions: positionsOf(shape) };
}

type FormatFacts = Omit<Facts, "formats">;

/** What inputs and targets must be like. */
export function formatsOf(facts: FormatFacts): Facts["formats"] {
  return { inputs: inputFormat(facts), outputs: outputFormat(facts) };
}

function inputFormat({ inputShape, dtype, inputScale, entrance, owns }: FormatFacts): Format {
  const { scale, indices } = entrance;
  if (indices !== undefined) {
    return {
      ...extentOf(inputShape),
      what: "inputs",
      largest: indices - 1,
      indices: true,
      overflow: () =>
        `but an Embedding of a vocabulary of ${indices} takes integers from 0 to ${indices - 1}: number the words anew, or ` +
        "give it a larger vocabulary",
      owns,
    };
  }
  const factor = Math.max(1, Math.abs(scale));
  const by = scale === inputScale ? `the inputScale ${scale}` : `${scale}, inputScale and Rescaling`;
  const scaled = () => (factor > 1 ? `, multiplied by ${by},` : "");
  return {
    ...extentOf(inputShape),
    what: "inputs",
    // A little less than what just does not overflow: the value, the factor and their product are rounded.
    largest: factor > 1 ? (largestOf(dtype) / factor) * (1 - 2 ** -20) : largestOf(dtype),
    overflow: () => `which${scaled()} overflows the network's ${dtype}: ${smaller(dtype)}`,
    owns,
  };
}

function outputFormat({ outputShape, dtype, owns }: FormatFacts): Format {
  return {
    ...extentOf(outputShape),
    what: "outputs",
    largest: largestOf(dtype),
    overflow: () => `which overflows the network's ${dtype}: ${smaller(dtype)}`,
    owns,
    gaps: true,
  };
}

/** Checks inputs and targets for a loss, and weights of the rows, if there are any. */
export function* checkData(
  facts: Facts,
  names: readonly [inputs: string, targets: string, weights?: string],
  inputs: Rows,
  targets: Rows,
  loss: SetLoss,
  sampleWeights?: Weights,
): Pieces<Data> {
  const { formats, dtype } = facts;
  const x = yield* toTable(names[0], inputs, formats.inputs);
  const t = yield* toTargets(names[1], targets, x.rows, formats.outputs, loss.targets);
  if (sampleWeights === undefined) return [x, t];
  return [x, t, yield* toWeights(names[2]!, sampleWeights, x.rows, "one for each row of inputs", dtype)];
}

/** Checks what `evaluate` is given. */
export function* checkEvaluation(
  facts: Facts,
  inputs: Rows,
  targets: Rows,
  options: EvaluateOptions,
): Pieces<Evaluation> {
  const loss = checkLoss(facts, options);
  const measures = checkMeasures(facts, loss, options.metrics);
  const names = ["inputs", "targets", "sampleWeights"] as const;
  const all = yield* checkData(facts, names, inputs, targets, loss, options.sampleWeights);
  refuseNothing(all);
  return { inputs: all[0], targets: all[1], weights: all[2], loss, ...measures };
}

/** Checks the metrics that a call is asked for. */
function checkMeasures({ activation, outputShape }: Facts, loss: SetLoss, metrics: unknown) {
  const task = taskOf(loss, activation, outputShape);
  return { task, metrics: checkMetrics(metrics, task, loss.name) };
}

/** Checks that a loss is known, that it fits the last activation, and that what is given with it fits it. */
export function checkLoss(
  { activation: last, loss: before, outputShape, dtype }: Facts,
  { loss, labelSmoothing, classWeights }: Pick<FitOptions, "loss" | "labelSmoothing" | "classWeights">,
): SetLoss {
  const given = typeof loss === "object" && loss !== null ? (loss as Partial<LossSettings>) : { name: loss };
  const { name, ...parameters } = given;
  const chosen = loss === undefined ? before.name : checkChoice("loss", name ?? loss, losses);
  const row = rowAfter(chosen, last);
  if (!row) {
    const { fused, otherwise } = losses[chosen];
    const needed = otherwise ? `${fused} or ${otherwise.fused}` : fused;
    throw new RangeError(
      `loss is "${chosen}", which is computed together with ${needed}, but the last layer's activation is ` +
        `${last ? quote(last) : "none"}: give the last layer activation "${fused}", or choose loss "${defaultLoss(last)}"`,
    );
  }
  const smoothing = labelSmoothing ?? (loss === undefined ? before.labelSmoothing : 0);
  if (!(typeof smoothing === "number" && smoothing >= 0 && smoothing < 1)) {
    throw new RangeError(
      `labelSmoothing is ${quote(smoothing)}, but must be at least 0 and less than 1, e.g. 0.1`,
    );
  }
  if (smoothing > 0 && !smooths(row)) throw unfit("labelSmoothing", chosen, smooths);
  let weights: number[] | undefined;
  if (classWeights !== undefined) {
    if (!row.classes) throw unfit("classWeights", chosen, ({ classes }) => classes);
    const sides = row.classes === ClassWeights.ofSides;
    const classes = sides ? 2 : outputShape[outputShape.length - 1];
    const of = sides ? "of the lower target and of the upper one" : "one for each class";
    const table = finish(toWeights("classWeights", classWeights, classes, of, dtype));
    refuseZeros("classWeights", table, "classes");
    weights = [...table.data];
  }
  return loss === undefined
    ? { ...before, labelSmoothing: smoothing, classWeights: weights }
    : setLoss(row, settingsOf(chosen, parameters), smoothing, weights);
}

/** The error for an option that a loss does not take. */
function unfit(option: string, loss: Loss, takes: (row: LossRow) => unknown): Error {
  const others = namesOf(losses).filter((name) => takes(losses[name]));
  return new RangeError(
    `${option} is given, but the loss "${loss}" takes none: leave it out, or choose ${others.join(", ")}`,
  );
}

/** Checks the shape of inputs; a number is that of a row of so many. */
export function checkShape(name: string, shape: number | Shape): Shape {
  if (!Array.isArray(shape)) return Object.freeze([checkInteger(name, shape, 1)]);
  if (shape.length === 0) {
    throw new RangeError(`${name} is [], but a shape has at least one length, e.g. [28, 28, 1]`);
  }
  for (const [axis, length] of shape.entries()) checkInteger(`${name}[${axis}]`, length, 1);
  checkInteger(`the product of ${name}`, sizeOf(shape), 1);
  return Object.freeze([...shape]);
}

/** Room for tensors, with alignment and the program that draws them. */
export function tensorBytes(descriptions: readonly Description[], dtype: DType): number {
  const specs = descriptions.flatMap(({ tensors }) => Object.values<TensorSpec>(tensors));
  return specs.reduce((bytes, { shape }) => bytes + sizeOf(shape) * bytesOf(dtype) + 512, 0);
}

/** "784-128-10" */
export function widthsText(input: Shape, descriptions: readonly Description[]): string {
  return [input, ...descriptions.map(({ output }) => output)].map(shapeText).join("-");
}

export function checkThreads(threads: unknown): number {
  if (threads === "auto") return availableThreads();
  if (typeof threads === "number") return checkInteger("threads", threads, 1, MOST_THREADS);
  throw new TypeError(
    `threads is ${quote(threads)}, but must be an integer from 1 to ${MOST_THREADS}, or "auto"`,
  );
}

/** What makes the executor of a network that is not to have the WASM executor. */
export function checkExecutor(executor: unknown): ExecutorKind | undefined {
  if (executor === "wasm") return undefined;
  const kind = executor as Partial<ExecutorKind> | null;
  if (kind?.name === "reference" && typeof kind.make === "function") return kind as ExecutorKind;
  throw new RangeError(
    `executor is ${quote(executor)}, but must be "wasm", or, after import { reference } from "wasmgrad/reference", reference`,
  );
}

/** What helps where the parameters alone need too much memory: with float32 they need half. */
export function smallerNetwork(input: Shape, descriptions: readonly Description[], dtype: DType): string {
  const widths = widthsText(input, descriptions);
  return `Make the layers of ${widths} smaller${dtype === "float64" ? ', or use dtype "float32"' : ""}`;
}

/** Checks the layers of a network; returns a frozen copy of the list. */
export function checkLayers<L extends readonly Layer[]>(layers: L, dtype: DType): L {
  if (!Array.isArray(layers)) {
    throw new TypeError(`layers is ${quote(layers)}, but must be an array of layers, e.g. [new Dense(10)]`);
  }
  if (layers.length === 0) {
    throw new RangeError("layers is empty, but a network needs at least one layer, e.g. [new Dense(10)]");
  }
  for (const [index, layer] of (layers as readonly Layer[]).entries()) {
    const copy = (layer as Partial<Layer> | undefined | null)?.[LAYER];
    if (copy !== COPY) {
      if (copy) {
        throw new TypeError(
          `layers[${index}] is of another copy of wasmgrad than this Network: there are two, e.g. one by import and one by ` +
            "require, or two versions. Take layers and Network from the same one",
        );
      }
      throw new TypeError(`layers[${index}] is ${quote(layer)}, but must be a layer, e.g. new Dense(10)`);
    }
    if (layer.isAttached || layers.indexOf(layer) !== index) {
      throw new Error(
        `layers[${index}] is already part of a network: a layer owns its weights, so make a new one, ${layer.expression}`,
      );
    }
    layer.checkType(dtype);
  }
  return Object.freeze([...layers]) as readonly Layer[] as L;
}

/** Index of the last layer but those behind it that leave every value as it is, e.g. a Flatten; checks what must be the last. */
export function lastLayer(layers: readonly Layer[], descriptions: readonly Description[]): number {
  const last = descriptions.findLastIndex(({ folds }) => folds?.scale !== 1 || folds.columns);
  const rowOf = (index: number) => descriptions[index].output.slice(-1)[0];
  for (const [index, { activation }] of layers.entries()) {
    if (!activation || !activations[activation].onlyLast) continue;
    const problem =
      index < last
        ? "is not the last layer"
        : rowOf(index) !== rowOf(layers.length - 1) &&
          `the layers behind it make its rows of ${rowOf(index)} values rows of ${rowOf(layers.length - 1)}`;
    if (problem) {
      throw new RangeError(
        `layers[${index}] has activation "${activation}" but ${problem}: ${activation} makes the outputs ` +
          "of a layer compete to sum to 1, which belongs at the end of a classifier; " +
          'use another inside, e.g. "relu"',
      );
    }
  }
  return last;
}

/** What each layer does with the output of the one before. */
export function describeLayers(layers: readonly Layer[], input: Shape): Description[] {
  const descriptions: Description[] = [];
  let shape = input;
  for (const layer of layers) {
    const description = layer.describe(shape);
    descriptions.push(description);
    shape = description.output;
  }
  return descriptions;
}
