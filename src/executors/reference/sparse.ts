// The first layer on inputs that are mostly zeros. See assembly/sparse.ts.

import { Start, SUM_BLOCK } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { sampleAt } from "./batches.js";
import type { Round } from "./round.js";

/** Samples of a sparse data set: u32 indexes, and values in the data set's own type. */
interface Samples {
  u32: Uint32Array;
  source: Uint8Array | FloatArray;
  starts: number;
  columns: number;
  values: number;
  order: number;
  position: number;
  scale: number;
}

/** Copies `rows` rows of a sparse data set into a batch by rows. */
export function gatherSparse(
  f: FloatArray,
  round: Round,
  from: Samples,
  counts: number,
  columns: number,
  values: number,
  capacity: number,
  rows: number,
): void {
  const { u32, source } = from;
  const factor = round(from.scale);
  for (let r = 0; r < rows; r++) {
    const sample = sampleAt(u32, from.order, from.position + r);
    const first = u32[from.starts + sample];
    const count = u32[from.starts + sample + 1] - first;
    u32[counts + r] = count;
    const at = r * capacity;
    for (let e = 0; e < count; e++) {
      u32[columns + at + e] = u32[from.columns + first + e];
      f[values + at + e] = round(source[from.values + first + e]) * factor;
    }
  }
}

/** Makes a batch by rows of a dense matrix (rows, capacity). */
export function compress(
  f: FloatArray,
  u32: Uint32Array,
  counts: number,
  columns: number,
  values: number,
  capacity: number,
  x: number,
  rows: number,
): void {
  for (let r = 0; r < rows; r++) {
    const at = r * capacity;
    let count = 0;
    for (let j = 0; j < capacity; j++) {
      const value = f[x + at + j];
      u32[columns + at + count] = j;
      f[values + at + count] = value;
      if (value !== 0) count++;
    }
    u32[counts + r] = count;
  }
}

/** Sorts `rows` rows of a sparse data set into a batch by columns: a counting sort. */
export function sortByColumn(
  f: FloatArray,
  round: Round,
  from: Samples,
  starts: number,
  rowsOf: number,
  valuesOf: number,
  rows: number,
  width: number,
): void {
  const { u32, source, columns, values } = from;
  const factor = round(from.scale);
  u32.fill(0, starts, starts + width + 1);
  for (let r = 0; r < rows; r++) {
    const sample = sampleAt(u32, from.order, from.position + r);
    const end = u32[from.starts + sample + 1];
    for (let e = u32[from.starts + sample]; e < end; e++) u32[starts + u32[columns + e] + 1]++;
  }
  // Where each column begins: kept one place too far to the right while the entries are filled in.
  let before = 0;
  for (let p = 1; p <= width; p++) {
    const count = u32[starts + p];
    u32[starts + p] = before;
    before += count;
  }
  for (let r = 0; r < rows; r++) {
    const sample = sampleAt(u32, from.order, from.position + r);
    const end = u32[from.starts + sample + 1];
    for (let e = u32[from.starts + sample]; e < end; e++) {
      const place = u32[starts + u32[columns + e] + 1]++;
      u32[rowsOf + place] = r;
      f[valuesOf + place] = round(source[values + e]) * factor;
    }
  }
}

/** output (rows, width) = start + X W for a batch X by rows. */
export function sparseProduct(
  f: FloatArray,
  round: Round,
  u32: Uint32Array,
  output: number,
  counts: number,
  columns: number,
  values: number,
  capacity: number,
  right: number,
  rows: number,
  width: number,
  start: Start,
  bias: number,
): void {
  for (let r = 0; r < rows; r++) {
    const row = output + r * width;
    if (start === Start.bias) for (let j = 0; j < width; j++) f[row + j] = f[bias + j];
    else for (let j = 0; j < width; j++) f[row + j] = 0;
    const at = r * capacity;
    const count = u32[counts + r];
    for (let e = 0; e < count; e++) {
      const x = f[values + at + e];
      const w = right + u32[columns + at + e] * width;
      for (let j = 0; j < width; j++) f[row + j] += round(x * f[w + j]);
    }
  }
}

/** output (inputs, width) = X' D, or += with Start.add; `sums` is scratch of at least width elements. */
export function sparseGradient(
  f: FloatArray,
  round: Round,
  u32: Uint32Array,
  output: number,
  starts: number,
  rowsOf: number,
  valuesOf: number,
  gradient: number,
  inputs: number,
  width: number,
  start: Start,
  sums: FloatArray,
): void {
  for (let p = 0; p < inputs; p++) {
    const row = output + p * width;
    const last = u32[starts + p + 1];
    if (start === Start.zero) for (let j = 0; j < width; j++) f[row + j] = 0;
    for (let e = u32[starts + p]; e < last; ) {
      const limit =
        start === Start.add ? (Math.floor(u32[rowsOf + e] / SUM_BLOCK) + 1) * SUM_BLOCK : Infinity;
      for (let j = 0; j < width; j++) sums[j] = 0;
      for (; e < last && u32[rowsOf + e] < limit; e++) {
        const x = f[valuesOf + e];
        const d = gradient + u32[rowsOf + e] * width;
        for (let j = 0; j < width; j++) sums[j] += round(x * f[d + j]);
      }
      for (let j = 0; j < width; j++) f[row + j] += sums[j];
    }
  }
}
