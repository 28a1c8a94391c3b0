// Batches out of a data set, which lies in the heap in its own element type.

import type { FloatArray } from "../../dtype.js";
import type { Round } from "./round.js";

/** Index of the sample at `position`, through the order (an index into u32) if there is one. */
export function sampleAt(u32: Uint32Array, order: number, position: number): number {
  return order ? u32[order + position] : position;
}

/** y = (x - mean) * factor for every row, mean and factor of column j being those at j modulo length; y may be x. */
export function standardize(
  f: FloatArray,
  round: Round,
  y: number,
  x: number,
  rows: number,
  width: number,
  mean: number,
  factor: number,
  length: number,
): void {
  for (let i = 0; i < rows * width; i++) {
    const column = (i % width) % length;
    f[y + i] = round(f[x + i] - f[mean + column]) * f[factor + column];
  }
}

/** y[i] = index i of the batch, for `from` <= i < `to`: index i modulo length of its row i / length; at most `last`. */
export function indices(
  u32: Uint32Array,
  source: Uint8Array | FloatArray,
  y: number,
  data: number,
  order: number,
  position: number,
  from: number,
  to: number,
  length: number,
  last: number,
): void {
  for (let i = from; i < to; i++) {
    const sample = sampleAt(u32, order, position + Math.floor(i / length));
    const index = Math.trunc(source[data + sample * length + (i % length)]) || 0;
    u32[y + i] = Math.min(Math.max(index, 0), last);
  }
}

/** y[r] = T(data[sample at position + r]) scale; `source` is the heap in the data's own type. */
export function gather(
  f: FloatArray,
  round: Round,
  source: Uint8Array | FloatArray,
  u32: Uint32Array,
  y: number,
  data: number,
  order: number,
  position: number,
  rows: number,
  width: number,
  scale: number,
): void {
  const factor = round(scale);
  for (let r = 0; r < rows; r++) {
    const from = data + sampleAt(u32, order, position + r) * width;
    const to = y + r * width;
    for (let j = 0; j < width; j++) f[to + j] = round(source[from + j]) * factor;
  }
}

/** y[r] = one-hot row of the class index data[sample at position + r]. */
export function oneHot(
  f: FloatArray,
  u32: Uint32Array,
  y: number,
  data: number,
  order: number,
  position: number,
  rows: number,
  width: number,
): void {
  f.fill(0, y, y + rows * width);
  for (let r = 0; r < rows; r++) f[y + r * width + u32[data + sampleAt(u32, order, position + r)]] = 1;
}
