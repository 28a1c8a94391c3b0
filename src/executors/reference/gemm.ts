// Matrix product in the loop order that suits row-major data: rows of the output, terms, columns. The inner
// loop walks one row of the right factor and one of the output, both in memory order.
//
// The inner loops tell the element types apart themselves and do not call a Round: V8 inlines such a call only
// while it has seen one function, so where one process uses both types every product got five times as slow.

import { Start, SUM_BLOCK } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";

/**
 * output (m, n) = start + A (m, k) B (k, n). All offsets and strides in elements of `f`; A's element (i, p)
 * lies at left + i * leftRow + p * leftStep. `sums` is scratch of at least n elements.
 */
export function product(
  f: FloatArray,
  output: number,
  left: number,
  leftRow: number,
  leftStep: number,
  right: number,
  m: number,
  n: number,
  k: number,
  start: Start,
  bias: number,
  sums: FloatArray,
): void {
  for (let i = 0; i < m; i++) {
    const row = output + i * n;
    const a = left + i * leftRow;
    if (start === Start.add) {
      for (let block = 0; block < k; block += SUM_BLOCK) {
        for (let j = 0; j < n; j++) sums[j] = 0;
        const terms = Math.min(k - block, SUM_BLOCK);
        addProducts(sums, 0, f, a + block * leftStep, leftStep, right + block * n, n, terms);
        for (let j = 0; j < n; j++) f[row + j] += sums[j];
      }
    } else {
      if (start === Start.bias) for (let j = 0; j < n; j++) f[row + j] = f[bias + j];
      else for (let j = 0; j < n; j++) f[row + j] = 0;
      addProducts(f, row, f, a, leftStep, right, n, k);
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
  n: number,
  k: number,
): void {
  const wide = f instanceof Float64Array;
  for (let p = 0; p < k; p++) {
    const a = f[left + p * leftStep];
    const b = right + p * n;
    if (wide) for (let j = 0; j < n; j++) sums[at + j] += a * f[b + j];
    else for (let j = 0; j < n; j++) sums[at + j] += Math.fround(a * f[b + j]);
  }
}

/**
 * As product(), where B lies in memory as (n, k) and A as (m, k): dot products of their rows.
 */
export function productOfTransposed(
  f: FloatArray,
  output: number,
  left: number,
  right: number,
  m: number,
  n: number,
  k: number,
  start: Start,
  bias: number,
): void {
  const wide = f instanceof Float64Array;
  const block = start === Start.add ? SUM_BLOCK : k;
  for (let i = 0; i < m; i++) {
    const a = left + i * k;
    for (let j = 0; j < n; j++) {
      const at = output + i * n + j;
      const b = right + j * k;
      let sum = start === Start.bias ? f[bias + j] : 0;
      for (let from = 0; from < k; from += block) {
        const to = Math.min(k, from + block);
        if (wide) for (let p = from; p < to; p++) sum += f[a + p] * f[b + p];
        else for (let p = from; p < to; p++) sum = Math.fround(sum + Math.fround(f[a + p] * f[b + p]));
        if (start !== Start.add) continue;
        f[at] += sum;
        sum = 0;
      }
      if (start !== Start.add) f[at] = sum;
    }
  }
}
