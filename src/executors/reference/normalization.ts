// Normalization by columns and by rows: see assembly/normalization.ts.

import { Start } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { rowSum } from "./activations.js";
import type { Round } from "./round.js";

/** Sum of `term(r)` over r < n, in this order. */
function sumOf(round: Round, n: number, term: (r: number) => number): number {
  let sum = 0;
  for (let r = 0; r < n; r++) sum = round(sum + term(r));
  return sum;
}

const inverseOf = (round: Round, variance: number, epsilon: number) =>
  round(1 / round(Math.sqrt(round(variance + round(epsilon)))));

/** @param rows 0: there is no input, and the running ones are taken */
export function columnMoments(
  f: FloatArray,
  round: Round,
  mean: number,
  inverse: number,
  runningMean: number,
  runningVariance: number,
  x: number,
  rows: number,
  width: number,
  momentum: number,
  epsilon: number,
): void {
  const all = round(rows);
  const fresh = round(momentum);
  const kept = round(1 - momentum);
  const running = (at: number, value: number) => {
    f[at] = round(fresh * value) + round(kept * f[at]);
  };
  for (let j = 0; j < width; j++) {
    let m = f[runningMean + j];
    let variance = f[runningVariance + j];
    if (rows) {
      m = round(sumOf(round, rows, (r) => f[x + r * width + j]) / all);
      const squares = sumOf(round, rows, (r) => {
        const d = round(f[x + r * width + j] - m);
        return round(d * d);
      });
      variance = round(squares / all);
      running(runningMean + j, m);
      running(runningVariance + j, round(squares / round(rows - 1)));
    }
    f[mean + j] = m;
    f[inverse + j] = inverseOf(round, variance, epsilon);
  }
}

/** @param mean 0: mean and inverse are those of each row */
export function normalize(
  f: FloatArray,
  round: Round,
  y: number,
  normalized: number,
  x: number,
  rows: number,
  width: number,
  scale: number,
  shift: number,
  mean: number,
  inverse: number,
  rowInverse: number,
  epsilon: number,
  terms: FloatArray,
): void {
  let m = 0;
  let i = 0;
  for (let r = 0; r < rows; r++) {
    const row = r * width;
    if (!mean) {
      const all = round(width);
      m = round(rowSum(f, round, x + row, width) / all);
      for (let j = 0; j < width; j++) {
        const d = round(f[x + row + j] - m);
        terms[j] = d * d;
      }
      i = inverseOf(round, round(rowSum(terms, round, 0, width) / all), epsilon);
      if (rowInverse) f[rowInverse + r] = i;
    }
    for (let j = 0; j < width; j++) {
      if (mean) {
        m = f[mean + j];
        i = f[inverse + j];
      }
      const value = round(round(f[x + row + j] - m) * i);
      if (normalized) f[normalized + row + j] = value;
      f[y + row + j] = round(value * f[scale + j]) + f[shift + j];
    }
  }
}

export function normalizeBackward(
  f: FloatArray,
  round: Round,
  dx: number,
  dy: number,
  normalized: number,
  rows: number,
  width: number,
  scale: number,
  inverse: number,
  rowInverse: number,
  sums: number,
  products: number,
  count: number,
  terms: FloatArray,
): void {
  let s = 0;
  let p = 0;
  for (let r = 0; r < rows; r++) {
    const row = r * width;
    if (rowInverse) {
      const all = round(width);
      for (let j = 0; j < width; j++) terms[j] = f[dy + row + j] * f[scale + j];
      s = round(rowSum(terms, round, 0, width) / all);
      for (let j = 0; j < width; j++) terms[j] *= f[normalized + row + j];
      p = round(rowSum(terms, round, 0, width) / all);
    }
    for (let j = 0; j < width; j++) {
      const g = f[scale + j];
      if (sums) {
        const share = round(g / round(count));
        s = round(share * f[sums + j]);
        p = round(share * f[products + j]);
      }
      const rest = round(round(f[normalized + row + j] * p) + s);
      f[dx + row + j] =
        round(round(f[dy + row + j] * g) - rest) * f[rowInverse ? rowInverse + r : inverse + j];
    }
  }
}

export function columnProducts(
  f: FloatArray,
  round: Round,
  output: number,
  a: number,
  b: number,
  rows: number,
  width: number,
  start: Start,
): void {
  for (let j = 0; j < width; j++) {
    const sum = sumOf(round, rows, (r) => round(f[a + r * width + j] * f[b + r * width + j]));
    f[output + j] = start === Start.add ? f[output + j] + sum : sum;
  }
}
