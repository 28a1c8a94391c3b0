// The training loop: plans the programs of a fit, runs them epoch by epoch, and keeps the last good state.

import { type Callback, type EpochEntry, Hooks, type Run } from "./callbacks/callback.js";
import { RunFailure } from "./executors/executor.js";
import { Explosion } from "./explosion.js";
import type { Cells } from "./layers/layer.js";
import { adviceFor, type Figures, type SetLoss } from "./losses.js";
import { type Measures, measurePlaced } from "./measuring.js";
import { type MetricFigures, ofValidation } from "./metrics.js";
import type { SetOptimizer } from "./optimizers.js";
import { Pacer } from "./pacing.js";
import type { Pieces } from "./pieces.js";
import { figuresOf, type Model, mannerFor, type Purpose, Statistics } from "./plan.js";
import { ProgramBuilder } from "./program/builder.js";
import type { Visit } from "./program/samples.js";
import { Rates } from "./rates.js";
import type { Signal } from "./signal.js";
import type { Store } from "./store.js";
import { EVALUATION_BATCH, planSweep, runSweep, type Sweep } from "./sweep.js";
import { planUpdate, takeSlots } from "./update.js";
import { allocateData, type DataSet, type PlacedData, upload } from "./upload.js";
import { WholeSteps } from "./whole-steps.js";

/** Settings of a fit, checked. */
export interface Settings extends Measures {
  data: DataSet;
  validation: DataSet | undefined;
  epochs: number;
  batchSize: number;
  optimizer: SetOptimizer;
  shuffle: boolean;
  loss: SetLoss;
  callbacks: readonly Callback[];
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

function placeSweep(
  model: Model,
  data: DataSet,
  visit: Visit,
  { loss, metrics }: Settings,
  purpose: Purpose,
): PlacedSweep {
  const { heap, outputs } = model;
  const placed = allocateData(heap, data, visit);
  if (metrics.length > 0) {
    placed.predictions = heap.region(data.inputs.rows * outputs * heap.elementBytes);
  }
  const statistics = new Statistics(model.heap);
  const manner = mannerFor(model, visit.batch, data.density);
  const sweep = planSweep(model, placed, data.inputs.rows, loss, statistics, purpose, manner);
  return { data, placed, sweep, statistics };
}

function* uploadAll(model: Model, passes: (PlacedSweep | undefined)[]): Pieces<void> {
  for (const pass of passes) if (pass) yield* upload(model.heap, pass.data, pass.placed);
}

/** The network, and what it must do at once when a training has begun, and when its place in the heap is given back. */
export interface Owner {
  network: object;
  begun(): void;
  released(): void;
}

/** Trains, and returns one entry an epoch. Everything it plans is released when it ends, however it ends. */
export async function train(
  model: Model,
  settings: Settings,
  seed: number,
  { network, begun, released }: Owner,
): Promise<EpochEntry[]> {
  const { heap, store, executor } = model;
  const { data, batchSize, signal } = settings;
  const { rows } = data.inputs;
  // What the optimizer keeps stays when the training ends.
  const slots = takeSlots(store, settings.optimizer);
  const mark = heap.top;
  try {
    const batch = Math.min(batchSize, rows);
    const cells = { epoch: heap.cell(0), step: heap.cell(0) };
    const shuffle = settings.shuffle ? planShuffle(model, rows, seed, cells) : undefined;
    const steps = Math.ceil(rows / batch);
    const update = planUpdate(model, settings.optimizer, steps);
    const purpose: Purpose = { kind: "train", update, cells };
    const training = placeSweep(model, data, { order: shuffle?.order, batch }, settings, purpose);
    const validation = settings.validation && planValidation(model, settings.validation, settings);
    const wholeSteps = new WholeSteps(store, { slots });
    const pacer = new Pacer(executor, { signal, wholeSteps, copyEachStep: batch >= ROWS_WORTH_A_COPY });
    const uploading = pacer.drive(uploadAll(model, [training, validation]));
    if (uploading) await uploading;
    const hooks = new Hooks(settings.callbacks, (result) => pacer.callback(result));
    let on = await hooks.begin(describeRun(model, network, settings, training));
    begun();

    const { sweep, statistics } = training;
    const explosion = new Explosion(settings);
    const history: EpochEntry[] = [];
    const { epochs } = settings;
    const rates = new Rates(settings.optimizer.learningRate, {
      steps: epochs * steps,
      epochs,
      stepsPerEpoch: steps,
    });
    model.density = data.density;
    model.wholeSteps = wholeSteps;

    for (let epoch = 1; epoch <= settings.epochs && on; epoch++) {
      wholeSteps.keep();
      const start = performance.now();
      const before = (epoch - 1) * steps;
      const { last, highest } = update.fill(steps, (step) => rates.at(before + step, epoch - 1));
      heap.setCell(cells.epoch, model.epochsTrained);
      heap.setCell(cells.step, model.stepsTrained);
      if (shuffle) executor.run(shuffle.program, 0, 1);
      statistics.clear();
      let outcome: EpochOutcome;
      try {
        outcome = await runEpoch(model, settings, training, pacer, explosion, hooks, epoch);
      } catch (error) {
        if (error instanceof RunFailure) wholeSteps.restore();
        throw withState(error, lastGood(epoch));
      }
      const spoiled = spoiledBy(store);
      if (statistics.badStep >= 0 || spoiled) {
        wholeSteps.restore();
        throw diverged(model, settings.loss, highest, epoch, statistics.badStep, sweep.steps, spoiled);
      }
      model.stepsTrained += outcome.steps;
      if (outcome.steps < sweep.steps) break;
      on = outcome.on;
      const seconds = (performance.now() - start - outcome.callbacks) / 1000;
      model.epochsTrained++;
      const figures = await measureSweep(model, settings, training, pacer);
      const entry: EpochEntry = { epoch, ...figures, learningRate: last, seconds };
      if (validation) {
        const figures = await validate(model, validation, settings, pacer).catch((error) => {
          throw withState(error, lastGood(epoch + 1));
        });
        for (const [name, value] of Object.entries(figures)) {
          (entry as unknown as Record<string, number>)[ofValidation(name)] = value;
        }
      }
      history.push(entry);
      rates.epochEnded(entry);
      const warning = explosion.epochEnded(entry);
      if (warning) model.warn(warning);
      on = (await hooks.call("onEpoch", entry)) && on;
    }
    await hooks.call("onEnd", history);
    return history;
  } finally {
    model.wholeSteps = undefined;
    heap.release(mark);
    released();
  }
}

interface EpochOutcome {
  /** Steps done. */
  steps: number;
  /** Milliseconds spent in onBatch. */
  callbacks: number;
  /** Whether to go on after it. */
  on: boolean;
}

/** Runs the batches of an epoch, up to the first whose loss is not finite, or where a callback stops the training. */
async function runEpoch(
  model: Model,
  { loss }: Settings,
  { data, placed, sweep, statistics }: PlacedSweep,
  pacer: Pacer,
  explosion: Explosion,
  hooks: Hooks,
  epoch: number,
): Promise<EpochOutcome> {
  const { rows } = data.inputs;
  const { batch } = placed.visit;
  if (!hooks.has("onBatch")) {
    await runSweep(sweep, pacer, () => {
      // A pacer's first slice is one step.
      explosion.firstBatch(figuresOf(model, statistics.sums, batch, loss).loss);
      return statistics.badStep >= 0;
    });
    return { steps: sweep.steps, callbacks: 0, on: true };
  }
  let callbacks = 0;
  let on = true;
  let step = 0;
  for (; step < sweep.steps && statistics.badStep < 0 && on; step++) {
    await pacer.step((step < sweep.fullSteps ? sweep.full : sweep.rest)!, step);
    const seen = Math.min(rows, (step + 1) * batch);
    const figures = figuresOf(model, statistics.sums, seen, loss);
    explosion.firstBatch(figures.loss);
    const called = performance.now();
    on = await hooks.call("onBatch", { epoch, batch: step + 1, batches: sweep.steps, ...figures });
    callbacks += performance.now() - called;
  }
  return { steps: step, callbacks, on };
}

function planValidation(model: Model, data: DataSet, settings: Settings): PlacedSweep {
  const visit = { order: undefined, batch: Math.min(EVALUATION_BATCH, data.inputs.rows) };
  return placeSweep(model, data, visit, settings, { kind: "evaluate", parameters: model.store.region });
}

async function validate(model: Model, pass: PlacedSweep, settings: Settings, pacer: Pacer): Promise<Figures> {
  pass.statistics.clear();
  await runSweep(pass.sweep, pacer);
  return await measureSweep(model, settings, pass, pacer);
}

/** The figures and metrics of a pass. */
async function measureSweep(
  model: Model,
  settings: Settings,
  { data, placed, statistics }: PlacedSweep,
  pacer: Pacer,
): Promise<Figures & MetricFigures> {
  const figures = figuresOf(model, statistics.sums, data.inputs.rows, settings.loss);
  if (settings.metrics.length === 0) return figures;
  return { ...figures, ...(await pacer.drive(measurePlaced(model, settings, data, placed))) };
}

/** What callbacks are told before the first step. */
function describeRun(
  model: Model,
  network: object,
  { epochs, metrics, task, validation }: Settings,
  { data, placed, sweep }: PlacedSweep,
): Run {
  const { store } = model;
  const names = ["loss", ...(task.hits ? ["accuracy"] : []), ...metrics.map(({ metric }) => metric)];
  return {
    network,
    epochs,
    batchSize: placed.visit.batch,
    batches: sweep.steps,
    rows: data.inputs.rows,
    metrics: validation ? [...names, ...names.map(ofValidation)] : names,
    snapshot(bytes = new Uint8Array(store.snapshotBytes())) {
      const steady = model.wholeSteps?.read();
      if (steady) bytes.set(steady.bytes.subarray(0, bytes.length));
      else store.snapshot(bytes);
      return bytes;
    },
    restore(bytes) {
      if (!(bytes instanceof Uint8Array) || bytes.length !== store.snapshotBytes()) {
        throw new RangeError("restore takes what snapshot of the same network returned");
      }
      if (model.wholeSteps?.read()) {
        throw new Error("a step is under way: call restore in a callback, before it returns");
      }
      store.restore(bytes);
    },
  };
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

/** What a training has left not finite. */
function spoiledBy(store: Store): string | undefined {
  if (store.firstNotFinite()) return "a parameter";
  return store.slotsAreFinite() ? undefined : "what the optimizer keeps of a parameter";
}

/** The error for an epoch that went wrong, once its weights are put back. */
function diverged(
  { store, dtype }: Model,
  loss: SetLoss,
  learningRate: number,
  epoch: number,
  badStep: number,
  steps: number,
  spoiled: string | undefined,
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
      : `${spoiled} was no longer finite after batch ${steps} of ${steps}`;
  return new Error(
    `training diverged in epoch ${epoch}: ${where}. The likely cause is a learningRate ` +
      `(${learningRate}) too high for these data: lower it, e.g. to ${learningRate / 10}, or scale the inputs ` +
      `to about -1 .. 1. ${outcome}`,
  );
}
