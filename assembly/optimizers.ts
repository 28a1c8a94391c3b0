// Steps of the optimizers: one flat run over parameters w, gradients g and what an optimizer keeps of each, which lie
// alike; and what is done to gradients before, and to parameters after.
//
// The gradient that all of them work with is g * factor + weightDecay * w. What the letters of the formulas stand for lies
// in `rates` (Rate) and `settings` (Setting), which src/optimizers.ts fills in.

import { lanes, lanesBelow, madd, splat, storeLanes, storePartial } from "./lanes";
import { Rate, Setting, SQUARES_CHUNK, Variant } from "./ops";

/** A cell in every lane. */
// @ts-ignore: decorator
@inline function at<T>(cells: usize, index: usize): v128 {
  return splat<T>(load<f64>(cells + index * 8));
}

/** 1, -1 or 0 by the sign of x, and not a number where x is none or infinite, so that nobody overlooks it. */
// @ts-ignore: decorator
@inline function sign<T>(x: v128): v128 {
  const zero = splat<T>(0);
  const one = v128.or(v128.and(x, splat<T>(-0.0)), splat<T>(1));
  return v128.add<T>(v128.and(one, v128.ne<T>(x, zero)), v128.sub<T>(x, x));
}

/**
 * x to a multiple of 2^-952 (f32: 2^-103). A mean of gradients that are 0 from some step on would decay to subnormal
 * numbers and stay there, since rounding keeps the last ones, with which processors take a hundred times as long.
 */
// @ts-ignore: decorator
@inline function flush<T>(x: v128): v128 {
  const large = splat<T>(sizeof<T>() == 8 ? 1.1830521861667747e-271 : 8.271806125530277e-25);
  return v128.sub<T>(v128.add<T>(x, large), large);
}

/**
 * v = decay1 v + g, then w = w + rate v, or, by Nesterov, w + rate (g + decay1 v), over n elements; rate is
 * -learningRate. PyTorch's SGD without dampening (Sutskever et al. 2013, "On the importance of initialization and
 * momentum in deep learning", has the rate inside of v). Without a momentum v is g itself, which is then overwritten.
 */
export function momentum<T>(
  w: usize, g: usize, v: usize, n: usize, rates: usize, settings: usize, factor: f64, variant: Variant,
): void {
  const rate = at<T>(rates, Rate.rate);
  const decay = at<T>(settings, Setting.decay1);
  const weightDecay = at<T>(settings, Setting.weightDecay);
  const factors = splat<T>(factor);
  const nesterov = (variant & Variant.nesterov) != 0;
  for (let left = n; left; left -= lanes<T>()) {
    const old = v128.load(w);
    const gradient = madd<T>(weightDecay, old, v128.mul<T>(factors, v128.load(g)));
    const velocity = madd<T>(decay, v128.load(v), gradient);
    const result = madd<T>(rate, nesterov ? madd<T>(decay, velocity, gradient) : velocity, old);
    if (left < lanes<T>()) {
      storePartial<T>(v, velocity, left);
      storePartial<T>(w, result, left);
      return;
    }
    v128.store(v, velocity);
    v128.store(w, result);
    w += 16;
    v += 16;
    g += 16;
  }
}

/**
 * m = decay1 m + share1 g, v = decay2 v + share2 g^2, w = keep w + rate m / (sqrt(v) + epsilon). The corrections of the
 * means' bias stand in rate and epsilon: one division and one root an element are what the time goes into.
 */
export function adam<T>(
  w: usize, g: usize, m: usize, v: usize, n: usize, rates: usize, settings: usize, factor: f64,
): void {
  const rate = at<T>(rates, Rate.rate);
  const epsilon = at<T>(rates, Rate.epsilon);
  const keep = at<T>(rates, Rate.keep);
  const weightDecay = at<T>(settings, Setting.weightDecay);
  const decay1 = at<T>(settings, Setting.decay1);
  const share1 = at<T>(settings, Setting.share1);
  const decay2 = at<T>(settings, Setting.decay2);
  const share2 = at<T>(settings, Setting.share2);
  const factors = splat<T>(factor);
  // Where nothing has come yet (pixels that no image has) the step is 0, if all it is made of are numbers.
  const rateNow = load<f64>(rates + Rate.rate * 8);
  const numbers = factor - factor == 0 && rateNow - rateNow == 0 && <T>load<f64>(rates + Rate.epsilon * 8) > 0;
  const skips = numbers && load<f64>(rates + Rate.keep * 8) == 1 && load<f64>(settings + Setting.weightDecay * 8) == 0;
  for (let left = n; left; left -= lanes<T>()) {
    const raw = v128.load(g);
    if (skips && !v128.any_true(v128.or(v128.or(raw, v128.load(m)), v128.load(v)))) {
      if (left < lanes<T>()) return;
      w += 16;
      g += 16;
      m += 16;
      v += 16;
      continue;
    }
    const old = v128.load(w);
    const gradient = madd<T>(weightDecay, old, v128.mul<T>(factors, raw));
    const mean = flush<T>(madd<T>(decay1, v128.load(m), v128.mul<T>(share1, gradient)));
    const square = madd<T>(decay2, v128.load(v), v128.mul<T>(share2, v128.mul<T>(gradient, gradient)));
    const direction = v128.div<T>(mean, v128.add<T>(v128.sqrt<T>(square), epsilon));
    const result = madd<T>(rate, direction, v128.mul<T>(keep, old));
    if (left < lanes<T>()) {
      storeLanes<T>(m, mean, left);
      storeLanes<T>(v, square, left);
      storeLanes<T>(w, result, left);
      return;
    }
    v128.store(m, mean);
    v128.store(v, square);
    v128.store(w, result);
    w += 16;
    g += 16;
    m += 16;
    v += 16;
  }
}

/** a * b + c rounded twice in every build: what is rare need not be fused, and then both binaries have the same code. */
// @ts-ignore: decorator
@inline function multiplyAdd<T>(a: v128, b: v128, c: v128): v128 {
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/**
 * Stores the lanes of `value` that the mask has, and writes those in memory back to the others: only where nobody else
 * writes to them, as behind the end of a region of the heap.
 */
// @ts-ignore: decorator
@inline function storeMasked(pointer: usize, value: v128, mask: v128): void {
  v128.store(pointer, v128.bitselect(value, v128.load(pointer), mask));
}

/**
 * The rarer ones in one loop. With Variant.sign: w = keep w + rate sign(decay1 first + share1 g), then
 * first = decay2 first + share2 g. Else second = decay2 second + share2 g^2 and w = keep w + rate d, where d is g divided by
 * sqrt(second) + epsilon. Each variant changes one of it: `mean` divides first = decay1 first + share1 g; `centered`
 * takes third^2 off second, third = decay2 third + share2 g; `maximum` divides by third = max(third, second);
 * `velocity` goes by first = decay1 first + d.
 */
export function adaptive<T>(
  w: usize, g: usize, first: usize, second: usize, third: usize, n: usize, rates: usize, settings: usize, factor: f64,
  variant: Variant,
): void {
  const rate = at<T>(rates, Rate.rate);
  const epsilon = at<T>(rates, Rate.epsilon);
  const keep = at<T>(rates, Rate.keep);
  const weightDecay = at<T>(settings, Setting.weightDecay);
  const decay1 = at<T>(settings, Setting.decay1);
  const share1 = at<T>(settings, Setting.share1);
  const decay2 = at<T>(settings, Setting.decay2);
  const share2 = at<T>(settings, Setting.share2);
  const factors = splat<T>(factor);
  for (let left = n; ; left -= lanes<T>()) {
    if (<isize>left <= 0) return;
    const mask = lanesBelow<T>(left);
    const old = v128.load(w);
    const gradient = multiplyAdd<T>(weightDecay, old, v128.mul<T>(factors, v128.load(g)));
    let direction = gradient;
    if (variant & Variant.sign) {
      const before = v128.load(first);
      direction = sign<T>(multiplyAdd<T>(decay1, before, v128.mul<T>(share1, gradient)));
      storeMasked(first, flush<T>(multiplyAdd<T>(decay2, before, v128.mul<T>(share2, gradient))), mask);
    } else {
      let square = multiplyAdd<T>(decay2, v128.load(second), v128.mul<T>(share2, v128.mul<T>(gradient, gradient)));
      storeMasked(second, square, mask);
      if (variant & Variant.centered) {
        const mean = flush<T>(multiplyAdd<T>(decay2, v128.load(third), v128.mul<T>(share2, gradient)));
        storeMasked(third, mean, mask);
        // Rounding may leave less than nothing.
        square = v128.max<T>(splat<T>(0), v128.sub<T>(square, v128.mul<T>(mean, mean)));
      }
      if (variant & Variant.maximum) {
        square = v128.max<T>(v128.load(third), square);
        storeMasked(third, square, mask);
      }
      if (variant & Variant.mean) {
        direction = flush<T>(multiplyAdd<T>(decay1, v128.load(first), v128.mul<T>(share1, gradient)));
        storeMasked(first, direction, mask);
      }
      direction = v128.div<T>(direction, v128.add<T>(v128.sqrt<T>(square), epsilon));
      if (variant & Variant.velocity) {
        direction = flush<T>(multiplyAdd<T>(decay1, v128.load(first), direction));
        storeMasked(first, direction, mask);
      }
    }
    storeMasked(w, multiplyAdd<T>(rate, direction, v128.mul<T>(keep, old)), mask);
    w += 16;
    g += 16;
    first += 16;
    second += 16;
    third += 16;
  }
}

/** g = clamp(g + l1 sign(w) + l2 w, -limit, limit), element by element. */
export function adjust<T>(g: usize, w: usize, n: usize, l1: f64, l2: f64, limit: f64): void {
  const limits = splat<T>(limit);
  for (; <isize>n > 0; n -= lanes<T>()) {
    const parameter = v128.load(w);
    const sum = multiplyAdd<T>(splat<T>(l2), parameter, multiplyAdd<T>(splat<T>(l1), sign<T>(parameter), v128.load(g)));
    storeMasked(g, v128.min<T>(v128.max<T>(sum, v128.neg<T>(limits)), limits), lanesBelow<T>(n));
    w += 16;
    g += 16;
  }
}

/** The squares of two elements, as f64. */
// @ts-ignore: decorator
@inline function squarePair<T>(x: usize): v128 {
  const pair = sizeof<T>() == 8 ? v128.load(x) : f64x2.promote_low_f32x4(v128.load64_zero(x));
  return f64x2.mul(pair, pair);
}

/**
 * sums[i] = the sum of the squares of the i-th chunk of x, in f64: of every fourth pair, of the four pairs together, of
 * the two of that, and then the elements behind the last four pairs.
 */
export function squares<T>(sums: usize, x: usize, n: usize): void {
  while (n) {
    let left = min(n, SQUARES_CHUNK);
    n -= left;
    let even = f64x2.splat(0);
    let odd = even;
    for (; left >= 4; left -= 4) {
      even = f64x2.add(even, squarePair<T>(x));
      odd = f64x2.add(odd, squarePair<T>(x + 2 * sizeof<T>()));
      x += 4 * sizeof<T>();
    }
    even = f64x2.add(even, odd);
    let sum = f64x2.extract_lane(even, 0) + f64x2.extract_lane(even, 1);
    for (; left; left--) {
      const value = <f64>load<T>(x);
      sum += value * value;
      x += sizeof<T>();
    }
    store<f64>(sums, sum);
    sums += 8;
  }
}

/** PyTorch's clip_grad_norm_: factor = min(1, limit / (norm + 1e-6)), not a number unless the norm is finite. */
export function clipFactor(factor: usize, sums: usize, n: usize, limit: f64): void {
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i++) sum += load<f64>(sums + i * 8);
  const norm = sqrt(sum);
  store<f64>(factor, min<f64>(1, limit / (norm + 1e-6)) + (norm - norm));
}

/** Scales each of `columns` columns, `stride` bytes from row to row, whose norm is above the limit: PyTorch's renorm. */
export function maxNorm<T>(x: usize, rows: usize, columns: usize, stride: usize, limit: f64): void {
  const limits = splat<T>(limit);
  for (; <isize>columns > 0; columns -= lanes<T>()) {
    const end = x + rows * stride;
    let sum = splat<T>(0);
    for (let row = x; row < end; row += stride) {
      const value = v128.load(row);
      sum = multiplyAdd<T>(value, value, sum);
    }
    const norm = v128.sqrt<T>(sum);
    const scaled = v128.div<T>(limits, v128.add<T>(norm, splat<T>(1e-7)));
    const factor = v128.bitselect(scaled, splat<T>(1), v128.gt<T>(norm, limits));
    for (let row = x; row < end; row += stride) {
      storeLanes<T>(row, v128.mul<T>(v128.load(row), factor), columns);
    }
    x += 16;
  }
}
