// Losses that are asked for less often, with their gradients. What they write is what losses.ts says. They compute in f64,
// element after element, and round what they store to the element type: one small copy of the code serves both types.

import { expOf as expOfVector, logOf as logOfVector } from "./math";
import { Op } from "./ops";
import { read, write } from "./wide";

function expOf(x: f64): f64 {
  return f64x2.extract_lane(expOfVector<f64>(f64x2.splat(x)), 0);
}

function logOf(x: f64): f64 {
  return f64x2.extract_lane(logOfVector<f64>(f64x2.splat(x)), 0);
}

function sigmoidOf(x: f64): f64 {
  return 1 / (1 + expOf(-x));
}

/** x to the power `exponent`, x > 0. */
function power(x: f64, exponent: f64): f64 {
  return expOf(exponent * logOf(x));
}

/** Column of the first largest of n elements. */
function argmax(x: usize, n: usize, wide: bool): usize {
  let best: usize = 0;
  for (let j: usize = 1; j < n; j++) if (read(x, j, wide) > read(x, best, wide)) best = j;
  return best;
}

/**
 * From the outputs x, or, of binaryFocal, from the logits x, whose sigmoid goes to `y`. With r = x - t:
 *
 * meanAbsoluteError: |r|, d = sign(r), 0 at 0.
 * huber: r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2); d = r, but no more than delta.
 * logCosh: log(cosh(r)) = |r| + log(1 + e) - log 2 with e = exp(-2 |r|); d = tanh(r), (1 - e) / (1 + e) with r's sign.
 * hinge: max(1 - t x, 0), d = -t where that is above 0; squaredHinge: its square, d = -t times it (the 2 is in `scale`).
 * A hit: x > 0 where t > 0.
 * poisson: x - t log(x + 1e-8), d = 1 - t / (x + 1e-8).
 * binaryFocal: a u^gamma c with y = sigmoid(x), the binary cross-entropy c, u = y (1 - t) + (1 - y) t, and
 * a = alpha t + (1 - alpha) (1 - t); d = a u^gamma (y - t - gamma (2 t - 1) c y (1 - y) / u). A hit is that of
 * binaryCrossEntropy.
 */
export function elementLoss(
  op: Op, d: usize, losses: usize, hits: usize, y: usize, x: usize, t: usize, n: usize, scale: f64, parameters: usize,
  wide: bool,
): void {
  const first = load<f64>(parameters);
  const second = load<f64>(parameters, 8);
  for (let i: usize = 0; i < n; i++) {
    const value = read(x, i, wide);
    const target = read(t, i, wide);
    const difference = value - target;
    const distance = abs(difference);
    let loss = distance;
    let gradient = difference;
    let hit = false;
    switch (op) {
      case Op.meanAbsoluteError:
        gradient = <f64>(<i32>(difference > 0) - <i32>(difference < 0));
        break;
      case Op.huber: {
        const near = min(distance, first);
        loss = near * (distance - 0.5 * near);
        gradient = max(min(difference, first), -first);
        break;
      }
      case Op.logCosh: {
        const decay = expOf(-2 * distance);
        loss = distance + (logOf(1 + decay) - 0.6931471805599453);
        gradient = copysign((1 - decay) / (1 + decay), difference);
        break;
      }
      case Op.poisson: {
        const mean = value + 1e-8;
        loss = value - target * logOf(mean);
        gradient = 1 - target / mean;
        break;
      }
      case Op.binaryFocal: {
        const prediction = sigmoidOf(value);
        const rest = sigmoidOf(-value);
        const other = 1 - target;
        const surprise = max(value, 0) - value * target + logOf(1 + expOf(-abs(value)));
        const unsure = max(prediction * other + rest * target, 2.2250738585072014e-308);
        const focus = (second * target + (1 - second) * other) * power(unsure, first);
        loss = focus * surprise;
        gradient = focus * (prediction - target - first * (target - other) * surprise * (prediction * rest / unsure));
        hit = (prediction >= 0.5) == (target >= 0.5);
        write(y, i, prediction, wide);
        break;
      }
      default: {
        loss = max(1 - target * value, 0);
        hit = (value > 0) == (target > 0);
        if (op == Op.hinge) {
          gradient = loss > 0 ? -target : 0;
        } else {
          gradient = -target * loss;
          loss *= loss;
        }
      }
    }
    write(losses, i, loss, wide);
    write(hits, i, <f64>hit, wide);
    write(d, i, gradient * scale, wide);
  }
}

/**
 * From the logits x, whose softmax goes to y, for targets t that need not sum to 1. With log y = x - max - log sum
 * exp(x - max), and q = 1 - y, but at least 2^-54, so that no power of it overflows:
 *
 * focal: -alpha sum over j of t q^gamma log y; with gamma 0 and alpha 1 that is crossEntropy.
 * klDivergence: sum over j of t log(t / y), 0 where t is 0.
 * Of both, with g = alpha t q^gamma (gamma y log y / q - 1), d = g - y sum(g). A hit is that of crossEntropy.
 *
 * From the outputs x:
 *
 * categoricalHinge: max(1 + max over j of (1 - t) x - sum over j of t x, 0); where that is above 0, d = -t, and 1 - t more
 * where the first largest (1 - t) x stands. A hit is that of crossEntropy.
 * cosineSimilarity: 1 - c with c = sum(x t) / sqrt((sum(x^2) + 1e-12) (sum(t^2) + 1e-12));
 * d = c x / (sum(x^2) + 1e-12) - t / that root. No hits.
 */
export function rowLoss(
  op: Op, d: usize, losses: usize, hits: usize, y: usize, x: usize, t: usize, rows: usize, width: usize, scale: f64,
  parameters: usize, wide: bool,
): void {
  const focuses = op == Op.focal;
  const fused = focuses || op == Op.klDivergence;
  const gamma = focuses ? load<f64>(parameters) : 0;
  const alpha = focuses ? load<f64>(parameters, 8) : 1;
  const stride = width << (wide ? 3 : 2);
  for (let r: usize = 0; r < rows; r++) {
    const largest = read(x, argmax(x, width, wide), wide);
    let total: f64 = 0;
    let product: f64 = 0;
    let squareX: f64 = 1e-12;
    let squareT: f64 = 1e-12;
    let rival = -Infinity;
    let place: usize = 0;
    for (let j: usize = 0; j < width; j++) {
      const value = read(x, j, wide);
      const target = read(t, j, wide);
      if (fused) total += expOf(value - largest);
      product += value * target;
      squareX += value * value;
      squareT += target * target;
      if ((1 - target) * value > rival) {
        rival = (1 - target) * value;
        place = j;
      }
    }
    let loss: f64 = 0;
    // d = g - a x, of a softmax g - a y.
    let a: f64 = 0;
    let b: f64 = 0;
    if (fused) {
      total = logOf(total);
    } else if (op == Op.categoricalHinge) {
      loss = max(1 + rival - product, 0);
      b = <f64>(loss > 0);
    } else {
      b = 1 / sqrt(squareX * squareT);
      loss = 1 - product * b;
      a = -product * b / squareX;
    }
    for (let j: usize = 0; j < width; j++) {
      const target = read(t, j, wide);
      let gradient = -b * target;
      if (fused) {
        const logarithm = read(x, j, wide) - largest - total;
        const prediction = expOf(logarithm);
        const unsure = max(1 - prediction, 5.551115123125783e-17);
        const weight = alpha * target * (gamma != 0 ? power(unsure, gamma) : 1);
        gradient = weight * (gamma * prediction * logarithm / unsure - 1);
        loss -= weight * logarithm;
        if (!focuses && target > 0) loss += target * logOf(target);
        write(y, j, prediction, wide);
        a += gradient;
      } else if (op == Op.categoricalHinge && j == place) {
        gradient += b * (1 - target);
      }
      write(d, j, gradient, wide);
    }
    for (let j: usize = 0; j < width; j++) {
      write(d, j, (read(d, j, wide) - a * read(fused ? y : x, j, wide)) * scale, wide);
    }
    write(losses, r, loss, wide);
    write(hits, r, <f64>(op != Op.cosineSimilarity && argmax(fused ? y : x, width, wide) == argmax(t, width, wide)), wide);
    d += stride;
    y += stride;
    x += stride;
    t += stride;
  }
}
