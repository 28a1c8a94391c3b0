// The activations that are no epilogues of products: one loop for all, in which each vector chooses what to compute. They
// cost a call and a branch or two for each vector more than those of activations.ts, and a fraction of the download. They
// compute in f64 also for f32, rounding what they load and store: one copy of all, and results that are rounded once.
//
// The derivatives read the input of their forward, except those of leakyRelu, relu6 and exponential: these read its
// output, which tells the slope exactly.

import { horizontalMax, horizontalSum, madd } from "./lanes";
import { exp, log, sigmoid, tanh } from "./math";
import { Curve } from "./ops";

// Each of these is some hundred bytes long: here they are called.
function expOf(x: v128): v128 { return exp<f64>(x); }
function logOf(x: v128): v128 { return log<f64>(x); }
function tanhOf(x: v128): v128 { return tanh<f64>(x); }
function sigmoidOf(x: v128): v128 { return sigmoid<f64>(x); }

/** log(1 + exp(x)) = max(x, 0) + log(u) + (w - (u - 1)) / u, w = exp(-|x|), u = 1 + w rounded: no digit of w is lost. */
function softplus(x: v128): v128 {
  const one = f64x2.splat(1);
  const w = expOf(f64x2.neg(f64x2.abs(x)));
  const u = f64x2.add(w, one);
  const lost = f64x2.div(f64x2.sub(w, f64x2.sub(u, one)), u);
  return f64x2.add(f64x2.max(x, f64x2.splat(0)), f64x2.add(logOf(u), lost));
}

/** exp(-a^2 / 2), 0 <= a <= 1000. The square is taken in two parts (Dekker 1971), for exp would magnify its rounding. */
function gaussian(a: v128): v128 {
  const shifted = f64x2.mul(a, f64x2.splat(134217729));
  const high = f64x2.sub(shifted, f64x2.sub(shifted, a));
  const square = f64x2.mul(a, a);
  const low = f64x2.add(
    f64x2.sub(f64x2.mul(high, high), square), f64x2.mul(f64x2.sub(a, high), f64x2.add(a, high)),
  );
  const e = expOf(f64x2.mul(square, f64x2.splat(-0.5)));
  return f64x2.sub(e, f64x2.mul(e, f64x2.mul(low, f64x2.splat(0.5))));
}

/**
 * Coefficients of the rational function that is erfc(a / sqrt(2)) exp(a^2 / 2) / 2 for a >= 0: pairs of numerator and
 * denominator, from the highest power down. Own fit, in Chebyshev nodes of (a - 4) / (a + 4) up to a = 39; relative error
 * 1.3e-16. All are positive, so nothing cancels.
 */
const TAIL = memory.data<f64>([
  0.0, 3.5075370062550256e-06, // 0000000000000000 3ecd6c60dc92ddeb
  1.3993048118643565e-06, 9.419699842335464e-05, // 3eb779f7e954a414 3f18b1741c45b5b5
  3.757916535870989e-05, 0.0012421595801411335, // 3f03b3ca4a3130a8 3f5459feb17ac934
  0.0004941506706428816, 0.010411436397331716, // 3f40313c7c1f614c 3f85529756a5bb5e
  0.004115983017212425, 0.06076744505109421, // 3f70dbebc732752b 3faf1ce91a4fd59f
  0.023751350888201746, 0.2561065130662715, // 3f9852462d33dcd2 3fd0640c927a6206
  0.0981308959658345, 0.7848013162542371, // 3fb91f1b3ce68313 3fe91d17a6656e32
  0.2903132931433541, 1.718839864814702, // 3fd2947e34e943dc 3ffb805e3ae70b16
  0.5954446719693803, 2.5655989100829704, // 3fe30de1fc15f331 40048658b8abad44
  0.7758577209030002, 2.349600002608859, // 3fe8d3d392341454 4002cbfb160f17af
  0.5, 1.0,
]);

/**
 * The normal distribution's cumulative function, (1 + erf(x / sqrt(2))) / 2, a = min(|x|, 1000): gaussian(a) times a
 * rational function is the tail, which so keeps its digits. Error of x cumulative(x): 2 ulp above 0, 7 ulp down to -30.
 */
function cumulative(x: v128, a: v128): v128 {
  let table = TAIL;
  const end = table + 22 * 8;
  let numerator = f64x2.splat(0);
  let denominator = f64x2.splat(0);
  for (; table < end; table += 16) {
    numerator = madd<f64>(numerator, a, v128.load64_splat(table));
    denominator = madd<f64>(denominator, a, v128.load64_splat(table, 8));
  }
  const tail = f64x2.mul(gaussian(a), f64x2.div(numerator, denominator));
  return v128.bitselect(tail, f64x2.sub(f64x2.splat(1), tail), f64x2.lt(x, f64x2.splat(0)));
}

/** min(max(x, 0), 6) */
// @ts-ignore: decorator
@inline function relu6(x: v128): v128 {
  return f64x2.min(f64x2.max(x, f64x2.splat(0)), f64x2.splat(6));
}

/** Beyond +-1000 the activations that go through here are straight; their powers must not overflow. */
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
/** The scale of selu; its alpha is the operand. */
// @ts-ignore: decorator
@inline const SELU: f64 = 1.0507009873554805;

/** factor (LINEAR + factorOfSquare x^2) */
// @ts-ignore: decorator
@inline function bend(x: v128, cubic: f64): v128 {
  return f64x2.add(f64x2.splat(LINEAR), f64x2.mul(f64x2.splat(cubic), f64x2.mul(x, x)));
}

/** f(x), with the parameter p. */
function valueAt(kind: Curve, x: v128, p: v128): v128 {
  const one = f64x2.splat(1);
  switch (kind) {
    case Curve.leakyRelu:
    case Curve.prelu:
      return v128.bitselect(x, f64x2.mul(x, p), f64x2.gt(x, f64x2.splat(0)));
    case Curve.elu:
    case Curve.selu:
    case Curve.celu: {
      // p (exp(z) - 1) = p (2 t / (1 - t)), t = tanh(z / 2): no digit of a small z is lost.
      const z = kind == Curve.celu ? f64x2.div(x, p) : x;
      const t = tanhOf(f64x2.mul(z, f64x2.splat(0.5)));
      const low = f64x2.mul(p, f64x2.div(f64x2.add(t, t), f64x2.sub(one, t)));
      const y = v128.bitselect(x, low, f64x2.gt(x, f64x2.splat(0)));
      return kind == Curve.selu ? f64x2.mul(y, f64x2.splat(SELU)) : y;
    }
    case Curve.gelu:
      return f64x2.mul(x, cumulative(x, f64x2.abs(clamp(x))));
    case Curve.geluTanh: {
      const c = clamp(x);
      return f64x2.mul(x, sigmoidOf(f64x2.mul(c, bend(c, CUBIC))));
    }
    case Curve.silu: return f64x2.mul(x, sigmoidOf(x));
    case Curve.mish: return f64x2.mul(x, tanhOf(softplus(x)));
    case Curve.softplus: return softplus(x);
    case Curve.softsign: return f64x2.div(x, f64x2.add(one, f64x2.abs(x)));
    case Curve.relu6: return relu6(x);
    default: {
      // hardSigmoid, hardSwish
      const y = relu6(f64x2.add(x, f64x2.splat(3)));
      return f64x2.div(kind == Curve.hardSwish ? f64x2.mul(x, y) : y, f64x2.splat(6));
    }
  }
}

/** f'(x), with the parameter p; of leakyRelu, relu6 and exponential from x = their output. */
function slopeAt(kind: Curve, x: v128, p: v128): v128 {
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
      let e = expOf(kind == Curve.celu ? f64x2.div(x, p) : x);
      if (kind != Curve.celu) e = f64x2.mul(e, p);
      const slope = v128.bitselect(one, e, above);
      return kind == Curve.selu ? f64x2.mul(slope, f64x2.splat(SELU)) : slope;
    }
    case Curve.gelu: {
      const c = clamp(x);
      const a = f64x2.abs(c);
      const density = f64x2.mul(gaussian(a), f64x2.splat(DENSITY));
      return f64x2.add(cumulative(x, a), f64x2.mul(c, density));
    }
    case Curve.geluTanh:
    case Curve.silu: {
      // (x s(v))' = s (1 + x (1 - s) v')
      const c = clamp(x);
      const bent = kind == Curve.geluTanh;
      const s = sigmoidOf(bent ? f64x2.mul(c, bend(c, CUBIC)) : c);
      let rest = f64x2.mul(c, f64x2.sub(one, s));
      if (bent) rest = f64x2.mul(rest, bend(c, 3 * CUBIC));
      return f64x2.mul(s, f64x2.add(one, rest));
    }
    case Curve.mish: {
      // t + x (1 - t^2) sigmoid(x), t = tanh(softplus(x))
      const t = tanhOf(softplus(x));
      const bow = f64x2.mul(f64x2.sub(one, f64x2.mul(t, t)), sigmoidOf(x));
      return f64x2.add(t, f64x2.mul(x, bow));
    }
    case Curve.softplus: return sigmoidOf(x);
    case Curve.softsign: {
      const r = f64x2.div(one, f64x2.add(one, f64x2.abs(x)));
      return f64x2.mul(r, r);
    }
    case Curve.relu6: return v128.and(one, v128.and(above, f64x2.lt(x, f64x2.splat(6))));
    case Curve.exponential: return x;
    default: {
      // hardSigmoid, hardSwish
      const three = f64x2.splat(3);
      const within = f64x2.lt(f64x2.abs(x), three);
      if (kind == Curve.hardSigmoid) return v128.and(f64x2.splat(1.0 / 6.0), within);
      return v128.bitselect(
        f64x2.add(f64x2.div(x, three), f64x2.splat(0.5)), v128.and(one, above), within,
      );
    }
  }
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
      let result = loadPair(x + i, wide);
      if (dy) result = f64x2.mul(loadPair(dy + i, wide), slopeAt(kind, result, p));
      else result = valueAt(kind, result, p);
      storePair(y + i, result, bytes - i, wide);
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
      const term = dy ? loadPair(dy + i, wide) : expOf(f64x2.sub(loadPair(x + i, wide), largest));
      sum = f64x2.add(sum, only(term, f64x2.splat(0), bytes - i, step));
    }
    sum = horizontalSum<f64>(sum);
    if (!dy) sum = logOf(sum);
    for (let i: usize = 0; i < bytes; i += step) {
      let result = loadPair(x + i, wide);
      result = dy
        ? f64x2.sub(loadPair(dy + i, wide), f64x2.mul(expOf(result), sum))
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
