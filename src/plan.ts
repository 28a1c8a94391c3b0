// Plans: how a network's layers become programs over its heap.

import { isClasses, type Table, type Targets } from "./dataset.js";
import type { Executor, Program } from "./executors/executor.js";
import type { Heap } from "./heap.js";
import type { Layer, Updates } from "./layers/layer.js";
import { type Loss, lossRow } from "./losses.js";
import { type Batches, type DataType, type Matrix, ProgramBuilder, Stat } from "./program.js";
import type { Store } from "./store.js";

/** What a network is made of, as the plans see it. */
export interface Model {
  readonly executor: Executor;
  readonly heap: Heap;
  readonly store: Store;
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
}

/** Inputs in the heap, with their zeros or without. */
export interface PlacedInputs extends Batches {
  dataType: DataType;
  sparse?: { starts: number; columns: number; capacity: number };
}

/** Targets in the heap; without a data type they are class indexes. */
export interface PlacedTargets extends Batches {
  dataType?: DataType;
}

/** Copies a table or classes into the heap at `offset`. */
export function copyInto(heap: Heap, offset: number, { data }: Targets): void {
  heap.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
}

function upload(heap: Heap, targets: Targets): number {
  const offset = heap.allocate(targets.data.byteLength);
  copyInto(heap, offset, targets);
  return offset;
}

/** Copies inputs without their zeros. */
function uploadSparse(
  heap: Heap,
  { data, rows, width }: Table,
): Omit<PlacedInputs, "order" | "batch" | "dataType"> {
  const starts = heap.allocate((rows + 1) * 4);
  let words = heap.u32;
  let entries = 0;
  let capacity = 0;
  for (let r = 0, i = 0; r < rows; r++) {
    words[starts / 4 + r] = entries;
    const before = entries;
    for (const end = i + width; i < end; i++) if (data[i] !== 0) entries++;
    capacity = Math.max(capacity, entries - before);
  }
  words[starts / 4 + rows] = entries;
  const columns = heap.allocate(entries * 4);
  const values = heap.allocate(entries * data.BYTES_PER_ELEMENT);
  words = heap.u32;
  const { u8, f32, f64 } = heap;
  const target = data instanceof Uint8Array ? u8 : data instanceof Float32Array ? f32 : f64;
  let column = columns / 4;
  let value = values / data.BYTES_PER_ELEMENT;
  for (let r = 0, i = 0; r < rows; r++) {
    for (let j = 0; j < width; j++, i++) {
      if (data[i] === 0) continue;
      words[column++] = j;
      target[value++] = data[i];
    }
  }
  return { data: values, sparse: { starts, columns, capacity } };
}

/**
 * Multiplications a step, for each thread, that make threads worth their barriers: two threads drew level with
 * one at about 2 ** 19 (128-128-10 in float64, 128-64-10 in float32, batches of 32), of 70 to 170 microseconds.
 */
const WORK_PER_THREAD = 2 ** 18;

/** Threads for passes over `rows` rows of which `density` are not zero. */
export function threadsFor(
  { threads, autoThreads, layers, inputs }: Model,
  rows: number,
  density: number,
): number {
  if (!autoThreads) return threads;
  const parameters = layers.reduce((sum, layer) => sum + layer.parameterCount, 0);
  const first = inputs * layers[0].size;
  const share = density < SPARSE_BELOW ? density : 1;
  const work = rows * (parameters - first + first * share);
  return Math.max(1, Math.min(threads, Math.floor(work / WORK_PER_THREAD)));
}

/**
 * Share of non-zero inputs below which the first layer walks only those. Measured on random data: dense and
 * sparse layers draw level at 0.4 to 0.5, whatever the width, the batch and the element type.
 */
export const SPARSE_BELOW = 0.4;

/** Uploads inputs and targets that share an order; `sparse` leaves the zeros of the inputs out. */
export function place(
  heap: Heap,
  inputs: Table,
  targets: Targets,
  order: number,
  batch: number,
  sparse = false,
): { inputs: PlacedInputs; targets: PlacedTargets } {
  const share = { order, batch };
  const { dataType } = inputs;
  return {
    inputs: sparse
      ? { ...share, dataType, ...uploadSparse(heap, inputs) }
      : { ...share, dataType, data: upload(heap, inputs) },
    targets: {
      ...share,
      data: upload(heap, targets),
      dataType: isClasses(targets) ? undefined : targets.dataType,
    },
  };
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

const noUpdates: Updates = {
  defer: () => {},
  target: (offset) => ({ output: offset, add: false }),
};

/** A forward pass over `rows` rows: where its output is, shape (rows, outputs). */
export function planPredict(
  model: Model,
  inputs: PlacedInputs,
  rows: number,
): { program: Program; output: number } {
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
  | { kind: "evaluate" }
  | { kind: "train"; learningRate: number }
  | { kind: "gradients"; output: number };

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
  threads = 1,
): Program {
  const { heap, layers, outputs } = model;
  const builder = new ProgramBuilder(heap, threads);
  const x = emitInputs(model, builder, inputs, rows, purpose.kind !== "evaluate");
  const target = builder.matrix(rows, outputs);
  if (targets.dataType === undefined) builder.oneHot(target, targets, outputs, rows);
  else builder.gather(target, targets, targets.dataType, outputs, rows, builder.cell(1));

  const deferred: (() => void)[] = [];
  const updates: Updates = {
    defer: (emit) => deferred.push(emit),
    target: (offset) =>
      purpose.kind === "gradients"
        ? { output: purpose.output + offset - model.store.begin, add: false }
        : { output: offset, add: true },
  };

  const { op, fused, per, factor } = lossRow(loss);
  const emitted = [];
  let input: Matrix = x;
  let y = 0;
  for (const [index, layer] of layers.entries()) {
    const activate = index < layers.length - 1 || fused === undefined;
    const step = layer.forward(builder, input, rows, updates, activate);
    emitted.push(step);
    y = step.output;
    input = y;
  }

  const terms = per === "row" ? rows : rows * outputs;
  const direction = purpose.kind === "train" ? -purpose.learningRate : 1;
  const gradient = builder.matrix(rows, outputs);
  const losses = heap.allocateElements(terms);
  const hits = heap.allocateElements(terms);
  const prediction = fused ? builder.matrix(rows, outputs) : y;
  const scale = builder.cell((direction * factor) / terms);
  builder.loss(op, { gradient, losses, hits, prediction, logits: y, target }, rows, outputs, scale);

  if (purpose.kind !== "evaluate") {
    let d = gradient;
    for (const [index, step] of [...emitted.entries()].reverse()) d = step.backward(d, index > 0);
  }
  // Up to here each thread works on its own rows of the batch and need not wait for others.
  builder.report(statistics, losses, hits, terms, builder.cell(rows / terms));
  for (const emit of deferred) emit();
  return builder.finish();
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
    const cells = this.#heap.f64;
    const first = this.offset / 8;
    cells[first + Stat.lossSum] = 0;
    cells[first + Stat.hits] = 0;
    cells[first + Stat.badStep] = -1;
  }

  /** First step whose loss was not finite, or -1. */
  get badStep(): number {
    return this.#heap.f64[this.offset / 8 + Stat.badStep];
  }

  /** Mean loss and, for losses that classify, accuracy over `rows` rows. */
  over(rows: number, loss: Loss, outputs: number): Figures {
    const cells = this.#heap.f64;
    const first = this.offset / 8;
    const { per, classifies } = lossRow(loss);
    const figures: Figures = { loss: cells[first + Stat.lossSum] / rows };
    if (classifies) figures.accuracy = cells[first + Stat.hits] / (per === "row" ? rows : rows * outputs);
    return figures;
  }
}

/** Mean loss a row, and the share of hits, 0 to 1, where the loss is one of classification. */
export interface Figures {
  loss: number;
  accuracy?: number;
}
