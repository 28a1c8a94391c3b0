// Transposition.

import type { FloatArray } from "../../dtype.js";

/** Rows `from` to `to` of y (width, rows) = transpose of x (rows, width). */
export function transpose(
  f: FloatArray,
  y: number,
  x: number,
  rows: number,
  width: number,
  from: number,
  to: number,
): void {
  for (let r = 0; r < rows; r++) {
    const row = x + r * width;
    for (let j = from; j < to; j++) f[y + j * rows + r] = f[row + j];
  }
}
