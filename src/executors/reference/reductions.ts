// Sums down the columns of a matrix, and the statistics that a training step reports.

import { Start, Stat } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";

/** output[j] = sum over r of input[r, j], rows in ascending order; `sums` is scratch of >= width elements. */
export function columnSums(
  f: FloatArray,
  output: number,
  input: number,
  rows: number,
  width: number,
  start: Start,
  sums: FloatArray,
): void {
  for (let j = 0; j < width; j++) sums[j] = 0;
  for (let r = 0; r < rows; r++) {
    const row = input + r * width;
    for (let j = 0; j < width; j++) sums[j] += f[row + j];
  }
  if (start === Start.add) for (let j = 0; j < width; j++) f[output + j] += sums[j];
  else for (let j = 0; j < width; j++) f[output + j] = sums[j];
}

/** Sum of n elements in f64: the even ones, the odd ones, then the two together. */
function sum(f: FloatArray, x: number, n: number): number {
  let even = 0;
  let odd = 0;
  for (let i = 0; i < n; i += 2) even += f[x + i];
  for (let i = 1; i < n; i += 2) odd += f[x + i];
  return even + odd;
}

/** Adds a batch's losses and hits to the statistics; the first loss that is not finite marks its step. */
export function report(
  f: FloatArray,
  statistics: Float64Array,
  at: number,
  losses: number,
  hits: number,
  size: number,
  weight: number,
  step: number,
): void {
  const loss = sum(f, losses, size) * weight;
  statistics[at + Stat.lossSum] += loss;
  statistics[at + Stat.hits] += sum(f, hits, size);
  if (!Number.isFinite(loss) && statistics[at + Stat.badStep] < 0) statistics[at + Stat.badStep] = step;
}
