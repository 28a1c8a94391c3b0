// Losses with their gradients. Each kernel writes the gradient (times `scale`), one loss and one hit (1 or
// 0) for each element, or for each row in crossEntropy; report() adds them up.

import { rowMax, divideRow, shiftedExp } from "./activations";
import { first, horizontalSum, lanes, lanesBelow, splat, storePartial } from "./lanes";
import { exp, log, sigmoid } from "./math";

/**
 * Element by element: loss = (y - t)^2, d = (y - t) scale. The mean, and the 2 of the derivative, are in
 * `scale` and in the weight that report() applies.
 */
export function meanSquaredError<T>(
  d: usize, losses: usize, hits: usize, y: usize, t: usize, n: usize, scale: f64,
): void {
  const factor = splat<T>(scale);
  const zero = splat<T>(0);
  for (let left = n; left; ) {
    const difference = v128.sub<T>(v128.load(y), v128.load(t));
    const loss = v128.mul<T>(difference, difference);
    const gradient = v128.mul<T>(difference, factor);
    if (left < lanes<T>()) {
      storePartial<T>(losses, loss, left);
      storePartial<T>(hits, zero, left);
      storePartial<T>(d, gradient, left);
      return;
    }
    v128.store(losses, loss);
    v128.store(hits, zero);
    v128.store(d, gradient);
    y += 16;
    t += 16;
    d += 16;
    losses += 16;
    hits += 16;
    left -= lanes<T>();
  }
}

/**
 * Fused with sigmoid, from the logits z: y = sigmoid(z), d = (y - t) scale, and
 * loss = max(z, 0) - z t + log(1 + exp(-|z|)), which neither overflows nor takes log(0).
 * A hit: y and t lie on the same side of 1/2.
 */
export function binaryCrossEntropy<T>(
  d: usize, losses: usize, hits: usize, y: usize, z: usize, t: usize, n: usize, scale: f64,
): void {
  const factor = splat<T>(scale);
  const zero = splat<T>(0);
  const half = splat<T>(0.5);
  const one = splat<T>(1);
  for (let left = n; left; ) {
    const logit = v128.load(z);
    const target = v128.load(t);
    const prediction = sigmoid<T>(logit);
    const gradient = v128.mul<T>(v128.sub<T>(prediction, target), factor);
    const loss = v128.add<T>(
      v128.sub<T>(v128.max<T>(logit, zero), v128.mul<T>(logit, target)),
      log<T>(v128.add<T>(one, exp<T>(v128.neg<T>(v128.abs<T>(logit))))),
    );
    const miss = v128.xor(v128.ge<T>(prediction, half), v128.ge<T>(target, half));
    const hit = v128.andnot(one, miss);
    if (left < lanes<T>()) {
      storePartial<T>(y, prediction, left);
      storePartial<T>(d, gradient, left);
      storePartial<T>(losses, loss, left);
      storePartial<T>(hits, hit, left);
      return;
    }
    v128.store(y, prediction);
    v128.store(d, gradient);
    v128.store(losses, loss);
    v128.store(hits, hit);
    z += 16;
    t += 16;
    y += 16;
    d += 16;
    losses += 16;
    hits += 16;
    left -= lanes<T>();
  }
}

/** Column of the first largest of n elements. */
// @ts-ignore: decorator
@inline function argmax<T>(x: usize, n: usize): usize {
  let best: usize = 0;
  let largest = load<T>(x);
  for (let j: usize = 1; j < n; j++) {
    const value = load<T>(x + j * sizeof<T>());
    if (value > largest) {
      largest = value;
      best = j;
    }
  }
  return best;
}

/**
 * Fused with softmax, row by row, from the logits z: y = softmax(z), d = (y - t) scale (t sums to 1), and
 * loss = sum over j of t[j] (log sum exp(z - max) - (z[j] - max)).
 * A hit: the largest prediction stands where the largest target does.
 */
export function crossEntropy<T>(
  d: usize, losses: usize, hits: usize, y: usize, z: usize, t: usize, rows: usize, width: usize, scale: f64,
): void {
  const factor = splat<T>(scale);
  const tail = width & (lanes<T>() - 1);
  const stride = width * sizeof<T>();
  const whole = stride - tail * sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    const largest = rowMax<T>(z, width);
    const total = shiftedExp<T>(y, z, width, largest);
    const logTotal = log<T>(total);
    divideRow<T>(y, total, width);
    let loss = splat<T>(0);
    let i: usize = 0;
    for (; i < whole; i += 16) {
      const target = v128.load(t + i);
      const surprise = v128.sub<T>(logTotal, v128.sub<T>(v128.load(z + i), largest));
      loss = v128.add<T>(loss, v128.mul<T>(target, surprise));
      v128.store(d + i, v128.mul<T>(v128.sub<T>(v128.load(y + i), target), factor));
    }
    if (tail) {
      const target = v128.load(t + i);
      const surprise = v128.sub<T>(logTotal, v128.sub<T>(v128.load(z + i), largest));
      loss = v128.add<T>(loss, v128.and(v128.mul<T>(target, surprise), lanesBelow<T>(tail)));
      storePartial<T>(d + i, v128.mul<T>(v128.sub<T>(v128.load(y + i), target), factor), tail);
    }
    store<T>(losses, <T>first<T>(horizontalSum<T>(loss)));
    store<T>(hits, <T>(argmax<T>(y, width) == argmax<T>(t, width)));
    losses += sizeof<T>();
    hits += sizeof<T>();
    d += stride;
    y += stride;
    z += stride;
    t += stride;
  }
}
