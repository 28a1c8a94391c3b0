// Activations and their derivatives. Every backward kernel reads the OUTPUT y of its forward.

import { Op } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { exp32, exp64, log32, log64, sigmoid32, sigmoid64, tanh32, tanh64 } from "./math.js";
import type { Round } from "./round.js";

/** y = f(x) over n elements; in place allowed. */
export function activate(f: FloatArray, op: Op, y: number, x: number, n: number): void {
  const wide = f instanceof Float64Array;
  switch (op) {
    case Op.sigmoid:
      if (wide) for (let i = 0; i < n; i++) f[y + i] = sigmoid64(f[x + i]);
      else for (let i = 0; i < n; i++) f[y + i] = sigmoid32(f[x + i]);
      break;
    case Op.relu:
      for (let i = 0; i < n; i++) f[y + i] = Math.max(f[x + i], 0);
      break;
    case Op.tanh:
      if (wide) for (let i = 0; i < n; i++) f[y + i] = tanh64(f[x + i]);
      else for (let i = 0; i < n; i++) f[y + i] = tanh32(f[x + i]);
      break;
    case Op.exp:
      if (wide) for (let i = 0; i < n; i++) f[y + i] = exp64(f[x + i]);
      else for (let i = 0; i < n; i++) f[y + i] = exp32(f[x + i]);
      break;
    case Op.log:
      if (wide) for (let i = 0; i < n; i++) f[y + i] = log64(f[x + i]);
      else for (let i = 0; i < n; i++) f[y + i] = log32(f[x + i]);
      break;
    default:
      throw new Error(`opcode ${op} is not an activation`);
  }
}

/** dx = dy * f'(x) over n elements, from y = f(x); in place allowed. */
export function activateBackward(
  f: FloatArray,
  round: Round,
  op: Op,
  dx: number,
  dy: number,
  y: number,
  n: number,
): void {
  switch (op) {
    case Op.sigmoidBackward:
      for (let i = 0; i < n; i++) f[dx + i] = round(f[dy + i] * f[y + i]) * round(1 - f[y + i]);
      break;
    case Op.reluBackward:
      for (let i = 0; i < n; i++) f[dx + i] = f[y + i] > 0 ? f[dy + i] : 0;
      break;
    case Op.tanhBackward:
      for (let i = 0; i < n; i++) f[dx + i] = f[dy + i] * round(1 - round(f[y + i] * f[y + i]));
      break;
    case Op.multiply:
      for (let i = 0; i < n; i++) f[dx + i] = f[dy + i] * f[y + i];
      break;
    default:
      throw new Error(`opcode ${op} is not a derivative`);
  }
}

/** Largest of n > 0 elements. */
export function rowMax(f: FloatArray, x: number, n: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < n; j++) largest = Math.max(largest, f[x + j]);
  return largest;
}

/** y = exp(x - largest) over one row; returns the sum of y. */
export function shiftedExp(
  f: FloatArray,
  round: Round,
  y: number,
  x: number,
  n: number,
  largest: number,
): number {
  const wide = f instanceof Float64Array;
  for (let j = 0; j < n; j++) {
    const shifted = round(f[x + j] - largest);
    f[y + j] = wide ? exp64(shifted) : exp32(shifted);
  }
  return rowSum(f, round, y, n);
}

/** Sum of n elements as SIMD lanes add them: modulo the lanes first, then the lanes pairwise. */
export function rowSum(f: FloatArray, round: Round, x: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let j = 0;
  if (f instanceof Float64Array) {
    for (; j + 1 < n; j += 2) {
      s0 += f[x + j];
      s1 += f[x + j + 1];
    }
    if (j < n) s0 += f[x + j];
    return s0 + s1;
  }
  let s2 = 0;
  let s3 = 0;
  for (; j + 3 < n; j += 4) {
    s0 = round(s0 + f[x + j]);
    s1 = round(s1 + f[x + j + 1]);
    s2 = round(s2 + f[x + j + 2]);
    s3 = round(s3 + f[x + j + 3]);
  }
  if (j < n) s0 = round(s0 + f[x + j]);
  if (j + 1 < n) s1 = round(s1 + f[x + j + 1]);
  if (j + 2 < n) s2 = round(s2 + f[x + j + 2]);
  return round(round(s0 + s1) + round(s2 + s3));
}

/** y[r] = softmax(x[r]) for every row; in place allowed. */
export function softmax(
  f: FloatArray,
  round: Round,
  y: number,
  x: number,
  rows: number,
  width: number,
): void {
  if (width === 0) return;
  for (let r = 0; r < rows; r++) {
    const row = y + r * width;
    const source = x + r * width;
    divideRow(f, row, shiftedExp(f, round, row, source, width, rowMax(f, source, width)), width);
  }
}

/** y = y / divisor over n elements. */
export function divideRow(f: FloatArray, y: number, divisor: number, n: number): void {
  for (let j = 0; j < n; j++) f[y + j] /= divisor;
}

/** dx = y (dy - sum(dy y)) for every row, from y = softmax(x); `products` is scratch of >= width elements. */
export function softmaxBackward(
  f: FloatArray,
  round: Round,
  dx: number,
  dy: number,
  y: number,
  rows: number,
  width: number,
  products: FloatArray,
): void {
  for (let r = 0; r < rows; r++) {
    const row = r * width;
    for (let j = 0; j < width; j++) products[j] = f[dy + row + j] * f[y + row + j];
    const sum = rowSum(products, round, 0, width);
    for (let j = 0; j < width; j++) f[dx + row + j] = f[y + row + j] * round(f[dy + row + j] - sum);
  }
}
