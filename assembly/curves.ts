// The activations that are no epilogues of products: one loop for all, in which each vector chooses what to compute. They
// cost a call and a branch or two for each vector more than those of activations.ts, and a fraction of the download. They
// compute in f64 also for f32, rounding what they load and store: one copy of all, and results that are rounded once.
//
// The derivatives read the input of their forward, except those of leakyRelu, relu6 and exponential: these read its
// output, which tells the slope exactly.

import { horizontalMax, horizontalSum, madd } from "./lanes";
import { expOf, logOf, sigmoidOf, tanhOf } from "./math";
import { Curve } from "./ops";

/** log(1 + exp(x)) = max(x, 0) + log(u) + (w - (u - 1)) / u, w = exp(-|x|), u = 1 + w rounded: no digit of w is lost. */
function softplus(x: v128): v128 {
  const one = f64x2.splat(1);
  const w = expOf<f64>(f64x2.neg(f64x2.abs(x)));
  const u = f64x2.add(w, one);
  const lost = f64x2.div(f64x2.sub(w, f64x2.sub(u, one)), u);
  return f64x2.add(f64x2.max(x, f64x2.splat(0)), f64x2.add(logOf<f64>(u), lost));
}

/** exp(-x^2 / 2). The square is taken in two parts (Dekker 1971), for exp would magnify its rounding. */
function gaussian(x: v128): v128 {
  // Beyond, it is 0.
  const a = f64x2.min(f64x2.abs(x), f64x2.splat(1000));
  const shifted = f64x2.mul(a, f64x2.splat(134217729));
  const high = f64x2.sub(shifted, f64x2.sub(shifted, a));
  const square = f64x2.mul(a, a);
  const low = f64x2.add(
    f64x2.sub(f64x2.mul(high, high), square), f64x2.mul(f64x2.sub(a, high), f64x2.add(a, high)),
  );
  const e = expOf<f64>(f64x2.mul(square, f64x2.splat(-0.5)));
  return f64x2.sub(e, f64x2.mul(e, f64x2.mul(low, f64x2.splat(0.5))));
}

/**
 * Coefficients of the rational function that is erfc(a / sqrt(2)) exp(a^2 / 2) / 2 for a >= 0: pairs of numerator and
 * denominator, from the highest power down. Own fit, in Chebyshev nodes of (a - 4.25) / (a + 4.25) up to a = 6.5, where
 * its relative error is 2.7e-16. Beyond, where tails are below 4e-11, it grows: 6e-13 up to 8, 2e-10 up to 12, 3e-8 up to
 * 37. All are positive, so nothing cancels.
 */
const TAIL = memory.data<f64>([
  0.0, 5.142404626575894e-05, // 0000000000000000 3f0af604c6882d74
  2.0515219155435792e-05, 0.001151015519180765, // 3ef58303201fd83e 3f52dbb580c5c09b
  0.0004591892188224045, 0.01218138296719875, // 3f3e17eaad71d215 3f88f28d8bb69ecc
  0.0048391390600926055, 0.07854949722166127, // 3f73d234800ff312 3fb41bd1e1af2cd8
  0.030877813906686747, 0.33452604460102275, // 3f9f9e6f039ad27d 3fd568dfed4e2f30
  0.12865434890201388, 0.9571947945450429, // 3fc077bee682db7c 3feea156fa4f1de3
  0.3519513146294159, 1.7879579307461526, // 3fd6865ece8785e7 3ffc9b79c672db60
  0.593717171419749, 1.9853189036423309, // 3fe2ffbb274a494d 3fffc3ddc13463e3
  0.5, 1.0,
]);

/**
 * The normal distribution's cumulative function, (1 + erf(x / sqrt(2))) / 2: gaussian(x) times a rational function is the
 * tail, which so keeps its digits. Error of x cumulative(x), which is gelu: 2.4 ulp above 0, 5 ulp from -6.5 to 0, and
 * below what the rational function has.
 */
function cumulative(x: v128): v128 {
  const a = f64x2.min(f64x2.abs(x), f64x2.splat(1000));
  let table = TAIL;
  const end = table + 18 * 8;
  let numerator = f64x2.splat(0);
  let denominator = f64x2.splat(0);
  for (; table < end; table += 16) {
    numerator = madd<f64>(numerator, a, v128.load64_splat(table));
    denominator = madd<f64>(denominator, a, v128.load64_splat(table, 8));
  }
  const tail = f64x2.mul(gaussian(x), f64x2.div(numerator, denominator));
  return v128.bitselect(tail, f64x2.sub(f64x2.splat(1), tail), f64x2.lt(x, f64x2.splat(0)));
}

/** min(max(x, 0), 6) */
// @ts-ignore: decorator
@inline function relu6(x: v128): v128 {
  return f64x2.min(f64x2.max(x, f64x2.splat(0)), f64x2.splat(6));
}

/** Beyond +-1000 what goes through here is straight; its powers must not overflow. */
// @ts-ignore: decorator
@inline function clamp(x: v128): v128 {
  return f64x2.max(f64x2.min(x, f64x2.splat(1000)), f64x2.splat(-1000));
}

// 2 sqrt(2 / pi), and that times 0.044715: the argument of geluTanh's sigmoid is x (LINEAR + CUBIC x^2).
// @ts-ignore: decorator
@inline const LINEAR: f64 = 1.5957691216057308;
// @ts-ignore: decorator
@inline const CUBIC: f64 = 0.07135481627260025;
/** 1 / sqrt(2 pi) */
// @ts-ignore: decorator
@inline const DENSITY: f64 = 0.3989422804014327;
/** The scale of selu; its alpha is the parameter. */
// @ts-ignore: decorator
@inline const SELU: f64 = 1.0507009873554805;

/** LINEAR + cubic x^2 */
// @ts-ignore: decorator
@inline function bend(x: v128, cubic: f64): v128 {
  return f64x2.add(f64x2.splat(LINEAR), f64x2.mul(f64x2.splat(cubic), f64x2.mul(x, x)));
}

/** f(x), with the parameter p, or the gate that f(x) is x times. */
function valueAt(kind: Curve, x: v128, p: v128): v128 {
  const one = f64x2.splat(1);
  const above = f64x2.gt(x, f64x2.splat(0));
  switch (kind) {
    case Curve.leakyRelu:
    case Curve.prelu:
      return v128.bitselect(x, f64x2.mul(x, p), above);
    case Curve.elu:
    case Curve.selu:
    case Curve.celu: {
      // p (exp(z) - 1) = p (2 t / (1 - t)), t = tanh(z / 2): no digit of a small z is lost.
      const z = kind == Curve.celu ? f64x2.div(x, p) : x;
      const t = tanhOf<f64>(f64x2.mul(z, f64x2.splat(0.5)));
      const low = f64x2.mul(p, f64x2.div(f64x2.add(t, t), f64x2.sub(one, t)));
      const y = v128.bitselect(x, low, above);
      return kind == Curve.selu ? f64x2.mul(y, f64x2.splat(SELU)) : y;
    }
    case Curve.softplus: return softplus(x);
    case Curve.softsign: return f64x2.div(x, f64x2.add(one, f64x2.abs(x)));
    case Curve.relu6: return relu6(x);
    case Curve.gelu: return cumulative(x);
    case Curve.geluTanh:
      x = clamp(x);
      x = f64x2.mul(x, bend(x, CUBIC));
    case Curve.silu: return sigmoidOf<f64>(x);
    case Curve.mish: return tanhOf<f64>(softplus(x));
    default: return f64x2.div(relu6(f64x2.add(x, f64x2.splat(3))), f64x2.splat(6));
  }
}

/**
 * f'(x), with the parameter p; of leakyRelu, relu6 and exponential from x = their output. Or the derivative of the gate
 * `y`; that of hardSigmoid reads y, too.
 */
function slopeAt(kind: Curve, x: v128, p: v128, y: v128): v128 {
  const zero = f64x2.splat(0);
  const one = f64x2.splat(1);
  const above = f64x2.gt(x, zero);
  switch (kind) {
    case Curve.leakyRelu:
    case Curve.prelu:
      return v128.bitselect(one, p, above);
    case Curve.preluSlope: return f64x2.min(x, zero);
    case Curve.elu:
    case Curve.selu:
    case Curve.celu: {
      const e = kind == Curve.celu ? expOf<f64>(f64x2.div(x, p)) : f64x2.mul(expOf<f64>(x), p);
      const slope = v128.bitselect(one, e, above);
      return kind == Curve.selu ? f64x2.mul(slope, f64x2.splat(SELU)) : slope;
    }
    case Curve.softplus: return sigmoidOf<f64>(x);
    case Curve.softsign: {
      const r = f64x2.div(one, f64x2.add(one, f64x2.abs(x)));
      return f64x2.mul(r, r);
    }
    case Curve.relu6: return v128.and(one, v128.and(above, f64x2.lt(x, f64x2.splat(6))));
    case Curve.exponential: return x;
    case Curve.gelu: return f64x2.mul(gaussian(x), f64x2.splat(DENSITY));
    case Curve.geluTanh:
    case Curve.silu: {
      const slope = f64x2.mul(y, f64x2.sub(one, y));
      return kind == Curve.silu ? slope : f64x2.mul(slope, bend(clamp(x), 3 * CUBIC));
    }
    // tanh(softplus(x))' = (1 - y^2) sigmoid(x)
    case Curve.mish: return f64x2.mul(f64x2.sub(one, f64x2.mul(y, y)), sigmoidOf<f64>(x));
    default:
      return v128.and(f64x2.splat(1.0 / 6.0), v128.and(f64x2.gt(y, zero), f64x2.lt(y, one)));
  }
}

/** f(x), or, by a gradient d, d f'(x). */
function curveAt(kind: Curve, x: v128, p: v128, backward: bool, d: v128): v128 {
  const gated = kind >= Curve.hardSwish;
  let y = x;
  if (!backward || kind >= Curve.hardSigmoid) y = valueAt(kind, x, p);
  if (!backward) return gated ? f64x2.mul(x, y) : y;
  const slope = slopeAt(kind, x, p, y);
  return f64x2.mul(d, gated ? f64x2.add(y, f64x2.mul(x, slope)) : slope);
}

/** Two elements from `pointer` on, as f64. At the end of a row the second may be what lies behind it. */
function loadPair(pointer: usize, wide: bool): v128 {
  return wide ? v128.load(pointer) : f64x2.promote_low_f32x4(v128.load64_zero(pointer));
}

/** Stores two elements, or one if there is room for `bytes` more only. */
function storePair(pointer: usize, x: v128, bytes: usize, wide: bool): void {
  if (!wide) {
    x = f32x4.demote_f64x2_zero(x);
    if (bytes < 8) v128.store32_lane(pointer, x, 0);
    else v128.store64_lane(pointer, x, 0);
  } else if (bytes < 16) {
    v128.store64_lane(pointer, x, 0);
  } else {
    v128.store(pointer, x);
  }
}

/**
 * y = f(x), or, if dy is not 0, y = dy * f'(x), over rows of `bytes` bytes; see CurveOf in ops.ts. In place allowed.
 * wide: whether elements are f64.
 */
export function curve(
  kind: Curve, y: usize, dy: usize, x: usize, rows: usize, bytes: usize, parameter: usize, wide: bool,
): void {
  const own = kind == Curve.prelu;
  let p = f64x2.splat(0);
  if (!own) {
    // One row of all.
    if (parameter) p = v128.load64_splat(parameter);
    bytes *= rows;
    rows = 1;
  }
  for (; rows; rows--) {
    for (let i: usize = 0; i < bytes; i += wide ? 16 : 8) {
      if (own) p = loadPair(parameter + i, wide);
      const d = dy ? loadPair(dy + i, wide) : p;
      storePair(y + i, curveAt(kind, loadPair(x + i, wide), p, dy != 0, d), bytes - i, wide);
    }
    x += bytes;
    y += bytes;
    if (dy) dy += bytes;
  }
}

/**
 * For each row of `bytes` bytes y = z - log(sum exp(z)), z = x - max(x); or, if dy is not 0, from x, the output of that,
 * y = dy - exp(x) sum(dy). A sum adds the even elements, the odd ones, and the two. In place allowed.
 */
export function logSoftmax(y: usize, dy: usize, x: usize, rows: usize, bytes: usize, wide: bool): void {
  const step: usize = wide ? 16 : 8;
  for (; rows; rows--) {
    let largest = f64x2.splat(-Infinity);
    let sum = f64x2.splat(0);
    if (!dy) {
      for (let i: usize = 0; i < bytes; i += step) {
        largest = f64x2.max(largest, only(loadPair(x + i, wide), largest, bytes - i, step));
      }
      largest = horizontalMax<f64>(largest);
    }
    for (let i: usize = 0; i < bytes; i += step) {
      const term = dy ? loadPair(dy + i, wide) : expOf<f64>(f64x2.sub(loadPair(x + i, wide), largest));
      sum = f64x2.add(sum, only(term, f64x2.splat(0), bytes - i, step));
    }
    sum = horizontalSum<f64>(sum);
    if (!dy) sum = logOf<f64>(sum);
    for (let i: usize = 0; i < bytes; i += step) {
      let result = loadPair(x + i, wide);
      result = dy
        ? f64x2.sub(loadPair(dy + i, wide), f64x2.mul(expOf<f64>(result), sum))
        : f64x2.sub(f64x2.sub(result, largest), sum);
      storePair(y + i, result, bytes - i, wide);
    }
    x += bytes;
    y += bytes;
    if (dy) dy += bytes;
  }
}

/** Two elements, or, if there is only one more in the row, that and the second of `other`. */
// @ts-ignore: decorator
@inline function only(x: v128, other: v128, bytes: usize, step: usize): v128 {
  return bytes < step ? v128.shuffle<u64>(x, other, 0, 3) : x;
}
