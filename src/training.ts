// The training loop: plans the programs of a fit, runs them epoch by epoch, and keeps the last good state.

import { RunFailure } from "./executors/executor.js";
import { Explosion } from "./explosion.js";
import type { Cells } from "./layers/layer.js";
import { adviceFor, type Figures, type SetLoss } from "./losses.js";
import { optimizers, type SetOptimizer } from "./optimizers.js";
import { Pacer } from "./pacing.js";
import type { Pieces } from "./pieces.js";
import { figuresOf, type Model, mannerFor, type Purpose, Statistics } from "./plan.js";
import { ProgramBuilder } from "./program/builder.js";
import type { Visit } from "./program/samples.js";
import type { Signal } from "./signal.js";
import { EVALUATION_BATCH, planSweep, runSweep, type Sweep } from "./sweep.js";
import { allocateData, type DataSet, type PlacedData, upload } from "./upload.js";
import { WholeSteps } from "./whole-steps.js";

/** What `fit` reports of one epoch. */
export interface EpochEntry {
  /** 1 for the first epoch of this call. */
  epoch: number;
  /** Mean loss over the samples, each as it was when its batch was trained. */
  loss: number;
  /** Share of hits, 0 to 1; only with losses that classify. */
  accuracy?: number;
  /** Loss over the validation data after the epoch. */
  validationLoss?: number;
  validationAccuracy?: number;
  /** Seconds spent training; validation and callbacks not counted. */
  seconds: number;
}

/** What `fit` reports of one batch. */
export interface BatchEntry {
  epoch: number;
  /** 1 for the first batch of the epoch. */
  batch: number;
  /** Batches of an epoch. */
  batches: number;
  /** Mean loss over the epoch so far. */
  loss: number;
  /** Accuracy over the epoch so far; only with losses that classify. */
  accuracy?: number;
}

/** Settings of a fit, checked. */
export interface Settings {
  data: DataSet;
  validation: DataSet | undefined;
  epochs: number;
  batchSize: number;
  optimizer: SetOptimizer;
  shuffle: boolean;
  loss: SetLoss;
  onEpoch: ((entry: EpochEntry) => unknown) | undefined;
  onBatch: ((entry: BatchEntry) => unknown) | undefined;
  signal: Signal | undefined;
}

/** Random streams: layers take 0, 1, 2, ...; the shuffle of epoch e takes SHUFFLE_STREAM + e, modulo 2^32. */
const SHUFFLE_STREAM = 2 ** 31;

/**
 * Rows of a batch whose steps take a hundred times as long as a copy of the parameters: with three multiplications
 * for each parameter and row.
 */
const ROWS_WORTH_A_COPY = 512;

/** A data set in the heap, and a pass over it. */
interface PlacedSweep {
  data: DataSet;
  placed: PlacedData;
  sweep: Sweep;
  statistics: Statistics;
}

function placeSweep(model: Model, data: DataSet, visit: Visit, loss: SetLoss, purpose: Purpose): PlacedSweep {
  const placed = allocateData(model.heap, data, visit);
  const statistics = new Statistics(model.heap);
  const manner = mannerFor(model, visit.batch, data.density);
  const sweep = planSweep(model, placed, data.inputs.rows, loss, statistics, purpose, manner);
  return { data, placed, sweep, statistics };
}

function* uploadAll(model: Model, passes: (PlacedSweep | undefined)[]): Pieces<void> {
  for (const pass of passes) if (pass) yield* upload(model.heap, pass.data, pass.placed);
}

/** What the network must do at once when a training has begun, and when its place in the heap is given back. */
export interface TrainingHooks {
  begun(): void;
  released(): void;
}

/** Trains, and returns one entry an epoch. Everything it plans is released when it ends, however it ends. */
export async function train(
  model: Model,
  settings: Settings,
  seed: number,
  { begun, released }: TrainingHooks,
): Promise<EpochEntry[]> {
  const { heap, store, executor } = model;
  const { data, batchSize, loss, signal } = settings;
  const { rows } = data.inputs;
  const { slots, folds } = optimizers[settings.optimizer.name];
  const kept = slots(settings.optimizer);
  // What the optimizer keeps stays when the training ends.
  for (const name of kept) store.slot(name);
  const mark = heap.top;
  try {
    const batch = Math.min(batchSize, rows);
    const cells = { rate: heap.cell(0), epoch: heap.cell(0) };
    const shuffle = settings.shuffle ? planShuffle(model, rows, seed, cells) : undefined;
    const purpose: Purpose = {
      kind: "train",
      optimizer: settings.optimizer,
      cells,
      gradients: folds(settings.optimizer) ? undefined : heap.region(store.region.bytes),
    };
    const training = placeSweep(model, data, { order: shuffle?.order, batch }, loss, purpose);
    const validation = settings.validation && planValidation(model, settings.validation, loss);
    const wholeSteps = new WholeSteps(store, { slots: kept.length > 0 });
    const pacer = new Pacer(executor, { signal, wholeSteps, copyEachStep: batch >= ROWS_WORTH_A_COPY });
    const uploading = pacer.drive(uploadAll(model, [training, validation]));
    if (uploading) await uploading;
    begun();

    const { sweep, statistics } = training;
    const explosion = new Explosion(settings);
    const history: EpochEntry[] = [];
    model.density = data.density;
    model.wholeSteps = wholeSteps;

    for (let epoch = 1; epoch <= settings.epochs; epoch++) {
      wholeSteps.keep();
      const start = performance.now();
      heap.setCell(cells.rate, -settings.optimizer.learningRate);
      heap.setCell(cells.epoch, model.epochsTrained);
      if (shuffle) executor.run(shuffle.program, 0, 1);
      statistics.clear();
      let callbacks = 0;
      try {
        callbacks = await runEpoch(model, settings, training, pacer, explosion, epoch);
      } catch (error) {
        if (error instanceof RunFailure) wholeSteps.restore();
        throw withState(error, lastGood(epoch));
      }
      if (statistics.badStep >= 0 || store.firstNotFinite()) {
        wholeSteps.restore();
        throw diverged(model, settings, epoch, statistics.badStep, sweep.steps);
      }
      const seconds = (performance.now() - start - callbacks) / 1000;
      const entry: EpochEntry = { epoch, ...figuresOf(model, statistics.sums, rows, loss), seconds };
      model.epochsTrained++;
      if (validation) {
        const figures = await validate(model, validation, loss, pacer).catch((error) => {
          throw withState(error, lastGood(epoch + 1));
        });
        entry.validationLoss = figures.loss;
        if (figures.accuracy !== undefined) entry.validationAccuracy = figures.accuracy;
      }
      history.push(entry);
      const warning = explosion.epochEnded(entry);
      if (warning) model.warn(warning);
      await pacer.callback(settings.onEpoch?.(entry));
    }
    return history;
  } finally {
    model.wholeSteps = undefined;
    heap.release(mark);
    released();
  }
}

/** Runs the batches of an epoch, up to the first whose loss is not finite; returns the ms spent in onBatch. */
async function runEpoch(
  model: Model,
  { loss, onBatch }: Settings,
  { data, placed, sweep, statistics }: PlacedSweep,
  pacer: Pacer,
  explosion: Explosion,
  epoch: number,
): Promise<number> {
  const { rows } = data.inputs;
  const { batch } = placed.visit;
  if (!onBatch) {
    await runSweep(sweep, pacer, () => {
      // A pacer's first slice is one step.
      explosion.firstBatch(figuresOf(model, statistics.sums, batch, loss).loss);
      return statistics.badStep >= 0;
    });
    return 0;
  }
  let callbacks = 0;
  for (let step = 0; step < sweep.steps && statistics.badStep < 0; step++) {
    await pacer.step((step < sweep.fullSteps ? sweep.full : sweep.rest)!, step);
    const seen = Math.min(rows, (step + 1) * batch);
    const figures = figuresOf(model, statistics.sums, seen, loss);
    explosion.firstBatch(figures.loss);
    const called = performance.now();
    await pacer.callback(onBatch({ epoch, batch: step + 1, batches: sweep.steps, ...figures }));
    callbacks += performance.now() - called;
  }
  return callbacks;
}

function planValidation(model: Model, data: DataSet, loss: SetLoss): PlacedSweep {
  const visit = { order: undefined, batch: Math.min(EVALUATION_BATCH, data.inputs.rows) };
  return placeSweep(model, data, visit, loss, { kind: "evaluate", parameters: model.store.region });
}

async function validate(
  model: Model,
  { data, sweep, statistics }: PlacedSweep,
  loss: SetLoss,
  pacer: Pacer,
): Promise<Figures> {
  statistics.clear();
  await runSweep(sweep, pacer);
  return figuresOf(model, statistics.sums, data.inputs.rows, loss);
}

/** The order of an epoch, and the program that writes it: it depends on the seed and the epoch alone. */
function planShuffle({ heap }: Model, rows: number, seed: number, { epoch }: Cells) {
  const order = heap.region(rows * 4);
  const builder = new ProgramBuilder(heap);
  builder.shuffle(order, rows, seed, SHUFFLE_STREAM, epoch);
  return { order, program: builder.finish() };
}

/** An error, and if the run failed, what the weights are now. */
function withState(error: unknown, state: string): unknown {
  if (!(error instanceof RunFailure)) return error;
  return new Error(`${error.message}. The weights are those of ${state}`, { cause: error });
}

/** The state that a failure in `epoch` goes back to. */
function lastGood(epoch: number): string {
  return epoch > 1 ? `the end of epoch ${epoch - 1}` : "before this call of fit";
}

/** The error for an epoch that went wrong, once its weights are put back. */
function diverged(
  { store, dtype }: Model,
  { optimizer: { learningRate }, loss }: Settings,
  epoch: number,
  badStep: number,
  steps: number,
): Error {
  const written = store.firstNotFinite();
  if (written) {
    return new Error(
      `training stopped in epoch ${epoch}: ${written}, and was so when the epoch began. It was written through a live ` +
        "view: write a finite number there",
    );
  }
  const outcome = `The weights are those of ${lastGood(epoch)}`;
  if (epoch === 1 && badStep === 0) {
    return new Error(
      `training stopped in epoch 1: the loss of the first batch, before any step, overflows ${dtype}. ${adviceFor(loss)}Scale the inputs ` +
        `and the targets to about -1 .. 1. ${outcome}`,
    );
  }
  const where =
    badStep >= 0
      ? `the loss was no longer finite in batch ${badStep + 1} of ${steps}`
      : `a parameter was no longer finite after batch ${steps} of ${steps}`;
  return new Error(
    `training diverged in epoch ${epoch}: ${where}. The likely cause is a learningRate ` +
      `(${learningRate}) too high for these data: lower it, e.g. to ${learningRate / 10}, or scale the inputs ` +
      `to about -1 .. 1. ${outcome}`,
  );
}
