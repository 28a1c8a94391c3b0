// What a training goes over, epoch by epoch: a data set in the heap, or batches that arrive one after the other.

import type { BatchEntry } from "./callbacks/callback.js";
import { copyOf, isClasses, type Targets, toOneHot } from "./dataset.js";
import type { FloatArray } from "./dtype.js";
import type { Program } from "./executors/executor.js";
import type { Region } from "./heap.js";
import type { Cells } from "./layers/layer.js";
import { type Figures, type SetLoss, termsOf } from "./losses.js";
import { type Measures, measurePlaced } from "./measuring.js";
import { type MetricFigures, measure } from "./metrics.js";
import type { SetOptimizer } from "./optimizers.js";
import { isPending, type Pacer } from "./pacing.js";
import { finish, type Pieces } from "./pieces.js";
import { figuresOf, type Model, mannerFor, type Purpose, planStep, Statistics } from "./plan.js";
import { ProgramBuilder } from "./program/builder.js";
import type { Visit } from "./program/samples.js";
import type { Rates } from "./rates.js";
import type { BatchReader } from "./stream.js";
import { planSweep, runSweep, type Sweep } from "./sweep.js";
import { type FilledRates, planUpdate, type UpdatePlan } from "./update.js";
import { allocateData, copyBatch, type DataSet, formOf, type PlacedData, upload } from "./upload.js";

/** What of a training's settings its source needs. */
export interface SourceSettings extends Measures {
  readonly loss: SetLoss;
  readonly optimizer: SetOptimizer;
  readonly shuffle: boolean;
  readonly batchSize: number;
}

/** What an epoch of a training needs of it. */
export interface Epoch {
  /** 1 for the first. */
  readonly epoch: number;
  readonly pacer: Pacer;
  readonly rates: Rates;
  /** Told of the loss of the first batch. */
  firstBatch(loss: number): void;
  /** After each batch, where somebody wants to be called; returns whether to go on. */
  readonly onBatch: ((entry: BatchEntry) => Promise<boolean>) | undefined;
}

/** How an epoch ended. */
export interface Outcome extends FilledRates {
  /** Steps done. */
  steps: number;
  /** Number of the first batch whose loss was not finite, 1 for the first batch. */
  badBatch: number | undefined;
  /** Whether that is all of it. */
  whole: boolean;
  /** Milliseconds spent in onBatch. */
  callbacks: number;
  /** Whether to go on after it. */
  on: boolean;
}

export interface Source {
  /** Steps of an epoch, its rows, and rows of a step, where that is known. */
  readonly steps: number | undefined;
  readonly rows: number | undefined;
  readonly batchSize: number | undefined;
  /** Data to judge a loss by. */
  readonly sample: Pick<DataSet, "inputs" | "targets">;
  /** Copies the data into the heap. */
  load(): Pieces<void>;
  /** Runs an epoch, up to the first batch whose loss is not finite, or where a callback stops the training. */
  run(epoch: Epoch): Promise<Outcome>;
  /** The figures and metrics of the epoch. */
  measure(pacer: Pacer): Promise<Figures & MetricFigures>;
}

/** Random streams: layers take 0, 1, 2, ...; the shuffle of epoch e takes SHUFFLE_STREAM + e, modulo 2^32. */
const SHUFFLE_STREAM = 2 ** 31;

/** A data set in the heap, and a pass over it. */
export class Pass {
  readonly data: DataSet;
  readonly placed: PlacedData;
  readonly sweep: Sweep;
  readonly statistics: Statistics;
  readonly #model: Model;
  readonly #settings: Measures & { readonly loss: SetLoss };

  constructor(
    model: Model,
    settings: Measures & { readonly loss: SetLoss },
    data: DataSet,
    visit: Visit,
    purpose: Purpose,
  ) {
    const { heap, outputs } = model;
    const { rows } = data.inputs;
    this.data = data;
    this.#model = model;
    this.#settings = settings;
    this.placed = allocateData(heap, data, visit, settings.metrics.length && outputs);
    this.statistics = new Statistics(heap);
    const manner = mannerFor(model, visit.batch, data.density);
    this.sweep = planSweep(model, this.placed, rows, settings.loss, this.statistics, purpose, manner);
  }

  load(): Pieces<void> {
    return upload(this.#model.heap, this.data, this.placed);
  }

  /** The figures and metrics since the statistics were cleared. */
  async measure(pacer: Pacer): Promise<Figures & MetricFigures> {
    const { data, placed } = this;
    const figures = figuresOf(this.#model, this.statistics.sums, data.inputs.rows, this.#settings.loss);
    if (this.#settings.metrics.length === 0) return figures;
    return { ...figures, ...(await pacer.drive(measurePlaced(this.#model, this.#settings, data, placed))) };
  }
}

/** A data set in the heap, in a new order each epoch. */
export class TableSource implements Source {
  readonly #model: Model;
  readonly #loss: SetLoss;
  readonly #cells: Cells;
  readonly #update: UpdatePlan;
  readonly #shuffle: { order: Region; program: Program } | undefined;
  readonly #pass: Pass;
  readonly steps: number;
  readonly rows: number;
  readonly batchSize: number;

  constructor(model: Model, settings: SourceSettings, data: DataSet, seed: number) {
    const { heap } = model;
    this.#model = model;
    this.#loss = settings.loss;
    this.rows = data.inputs.rows;
    this.batchSize = Math.min(settings.batchSize, this.rows);
    this.steps = Math.ceil(this.rows / this.batchSize);
    this.#cells = { epoch: heap.cell(0), step: heap.cell(0) };
    this.#shuffle = settings.shuffle ? planShuffle(model, this.rows, seed, this.#cells) : undefined;
    this.#update = planUpdate(model, settings.optimizer, this.steps);
    const purpose: Purpose = { kind: "train", update: this.#update, cells: this.#cells };
    const visit = { order: this.#shuffle?.order, batch: this.batchSize };
    this.#pass = new Pass(model, settings, data, visit, purpose);
  }

  get sample(): DataSet {
    return this.#pass.data;
  }

  load(): Pieces<void> {
    return this.#pass.load();
  }

  measure(pacer: Pacer): Promise<Figures & MetricFigures> {
    return this.#pass.measure(pacer);
  }

  async run({ epoch, pacer, rates, firstBatch, onBatch }: Epoch): Promise<Outcome> {
    const { steps, rows, batchSize } = this;
    const { heap, executor, epochsTrained, stepsTrained } = this.#model;
    const { sweep, statistics } = this.#pass;
    statistics.clear();
    const before = (epoch - 1) * steps;
    const filled = this.#update.fill(steps, (step) => rates.at(before + step, epoch - 1));
    heap.setCell(this.#cells.epoch, epochsTrained);
    heap.setCell(this.#cells.step, stepsTrained);
    if (this.#shuffle) executor.run(this.#shuffle.program, 0, 1);
    const badBatch = () => (statistics.badStep < 0 ? undefined : statistics.badStep + 1);
    const figures = (seen: number) => figuresOf(this.#model, statistics.sums, seen, this.#loss);
    if (!onBatch) {
      await runSweep(sweep, pacer, () => {
        // A pacer's first slice is one step.
        firstBatch(figures(batchSize).loss);
        return statistics.badStep >= 0;
      });
      return { ...filled, steps, badBatch: badBatch(), whole: true, callbacks: 0, on: true };
    }
    let callbacks = 0;
    let on = true;
    let step = 0;
    for (; step < steps && statistics.badStep < 0 && on; step++) {
      await pacer.step((step < sweep.fullSteps ? sweep.full : sweep.rest)!, step);
      const soFar = figures(Math.min(rows, (step + 1) * batchSize));
      firstBatch(soFar.loss);
      const called = performance.now();
      on = await onBatch({ epoch, batch: step + 1, batches: steps, ...soFar });
      callbacks += performance.now() - called;
    }
    return { ...filled, steps: step, badBatch: badBatch(), whole: step === steps, callbacks, on };
  }
}

/** The order of an epoch, and the program that writes it: it depends on the seed and the epoch alone. */
function planShuffle({ heap }: Model, rows: number, seed: number, { epoch }: Cells) {
  const order = heap.region(rows * 4);
  const builder = new ProgramBuilder(heap);
  builder.shuffle(order, rows, seed, SHUFFLE_STREAM, epoch);
  return { order, program: builder.finish() };
}

/** Batches that arrive one after the other, checked. */
export interface Batches {
  readonly reader: BatchReader;
  /** Batches of an epoch, if it does not end with the stream. */
  readonly stepsPerEpoch: number | undefined;
  /** Checks what arrived as batch number `index` of an epoch, 1 for the first. */
  check(batch: readonly unknown[], index: number): Pieces<DataSet>;
}

/** A plan for batches of one size and form. */
interface BatchPlan {
  placed: PlacedData;
  program: Program;
}

/** Most plans for batches of different sizes and forms. */
const MOST_PLANS = 8;

/** Batches that arrive one after the other: one is trained while the next one is read. */
export class StreamSource implements Source {
  readonly #model: Model;
  readonly #settings: SourceSettings;
  readonly #batches: Batches;
  readonly #cells: Cells;
  readonly #update: UpdatePlan;
  readonly #plans = new Map<string, BatchPlan>();
  /** Top of the heap below the plans. */
  #mark: number | undefined;
  /** Of batches whose rows all count alike, and of the others: they are means by other things. */
  readonly #alike: Statistics;
  readonly #weighed: Statistics;
  readonly batchSize = undefined;
  steps: number | undefined;
  rows: number | undefined;
  /** The first batch. */
  sample!: DataSet;
  #seen = 0;
  /** Those that all count alike. */
  #seenAlike = 0;
  /** Steps of the epochs before. */
  #before = 0;
  /** Outputs and targets of the batches of an epoch, for metrics. */
  #kept: { outputs: FloatArray; targets: Targets }[] = [];

  constructor(model: Model, settings: SourceSettings, batches: Batches) {
    const { heap } = model;
    this.#model = model;
    this.#settings = settings;
    this.#batches = batches;
    this.steps = batches.stepsPerEpoch;
    this.#cells = { epoch: heap.cell(0), step: heap.cell(0) };
    this.#update = planUpdate(model, settings.optimizer, 1);
    this.#alike = new Statistics(heap);
    this.#weighed = new Statistics(heap);
  }

  *load(): Pieces<void> {}

  async run({ epoch, pacer, rates, firstBatch, onBatch }: Epoch): Promise<Outcome> {
    const { heap, epochsTrained, stepsTrained } = this.#model;
    const { reader, stepsPerEpoch, check } = this.#batches;
    const outcome: Outcome = {
      steps: 0,
      badBatch: undefined,
      whole: false,
      callbacks: 0,
      on: true,
      last: 0,
      highest: 0,
    };
    this.#seen = 0;
    this.#seenAlike = 0;
    this.#kept = [];
    this.#alike.clear();
    this.#weighed.clear();
    heap.setCell(this.#cells.epoch, epochsTrained);
    reader.begin(epoch);
    while (outcome.on && !outcome.badBatch && outcome.steps !== stepsPerEpoch) {
      const batch = (await pacer.callback(reader.take())) as readonly unknown[] | undefined;
      if (!batch) break;
      const checking = pacer.drive(check(batch, outcome.steps + 1));
      const data = isPending(checking) ? await checking : checking;
      // Copies, for whoever makes batches may use the same arrays again.
      this.sample ??= { ...data, inputs: copyOf(data.inputs), targets: copyOf(data.targets) };
      const step = this.#before + outcome.steps;
      // First, for a schedule is a user's, who may call predict.
      const rate = rates.at(step, epoch - 1);
      const { program, placed } = this.#planFor(data);
      copyBatch(heap, data, placed);
      const targets = placed.predictions && copyOf(data.targets);
      // Its data are in the heap: whoever makes batches may use the same array again.
      if (outcome.steps + 1 !== stepsPerEpoch) reader.readAhead();
      const { rows } = data.inputs;
      this.#update.fill(1, () => rate);
      outcome.last = rate;
      outcome.highest = Math.max(outcome.highest, rate);
      heap.setCell(this.#cells.step, stepsTrained + outcome.steps);
      await pacer.step(program, 0);
      this.#seen += rows;
      if (!this.#weighs(placed)) this.#seenAlike += rows;
      outcome.steps++;
      if (this.#statisticsOf(placed).badStep >= 0) outcome.badBatch = outcome.steps;
      if (targets) this.#kept.push({ outputs: this.#outputsOf(placed, rows), targets });
      const figures = this.#figures();
      firstBatch(figures.loss);
      if (!onBatch) continue;
      const called = performance.now();
      const batches = stepsPerEpoch ?? this.steps;
      outcome.on = await onBatch({ epoch, batch: outcome.steps, batches, ...figures });
      outcome.callbacks += performance.now() - called;
    }
    outcome.whole = outcome.on || outcome.steps === stepsPerEpoch;
    if (outcome.steps === 0 && !stepsPerEpoch) throw empty(epoch);
    if (outcome.steps < (stepsPerEpoch ?? 0) && outcome.on && !outcome.badBatch) {
      throw new RangeError(
        `the batches ended after ${outcome.steps} of epoch ${epoch}, but stepsPerEpoch is ${stepsPerEpoch}: give more ` +
          "batches, or fewer epochs or steps",
      );
    }
    if (outcome.whole && !outcome.badBatch) {
      this.steps = outcome.steps;
      this.rows = this.#seen;
    }
    this.#before += outcome.steps;
    return outcome;
  }

  /** Whether terms of a batch count differently. */
  #weighs({ masked, weights }: PlacedData): boolean {
    return masked === true || weights !== undefined || this.#settings.loss.classWeights !== undefined;
  }

  #statisticsOf(placed: PlacedData): Statistics {
    return this.#weighs(placed) ? this.#weighed : this.#alike;
  }

  /** The figures of the epoch so far. */
  #figures(): Figures {
    const { loss } = this.#settings;
    const alike = figuresOf(this.#model, this.#alike.sums, this.#seenAlike, loss);
    const weighed = figuresOf(this.#model, this.#weighed.sums, this.#seen - this.#seenAlike, loss);
    if (this.#seenAlike === this.#seen) return alike;
    if (this.#seenAlike === 0) return weighed;
    const { weightSum, counted } = this.#weighed.sums;
    const terms = termsOf(loss, this.#seenAlike, this.#model.outputShape);
    const mean = (a: number, b: number, weight: number) => (a * terms + b * weight) / (terms + weight);
    const figures: Figures = { loss: mean(alike.loss, weightSum && weighed.loss, weightSum) };
    if (alike.accuracy !== undefined) {
      figures.accuracy = mean(alike.accuracy, counted && weighed.accuracy!, counted);
    }
    return figures;
  }

  #outputsOf({ predictions }: PlacedData, rows: number): FloatArray {
    const { heap, outputs } = this.#model;
    return heap.elements(predictions!.offset, rows * outputs).slice();
  }

  #planFor(data: DataSet): BatchPlan {
    const key = formOf(data).join();
    const known = this.#plans.get(key);
    if (known) return known;
    const { heap, residents, outputs } = this.#model;
    const { loss, metrics } = this.#settings;
    const { rows } = data.inputs;
    // Plans of predict lie above all others.
    residents.drop();
    this.#mark ??= heap.top;
    if (this.#plans.size >= MOST_PLANS) {
      this.#plans.clear();
      heap.release(this.#mark);
    }
    const top = heap.top;
    try {
      const visit = { order: undefined, batch: rows };
      const placed = allocateData(heap, data, visit, metrics.length && outputs);
      const purpose: Purpose = { kind: "train", update: this.#update, cells: this.#cells };
      const manner = mannerFor(this.#model, rows, 1);
      const { region } = this.#statisticsOf(placed);
      const { program } = planStep(this.#model, loss, placed, rows, region, purpose, manner);
      const plan = { placed, program };
      this.#plans.set(key, plan);
      return plan;
    } catch (error) {
      heap.release(top);
      throw error;
    }
  }

  async measure(pacer: Pacer): Promise<Figures & MetricFigures> {
    const { metrics, task } = this.#settings;
    const figures = this.#figures();
    if (metrics.length === 0) return figures;
    const outputs = joined(this.#kept.map((kept) => kept.outputs)) as FloatArray;
    const targets = joinedTargets(this.#kept.map((kept) => kept.targets));
    this.#kept = [];
    const read = () => ({ outputs, targets, order: undefined });
    const rows = this.#seen * task.positions;
    return { ...figures, ...(await pacer.drive(measure(metrics, { ...task, rows, read }))) };
  }
}

/** Arrays one behind the other, in the type of the first, or in float64 where they are of several. */
function joined<A extends Targets["data"]>(arrays: readonly A[]): A | Float64Array {
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  const type = arrays[0].constructor as new (length: number) => A;
  const all = arrays.every((array) => array.constructor === type)
    ? new type(length)
    : new Float64Array(length);
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** The targets of batches one behind the other; class indexes as rows where other batches have rows. */
function joinedTargets(targets: readonly Targets[]): Targets["data"] {
  if (targets.every(isClasses)) return joined(targets.map(({ data }) => data));
  return joined(
    targets.map((table) => (isClasses(table) ? finish(toOneHot(table.data, table.width)) : table).data),
  );
}

function empty(epoch: number): Error {
  return new RangeError(
    `there is no batch in epoch ${epoch}: ${epoch > 1 ? "a generator can be gone through once, so pass a function that makes one for each epoch" : "give at least one"}`,
  );
}
