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

function gaussian(x: number): number {
  const a = Math.min(Math.abs(x), 1000);
  const shifted = a * 134217729;
  const high = shifted - (shifted - a);
  const square = a * a;
  const low = high * high - square + (a - high) * (a + high);
  const e = exp64(square * -0.5);
  return e - e * (low * 0.5);
}

const NUMERATOR = [
  2.0515219155435792e-5, 0.0004591892188224045, 0.0048391390600926055, 0.030877813906686747,
  0.12865434890201388, 0.3519513146294159, 0.593717171419749, 0.5,
];
const DENOMINATOR = [
  5.142404626575894e-5, 0.001151015519180765, 0.01218138296719875, 0.07854949722166127, 0.33452604460102275,
  0.9571947945450429, 1.7879579307461526, 1.9853189036423309, 1,
];

const horner = (coefficients: number[], a: number) => coefficients.reduce((sum, next) => sum * a + next);

function cumulative(x: number): number {
  const a = Math.min(Math.abs(x), 1000);
  const tail = gaussian(x) * (horner(NUMERATOR, a) / horner(DENOMINATOR, a));
  return x < 0 ? tail : 1 - tail;
}

const relu6 = (x: number) => Math.min(Math.max(x, 0), 6);
const clamp = (x: number) => Math.max(Math.min(x, 1000), -1000);

const CUBIC = 0.07135481627260025;
const SELU = 1.0507009873554805;

const bend = (x: number, cubic: number) => 1.5957691216057308 + cubic * (x * x);

/** f(x), with the parameter p, or the gate that f(x) is x times. */
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
    case Curve.softplus:
      return softplus(x);
    case Curve.softsign:
      return x / (1 + Math.abs(x));
    case Curve.relu6:
      return relu6(x);
    case Curve.gelu:
      return cumulative(x);
    case Curve.geluTanh:
      return sigmoid64(clamp(x) * bend(clamp(x), CUBIC));
    case Curve.silu:
      return sigmoid64(x);
    case Curve.mish:
      return tanh64(softplus(x));
    default:
      return relu6(x + 3) / 6;
  }
}

/** f'(x), with the parameter p, or the derivative of the gate y. */
function slopeAt(kind: Curve, x: number, p: number, y: number): number {
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
    case Curve.gelu:
      return gaussian(x) * 0.3989422804014327;
    case Curve.geluTanh:
      return y * (1 - y) * bend(clamp(x), 3 * CUBIC);
    case Curve.silu:
      return y * (1 - y);
    case Curve.mish:
      return (1 - y * y) * sigmoid64(x);
    default:
      return y > 0 && y < 1 ? 1 / 6 : 0;
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
  const gated = kind >= Curve.hardSwish;
  for (let i = 0; i < n; i++) {
    const p = kind === Curve.prelu ? f[row + (i % width)] : cell;
    const input = f[x + i];
    const value = valueAt(kind, input, p);
    if (dy === undefined) {
      f[y + i] = gated ? input * value : value;
    } else {
      const slope = slopeAt(kind, input, p, value);
      f[y + i] = f[dy + i] * (gated ? value + input * slope : slope);
    }
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
