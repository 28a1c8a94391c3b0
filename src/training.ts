// The training loop: plans the programs of a fit, runs them epoch by epoch, and keeps the last good state.

import { density as densityOf, sliceRows, type Table, type Targets } from "./dataset.js";
import { type Program, RunFailure } from "./executors/executor.js";
import type { Loss } from "./losses.js";
import { Pacer } from "./pacing.js";
import {
  copyInto,
  type Figures,
  type Model,
  type PlacedInputs,
  type PlacedTargets,
  type Purpose,
  place,
  planLoss,
  SPARSE_BELOW,
  Statistics,
  threadsFor,
} from "./plan.js";
import { ProgramBuilder } from "./program.js";

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
  inputs: Table;
  targets: Targets;
  validation: { inputs: Table; targets: Targets } | undefined;
  epochs: number;
  batchSize: number;
  learningRate: number;
  shuffle: boolean;
  loss: Loss;
  onEpoch: ((entry: EpochEntry) => unknown) | undefined;
  onBatch: ((entry: BatchEntry) => unknown) | undefined;
  signal: AbortSignal | undefined;
}

/** Rows of a batch in evaluation: large enough for the products, small enough for the cache. */
export const EVALUATION_BATCH = 256;

/** Random streams: layers take 0, 1, 2, ...; the shuffle of epoch e takes SHUFFLE_STREAM + e. */
const SHUFFLE_STREAM = 2 ** 31;

/** A pass over a whole data set in batches: one program for the full ones, one for the rest. */
interface Sweep {
  rows: number;
  steps: number;
  full: Program | undefined;
  fullSteps: number;
  rest: Program | undefined;
}

function planSweep(
  model: Model,
  { inputs, targets }: { inputs: PlacedInputs; targets: PlacedTargets },
  rows: number,
  loss: Loss,
  statistics: Statistics,
  purpose: Purpose,
  threads = 1,
): Sweep {
  const { batch } = inputs;
  const plan = (size: number) =>
    size > 0 ? planLoss(model, loss, inputs, targets, size, statistics.offset, purpose, threads) : undefined;
  const fullSteps = Math.floor(rows / batch);
  return {
    rows,
    steps: Math.ceil(rows / batch),
    full: plan(fullSteps > 0 ? batch : 0),
    fullSteps,
    rest: plan(rows % batch),
  };
}

/** Copies a whole data set into the heap, without its zeros if they are many, and plans a pass over it. */
function placeAndPlan(
  model: Model,
  { inputs, targets }: { inputs: Table; targets: Targets },
  { order, batch }: { order: number; batch: number },
  loss: Loss,
  statistics: Statistics,
  purpose: Purpose,
): { sweep: Sweep; density: number } {
  const density = densityOf(inputs);
  const placed = place(model.heap, inputs, targets, order, batch, density < SPARSE_BELOW);
  const threads = threadsFor(model, batch, density);
  return { sweep: planSweep(model, placed, inputs.rows, loss, statistics, purpose, threads), density };
}

async function runSweep(sweep: Sweep, pacer: Pacer, stop?: () => boolean): Promise<void> {
  if (sweep.full) await pacer.run(sweep.full, 0, sweep.fullSteps, stop);
  if (sweep.rest && !stop?.()) await pacer.run(sweep.rest, sweep.fullSteps, sweep.steps, stop);
}

/** Evaluates data that stays outside the heap: one batch at a time is copied in. */
export function evaluate(model: Model, inputs: Table, targets: Targets, loss: Loss): Figures {
  const { heap, executor } = model;
  const mark = heap.top;
  try {
    const batch = Math.min(EVALUATION_BATCH, inputs.rows);
    const placed = place(heap, sliceRows(inputs, 0, batch), sliceRows(targets, 0, batch), 0, batch);
    const statistics = new Statistics(heap);
    const { full, rest } = planSweep(model, placed, inputs.rows, loss, statistics, { kind: "evaluate" });
    for (let from = 0; from < inputs.rows; from += batch) {
      const to = Math.min(inputs.rows, from + batch);
      copyInto(heap, placed.inputs.data, sliceRows(inputs, from, to));
      copyInto(heap, placed.targets.data, sliceRows(targets, from, to));
      executor.run((to - from === batch ? full : rest)!, 0, 1);
    }
    return statistics.over(inputs.rows, loss, model.outputs);
  } finally {
    heap.release(mark);
  }
}

/** Trains, and returns one entry an epoch. Everything it plans is released when it ends, however it ends. */
export async function train(model: Model, settings: Settings, seed: number): Promise<EpochEntry[]> {
  const { heap, store } = model;
  const { inputs, batchSize, loss, validation } = settings;
  const mark = heap.top;
  try {
    const batch = Math.min(batchSize, inputs.rows);
    const order = settings.shuffle ? heap.allocate(inputs.rows * 4) : 0;
    const statistics = new Statistics(heap);
    const purpose: Purpose = { kind: "train", learningRate: settings.learningRate };
    const share = { order, batch };
    const { sweep, density } = placeAndPlan(model, settings, share, loss, statistics, purpose);
    const validate = validation && planValidation(model, validation, loss);
    const pacer = new Pacer(model.executor, settings.signal);
    const history: EpochEntry[] = [];
    model.density = density;
    const good = new Uint8Array(store.bytes);

    for (let epoch = 1; epoch <= settings.epochs; epoch++) {
      store.snapshot(good);
      const start = performance.now();
      if (order) shuffle(model, order, inputs.rows, seed);
      statistics.clear();
      let callbacks = 0;
      try {
        callbacks = await runEpoch(model, settings, sweep, statistics, pacer, epoch, batch);
      } catch (error) {
        if (!(error instanceof RunFailure)) throw error;
        store.restore(good);
        throw new Error(`${error.message}. The weights are those of ${lastGood(epoch)}`, { cause: error });
      }
      if (statistics.badStep >= 0 || !store.isFinite()) {
        store.restore(good);
        throw diverged(settings, epoch, statistics.badStep, sweep.steps);
      }
      const seconds = (performance.now() - start - callbacks) / 1000;
      const entry: EpochEntry = { epoch, ...statistics.over(inputs.rows, loss, model.outputs), seconds };
      model.epochsTrained++;
      if (validate) {
        const figures = await validate(pacer);
        entry.validationLoss = figures.loss;
        if (figures.accuracy !== undefined) entry.validationAccuracy = figures.accuracy;
      }
      history.push(entry);
      await settings.onEpoch?.(entry);
      settings.signal?.throwIfAborted();
    }
    return history;
  } finally {
    heap.release(mark);
  }
}

/** Runs the batches of an epoch, up to the first whose loss is not finite; returns the ms spent in onBatch. */
async function runEpoch(
  model: Model,
  { inputs, loss, onBatch, signal }: Settings,
  sweep: Sweep,
  statistics: Statistics,
  pacer: Pacer,
  epoch: number,
  batch: number,
): Promise<number> {
  if (!onBatch) {
    await runSweep(sweep, pacer, () => statistics.badStep >= 0);
    return 0;
  }
  let callbacks = 0;
  for (let step = 0; step < sweep.steps && statistics.badStep < 0; step++) {
    await pacer.step((step < sweep.fullSteps ? sweep.full : sweep.rest)!, step);
    const seen = Math.min(inputs.rows, (step + 1) * batch);
    const figures = statistics.over(seen, loss, model.outputs);
    const called = performance.now();
    await onBatch({ epoch, batch: step + 1, batches: sweep.steps, ...figures });
    callbacks += performance.now() - called;
    signal?.throwIfAborted();
  }
  return callbacks;
}

/** Places the validation data and returns what evaluates it. */
function planValidation(
  model: Model,
  { inputs, targets }: { inputs: Table; targets: Targets },
  loss: Loss,
): (pacer: Pacer) => Promise<Figures> {
  const statistics = new Statistics(model.heap);
  const batch = Math.min(EVALUATION_BATCH, inputs.rows);
  const share = { order: 0, batch };
  const { sweep } = placeAndPlan(model, { inputs, targets }, share, loss, statistics, { kind: "evaluate" });
  return async (pacer) => {
    statistics.clear();
    await runSweep(sweep, pacer);
    return statistics.over(inputs.rows, loss, model.outputs);
  };
}

/** Writes the order of an epoch: it depends on the seed and the epoch alone. */
function shuffle({ heap, executor, epochsTrained }: Model, order: number, rows: number, seed: number): void {
  const mark = heap.top;
  const builder = new ProgramBuilder(heap);
  builder.shuffle(order, rows, seed, (SHUFFLE_STREAM + epochsTrained) % 2 ** 32);
  executor.run(builder.finish(), 0, 1);
  heap.release(mark);
}

/** The state that a failure in `epoch` goes back to. */
function lastGood(epoch: number): string {
  return epoch > 1 ? `the end of epoch ${epoch - 1}` : "before this call of fit";
}

function diverged({ learningRate }: Settings, epoch: number, badStep: number, steps: number): Error {
  const where =
    badStep >= 0
      ? `the loss was no longer finite in batch ${badStep + 1} of ${steps}`
      : `a parameter was no longer finite after batch ${steps} of ${steps}`;
  return new Error(
    `training diverged in epoch ${epoch}: ${where}. The likely cause is a learningRate ` +
      `(${learningRate}) too high for these data: lower it, e.g. to ${learningRate / 10}, or scale the inputs ` +
      `to about -1 .. 1. The weights are those of ${lastGood(epoch)}`,
  );
}
