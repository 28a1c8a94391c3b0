// Matrix product in the loop order that suits row-major data: rows of the output, terms, columns. The inner
// loop walks one row of the right factor and one of the output, both in memory order. Where the right factor lies
// transposed, its columns are in memory order: dot products then.
//
// The inner loops tell the element types apart themselves and do not call a Round: V8 inlines such a call only
// while it has seen one function, so where one process uses both types every product got five times as slow.

import { Start, SUM_BLOCK } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";

/**
 * output (m, n) = start + A (m, k) B (k, n). All offsets and strides in elements of `f`; A's element (i, p)
 * lies at left + i * leftRow + p * leftStep, and B's (p, j) at right + p * rightRow + j * rightStep, of which steps one
 * is 1. `sums` is scratch of at least n elements.
 */
export function product(
  f: FloatArray,
  output: number,
  outputRow: number,
  left: number,
  leftRow: number,
  leftStep: number,
  right: number,
  rightRow: number,
  rightStep: number,
  m: number,
  n: number,
  k: number,
  start: Start,
  bias: number,
  sums: FloatArray,
): void {
  const block = start === Start.add ? SUM_BLOCK : k;
  for (let i = 0; i < m; i++) {
    const row = output + i * outputRow;
    const a = left + i * leftRow;
    if (start === Start.bias) for (let j = 0; j < n; j++) f[row + j] = f[bias + j];
    else if (start === Start.zero) for (let j = 0; j < n; j++) f[row + j] = 0;
    for (let p = 0; p < k; p += block) {
      const terms = Math.min(k - p, block);
      const from = a + p * leftStep;
      const b = right + p * rightRow;
      if (rightStep > 1) {
        addDots(f, row, from, leftStep, b, rightStep, n, terms, start === Start.add);
      } else if (start === Start.add) {
        for (let j = 0; j < n; j++) sums[j] = 0;
        addProducts(sums, 0, f, from, leftStep, b, rightRow, n, terms);
        for (let j = 0; j < n; j++) f[row + j] += sums[j];
      } else {
        addProducts(f, row, f, from, leftStep, b, rightRow, n, terms);
      }
    }
  }
}

/** sums[j] += sum over p of A[p] B[p, j], the terms in ascending order. */
function addProducts(
  sums: FloatArray,
  at: number,
  f: FloatArray,
  left: number,
  leftStep: number,
  right: number,
  rightRow: number,
  n: number,
  k: number,
): void {
  const wide = f instanceof Float64Array;
  for (let p = 0; p < k; p++) {
    const a = f[left + p * leftStep];
    const b = right + p * rightRow;
    if (wide) for (let j = 0; j < n; j++) sums[at + j] += a * f[b + j];
    else for (let j = 0; j < n; j++) sums[at + j] += Math.fround(a * f[b + j]);
  }
}

/** The same where B's columns lie in memory order; `apart`: the sum begins at 0 and is added once. */
function addDots(
  f: FloatArray,
  row: number,
  left: number,
  leftStep: number,
  right: number,
  rightStep: number,
  n: number,
  k: number,
  apart: boolean,
): void {
  const wide = f instanceof Float64Array;
  for (let j = 0; j < n; j++) {
    const b = right + j * rightStep;
    const before = f[row + j];
    let sum = apart ? 0 : before;
    if (wide) for (let p = 0; p < k; p++) sum += f[left + p * leftStep] * f[b + p];
    else for (let p = 0; p < k; p++) sum = Math.fround(sum + Math.fround(f[left + p * leftStep] * f[b + p]));
    f[row + j] = apart ? before + sum : sum;
  }
}
