// Plans: how a network's layers, a loss and an optimizer become programs over its heap.

import { RECORD_WORDS, Word } from "../assembly/ops.js";
import type { DType } from "./dtype.js";
import type { Entrance } from "./entrance.js";
import type { Executor, Program } from "./executors/executor.js";
import { type Heap, type Region, UNPLACED } from "./heap.js";
import type { Cells, Description, Emitted, Layer, Pass } from "./layers/layer.js";
import { type Figures, type SetLoss, termsOf } from "./losses.js";
import { ClassWeights, Op, ProgramBuilder, Stat } from "./program/builder.js";
import type { DenseSamples, Matrix, SparseSamples } from "./program/samples.js";
import type { Residents } from "./residents.js";
import { positionsOf, type Shape, sizeOf } from "./shape.js";
import type { Store, TensorSpec } from "./store.js";
import type { UpdatePlan } from "./update.js";
import { type PlacedData, SPARSE_BELOW } from "./upload.js";
import type { Snapshot, WholeSteps } from "./whole-steps.js";

/** What a network is made of, as the plans see it. */
export interface Model {
  readonly executor: Executor;
  readonly heap: Heap;
  readonly store: Store;
  /** Plans that stay between calls. */
  readonly residents: Residents;
  readonly dtype: DType;
  readonly layers: readonly Layer[];
  /** What each layer does with the output of the one before. */
  readonly descriptions: readonly Description[];
  /** Index of the last layer that changes values: what it has as activation is that of the outputs. */
  readonly last: number;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Values in a row of outputs. */
  readonly outputs: number;
  /** Factor of the inputs, applied as a batch is gathered. */
  readonly inputScale: number;
  /** What gathering does in place of the first layers. */
  readonly entrance: Entrance;
  /** Epochs trained since the network was made. */
  epochsTrained: number;
  /** Steps of these epochs. */
  stepsTrained: number;
  /** Threads to train on, or, with autoThreads, the most. */
  readonly threads: number;
  readonly autoThreads: boolean;
  /** Share of non-zero inputs in the last data trained on. */
  density: number | undefined;
  /** During a fit: what predict and evaluate read. */
  wholeSteps: WholeSteps | undefined;
  /** Where warnings go. */
  readonly warn: (message: string) => void;
}

/**
 * Multiplications a step, for each thread, that make threads worth their barriers: two threads drew level with
 * one at about 2 ** 19 (128-128-10 in float64, 128-64-10 in float32, batches of 32), of 70 to 170 microseconds.
 */
const WORK_PER_THREAD = 2 ** 18;

/**
 * Multiplications forward of a step that one thread does in parts, some 50 milliseconds with the way back, and of a
 * part. A part of fewer would spend itself in packing the weights.
 */
const WORK_TO_CUT = 2 ** 27;
const WORK_PER_PART = 2 ** 26;
/** How much longer a multiplication takes a sparse layer, on batches beyond the caches. */
const SPARSE_COST = 4;
/** Multiplications that gathering a value takes as long as, and everything else for a row. */
const GATHER_COST = 16;
const ROW_COST = 256;

/** Multiplications of a forward pass over `rows` rows of which `density` are not zero, those of a sparse layer by their cost. */
function forwardWork(model: Model, rows: number, density: number, sparseCost: number): number {
  const { folded, takesSparse } = model.entrance;
  const [first, ...others] = model.descriptions.slice(folded);
  const share = density < SPARSE_BELOW && takesSparse ? density * sparseCost : 1;
  return rows * others.reduce((sum, { work }) => sum + work, (first?.work ?? 0) * share);
}

/** How a step is done: on how many threads, and on one, in how many parts each phase of it. */
export interface Manner {
  threads: number;
  parts: number;
}

/** How to do steps on `rows` rows of which `density` are not zero. */
export function mannerFor(model: Model, rows: number, density: number): Manner {
  const most = Math.floor(forwardWork(model, rows, density, 1) / WORK_PER_THREAD);
  const threads = model.autoThreads ? Math.max(1, Math.min(model.threads, most)) : model.threads;
  const work =
    forwardWork(model, rows, density, SPARSE_COST) +
    rows * (sizeOf(model.inputShape) * GATHER_COST + ROW_COST);
  return { threads, parts: work < WORK_TO_CUT ? 1 : Math.ceil(work / WORK_PER_PART) };
}

/** What a pass is for. */
export type Purpose =
  /** The outputs, or figures of them. */
  | { kind: "evaluate"; parameters: Region }
  /** A step. */
  | { kind: "train"; update: UpdatePlan; cells: Cells }
  /** The gradients themselves, into a buffer laid out as the store is. */
  | {
      kind: "gradients";
      parameters: Region;
      gradients: Region;
      ofInputs?: boolean;
      cells?: Cells | undefined;
    };

/** A pass, and the parameters by their gradients, where the gradients have no buffer but are folded into the step. */
function openPass({ store }: Model, builder: ProgramBuilder, rows: number, purpose: Purpose) {
  const parameters = purpose.kind === "train" ? store.region : purpose.parameters;
  const gradients =
    purpose.kind === "train"
      ? purpose.update.gradients
      : purpose.kind === "gradients"
        ? purpose.gradients
        : undefined;
  const folded = new Map<Region, Region>();
  const pass: Pass = {
    builder,
    rows,
    training: purpose.kind === "evaluate" ? undefined : purpose.cells,
    backward: purpose.kind !== "evaluate",
    parameter: ({ region }) => store.within(parameters, region),
    gradient({ region }) {
      if (gradients) return store.within(gradients, region);
      const gradient = { offset: UNPLACED, bytes: region.bytes };
      folded.set(gradient, region);
      return gradient;
    },
  };
  return { pass, folded };
}

/** The next `rows` inputs, as the first layer takes them; sparse ones also as its gradient takes them, if that follows. */
function emitInputs(
  model: Model,
  pass: Pass,
  { inputs, visit }: Pick<PlacedData, "inputs" | "visit">,
): Matrix {
  const { entrance, inputShape } = model;
  const { builder, rows, backward } = pass;
  const width = sizeOf(inputShape);
  if (entrance.indices !== undefined) {
    return builder.gatherIndices(inputs, visit, rows, width, entrance.indices);
  }
  const scale = builder.cell(entrance.scale);
  if ("capacity" in inputs) {
    const x = builder.sparseMatrix(rows, inputs.width, inputs.capacity);
    builder.gatherSparse(x, inputs, visit, scale);
    if (backward && firstTrained(model) === entrance.folded) builder.sortByColumn(x);
    return x;
  }
  const x = builder.matrix(rows, width);
  builder.gather(x, inputs, visit, width, rows, scale, entrance.columns?.columns?.(pass));
  if (rows > 1 || !entrance.takesSparse) return x;
  // One row: its zeros are cheap to leave out, and there may be many.
  return builder.compressRow(x, width);
}

/** Number of the first layer that training changes, or how many there are: the way back goes as far as that. */
function firstTrained({ layers, descriptions }: Model): number {
  const first = descriptions.findIndex(
    ({ tensors }, index) =>
      layers[index].trainable !== false &&
      Object.values<TensorSpec>(tensors).some(({ trainable }) => trainable !== false),
  );
  return first < 0 ? layers.length : first;
}

/** A forward pass through all layers that the gathering has not done; `activate`: with the activation of the outputs. */
function emitLayers(model: Model, pass: Pass, x: Matrix, activate: boolean, first = firstTrained(model)) {
  const { layers, entrance, last } = model;
  const emitted: Emitted[] = [];
  let output = x;
  for (const [index, layer] of layers.entries()) {
    if (index < entrance.folded) continue;
    const own = index < first ? { ...pass, backward: false } : pass;
    const step = layer.emit(own, output, activate || index !== last);
    emitted.push(step);
    output = step.output;
  }
  // Only a first layer has an input that is sparse, and there is one then.
  return { emitted, output: output as Region };
}

/**
 * The backward passes of what emitLayers() emitted, down to the layer `first`; returns the gradient of the scaled inputs
 * if that is wanted, and there is one: indices have none.
 */
function emitBackward(
  { layers, entrance, inputShape }: Model,
  pass: Pass,
  emitted: readonly Emitted[],
  gradient: Region,
  first: number,
  ofInputs: boolean,
): Region | undefined {
  let d: Region | undefined = gradient;
  for (let index = layers.length - 1; index >= first; index--) {
    d = emitted[index - entrance.folded].backward(d!, index > first || ofInputs);
  }
  if (!ofInputs) return undefined;
  const columns = entrance.columns?.columns?.(pass);
  if (d && columns) pass.builder.standardizeBackward(d, pass.rows, sizeOf(inputShape), columns);
  return d;
}

/**
 * A forward pass over `rows` rows: where its output is, shape (rows, outputs). `parameters`: the store's region, or a
 * copy of it.
 */
export function planPredict(
  model: Model,
  data: { inputs: DenseSamples | SparseSamples; visit: PlacedData["visit"] },
  rows: number,
  parameters = model.store.region,
): { program: Program; output: Region } {
  const builder = new ProgramBuilder(model.heap);
  const { pass } = openPass(model, builder, rows, { kind: "evaluate", parameters });
  const { output } = emitLayers(model, pass, emitInputs(model, pass, data), true);
  return { program: builder.finish({ kept: output }), output };
}

/** A pass that knows its loss. */
export interface PlannedStep {
  program: Program;
  /** On one thread: number of the program's first records that leave parameters as they are and tell the loss. */
  forward: number;
  /** Where the gradient of the inputs is, shape (rows, inputs), if it was asked for. */
  inputGradient: Region | undefined;
}

/**
 * A pass over `rows` rows that adds the batch's loss and hits to the statistics, and, for other purposes than to
 * evaluate, goes back; to train, it updates the parameters.
 */
export function planStep(
  model: Model,
  loss: SetLoss,
  data: PlacedData,
  rows: number,
  statistics: Region,
  purpose: Purpose,
  { threads, parts }: Manner = { threads: 1, parts: 1 },
): PlannedStep {
  const { outputShape, outputs } = model;
  const builder = new ProgramBuilder(model.heap, threads);
  const { pass, folded } = openPass(model, builder, rows, purpose);
  const { inputs, targets, visit } = data;
  const x = emitInputs(model, pass, { inputs, visit });
  const target = builder.matrix(rows, outputs);
  if ("classes" in targets) builder.oneHot(target, targets, visit, outputs, rows);
  else builder.gather(target, targets, visit, outputs, rows, builder.cell(1));

  const { fused, factor } = loss;
  const scheme = schemeOf(builder, loss, data, outputs / positionsOf(outputShape), purpose);
  const ofInputs = purpose.kind === "gradients" && purpose.ofInputs === true;
  const first = ofInputs ? model.entrance.folded : firstTrained(model);
  const { emitted, output } = emitLayers(model, pass, x, fused === undefined, first);

  // The loss sees the positions of a sample as rows.
  const positions = positionsOf(outputShape);
  const terms = termsOf(loss, rows, outputShape);
  const buffers = {
    gradient: builder.matrix(rows, outputs),
    losses: builder.matrix(terms, 1),
    hits: builder.matrix(terms, 1),
    prediction: fused === undefined ? output : builder.matrix(rows, outputs),
    logits: output,
    target,
  };
  const prepared = scheme && { weights: builder.matrix(terms, 1), shares: builder.matrix(terms, 1) };
  if (scheme) {
    const { sampleWeights } = scheme;
    const ofSamples = sampleWeights && builder.matrix(rows, 1);
    if (ofSamples) builder.gather(ofSamples, sampleWeights, visit, 1, rows, builder.cell(1));
    builder.prepareTargets(target, prepared!, rows, outputs, { ...scheme, sampleWeights: ofSamples });
  }
  const folding = purpose.kind === "train" && !purpose.update.gradients ? purpose.update : undefined;
  const mean = {
    rate: folding ? folding.rates : builder.cell(1),
    rateStride: folding?.stride,
    factor,
    terms,
    parameters: loss.settings.length > 0 ? builder.cells(loss.settings) : undefined,
  };
  if (!scheme?.weighs) {
    builder.loss(loss.op, buffers, rows * positions, outputs / positions, mean);
    builder.late(() => {
      builder.report(statistics, buffers.losses, buffers.hits, terms, builder.cell(rows / terms));
    });
  } else {
    const weighted = scheme.op === loss.op ? mean : { ...mean, parameters: builder.cells([0, 1]) };
    builder.loss(scheme.op, buffers, rows * positions, outputs / positions, { ...weighted, terms: 1 });
    builder.weigh(buffers, prepared!, rows, outputs, scheme.termWidth, statistics);
    builder.late(() => builder.report(statistics, buffers.losses, buffers.hits, terms, builder.cell(1)));
  }
  if (data.predictions) {
    const { predictions } = data;
    builder.keep(
      predictions,
      buffers.prediction,
      rows * positions,
      outputs / positions,
      visit.batch * positions,
    );
  }

  const inputGradient =
    purpose.kind !== "evaluate"
      ? emitBackward(model, pass, emitted, buffers.gradient, first, ofInputs)
      : undefined;
  if (purpose.kind === "train") builder.late(() => purpose.update.emit(builder));
  const program = builder.finish({ parts, folded: folding ? folded : undefined, kept: inputGradient });
  return { program, forward: recordsUpTo(model.heap, program, Op.report), inputGradient };
}

/** How many records there are up to the first of an operation, that included. */
function recordsUpTo({ u32 }: Heap, { offset, count }: Program, op: Op): number {
  for (let record = 0; record < count; record++) {
    if (u32[offset / 4 + record * RECORD_WORDS + Word.opcode] === op) return record + 1;
  }
  return count;
}

/** What the terms of a loss need done before it, where they do not all count alike or labels are smoothed. */
function schemeOf(
  builder: ProgramBuilder,
  loss: SetLoss,
  data: PlacedData,
  columns: number,
  { kind }: Purpose,
) {
  const { labelSmoothing, per } = loss;
  const classWeights = kind === "evaluate" ? undefined : loss.classWeights;
  const weighs = data.masked || data.weights !== undefined || classWeights !== undefined;
  if (!weighs && labelSmoothing === 0) return undefined;
  const classes = classWeights ? loss.classes! : ClassWeights.none;
  const labels = per === "row" ? columns : 2;
  return {
    weighs,
    // Targets that are weighted do not sum to 1, as crossEntropy wants it; the focal loss with gamma 0 takes them.
    op: loss.op === Op.crossEntropy && classWeights ? Op.focal : loss.op,
    sampleWeights: data.weights,
    settings: builder.cells([1 - labelSmoothing, labelSmoothing / labels, ...(classWeights ?? [])]),
    classes,
    termWidth: per === "row" ? columns : 1,
  };
}

/** Where the parameters to read begin: in the heap, or in room taken for a copy. */
export function placeSnapshot({ heap, store }: Model, snapshot: Snapshot | undefined): Region {
  const { bytes } = store.region;
  if (!snapshot) return store.region;
  const copy = heap.region(bytes);
  // Behind the parameters it may hold what an optimizer keeps.
  heap.u8.set(snapshot.bytes.subarray(0, bytes), copy.offset);
  return copy;
}

/** Mean loss and, for losses that classify, accuracy over `rows` rows; where nothing counts, 0. */
export function figuresOf(
  { outputShape }: Model,
  { lossSum, hits, weightSum, counted }: Sums,
  rows: number,
  loss: SetLoss,
): Figures {
  const figures: Figures = { loss: lossSum / (weightSum || rows) };
  if (loss.classifies) figures.accuracy = hits / (counted || termsOf(loss, rows, outputShape));
  return figures;
}

/** Statistics of the steps run since clear(). */
export class Statistics {
  readonly region: Region;
  readonly #heap: Heap;

  constructor(heap: Heap) {
    this.#heap = heap;
    this.region = heap.region(Stat.cells * 8);
    this.clear();
  }

  clear(): void {
    this.set(NO_SUMS);
  }

  /** The sums so far. */
  get sums(): Sums {
    const cells = this.#heap.f64;
    const first = this.region.offset / 8;
    return {
      lossSum: cells[first + Stat.lossSum],
      hits: cells[first + Stat.hits],
      weightSum: cells[first + Stat.weightSum],
      counted: cells[first + Stat.counted],
    };
  }

  /** Goes on from sums of before. */
  set({ lossSum, hits, weightSum, counted }: Sums): void {
    const cells = this.#heap.f64;
    const first = this.region.offset / 8;
    cells[first + Stat.lossSum] = lossSum;
    cells[first + Stat.hits] = hits;
    cells[first + Stat.badStep] = -1;
    cells[first + Stat.weightSum] = weightSum;
    cells[first + Stat.counted] = counted;
  }

  /** First step whose loss was not finite, or -1. */
  get badStep(): number {
    return this.#heap.f64[this.region.offset / 8 + Stat.badStep];
  }
}

/** What the statistics add up. */
export interface Sums {
  lossSum: number;
  hits: number;
  /** Where terms do not all count alike: the sum of their weights, and how many are not 0. Else 0. */
  weightSum: number;
  counted: number;
}

export const NO_SUMS: Sums = { lossSum: 0, hits: 0, weightSum: 0, counted: 0 };
