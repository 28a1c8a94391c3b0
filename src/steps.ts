// Single calls on a batch that is passed in, for training loops of users' own: a step, the gradients, a step by gradients.
// Their plans stay on the heap from call to call.

import { RECORD_WORDS } from "../assembly/ops.js";
import { isClasses, type Table, type Targets } from "./dataset.js";
import type { FloatArray } from "./dtype.js";
import type { Program } from "./executors/executor.js";
import type { Cells } from "./layers/layer.js";
import type { Figures, Loss } from "./losses.js";
import { optimizers, type SetOptimizer } from "./optimizers.js";
import {
  figuresOf,
  type Model,
  type Purpose,
  placeSnapshot,
  planStep,
  planUpdate,
  Statistics,
} from "./plan.js";
import { sizeOf } from "./shape.js";
import type { Tensor } from "./store.js";
import { allocateData, copyInto, type PlacedData, regionOf } from "./upload.js";

/** A batch, checked. */
export interface Batch {
  inputs: Table;
  targets: Targets;
  loss: Loss;
}

/** Gradients of a loss, as `gradients` returns and `applyGradients` takes them. */
export interface Gradients {
  /** By layer, each with the gradient of each of its parameters, by name, laid out as the parameter is. */
  readonly layers: readonly Readonly<Record<string, FloatArray>>[];
}

/** What `gradients` returns. */
export interface LossGradients extends Gradients, Figures {
  /** The gradient of the inputs, rows x inputs values. */
  readonly inputs: FloatArray;
}

interface PlacedBatch {
  placed: PlacedData;
  statistics: Statistics;
}

function placeBatch(model: Model, { inputs, targets }: Batch): PlacedBatch {
  const visit = { order: undefined, batch: inputs.rows };
  return {
    placed: allocateData(model.heap, { inputs, targets, density: 1 }, visit),
    statistics: new Statistics(model.heap),
  };
}

function enter({ heap }: Model, { inputs, targets }: Batch, { placed, statistics }: PlacedBatch): void {
  copyInto(heap, placed.inputs.data, inputs);
  copyInto(heap, regionOf(placed.targets), targets);
  statistics.clear();
}

/** What plans for batches like this one have in common. */
function keyOf({ inputs, targets, loss }: Batch): readonly unknown[] {
  return [inputs.rows, inputs.dataType, isClasses(targets) ? "classes" : targets.dataType, loss];
}

/** Trains a step on a batch; returns its loss before the step. */
export function trainBatch(model: Model, batch: Batch, optimizer: SetOptimizer): number {
  const { heap, store, executor, residents } = model;
  takeSlots(model, optimizer);
  const plan = residents.take(
    ["trainBatch", ...keyOf(batch), structureOf(optimizer), trainedOf(model)],
    () => {
      const { placed, statistics } = placeBatch(model, batch);
      const cells = placeCells(model);
      const folds = optimizers[optimizer.name].folds(optimizer);
      const gradients = folds ? undefined : heap.region(store.region.bytes);
      const purpose: Purpose = { kind: "train", optimizer, cells, gradients };
      const { program, forward } = planStep(
        model,
        batch.loss,
        placed,
        batch.inputs.rows,
        statistics.region,
        purpose,
      );
      return {
        placed,
        statistics,
        cells,
        forward: first(program, forward),
        backward: rest(program, forward),
      };
    },
  );
  enter(model, batch, plan);
  setCells(model, plan.cells, optimizer);
  executor.run(plan.forward, 0, 1);
  if (plan.statistics.badStep >= 0) throw overflow(model, plan.statistics.sums.lossSum);
  executor.run(plan.backward, 0, 1);
  model.stepsTrained++;
  return figuresOf(model, plan.statistics.sums, batch.inputs.rows, batch.loss).loss;
}

/** The loss of a batch and its gradients; nothing changes. */
export function gradientsOf(model: Model, batch: Batch): LossGradients {
  const { heap, store, executor, residents, inputScale } = model;
  const { rows } = batch.inputs;
  const snapshot = model.wholeSteps?.read();
  const make = () => {
    const { placed, statistics } = placeBatch(model, batch);
    const parameters = placeSnapshot(model, snapshot);
    const gradients = heap.region(store.region.bytes);
    const purpose = { kind: "gradients", parameters, gradients, ofInputs: true } as const;
    const { program, inputGradient } = planStep(model, batch.loss, placed, rows, statistics.region, purpose);
    return { placed, statistics, gradients, program, inputGradient };
  };
  const passing = snapshot !== undefined;
  const plan = residents.take(["gradients", ...keyOf(batch), trainedOf(model), snapshot], make, { passing });
  enter(model, batch, plan);
  executor.run(plan.program, 0, 1);
  const { sums } = plan.statistics;
  if (plan.statistics.badStep >= 0) throw overflow(model, sums.lossSum);
  const layers = model.layers.map((): Record<string, FloatArray> => ({}));
  for (const { name, shape, region, trainable } of store.tensors) {
    if (!trainable) continue;
    const [, layer, tensor] = name.split(".");
    const { offset } = store.within(plan.gradients, region);
    layers[Number(layer)][tensor] = heap.elements(offset, sizeOf(shape)).slice();
  }
  const inputs = heap.elements(plan.inputGradient!.offset, rows * sizeOf(model.inputShape)).slice();
  if (inputScale !== 1) for (let i = 0; i < inputs.length; i++) inputs[i] *= inputScale;
  return { ...figuresOf(model, sums, rows, batch.loss), layers, inputs };
}

/** Makes a step by gradients, checked: of every tensor that is trained. */
export function applyGradients(
  model: Model,
  gradients: ReadonlyMap<Tensor, FloatArray>,
  optimizer: SetOptimizer,
): void {
  const { heap, store, executor, residents } = model;
  takeSlots(model, optimizer);
  const plan = residents.take(["applyGradients", structureOf(optimizer), trainedOf(model)], () => {
    const gradients = heap.region(store.region.bytes);
    heap.u8.fill(0, gradients.offset, gradients.offset + gradients.bytes);
    const cells = placeCells(model);
    return { gradients, cells, program: planUpdate(model, optimizer, gradients, cells) };
  });
  for (const [{ region, shape }, values] of gradients) {
    heap.elements(store.within(plan.gradients, region).offset, sizeOf(shape)).set(values);
  }
  setCells(model, plan.cells, optimizer);
  executor.run(plan.program, 0, 1);
}

/** Room for what the optimizer keeps lies below all plans. */
function takeSlots({ store, residents }: Model, optimizer: SetOptimizer): void {
  for (const name of optimizers[optimizer.name].slots(optimizer)) {
    if (store.hasSlot(name)) continue;
    residents.drop();
    store.slot(name);
  }
}

function placeCells({ heap }: Model): Cells {
  return { rate: heap.cell(0), epoch: heap.cell(0), step: heap.cell(0) };
}

function setCells(model: Model, { rate, epoch, step }: Cells, optimizer: SetOptimizer): void {
  const { heap } = model;
  heap.setCell(rate, -optimizer.learningRate);
  heap.setCell(epoch, model.epochsTrained);
  heap.setCell(step, model.stepsTrained);
}

/** What of an optimizer's settings a plan depends on: which there are, not how large they are. */
function structureOf(optimizer: SetOptimizer): string {
  let text = "";
  for (const name in optimizer) {
    const value = optimizer[name];
    text += `${typeof value === "number" ? value !== 0 : value},`;
  }
  return text;
}

/** Which layers are trained, as text: plans leave out the others. */
function trainedOf({ layers }: Model): string {
  let text = "";
  for (const { trainable } of layers) text += trainable === false ? "0" : "1";
  return text;
}

function first({ offset, threads, parts }: Program, count: number): Program {
  return { offset, count, threads, phases: [{ first: 0, count, parts: 1 }], parts };
}

function rest({ offset, count, ...others }: Program, from: number): Program {
  return first({ offset: offset + from * RECORD_WORDS * 4, count, ...others }, count - from);
}

function overflow({ dtype }: Model, loss: number): Error {
  return new Error(
    `the loss of the batch is ${loss}: it overflows ${dtype}, and nothing was changed. Scale the inputs and the targets to ` +
      "about -1 .. 1, or lower the learningRate",
  );
}
