// What metrics are: functions of the outputs for many rows and of what they should have been. The definitions are those of
// scikit-learn; where it divides 0 by 0, the value is 0, as with its zero_division=0.

import type { Targets } from "./dataset.js";
import type { FloatArray } from "./dtype.js";
import { byRows, type Pieces } from "./pieces.js";

/** What outputs are compared as. */
export interface Task {
  /** One class a row, the largest output. Else, if `labels`, each output is a yes or no of its own. */
  classes: boolean;
  labels: boolean;
  /** Whether the outputs are numbers that the targets are near to. */
  numbers: boolean;
  /** Whether the loss counts hits: accuracy is a figure without being asked for. */
  hits: boolean;
  /** Whether the outputs are probabilities. */
  probabilities: boolean;
  /** Where a yes begins in the targets, and unless a metric says otherwise in the outputs. */
  threshold: number;
  /** Values of the last axis of the outputs. */
  width: number;
  /** Vectors of the last axis in a sample: each is a row here. */
  positions: number;
}

/** What a metric may be given. */
export interface Parameters {
  /**
   * Of several classes or outputs: "macro" (default), the mean over them, as far as they are there; "micro", of the sums
   * of all; "weighted", weighted by how often each is true. Of one output it is always that of its yes.
   */
  average?: "macro" | "micro" | "weighted" | undefined;
  /** From which value on an output is a yes, where each is one of its own; default 0.5, for hinge losses above 0. */
  threshold?: number | undefined;
  /** How many of the largest outputs count; default 5. */
  k?: number | undefined;
  /**
   * "ROC" (default), or "PR": precision over recall, the area under which is the average precision, sum over thresholds
   * of (recall - recall before) * precision.
   */
  curve?: "ROC" | "PR" | undefined;
}

/** The outputs and targets of a pass over data. */
export interface Outcome extends Task {
  rows: number;
  /** Reads them anew, for the memory may move between two pieces of work. */
  read(): { outputs: FloatArray; targets: Targets["data"]; order: Uint32Array | undefined };
}

type Numbers = FloatArray | Targets["data"];

/** Calls `work` for each row: its outputs begin at y[i], and its targets at t[k], or t[k] is its class. */
function* eachRow(
  { rows, width, positions, read }: Outcome,
  work: (y: FloatArray, i: number, t: Numbers, k: number) => void,
): Pieces<void> {
  yield* byRows(rows, width, (from, to) => {
    const { outputs, targets, order } = read();
    const stride = targets instanceof Uint32Array ? 1 : width;
    for (let r = from; r < to; r++) {
      const row = order ? order[Math.floor(r / positions)] * positions + (r % positions) : r;
      work(outputs, r * width, targets, row * stride);
    }
  });
}

/** Column of the first largest of n values; -1 if one is NaN. */
function argmax(x: Numbers, first: number, n: number): number {
  let best = 0;
  for (let j = 0; j < n; j++) {
    if (Number.isNaN(x[first + j])) return -1;
    if (x[first + j] > x[first + best]) best = j;
  }
  return best;
}

/** The class of a row of targets; -1 for one that is left out. */
function classAt(t: Numbers, k: number, width: number): number {
  return t instanceof Uint32Array ? t[k] : argmax(t, k, width);
}

/** Calls `work` for each row with the class it has, and the one that is predicted. */
export function eachClass(outcome: Outcome, work: (truth: number, predicted: number) => void): Pieces<void> {
  const { width } = outcome;
  return eachRow(outcome, (y, i, t, k) => {
    const truth = classAt(t, k, width);
    if (truth >= 0) work(truth, argmax(y, i, width));
  });
}

/** Calls `work` for each yes or no, of an output with its column. */
export function eachLabel(
  outcome: Outcome,
  work: (truth: boolean, output: number, column: number) => void,
): Pieces<void> {
  const { width, threshold } = outcome;
  return eachRow(outcome, (y, i, t, k) => {
    for (let j = 0; j < width; j++) if (!Number.isNaN(t[k + j])) work(t[k + j] >= threshold, y[i + j], j);
  });
}

/** The mean of the values that there are; NaN of none. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  let count = 0;
  for (let j = 0; j < values.length; j++) {
    if (Number.isNaN(values[j])) continue;
    sum += values[j];
    count++;
  }
  return sum / count;
}

/** How often each class, or the yes of each column, is predicted rightly, predicted, and true; and in how many cases. */
function* count(outcome: Outcome, threshold = outcome.threshold) {
  const columns = () => new Float64Array(outcome.width);
  const counts = { hits: columns(), predicted: columns(), actual: columns(), cases: 0 };
  const { hits, predicted, actual } = counts;
  if (outcome.classes) {
    yield* eachClass(outcome, (truth, guess) => {
      counts.cases++;
      actual[truth]++;
      predicted[guess]++;
      if (truth === guess) hits[truth]++;
    });
  } else {
    yield* eachLabel(outcome, (truth, y, j) => {
      counts.cases++;
      if (truth) actual[j]++;
      if (y >= threshold) predicted[j]++;
      if (truth && y >= threshold) hits[j]++;
    });
  }
  return counts;
}

const sumOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);

export function* accuracy(outcome: Outcome): Pieces<number> {
  const { hits, predicted, actual, cases } = yield* count(outcome);
  const right = sumOf(hits);
  return (outcome.classes ? right : cases - sumOf(predicted) - sumOf(actual) + 2 * right) / cases;
}

/** Averages a ratio of right hits, predictions and truths over the classes. */
export const averaged = (ratio: (hits: number, predicted: number, actual: number) => number) =>
  function* (outcome: Outcome, { average = "macro", threshold }: Parameters): Pieces<number> {
    const { hits, predicted, actual } = yield* count(outcome, threshold);
    // 0 / 0 is NaN, which counts as 0.
    if (average === "micro") return ratio(sumOf(hits), sumOf(predicted), sumOf(actual)) || 0;
    const ratios = hits.map((n, j) =>
      // A class that is nowhere is left out.
      outcome.classes && predicted[j] + actual[j] === 0 ? Number.NaN : ratio(n, predicted[j], actual[j]) || 0,
    );
    if (average === "macro") return mean(ratios);
    return sumOf(ratios.map((value, j) => actual[j] && value * actual[j])) / sumOf(actual) || 0;
  };

/** Ties are broken as scikit-learn does: of equal outputs the later is the larger. */
export function* topKAccuracy(outcome: Outcome, { k: most = 5 }: Parameters): Pieces<number> {
  const { width } = outcome;
  let hits = 0;
  let cases = 0;
  yield* eachRow(outcome, (y, i, t, k) => {
    const truth = classAt(t, k, width);
    if (truth < 0) return;
    let larger = 0;
    for (let j = 0; j < width; j++) {
      if (y[i + j] > y[i + truth] || (y[i + j] === y[i + truth] && j > truth)) larger++;
    }
    cases++;
    if (larger < most) hits++;
  });
  return hits / cases;
}

export function* auc(outcome: Outcome, { curve = "ROC" }: Parameters): Pieces<number> {
  const { rows, width, classes, threshold } = outcome;
  const areas = new Float64Array(width);
  for (let column = 0; column < width; column++) {
    // The scores of the rows that are of the class, from the beginning, and of the others, from the end.
    const scores = new Float64Array(rows);
    let yes = 0;
    let no = rows;
    yield* eachRow(outcome, (y, i, t, k) => {
      if (classes) {
        const truth = classAt(t, k, width);
        if (truth >= 0) scores[truth === column ? yes++ : --no] = y[i + column];
      } else if (!Number.isNaN(t[k + column])) {
        scores[t[k + column] >= threshold ? yes++ : --no] = y[i + column];
      }
    });
    areas[column] = areaUnder(curve, scores.subarray(0, yes).sort(), scores.subarray(no).sort());
    yield;
  }
  return mean(areas);
}

/** The area under a curve, by ascending scores: the threshold falls from one score to the next. */
function areaUnder(curve: Parameters["curve"], yes: Float64Array, no: Float64Array): number {
  let area = 0;
  let p = yes.length;
  let n = no.length;
  while (p + n > 0) {
    const threshold = Math.max(p ? yes[p - 1] : -1 / 0, n ? no[n - 1] : -1 / 0);
    if (Number.isNaN(threshold)) return threshold;
    const before = p;
    const above = n;
    while (yes[p - 1] === threshold) p--;
    while (no[n - 1] === threshold) n--;
    const hits = yes.length - p;
    // By trapezoids, or, of precision over recall, by steps.
    if (curve === "PR") area += ((before - p) * hits) / (hits + no.length - n);
    else area += (above - n) * (hits - (before - p) / 2);
  }
  return curve === "PR" ? area / yes.length || 0 : area / (yes.length * no.length);
}

/** As scikit-learn's: probabilities are kept an epsilon of the element type away from 0 and 1. */
export function* logLoss(outcome: Outcome): Pieces<number> {
  const { width, classes } = outcome;
  let total = 0;
  let cases = 0;
  yield* eachRow(outcome, (y, i, t, k) => {
    const epsilon = y.BYTES_PER_ELEMENT === 4 ? 2 ** -23 : 2 ** -52;
    const clipped = (j: number) => Math.min(1 - epsilon, Math.max(epsilon, y[i + j]));
    let loss = 0;
    if (!classes) loss = -t[k] * Math.log(clipped(0)) - (1 - t[k]) * Math.log(1 - clipped(0));
    else {
      let sum = 0;
      for (let j = 0; j < width; j++) sum += clipped(j);
      const surprise = (j: number) => Math.log(sum / clipped(j));
      if (t instanceof Uint32Array) loss = surprise(t[k]);
      else for (let j = 0; j < width; j++) loss += t[k + j] * surprise(j);
    }
    if (Number.isNaN(loss)) return;
    total += loss;
    cases++;
  });
  return total / cases;
}

/** The mean over the rows of f(error, target, column), for each column. */
export function* columnMeans(
  outcome: Outcome,
  f: (error: number, target: number, column: number) => number,
): Pieces<Float64Array> {
  const { width } = outcome;
  const sums = new Float64Array(width);
  const counts = new Float64Array(width);
  yield* eachRow(outcome, (y, i, t, k) => {
    for (let j = 0; j < width; j++) {
      if (Number.isNaN(t[k + j])) continue;
      sums[j] += f(t[k + j] - y[i + j], t[k + j], j);
      counts[j]++;
    }
  });
  return sums.map((sum, j) => sum / counts[j]);
}

export const square = (x: number) => x * x;

export function* r2(outcome: Outcome): Pieces<number> {
  if (outcome.rows < 2) return Number.NaN;
  const means = yield* columnMeans(outcome, (_, t) => t);
  const left = yield* columnMeans(outcome, square);
  const all = yield* columnMeans(outcome, (_, t, j) => square(t - means[j]));
  return mean(left.map((value, j) => (all[j] === 0 ? Number(value === 0) : 1 - value / all[j])));
}
