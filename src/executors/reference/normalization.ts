// Normalization by columns and by rows: see assembly/normalization.ts. All read their operands themselves.

import {
  ColumnMoments,
  ColumnProducts,
  Normalize,
  NormalizeBackward,
  Start,
  Sum,
} from "../../../assembly/ops.js";
import { rowSum } from "./activations.js";
import type { Machine } from "./machine.js";
import type { Round } from "./round.js";

/** Sum of `term(r)` over r < n, in this order. */
function sumOf(round: Round, n: number, term: (r: number) => number): number {
  let sum = 0;
  for (let r = 0; r < n; r++) sum = round(sum + term(r));
  return sum;
}

/** Mean of `term(j)` over j < n, as SIMD lanes add. */
function rowMean({ round, scratch }: Lanes, n: number, term: (j: number) => number): number {
  for (let j = 0; j < n; j++) scratch[j] = term(j);
  return round(rowSum(scratch, round, 0, n) / round(n));
}

/** What rowMean() works in. */
interface Lanes {
  round: Round;
  scratch: Machine["f"];
}

const inverseOf = (round: Round, variance: number, epsilon: number) =>
  round(1 / round(Math.sqrt(round(variance + round(epsilon)))));

export function columnMoments(machine: Machine, width: number): void {
  const { f, round } = machine;
  const [mean, inverse] = [machine.element(ColumnMoments.mean), machine.element(ColumnMoments.inverse)];
  const runningMean = machine.element(ColumnMoments.runningMean);
  const runningVariance = machine.element(ColumnMoments.runningVariance);
  const x = machine.element(ColumnMoments.input);
  const rows = machine.word(ColumnMoments.rows);
  const momentum = machine.cell(ColumnMoments.momentum);
  const [fresh, kept, all] = [round(momentum), round(1 - momentum), round(rows)];
  const run = (at: number, value: number) => {
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
      run(runningMean + j, m);
      run(runningVariance + j, round(squares / round(rows - 1)));
    }
    f[mean + j] = m;
    f[inverse + j] = inverseOf(round, variance, machine.cell(ColumnMoments.epsilon));
  }
}

export function normalize(machine: Machine, from: number, rows: number, width: number): void {
  const { f, round } = machine;
  const lanes = { round, scratch: machine.scratch(width) };
  const [y, normalized] = [machine.own(Normalize.output), machine.owned(Normalize.normalized)];
  const [scale, shift] = [machine.element(Normalize.scale), machine.element(Normalize.shift)];
  const [mean, inverse] = [machine.element(Normalize.mean), machine.element(Normalize.inverse)];
  const rowInverse = machine.element(Normalize.rowInverse);
  const input = machine.own(Normalize.input);
  let m = 0;
  let i = 0;
  for (let r = 0; r < rows; r++) {
    const x = input + r * width;
    if (!mean) {
      m = rowMean(lanes, width, (j) => f[x + j]);
      const variance = rowMean(lanes, width, (j) => {
        const d = round(f[x + j] - m);
        return d * d;
      });
      i = inverseOf(round, variance, machine.cell(Normalize.epsilon));
      if (rowInverse) f[rowInverse + from + r] = i;
    }
    for (let j = 0; j < width; j++) {
      if (mean) {
        m = f[mean + j];
        i = f[inverse + j];
      }
      const value = round(round(f[x + j] - m) * i);
      if (normalized) f[normalized + r * width + j] = value;
      f[y + r * width + j] = round(value * f[scale + j]) + f[shift + j];
    }
  }
}

export function normalizeBackward(machine: Machine, from: number, rows: number, width: number): void {
  const { f, round } = machine;
  const lanes = { round, scratch: machine.scratch(width) };
  const scale = machine.element(NormalizeBackward.scale);
  const inverse = machine.element(NormalizeBackward.inverse);
  const rowInverse = machine.element(NormalizeBackward.rowInverse);
  const sums = machine.element(NormalizeBackward.sums);
  const products = machine.element(NormalizeBackward.products);
  const terms = round(machine.word(NormalizeBackward.terms));
  let s = 0;
  let p = 0;
  for (let r = 0; r < rows; r++) {
    const dx = machine.own(NormalizeBackward.output) + r * width;
    const dy = machine.own(NormalizeBackward.gradient) + r * width;
    const normalized = machine.own(NormalizeBackward.normalized) + r * width;
    if (rowInverse) {
      s = rowMean(lanes, width, (j) => f[dy + j] * f[scale + j]);
      p = rowMean(lanes, width, (j) => round(f[dy + j] * f[scale + j]) * f[normalized + j]);
    }
    for (let j = 0; j < width; j++) {
      const g = f[scale + j];
      if (sums) {
        const share = round(g / terms);
        s = round(share * f[sums + j]);
        p = round(share * f[products + j]);
      }
      const rest = round(round(f[normalized + j] * p) + s);
      const i = f[rowInverse ? rowInverse + from + r : inverse + j];
      f[dx + j] = round(round(f[dy + j] * g) - rest) * i;
    }
  }
}

export function columnProducts(machine: Machine, width: number): void {
  const { f, round } = machine;
  const output = machine.element(ColumnProducts.output);
  const [a, b] = [machine.element(ColumnProducts.left), machine.element(ColumnProducts.right)];
  const add = machine.word(Sum.start) === Start.add;
  for (let j = 0; j < width; j++) {
    const sum = sumOf(round, machine.word(ColumnProducts.rows), (r) =>
      round(f[a + r * width + j] * f[b + r * width + j]),
    );
    f[output + j] = add ? f[output + j] + sum : sum;
  }
}
