// The training loop: runs a fit epoch by epoch, and keeps the last good state.

import { type Callback, type EpochEntry, Hooks, type Run } from "./callbacks/callback.js";
import { RunFailure } from "./executors/executor.js";
import { Explosion } from "./explosion.js";
import { adviceFor, type Figures, type SetLoss } from "./losses.js";
import { ofValidation } from "./metrics.js";
import { Pacer } from "./pacing.js";
import type { Pieces } from "./pieces.js";
import type { Model } from "./plan.js";
import { Rates } from "./rates.js";
import type { Signal } from "./signal.js";
import {
  type Batches,
  type Outcome,
  Pass,
  type Source,
  type SourceSettings,
  StreamSource,
  TableSource,
} from "./sources.js";
import type { Store } from "./store.js";
import { EVALUATION_BATCH, runSweep } from "./sweep.js";
import { takeSlots } from "./update.js";
import type { DataSet } from "./upload.js";
import { WholeSteps } from "./whole-steps.js";

/** Settings of a fit, checked. */
export interface Settings extends SourceSettings {
  data: DataSet | Batches;
  validation: DataSet | undefined;
  epochs: number;
  callbacks: readonly Callback[];
  signal: Signal | undefined;
}

/**
 * Rows of a batch whose steps take a hundred times as long as a copy of the parameters: with three multiplications
 * for each parameter and row.
 */
const ROWS_WORTH_A_COPY = 512;

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
  const { data, signal, epochs } = settings;
  const reader = "reader" in data ? data.reader : undefined;
  // What the optimizer keeps stays when the training ends.
  const slots = takeSlots(store, settings.optimizer);
  if (!store.slotsAreFinite()) {
    store.clearSlots();
    model.warn("wasmgrad: what optimizers keep of the parameters had overflown, and begins anew");
  }
  const mark = heap.top;
  try {
    const source =
      "reader" in data
        ? new StreamSource(model, settings, data)
        : new TableSource(model, settings, data, seed);
    const { steps = Number.NaN } = source;
    const validation = settings.validation && planValidation(model, settings.validation, settings);
    const wholeSteps = new WholeSteps(store, { slots });
    const copyEachStep = (source.batchSize ?? 0) >= ROWS_WORTH_A_COPY;
    const pacer = new Pacer(executor, { signal, wholeSteps, copyEachStep });
    const uploading = pacer.drive(loadAll([source, validation]));
    if (uploading) await uploading;
    const hooks = new Hooks(settings.callbacks, (result) => pacer.callback(result));
    let on = await hooks.begin(describeRun(model, network, settings, source));
    begun();

    const explosion = new Explosion(settings.loss, source);
    const history: EpochEntry[] = [];
    const rates = new Rates(settings.optimizer.learningRate, {
      steps: epochs * steps,
      epochs,
      stepsPerEpoch: steps,
    });
    model.density = "reader" in data ? undefined : data.density;
    model.wholeSteps = wholeSteps;

    for (let epoch = 1; epoch <= epochs && on; epoch++) {
      wholeSteps.keep();
      const start = performance.now();
      const { done } = pacer;
      let outcome: Outcome;
      try {
        outcome = await source.run({
          epoch,
          pacer,
          rates,
          firstBatch: (loss) => explosion.firstBatch(loss),
          onBatch: hooks.has("onBatch") ? (entry) => hooks.call("onBatch", entry) : undefined,
        });
      } catch (error) {
        if (error instanceof RunFailure) wholeSteps.restore();
        else model.stepsTrained += pacer.done - done;
        throw withState(error, lastGood(epoch));
      }
      const spoiled = spoiledBy(store);
      if (outcome.badBatch || spoiled) {
        wholeSteps.restore();
        throw diverged(model, settings.loss, epoch, source, outcome, spoiled);
      }
      model.stepsTrained += outcome.steps;
      if (!outcome.whole) break;
      on = outcome.on;
      const seconds = (performance.now() - start - outcome.callbacks) / 1000;
      model.epochsTrained++;
      const figures = await source.measure(pacer);
      const entry: EpochEntry = { epoch, ...figures, learningRate: outcome.last, seconds };
      if (validation) {
        const figures = await validate(validation, pacer).catch((error) => {
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
    reader?.close();
    model.wholeSteps = undefined;
    heap.release(mark);
    released();
  }
}

function* loadAll(all: readonly (Pick<Source, "load"> | undefined)[]): Pieces<void> {
  for (const one of all) if (one) yield* one.load();
}

function planValidation(model: Model, data: DataSet, settings: Settings): Pass {
  const visit = { order: undefined, batch: Math.min(EVALUATION_BATCH, data.inputs.rows) };
  return new Pass(model, settings, data, visit, { kind: "evaluate", parameters: model.store.region });
}

async function validate(pass: Pass, pacer: Pacer): Promise<Figures> {
  pass.statistics.clear();
  await runSweep(pass.sweep, pacer);
  return await pass.measure(pacer);
}

/** What callbacks are told before the first step. */
function describeRun(
  model: Model,
  network: object,
  { epochs, metrics, task, validation }: Settings,
  { batchSize, steps, rows }: Source,
): Run {
  const { store } = model;
  const names = ["loss", ...(task.hits ? ["accuracy"] : []), ...metrics.map(({ metric }) => metric)];
  return {
    network,
    epochs,
    batchSize,
    batches: steps,
    rows,
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
  epoch: number,
  { steps }: Source,
  { highest: learningRate, badBatch, steps: done }: Outcome,
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
  if (epoch === 1 && badBatch === 1) {
    return new Error(
      `training stopped in epoch 1: the loss of the first batch, before any step, overflows ${dtype}. ${adviceFor(loss)}Scale the inputs ` +
        `and the targets to about -1 .. 1. ${outcome}`,
    );
  }
  const batch = `batch ${badBatch ?? done}${steps ? ` of ${steps}` : ""}`;
  const where = badBatch
    ? `the loss was no longer finite in ${batch}`
    : `${spoiled} was no longer finite after ${batch}`;
  return new Error(
    `training diverged in epoch ${epoch}: ${where}. The likely cause is a learningRate ` +
      `(${learningRate}) too high for these data: lower it, e.g. to ${learningRate / 10}, or scale the inputs ` +
      `to about -1 .. 1. ${outcome}`,
  );
}
