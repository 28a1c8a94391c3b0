// Transposition.

import type { FloatArray } from "../../dtype.js";

/** y (width, rows) = transpose of x (rows, width). */
export function transpose(f: FloatArray, y: number, x: number, rows: number, width: number): void {
  for (let r = 0; r < rows; r++) {
    const row = x + r * width;
    for (let j = 0; j < width; j++) f[y + j * rows + r] = f[row + j];
  }
}
