// Single calls on a batch that is passed in, for training loops of users' own: a step, the gradients, a step by gradients.
// Their plans stay on the heap from call to call.

import { RECORD_WORDS } from "../assembly/ops.js";
import type { FloatArray } from "./dtype.js";
import type { Program } from "./executors/executor.js";
import type { Layer } from "./layers/layer.js";
import type { Figures, SetLoss } from "./losses.js";
import type { SetOptimizer } from "./optimizers.js";
import { figuresOf, type Model, type Purpose, placeSnapshot, planStep, Statistics } from "./plan.js";
import { ProgramBuilder } from "./program/builder.js";
import { Rates } from "./rates.js";
import { sizeOf } from "./shape.js";
import { allFinite, type Tensor } from "./store.js";
import { hasSlots, planUpdate, takeSlots } from "./update.js";
import { allocateData, copyBatch, formOf, type PlacedData, type Batch as Rows } from "./upload.js";

/** A batch, checked, and its loss. */
export interface Batch extends Rows {
  loss: SetLoss;
}

/** Gradients of a loss, as `gradients` returns and `applyGradients` takes them. */
export interface Gradients {
  /** By layer, each with the gradient of each of its parameters, by name, laid out as the parameter is. */
  readonly layers: readonly Readonly<Record<string, FloatArray>>[];
}

/** What `gradients` returns. */
export interface LossGradients extends Gradients, Figures {
  /** The gradient of the inputs, rows x inputs values; for an Embedding, whose inputs are indices, none. */
  readonly inputs: FloatArray;
}

function placeBatch({ heap }: Model, batch: Batch): { placed: PlacedData; statistics: Statistics } {
  const placed = allocateData(heap, batch, { order: undefined, batch: batch.inputs.rows });
  return { placed, statistics: new Statistics(heap) };
}

/** What plans for batches like this one have in common. */
function keyOf(kind: string, { layers }: Model, batch: Batch): unknown[] {
  return [kind, ...formOf(batch), textOf(batch.loss), trainedOf(layers)];
}

/** Trains a step on a batch; returns its loss before the step. */
export function trainBatch(model: Model, batch: Batch, optimizer: SetOptimizer): number {
  const { heap, residents } = model;
  const { rows } = batch.inputs;
  makeRoom(model, optimizer);
  // First, for a schedule is a user's, who may call predict.
  const rate = rateOf(model, optimizer);
  const key = [...keyOf("trainBatch", model, batch), textOf(optimizer)];
  const plan = residents.take(key, () => {
    const { placed, statistics } = placeBatch(model, batch);
    const cells = { epoch: heap.cell(0), step: heap.cell(0) };
    const update = planUpdate(model, optimizer, 1);
    const purpose: Purpose = { kind: "train", update, cells };
    const planned = planStep(model, batch.loss, placed, rows, statistics.region, purpose);
    const [forward, backward] = split(planned.program, planned.forward);
    return { placed, statistics, cells, update, forward, backward };
  });
  copyBatch(heap, batch, plan.placed);
  plan.statistics.clear();
  plan.update.fill(1, () => rate);
  heap.setCell(plan.cells.epoch, model.epochsTrained);
  heap.setCell(plan.cells.step, model.stepsTrained);
  runForward(model, plan.forward, plan.statistics);
  const { loss } = figuresOf(model, plan.statistics.sums, rows, batch.loss);
  runUpdate(model, plan.backward, Math.abs(loss));
  return loss;
}

/** Runs a pass up to its loss. Where it overflows, states that it has changed are put back. */
function runForward(model: Model, program: Program, statistics: Statistics): void {
  const { store, executor } = model;
  const states = store.tensors.filter(({ trainable }) => !trainable);
  const before = states.map((tensor) => store.view(tensor).slice());
  executor.run(program, 0, 1);
  const fine = states.every((tensor) => allFinite(store.view(tensor)));
  if (statistics.badStep < 0 && fine) return;
  for (const [index, tensor] of states.entries()) store.view(tensor).set(before[index]);
  throw overflow(model, statistics.sums.lossSum);
}

/** Losses and gradients of this size may leave squares or parameters that are not finite. */
const LARGE = { float64: 1e100, float32: 1e12 };

/** Runs an update. Where what it comes from is large and it overflows, it is undone. */
function runUpdate(model: Model, program: Program, size: number): void {
  const { store, executor, dtype } = model;
  const before = size > LARGE[dtype] ? new Uint8Array(store.snapshotBytes({ slots: true })) : undefined;
  if (before) store.snapshot(before);
  executor.run(program, 0, 1);
  if (before && (store.firstNotFinite() || !store.slotsAreFinite())) {
    store.restore(before);
    throw overflow(model, size);
  }
  model.stepsTrained++;
}

/** The loss of a batch and its gradients; no parameter changes. */
export function gradientsOf(model: Model, batch: Batch, { training = false } = {}): LossGradients {
  const { heap, store, residents, entrance } = model;
  const { rows } = batch.inputs;
  const snapshot = model.wholeSteps?.read();
  const make = () => {
    const { placed, statistics } = placeBatch(model, batch);
    const parameters = placeSnapshot(model, snapshot);
    const gradients = heap.region(store.region.bytes);
    const cells = training ? { epoch: heap.cell(0), step: heap.cell(0) } : undefined;
    const purpose = { kind: "gradients", parameters, gradients, ofInputs: true, cells } as const;
    const { program, inputGradient } = planStep(model, batch.loss, placed, rows, statistics.region, purpose);
    return { placed, statistics, gradients, cells, program, inputGradient };
  };
  const passing = snapshot !== undefined;
  const plan = residents.take([...keyOf("gradients", model, batch), training, snapshot], make, { passing });
  copyBatch(heap, batch, plan.placed);
  plan.statistics.clear();
  if (plan.cells) heap.setCell(plan.cells.step, model.stepsTrained);
  runForward(model, plan.program, plan.statistics);
  const { sums } = plan.statistics;
  const layers = model.layers.map((): Record<string, FloatArray> => ({}));
  for (const { name, shape, region, trainable } of store.tensors) {
    if (!trainable) continue;
    const [, layer, tensor] = name.split(".");
    const { offset } = store.within(plan.gradients, region);
    layers[Number(layer)][tensor] = heap.elements(offset, sizeOf(shape)).slice();
  }
  // Indices have none.
  const { offset, bytes } = plan.inputGradient ?? { offset: 0, bytes: 0 };
  const inputs = heap.elements(offset, bytes / heap.elementBytes).slice();
  const { scale } = entrance;
  if (scale !== 1) for (let i = 0; i < inputs.length; i++) inputs[i] *= scale;
  return { ...figuresOf(model, sums, rows, batch.loss), layers, inputs };
}

/** Makes a step by gradients, checked: of every tensor that is trained. */
export function applyGradients(
  model: Model,
  gradients: ReadonlyMap<Tensor, FloatArray>,
  optimizer: SetOptimizer,
): void {
  const { heap, store, residents } = model;
  makeRoom(model, optimizer);
  const rate = rateOf(model, optimizer);
  const key = ["applyGradients", trainedOf(model.layers), textOf(optimizer)];
  const plan = residents.take(key, () => {
    const update = planUpdate(model, optimizer, 1, { folding: false });
    const { offset, bytes } = update.gradients!;
    // What lies between tensors is updated with them.
    heap.u8.fill(0, offset, offset + bytes);
    const builder = new ProgramBuilder(heap);
    update.emit(builder);
    return { update, program: builder.finish() };
  });
  let size = 0;
  for (const [{ region, shape }, values] of gradients) {
    for (const value of values) size = Math.max(size, Math.abs(value));
    heap.elements(store.within(plan.update.gradients!, region).offset, sizeOf(shape)).set(values);
  }
  plan.update.fill(1, () => rate);
  runUpdate(model, plan.program, size);
}

/** Takes room for what the optimizer keeps, below all plans. */
function makeRoom({ store, residents }: Model, optimizer: SetOptimizer): void {
  if (hasSlots(store, optimizer)) return;
  residents.drop();
  takeSlots(store, optimizer);
}

/** The learning rate of the next step: to a schedule, steps and epochs count from the network's first. */
function rateOf({ stepsTrained, epochsTrained }: Model, { learningRate }: SetOptimizer): number {
  if (typeof learningRate === "number") return learningRate;
  if (typeof learningRate === "object") {
    throw new TypeError(
      "reduceOnPlateau goes by epochs, and there are none here: give a number, or a schedule of steps",
    );
  }
  return new Rates(learningRate, ENDLESS).at(stepsTrained, epochsTrained);
}

const ENDLESS = { steps: Number.POSITIVE_INFINITY, epochs: Number.POSITIVE_INFINITY, stepsPerEpoch: 1 };

const texts = new WeakMap<object, string>();

/** What a plan is made for of an optimizer, all settings but the learning rate, or of a loss, as text. */
function textOf(of: SetOptimizer | SetLoss): string {
  let text = texts.get(of);
  if (text === undefined) {
    const { learningRate: _, op: _op, ...settings } = of as SetOptimizer & { op?: unknown };
    text = Object.values(settings).join();
    texts.set(of, text);
  }
  return text;
}

/** Which layers are trained, as text: plans leave out the others. */
function trainedOf(layers: readonly Layer[]): string {
  let text = "";
  for (const { trainable } of layers) text += trainable === false ? "0" : "1";
  return text;
}

/** A program as two: its first `count` records, and the others. */
function split({ offset, count: all, threads, parts }: Program, count: number): [Program, Program] {
  const part = (first: number, end: number) => ({
    offset: offset + first * RECORD_WORDS * 4,
    count: end - first,
    threads,
    phases: [{ first: 0, count: end - first, parts: 1 }],
    parts,
  });
  return [part(0, count), part(count, all)];
}

function overflow({ dtype }: Model, loss: number): Error {
  return new Error(
    `a step with a loss, or gradients, of ${loss} overflows ${dtype}: nothing was changed. Scale the inputs and the targets to ` +
      "about -1 .. 1, or lower the learningRate",
  );
}
