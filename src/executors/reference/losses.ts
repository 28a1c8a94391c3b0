// Losses with their gradients: see assembly/losses.ts for the formulas.

import type { FloatArray } from "../../dtype.js";
import { divideRow, rowMax, rowSum, shiftedExp } from "./activations.js";
import { exp32, exp64, log32, log64, sigmoid32, sigmoid64 } from "./math.js";
import type { Round } from "./round.js";

export function meanSquaredError(
  f: FloatArray,
  round: Round,
  d: number,
  losses: number,
  hits: number,
  y: number,
  t: number,
  n: number,
  scale: number,
): void {
  const factor = round(scale);
  for (let i = 0; i < n; i++) {
    const difference = round(f[y + i] - f[t + i]);
    f[losses + i] = difference * difference;
    f[hits + i] = 0;
    f[d + i] = difference * factor;
  }
}

export function binaryCrossEntropy(
  f: FloatArray,
  round: Round,
  d: number,
  losses: number,
  hits: number,
  y: number,
  z: number,
  t: number,
  n: number,
  scale: number,
): void {
  const wide = f instanceof Float64Array;
  const factor = round(scale);
  for (let i = 0; i < n; i++) {
    const logit = f[z + i];
    const target = f[t + i];
    const prediction = wide ? sigmoid64(logit) : sigmoid32(logit);
    f[y + i] = prediction;
    f[d + i] = round(prediction - target) * factor;
    const decay = wide ? exp64(-Math.abs(logit)) : exp32(-Math.abs(logit));
    const rest = wide ? log64(1 + decay) : log32(round(1 + decay));
    f[losses + i] = round(Math.max(logit, 0) - round(logit * target)) + rest;
    f[hits + i] = prediction >= 0.5 === target >= 0.5 ? 1 : 0;
  }
}

/** Column of the first largest of n elements. */
export function argmax(f: FloatArray, x: number, n: number): number {
  let best = 0;
  for (let j = 1; j < n; j++) if (f[x + j] > f[x + best]) best = j;
  return best;
}

/** `surprises` is scratch of at least width elements. */
export function crossEntropy(
  f: FloatArray,
  round: Round,
  d: number,
  losses: number,
  hits: number,
  y: number,
  z: number,
  t: number,
  rows: number,
  width: number,
  scale: number,
  surprises: FloatArray,
): void {
  const wide = f instanceof Float64Array;
  const factor = round(scale);
  for (let r = 0; r < rows; r++) {
    const row = r * width;
    const largest = rowMax(f, z + row, width);
    const total = shiftedExp(f, round, y + row, z + row, width, largest);
    const logTotal = wide ? log64(total) : log32(total);
    divideRow(f, y + row, total, width);
    for (let j = 0; j < width; j++) {
      const target = f[t + row + j];
      surprises[j] = target * round(logTotal - round(f[z + row + j] - largest));
      f[d + row + j] = round(f[y + row + j] - target) * factor;
    }
    f[losses + r] = rowSum(surprises, round, 0, width);
    f[hits + r] = argmax(f, y + row, width) === argmax(f, t + row, width) ? 1 : 0;
  }
}
