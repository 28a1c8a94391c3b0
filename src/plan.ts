// Plans: how a network's layers become programs over its heap.

import type { DType } from "./dtype.js";
import type { Executor, Program } from "./executors/executor.js";
import type { Heap } from "./heap.js";
import type { Layer, ParameterAccess } from "./layers/layer.js";
import { classifies, type Figures, type Loss, losses } from "./losses.js";
import { type Matrix, ProgramBuilder, Stat } from "./program.js";
import type { Store } from "./store.js";
import { type PlacedInputs, type PlacedTargets, SPARSE_BELOW } from "./upload.js";
import type { Snapshot, WholeSteps } from "./whole-steps.js";

/** What a network is made of, as the plans see it. */
export interface Model {
  readonly executor: Executor;
  readonly heap: Heap;
  readonly store: Store;
  readonly dtype: DType;
  readonly layers: readonly Layer[];
  readonly inputs: number;
  readonly outputs: number;
  /** Factor of the inputs, applied as a batch is gathered. */
  readonly inputScale: number;
  /** Epochs trained since the network was made. */
  epochsTrained: number;
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
function forwardWork({ layers, inputs }: Model, rows: number, density: number, sparseCost: number): number {
  const parameters = layers.reduce((sum, layer) => sum + layer.parameterCount, 0);
  const first = inputs * layers[0].size;
  const share = density < SPARSE_BELOW ? density * sparseCost : 1;
  return rows * (parameters - first + first * share);
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
    forwardWork(model, rows, density, SPARSE_COST) + rows * (model.inputs * GATHER_COST + ROW_COST);
  return { threads, parts: work < WORK_TO_CUT ? 1 : Math.ceil(work / WORK_PER_PART) };
}

/** The next `rows` inputs, as the first layer takes them; `sorted`: sparse ones as its gradient takes them too. */
function emitInputs(
  model: Model,
  builder: ProgramBuilder,
  inputs: PlacedInputs,
  rows: number,
  sorted: boolean,
): Matrix {
  const scale = builder.cell(model.inputScale);
  const { dataType, sparse } = inputs;
  if (sparse) {
    const x = builder.sparseMatrix(rows, model.inputs, sparse.capacity);
    builder.gatherSparse(x, { ...inputs, ...sparse }, dataType, scale);
    if (sorted) builder.sortByColumn(x);
    return x;
  }
  const x = builder.matrix(rows, model.inputs);
  builder.gather(x, inputs, dataType, model.inputs, rows, scale);
  if (rows > 1) return x;
  // One row: its zeros are cheap to leave out, and there may be many.
  return builder.compressRow(x, model.inputs);
}

/** Reads the parameters in the copy of the store that begins at `copy`. */
function sourceIn({ store }: Model, copy: number): (offset: number) => number {
  return (offset) => copy + offset - store.begin;
}

/**
 * A forward pass over `rows` rows: where its output is, shape (rows, outputs). `parameters`: where they begin, in the
 * store or a copy of it.
 */
export function planPredict(
  model: Model,
  inputs: PlacedInputs,
  rows: number,
  parameters = model.store.begin,
): { program: Program; output: number } {
  const noUpdates: ParameterAccess = {
    source: sourceIn(model, parameters),
    defer: () => {},
    target: (offset) => ({ output: offset, add: false }),
  };
  const builder = new ProgramBuilder(model.heap);
  let y: Matrix = emitInputs(model, builder, inputs, rows, false);
  let output = 0;
  for (const layer of model.layers) {
    output = layer.forward(builder, y, rows, noUpdates, true).output;
    y = output;
  }
  return { program: builder.finish(), output };
}

/** What becomes of the gradients: nothing, a step of plain SGD, or a buffer laid out as the store is. */
export type Purpose =
  | { kind: "evaluate"; parameters: number }
  | { kind: "train"; learningRate: number }
  | { kind: "gradients"; parameters: number; output: number };

/**
 * A pass over `rows` rows that adds the batch's loss and hits to the statistics, and, to train, goes back
 * and updates the parameters.
 *
 * Plain SGD, w = w - rate * gradient, is folded into the products that make the gradients: the loss's
 * gradient is scaled by -rate / rows, and the products add to the parameters.
 */
export function planLoss(
  model: Model,
  loss: Loss,
  inputs: PlacedInputs,
  targets: PlacedTargets,
  rows: number,
  statistics: number,
  purpose: Purpose,
  { threads, parts }: Manner = { threads: 1, parts: 1 },
): Program {
  const { heap, layers, outputs, store } = model;
  const builder = new ProgramBuilder(heap, threads, parts);
  const x = emitInputs(model, builder, inputs, rows, purpose.kind !== "evaluate");
  const target = builder.matrix(rows, outputs);
  if (targets.dataType === undefined) builder.oneHot(target, targets, outputs, rows);
  else builder.gather(target, targets, targets.dataType, outputs, rows, builder.cell(1));

  const deferred: (() => void)[] = [];
  const access: ParameterAccess = {
    source: sourceIn(model, purpose.kind === "train" ? store.begin : purpose.parameters),
    defer: (emit) => deferred.push(emit),
    target: (offset) =>
      purpose.kind === "gradients"
        ? { output: purpose.output + offset - store.begin, add: false }
        : { output: offset, add: true },
  };

  const { op, fused, per, factor } = losses[loss];
  const emitted = [];
  let input: Matrix = x;
  let y = 0;
  for (const [index, layer] of layers.entries()) {
    const activate = index < layers.length - 1 || fused === undefined;
    const step = layer.forward(builder, input, rows, access, activate);
    emitted.push(step);
    y = step.output;
    input = y;
  }

  const terms = per === "row" ? rows : rows * outputs;
  const direction = purpose.kind === "train" ? -purpose.learningRate : 1;
  const gradient = builder.matrix(rows, outputs);
  const lossValues = heap.allocateElements(terms);
  const hits = heap.allocateElements(terms);
  const prediction = fused ? builder.matrix(rows, outputs) : y;
  const scale = builder.cell((direction * factor) / terms);
  builder.loss(
    op,
    { gradient, losses: lossValues, hits, prediction, logits: y, target },
    rows,
    outputs,
    scale,
  );

  if (purpose.kind !== "evaluate") {
    let d = gradient;
    for (const [index, step] of [...emitted.entries()].reverse()) d = step.backward(d, index > 0);
  }
  // Up to here each thread works on its own rows of the batch and need not wait for others.
  builder.report(statistics, lossValues, hits, terms, builder.cell(rows / terms));
  for (const emit of deferred) emit();
  return builder.finish();
}

/** Where the parameters to read begin: in the heap, or in room taken for a copy. */
export function placeSnapshot({ heap, store }: Model, snapshot: Snapshot | undefined): number {
  if (!snapshot) return store.begin;
  const offset = heap.allocate(store.bytes);
  heap.u8.set(snapshot.bytes, offset);
  return offset;
}

/** Mean loss and, for losses that classify, accuracy over `rows` rows. */
export function figuresOf({ outputs }: Model, { lossSum, hits }: Sums, rows: number, loss: Loss): Figures {
  const figures: Figures = { loss: lossSum / rows };
  if (classifies(loss)) figures.accuracy = hits / (losses[loss].per === "row" ? rows : rows * outputs);
  return figures;
}

/** Statistics of the steps run since clear(). */
export class Statistics {
  readonly offset: number;
  readonly #heap: Heap;

  constructor(heap: Heap) {
    this.#heap = heap;
    this.offset = heap.allocate(Stat.cells * 8);
    this.clear();
  }

  clear(): void {
    this.set({ lossSum: 0, hits: 0 });
  }

  /** The sums so far. */
  get sums(): Sums {
    const cells = this.#heap.f64;
    const first = this.offset / 8;
    return { lossSum: cells[first + Stat.lossSum], hits: cells[first + Stat.hits] };
  }

  /** Goes on from sums of before. */
  set({ lossSum, hits }: Sums): void {
    const cells = this.#heap.f64;
    const first = this.offset / 8;
    cells[first + Stat.lossSum] = lossSum;
    cells[first + Stat.hits] = hits;
    cells[first + Stat.badStep] = -1;
  }

  /** First step whose loss was not finite, or -1. */
  get badStep(): number {
    return this.#heap.f64[this.offset / 8 + Stat.badStep];
  }
}

/** What the statistics add up. */
export interface Sums {
  lossSum: number;
  hits: number;
}
