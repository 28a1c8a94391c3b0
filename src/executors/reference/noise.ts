// Random numbers for every element of a batch: see assembly/noise.ts.

import type { FloatArray } from "../../dtype.js";
import { log64 } from "./math.js";
import { philox, uniform53 } from "./random.js";
import type { Round } from "./round.js";

/** Where random numbers of a batch come from. */
export interface Source {
  /** Number of the first row. */
  row: number;
  seedLow: number;
  seedHigh: number;
  stream: number;
  step: number;
}

export function dropout(
  f: FloatArray,
  round: Round,
  y: number,
  mask: number,
  x: number,
  rows: number,
  width: number,
  threshold: number,
  scale: number,
  { row, seedLow, seedHigh, stream, step }: Source,
): void {
  const kept = round(scale);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < width; j++) {
      const words = philox(seedLow, seedHigh, stream, 4 * (j >>> 4) + (j & 3), row + r, step);
      const at = r * width + j;
      const factor = words[(j >>> 2) & 3] < threshold ? 0 : kept;
      f[mask + at] = factor;
      f[y + at] = f[x + at] * factor;
    }
  }
}

function quantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (
      (q * (((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)) /
      (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1)
    );
  }
  const r = Math.sqrt(-log64(q < 0 ? p : 1 - p)) - 1.6;
  const z =
    (((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777) /
    ((0.12021132975 * r + 0.7370016425) * r + 1);
  return q < 0 ? -z : z;
}

const BELOW = 0.022750131948179195;

/** @param x 0: there is no input */
export function normal(
  f: FloatArray,
  round: Round,
  y: number,
  x: number,
  rows: number,
  width: number,
  mean: number,
  deviation: number,
  truncated: boolean,
  { row, seedLow, seedHigh, stream, step }: Source,
): void {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < width; j++) {
      const u = Math.max(uniform53(seedLow, seedHigh, stream, j, row + r, step), 2 ** -54);
      const value = round(mean + deviation * quantile(truncated ? BELOW + u * (1 - 2 * BELOW) : u));
      const at = r * width + j;
      f[y + at] = x ? f[x + at] + value : value;
    }
  }
}
