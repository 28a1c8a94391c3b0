// The twin of assembly/curves.ts, function by function, where the formulas are explained. It computes in float64 for both
// element types: what is stored in a Float32Array is rounded then.

import { Curve } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { exp64, log64, sigmoid64, tanh64 } from "./math.js";

function softplus(x: number): number {
  const w = exp64(-Math.abs(x));
  const u = w + 1;
  return Math.max(x, 0) + (log64(u) + (w - (u - 1)) / u);
}

function gaussian(a: number): number {
  const shifted = a * 134217729;
  const high = shifted - (shifted - a);
  const square = a * a;
  const low = high * high - square + (a - high) * (a + high);
  const e = exp64(square * -0.5);
  return e - e * (low * 0.5);
}

const NUMERATOR = [
  1.3993048118643565e-6, 3.757916535870989e-5, 0.0004941506706428816, 0.004115983017212425,
  0.023751350888201746, 0.0981308959658345, 0.2903132931433541, 0.5954446719693803, 0.7758577209030002, 0.5,
];
const DENOMINATOR = [
  3.5075370062550256e-6, 9.419699842335464e-5, 0.0012421595801411335, 0.010411436397331716,
  0.06076744505109421, 0.2561065130662715, 0.7848013162542371, 1.718839864814702, 2.5655989100829704,
  2.349600002608859, 1,
];

const horner = (coefficients: number[], a: number) => coefficients.reduce((sum, next) => sum * a + next);

function cumulative(x: number, a: number): number {
  const tail = gaussian(a) * (horner(NUMERATOR, a) / horner(DENOMINATOR, a));
  return x < 0 ? tail : 1 - tail;
}

const relu6 = (x: number) => Math.min(Math.max(x, 0), 6);
const clamp = (x: number) => Math.max(Math.min(x, 1000), -1000);

const CUBIC = 0.07135481627260025;
const SELU = 1.0507009873554805;

const bend = (x: number, cubic: number) => 1.5957691216057308 + cubic * (x * x);

/** f(x), with the parameter p. */
function valueAt(kind: Curve, x: number, p: number): number {
  switch (kind) {
    case Curve.leakyRelu:
    case Curve.prelu:
      return x > 0 ? x : x * p;
    case Curve.elu:
    case Curve.selu:
    case Curve.celu: {
      const t = tanh64((kind === Curve.celu ? x / p : x) * 0.5);
      const y = x > 0 ? x : p * ((t + t) / (1 - t));
      return kind === Curve.selu ? y * SELU : y;
    }
    case Curve.gelu:
      return x * cumulative(x, Math.abs(clamp(x)));
    case Curve.geluTanh: {
      const c = clamp(x);
      return x * sigmoid64(c * bend(c, CUBIC));
    }
    case Curve.silu:
      return x * sigmoid64(x);
    case Curve.mish:
      return x * tanh64(softplus(x));
    case Curve.softplus:
      return softplus(x);
    case Curve.softsign:
      return x / (1 + Math.abs(x));
    case Curve.relu6:
      return relu6(x);
    default: {
      const y = relu6(x + 3);
      return (kind === Curve.hardSwish ? x * y : y) / 6;
    }
  }
}

/** f'(x), with the parameter p; of leakyRelu, relu6 and exponential from x = their output. */
function slopeAt(kind: Curve, x: number, p: number): number {
  switch (kind) {
    case Curve.leakyRelu:
    case Curve.prelu:
      return x > 0 ? 1 : p;
    case Curve.preluSlope:
      return Math.min(x, 0);
    case Curve.elu:
    case Curve.selu:
    case Curve.celu: {
      const slope = x > 0 ? 1 : kind === Curve.celu ? exp64(x / p) : exp64(x) * p;
      return kind === Curve.selu ? slope * SELU : slope;
    }
    case Curve.gelu: {
      const c = clamp(x);
      const a = Math.abs(c);
      return cumulative(x, a) + c * (gaussian(a) * 0.3989422804014327);
    }
    case Curve.geluTanh:
    case Curve.silu: {
      const c = clamp(x);
      const bent = kind === Curve.geluTanh;
      const s = sigmoid64(bent ? c * bend(c, CUBIC) : c);
      const rest = c * (1 - s);
      return s * (1 + (bent ? rest * bend(c, 3 * CUBIC) : rest));
    }
    case Curve.mish: {
      const t = tanh64(softplus(x));
      return t + x * ((1 - t * t) * sigmoid64(x));
    }
    case Curve.softplus:
      return sigmoid64(x);
    case Curve.softsign: {
      const r = 1 / (1 + Math.abs(x));
      return r * r;
    }
    case Curve.relu6:
      return x > 0 && x < 6 ? 1 : 0;
    case Curve.exponential:
      return x;
    default: {
      const within = Math.abs(x) < 3;
      if (kind === Curve.hardSigmoid) return within ? 1 / 6 : 0;
      return within ? x / 3 + 0.5 : x > 0 ? 1 : 0;
    }
  }
}

/** y = f(x), or, with dy, y = dy * f'(x), over n elements; `cell` is the parameter, `row` where that of prelu is. */
export function curve(
  f: FloatArray,
  kind: Curve,
  y: number,
  dy: number | undefined,
  x: number,
  n: number,
  width: number,
  cell: number,
  row: number,
): void {
  for (let i = 0; i < n; i++) {
    const p = kind === Curve.prelu ? f[row + (i % width)] : cell;
    f[y + i] = dy === undefined ? valueAt(kind, f[x + i], p) : f[dy + i] * slopeAt(kind, f[x + i], p);
  }
}

/** Row by row y = logSoftmax(x), or, with dy, from x, the output of that, y = dy - exp(x) sum(dy). */
export function logSoftmax(
  f: FloatArray,
  y: number,
  dy: number | undefined,
  x: number,
  rows: number,
  width: number,
): void {
  for (let r = 0; r < rows; r++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < width; j++) largest = Math.max(largest, f[x + j]);
    const sums = [0, 0];
    for (let j = 0; j < width; j++) sums[j & 1] += dy === undefined ? exp64(f[x + j] - largest) : f[dy + j];
    const sum = sums[0] + sums[1];
    const total = log64(sum);
    for (let j = 0; j < width; j++)
      f[y + j] = dy === undefined ? f[x + j] - largest - total : f[dy + j] - exp64(f[x + j]) * sum;
    x += width;
    y += width;
    if (dy !== undefined) dy += width;
  }
}
