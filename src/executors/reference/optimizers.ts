// Steps of the optimizers: see assembly/optimizers.ts for the formulas.

import { Op, SQUARES_CHUNK, Variant } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import type { Round } from "./round.js";

type Multiplied = (a: number, b: number, c: number) => number;

const multiplyAdd =
  (round: Round): Multiplied =>
  (a, b, c) =>
    round(round(a * b) + c);

function sign(x: number): number {
  return (x === 0 ? 0 : x < 0 ? -1 : 1) + (x - x);
}

/** momentum() as well as adam(), which is the variant `mean`, and adaptive(). */
export function update(
  f: FloatArray,
  round: Round,
  op: Op,
  [w, g, first, second, third]: number[],
  n: number,
  rates: Float64Array,
  settings: Float64Array,
  factor: number,
  variant: Variant,
): void {
  const madd = multiplyAdd(round);
  const [rate, epsilon, keep] = rates.map(round);
  const [weightDecay, decay1, share1, decay2, share2] = settings.map(round);
  const factors = round(factor);
  const large = f instanceof Float64Array ? 2 ** -900 : 2 ** -80;
  /** cell = decay * cell + added */
  const decayed = (at: number, decay: number, added: number) => {
    const sum = madd(decay, f[at], added);
    f[at] = op === Op.momentum ? sum : round(sum + large) - large;
    return f[at];
  };
  for (let i = 0; i < n; i++) {
    const parameter = f[w + i];
    const gradient = madd(weightDecay, parameter, round(factors * f[g + i]));
    let direction = gradient;
    if (op === Op.momentum) {
      direction = decayed(first + i, decay1, gradient);
      if (variant & Variant.nesterov) direction = madd(decay1, direction, gradient);
      f[w + i] = madd(rate, direction, parameter);
      continue;
    }
    if (variant & Variant.sign) {
      direction = sign(madd(decay1, f[first + i], round(share1 * gradient)));
      decayed(first + i, decay2, round(share2 * gradient));
    } else {
      let square = madd(decay2, f[second + i], round(share2 * round(gradient * gradient)));
      f[second + i] = square;
      if (variant & Variant.centered) {
        const mean = decayed(third + i, decay2, round(share2 * gradient));
        square = Math.max(0, round(square - round(mean * mean)));
      }
      if (variant & Variant.maximum) square = f[third + i] = Math.max(f[third + i], square);
      if (variant & Variant.mean) direction = decayed(first + i, decay1, round(share1 * gradient));
      direction = round(direction / round(round(Math.sqrt(square)) + epsilon));
      if (variant & Variant.velocity) direction = decayed(first + i, decay1, direction);
    }
    f[w + i] = madd(rate, direction, round(keep * parameter));
  }
}

export function adjust(
  f: FloatArray,
  round: Round,
  g: number,
  w: number,
  n: number,
  l1: number,
  l2: number,
  limit: number,
): void {
  const madd = multiplyAdd(round);
  for (let i = 0; i < n; i++) {
    const sum = madd(round(l2), f[w + i], madd(round(l1), sign(f[w + i]), f[g + i]));
    f[g + i] = Math.min(Math.max(sum, -round(limit)), round(limit));
  }
}

export function squares(f: FloatArray, f64: Float64Array, sums: number, x: number, n: number): void {
  for (let from = 0; from < n; from += SQUARES_CHUNK) {
    const length = Math.min(n - from, SQUARES_CHUNK);
    const whole = length - (length % 4);
    const square = (i: number) => f[x + from + i] * f[x + from + i];
    const s = [0, 0, 0, 0];
    for (let i = 0; i < whole; i++) s[i % 4] += square(i);
    let sum = s[0] + s[2] + (s[1] + s[3]);
    for (let i = whole; i < length; i++) sum += square(i);
    f64[sums + from / SQUARES_CHUNK] = sum;
  }
}

export function clipFactor(f64: Float64Array, factor: number, sums: number, n: number, limit: number): void {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += f64[sums + i];
  const norm = Math.sqrt(sum);
  f64[factor] = Math.min(1, limit / (norm + 1e-6)) + (norm - norm);
}

export function maxNorm(
  f: FloatArray,
  round: Round,
  x: number,
  rows: number,
  columns: number,
  limit: number,
): void {
  const madd = multiplyAdd(round);
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum = madd(f[x + r * columns + j], f[x + r * columns + j], sum);
    const norm = round(Math.sqrt(sum));
    const factor = norm > round(limit) ? round(round(limit) / round(norm + round(1e-7))) : 1;
    for (let r = 0; r < rows; r++) f[x + r * columns + j] *= factor;
  }
}
