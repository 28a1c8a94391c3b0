// Steps of the optimizers: see assembly/optimizers.ts for the formulas.

import { Rate, Setting, SQUARES_CHUNK, Variant } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import type { Round } from "./round.js";

/** What an update works on: elements of `f`, and cells. */
export interface Flat {
  f: FloatArray;
  round: Round;
  w: number;
  g: number;
  first: number;
  second: number;
  third: number;
  n: number;
  factor: number;
  variant: Variant;
}

/** The cells of rates and settings, rounded, and what makes the gradient of them. */
function open({ f, round, w, g, factor }: Flat, f64: Float64Array, rates: number, settings: number) {
  const rate = (index: Rate) => round(f64[rates + index]);
  const setting = (index: Setting) => round(f64[settings + index]);
  const weightDecay = setting(Setting.weightDecay);
  const factors = round(factor);
  return {
    rate,
    decay1: setting(Setting.decay1),
    share1: setting(Setting.share1),
    decay2: setting(Setting.decay2),
    share2: setting(Setting.share2),
    gradient: (i: number) => round(round(weightDecay * f[w + i]) + round(factors * f[g + i])),
  };
}

function sign(x: number): number {
  return (x === 0 ? 0 : x < 0 ? -1 : 1) + (x - x);
}

/** x to a multiple of 2^-952, or in f32 of 2^-103. */
function flusher(f: FloatArray, round: Round): (x: number) => number {
  const large = f instanceof Float64Array ? 2 ** -900 : 2 ** -80;
  return (x) => round(round(x + large) - large);
}

export function momentum(flat: Flat, f64: Float64Array, rates: number, settings: number): void {
  const { f, round, w, first: v, n, variant } = flat;
  const { rate, decay1, gradient } = open(flat, f64, rates, settings);
  const step = rate(Rate.rate);
  for (let i = 0; i < n; i++) {
    const g = gradient(i);
    const velocity = round(round(decay1 * f[v + i]) + g);
    f[v + i] = velocity;
    const direction = variant & Variant.nesterov ? round(round(decay1 * velocity) + g) : velocity;
    f[w + i] += round(step * direction);
  }
}

/** Also adam, which is the variant `mean` of it. */
export function adaptive(flat: Flat, f64: Float64Array, rates: number, settings: number): void {
  const { f, round, w, first, second, third, n, variant } = flat;
  const { rate, decay1, share1, decay2, share2, gradient } = open(flat, f64, rates, settings);
  const step = rate(Rate.rate);
  const epsilon = rate(Rate.epsilon);
  const keep = rate(Rate.keep);
  const flush = flusher(f, round);
  for (let i = 0; i < n; i++) {
    const g = gradient(i);
    let direction = g;
    if (variant & Variant.sign) {
      const before = f[first + i];
      direction = sign(round(round(decay1 * before) + round(share1 * g)));
      f[first + i] = flush(round(round(decay2 * before) + round(share2 * g)));
    } else {
      let square = round(round(decay2 * f[second + i]) + round(share2 * round(g * g)));
      f[second + i] = square;
      if (variant & Variant.centered) {
        const mean = flush(round(round(decay2 * f[third + i]) + round(share2 * g)));
        f[third + i] = mean;
        square = Math.max(0, round(square - round(mean * mean)));
      }
      if (variant & Variant.maximum) {
        square = Math.max(f[third + i], square);
        f[third + i] = square;
      }
      if (variant & Variant.mean) {
        direction = flush(round(round(decay1 * f[first + i]) + round(share1 * g)));
        f[first + i] = direction;
      }
      direction = round(direction / round(round(Math.sqrt(square)) + epsilon));
      if (variant & Variant.velocity) {
        direction = flush(round(round(decay1 * f[first + i]) + direction));
        f[first + i] = direction;
      }
    }
    f[w + i] = round(step * direction) + round(keep * f[w + i]);
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
  const [l1s, l2s, limits] = [round(l1), round(l2), round(limit)];
  for (let i = 0; i < n; i++) {
    const sum = round(round(l1s * sign(f[w + i])) + f[g + i]);
    f[g + i] = Math.min(Math.max(round(round(l2s * f[w + i]) + sum), -limits), limits);
  }
}

export function squares(f: FloatArray, f64: Float64Array, sums: number, x: number, n: number): void {
  for (let from = 0; from < n; from += SQUARES_CHUNK) {
    const to = Math.min(n, from + SQUARES_CHUNK);
    const whole = to - ((to - from) % 8);
    const s = new Float64Array(8);
    for (let i = from; i < whole; i++) s[(i - from) % 8] += f[x + i] * f[x + i];
    const even = s[0] + s[2] + (s[4] + s[6]);
    let sum = even + (s[1] + s[3] + (s[5] + s[7]));
    for (let i = whole; i < to; i++) sum += f[x + i] * f[x + i];
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
  const limits = round(limit);
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let r = 0; r < rows; r++) {
      const value = f[x + r * columns + j];
      sum = round(round(value * value) + sum);
    }
    const norm = round(Math.sqrt(sum));
    const factor = norm > limits ? round(limits / round(norm + round(1e-7))) : 1;
    for (let r = 0; r < rows; r++) f[x + r * columns + j] *= factor;
  }
}
