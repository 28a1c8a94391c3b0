// The metrics: one row each, of which the type MetricName is the keys. scores.ts has the functions.

import { checkChoice, checkNumber, count, from, oneOf, readSettings, wrongType } from "./check.js";
import type { Pieces } from "./pieces.js";
import {
  accuracy,
  auc as area,
  averaged,
  columnMeans,
  logLoss,
  mean,
  type Outcome,
  type Parameters,
  r2,
  square,
  type Task,
  topKAccuracy as topK,
} from "./scores.js";
import { namesOf, rowsOf } from "./table.js";

interface MetricRow {
  /** What outputs it is of. */
  fits: (task: Task) => boolean;
  /** Whether less of it is better. */
  falls?: boolean;
  /** @internal */
  takes?: readonly (keyof Parameters)[];
  /** @internal */
  of: (outcome: Outcome, parameters: Parameters) => Pieces<number>;
}

const sorting = ({ classes, labels }: Task) => classes || labels;

/** A metric that is a mean over columns. */
const ofColumns = (
  f: (error: number, target: number) => number,
  g: (value: number) => number = (value) => value,
): MetricRow => ({
  fits: ({ numbers }) => numbers,
  falls: true,
  *of(outcome) {
    return mean((yield* columnMeans(outcome, f)).map(g));
  },
});

/** A metric that is averaged over classes. */
const ofClasses = (ratio: (hits: number, predicted: number, actual: number) => number): MetricRow => ({
  fits: sorting,
  takes: ["average", "threshold"],
  of: averaged(ratio),
});

const metrics = /* @__PURE__ */ rowsOf<MetricRow>()({
  accuracy: { fits: sorting, of: accuracy },
  topKAccuracy: { fits: ({ classes }) => classes, takes: ["k"], of: topK },
  precision: /* @__PURE__ */ ofClasses((hits, predicted) => hits / predicted),
  recall: /* @__PURE__ */ ofClasses((hits, _, actual) => hits / actual),
  f1: /* @__PURE__ */ ofClasses((hits, predicted, actual) => (2 * hits) / (predicted + actual)),
  auc: { fits: sorting, takes: ["curve"], of: area },
  logLoss: {
    fits: (task) => task.probabilities && (task.classes || (task.labels && task.width === 1)),
    falls: true,
    of: logLoss,
  },
  meanAbsoluteError: /* @__PURE__ */ ofColumns(Math.abs),
  rootMeanSquaredError: /* @__PURE__ */ ofColumns(square, Math.sqrt),
  meanAbsolutePercentageError: /* @__PURE__ */ ofColumns(
    (error, target) => Math.abs(error) / Math.max(Math.abs(target), 2 ** -52),
  ),
  r2: { fits: ({ numbers }) => numbers, of: r2 },
});

/**
 * Name of a metric. Each is of all rows, never a mean over batches, and defined as in scikit-learn:
 *
 * - accuracy: share of the rows that are right; where each output is a yes or no of its own, share of those
 * - topKAccuracy: share of the rows whose class is among the k largest outputs; of equal outputs the later is the larger
 * - precision: hits / predicted, recall: hits / actual, f1: 2 hits / (predicted + actual), each 0 where that is 0 / 0; of
 *   several classes the mean over those that are there
 * - auc: area under the ROC curve; of several classes each against all others, and the mean over them. NaN where all rows are
 *   of one class. With `curve: "PR"` the average precision, 0 for a class that is not there
 * - logLoss: mean of -log of the probability of what is true
 * - meanAbsoluteError: mean of |t - y|
 * - rootMeanSquaredError: sqrt(mean of (t - y)^2)
 * - meanAbsolutePercentageError: mean of |t - y| / max(|t|, 2^-52); 1 is 100 %
 * - r2: 1 - sum of (t - y)^2 / sum of (t - mean t)^2; if all t are equal 1 where all y are right and else 0; NaN of one row
 *
 * The last four are, of several outputs, the mean over the outputs. Targets that are NaN are left out; class weights and
 * sample weights do not count.
 */
export type MetricName = keyof typeof metrics;

/** The metrics that were asked for, by their names. */
export type MetricFigures = { [M in MetricName]?: number };

/** Those of validation data. */
export type ValidationFigures = { [M in MetricName as `validation${Capitalize<M>}`]?: number };

/** A metric with its parameters: what `f1({ average: "micro" })` returns. */
export interface Metric extends Readonly<Parameters> {
  readonly metric: MetricName;
}

/** A metric by its name, with its default parameters, or with parameters. */
export type MetricOption = MetricName | Metric;

type Average = Pick<Parameters, "average" | "threshold">;

/** The metric precision. @throws RangeError or TypeError for unusable options */
export const precision = (options: Average = {}): Metric => checkMetric("precision", options);

/** The metric recall. @throws RangeError or TypeError for unusable options */
export const recall = (options: Average = {}): Metric => checkMetric("recall", options);

/** The metric f1. @throws RangeError or TypeError for unusable options */
export const f1 = (options: Average = {}): Metric => checkMetric("f1", options);

/** The metric topKAccuracy. @throws RangeError or TypeError for unusable options */
export const topKAccuracy = (options: Pick<Parameters, "k"> = {}): Metric =>
  checkMetric("topKAccuracy", options);

/** The metric auc. @throws RangeError or TypeError for unusable options */
export const auc = (options: Pick<Parameters, "curve"> = {}): Metric => checkMetric("auc", options);

/** The checks of parameters. */
const CHECKED = {
  average: [/* @__PURE__ */ oneOf("macro", "micro", "weighted")],
  threshold: [(name: string, value: unknown) => checkNumber(name, value, "a finite number, e.g. 0.5")],
  k: [/* @__PURE__ */ from(1)],
  curve: [/* @__PURE__ */ oneOf("ROC", "PR")],
} as const;

function checkMetric(metric: MetricName, options: Parameters): Metric {
  const { takes = [] } = metrics[metric];
  const settings = Object.fromEntries(takes.map((name) => [name, CHECKED[name]]));
  return Object.freeze({ ...readSettings(metric, options, settings as typeof CHECKED), metric });
}

/**
 * Checks the metrics that a call is asked for; returns them with their parameters.
 * Throws RangeError or TypeError for one that is unknown, asked for twice, or does not fit.
 */
export function checkMetrics(asked: unknown, task: Task, loss: string): Metric[] {
  if (asked === undefined) return [];
  if (!Array.isArray(asked)) {
    throw wrongType("metrics", asked, 'an array, e.g. ["f1", topKAccuracy({ k: 3 })]');
  }
  const checked: Metric[] = [];
  const outputs = count(task.width, "output");
  for (const [index, given] of asked.entries()) {
    const { metric: name, ...options } = typeof given === "object" && given ? given : { metric: given };
    const metric = checkMetric(checkChoice(`metrics[${index}]`, name, metrics), options);
    const refuse = (why: string) => {
      throw new RangeError(`metrics[${index}] is "${name}"${why}`);
    };
    if (checked.some((other) => other.metric === name))
      refuse(", which is there before: figures have one of a name");
    if (!metrics[metric.metric].fits(task)) {
      const fitting = namesOf(metrics).filter((other) => metrics[other].fits(task));
      refuse(`, which does not fit loss "${loss}" and ${outputs}: those that do are ${fitting.join(", ")}`);
    }
    const { average, threshold, k = name === "topKAccuracy" ? 5 : 1 } = metric;
    if (k > task.width) refuse(` with k ${k}, which is more than the ${outputs}`);
    if (average && task.width === 1) refuse(" with an average, which one output has not: leave it out");
    if (threshold !== undefined && task.classes) {
      refuse(" with a threshold, which a choice of classes has not: leave it out");
    }
    // Of a loss that classifies it is a figure anyway.
    if (name !== "accuracy" || !task.hits) checked.push(metric);
  }
  return checked;
}

/** Makes the metrics of an outcome. */
export function* measure(asked: readonly Metric[], outcome: Outcome): Pieces<MetricFigures> {
  const figures: MetricFigures = {};
  for (const metric of asked) {
    figures[metric.metric] = yield* metrics[metric.metric].of(outcome, metric);
    yield;
  }
  return figures;
}

/** "validationF1" of "f1": its name among the figures of validation. */
export const ofValidation = (name: string) => `validation${name[0].toUpperCase()}${name.slice(1)}`;

/** Whether less is better, of a figure of an epoch's entry. */
export function falls(figure: string): boolean {
  return !namesOf(metrics).some(
    (name) => !metrics[name].falls && [name, ofValidation(name)].includes(figure),
  );
}
