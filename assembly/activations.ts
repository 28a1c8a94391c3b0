// Activations and their derivatives. One loop serves all: the opcode is a constant where map() and
// mapBackward() are inlined, so each case compiles to its own loop without a branch inside.
//
// Every backward kernel reads the OUTPUT y of its forward, never the input.

import { horizontalMax, horizontalSum, lanes, lanesBelow, splat, storeLanes, storePartial } from "./lanes";
import { exp, expOf, logOf, sigmoid, tanh } from "./math";
import { Op } from "./ops";

// @ts-ignore: decorator
@inline function forward<T>(op: Op, x: v128): v128 {
  if (op == Op.sigmoid) return sigmoid<T>(x);
  // max, not a comparison: NaN must go through, so that a diverged network is noticed.
  if (op == Op.relu) return v128.max<T>(x, splat<T>(0));
  return tanh<T>(x);
}

// @ts-ignore: decorator
@inline function backward<T>(op: Op, dy: v128, y: v128): v128 {
  // sigmoid' = y (1 - y)
  if (op == Op.sigmoidBackward) return v128.mul<T>(v128.mul<T>(dy, y), v128.sub<T>(splat<T>(1), y));
  // relu' = 1 where y > 0, else 0
  if (op == Op.reluBackward) return v128.and(dy, v128.gt<T>(y, splat<T>(0)));
  if (op == Op.multiply) return v128.mul<T>(dy, y);
  // tanh' = 1 - y^2
  return v128.mul<T>(dy, v128.sub<T>(splat<T>(1), v128.mul<T>(y, y)));
}

// @ts-ignore: decorator
@inline function map<T>(op: Op, y: usize, x: usize, n: usize): void {
  let left = n;
  // A maximum is so cheap that the loop around it would cost more.
  if (op == Op.relu) {
    for (; left >= 4 * lanes<T>(); left -= 4 * lanes<T>()) {
      v128.store(y, forward<T>(op, v128.load(x)));
      v128.store(y, forward<T>(op, v128.load(x, 16)), 16);
      v128.store(y, forward<T>(op, v128.load(x, 32)), 32);
      v128.store(y, forward<T>(op, v128.load(x, 48)), 48);
      x += 64;
      y += 64;
    }
  }
  for (; left; left -= lanes<T>()) {
    const result = forward<T>(op, v128.load(x));
    if (left < lanes<T>()) {
      storePartial<T>(y, result, left);
      return;
    }
    v128.store(y, result);
    x += 16;
    y += 16;
  }
}

// @ts-ignore: decorator
@inline function mapBackward<T>(op: Op, dx: usize, dy: usize, y: usize, n: usize): void {
  for (let left = n; left; left -= lanes<T>()) {
    const result = backward<T>(op, v128.load(dy), v128.load(y));
    if (left < lanes<T>()) {
      storePartial<T>(dx, result, left);
      return;
    }
    v128.store(dx, result);
    dy += 16;
    y += 16;
    dx += 16;
  }
}

/** y = f(x) over n elements; in place allowed. */
export function activate<T>(op: Op, y: usize, x: usize, n: usize): void {
  switch (op) {
    case Op.sigmoid: map<T>(Op.sigmoid, y, x, n); break;
    case Op.relu: map<T>(Op.relu, y, x, n); break;
    case Op.tanh: map<T>(Op.tanh, y, x, n); break;
    default: rare<T>(op, y, x, n);
  }
}

/** exp or log. By itself, for activate() is quicker when nothing in its loops is called. */
function rare<T>(op: Op, y: usize, x: usize, n: usize): void {
  for (; <isize>n > 0; n -= lanes<T>()) {
    const value = v128.load(x);
    storeLanes<T>(y, op == Op.exp ? expOf<T>(value) : logOf<T>(value), n);
    x += 16;
    y += 16;
  }
}

/** dx = dy * f'(x) over n elements, from y = f(x); in place allowed. */
export function activateBackward<T>(op: Op, dx: usize, dy: usize, y: usize, n: usize): void {
  switch (op) {
    case Op.sigmoidBackward: mapBackward<T>(Op.sigmoidBackward, dx, dy, y, n); break;
    case Op.reluBackward: mapBackward<T>(Op.reluBackward, dx, dy, y, n); break;
    case Op.tanhBackward: mapBackward<T>(Op.tanhBackward, dx, dy, y, n); break;
    case Op.multiply: mapBackward<T>(Op.multiply, dx, dy, y, n); break;
    default: unreachable();
  }
}

/** Largest of n > 0 elements, in every lane. */
// @ts-ignore: decorator
@inline export function rowMax<T>(x: usize, n: usize): v128 {
  const tail = n & (lanes<T>() - 1);
  const end = x + (n - tail) * sizeof<T>();
  const lowest = splat<T>(-Infinity);
  let largest = lowest;
  while (x < end) {
    largest = v128.max<T>(largest, v128.load(x));
    x += 16;
  }
  if (tail) largest = v128.max<T>(largest, v128.bitselect(v128.load(x), lowest, lanesBelow<T>(tail)));
  return horizontalMax<T>(largest);
}

/** y = exp(x - largest) over one row; returns the sum of y in every lane. */
export function shiftedExp<T>(y: usize, x: usize, n: usize, largest: v128): v128 {
  let sum = splat<T>(0);
  for (let left = n; left; left -= lanes<T>()) {
    const e = exp<T>(v128.sub<T>(v128.load(x), largest));
    if (left < lanes<T>()) {
      storePartial<T>(y, e, left);
      sum = v128.add<T>(sum, v128.and(e, lanesBelow<T>(left)));
      break;
    }
    v128.store(y, e);
    sum = v128.add<T>(sum, e);
    x += 16;
    y += 16;
  }
  return horizontalSum<T>(sum);
}

/** y[r] = softmax(x[r]) = exp(x[r] - max) / sum exp(x[r] - max) for every row; in place allowed. */
export function softmax<T>(y: usize, x: usize, rows: usize, width: usize): void {
  if (!width) return;
  const stride = width * sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    divideRow<T>(y, shiftedExp<T>(y, x, width, rowMax<T>(x, width)), width);
    x += stride;
    y += stride;
  }
}

/** y = y / divisor over n elements. */
// @ts-ignore: decorator
@inline export function divideRow<T>(y: usize, divisor: v128, n: usize): void {
  const tail = n & (lanes<T>() - 1);
  const end = y + (n - tail) * sizeof<T>();
  while (y < end) {
    v128.store(y, v128.div<T>(v128.load(y), divisor));
    y += 16;
  }
  if (tail) storePartial<T>(y, v128.div<T>(v128.load(y), divisor), tail);
}

/** dx = y (dy - sum(dy y)) for every row, from y = softmax(x); in place allowed. */
export function softmaxBackward<T>(dx: usize, dy: usize, y: usize, rows: usize, width: usize): void {
  const tail = width & (lanes<T>() - 1);
  const stride = width * sizeof<T>();
  const whole = stride - tail * sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    let sum = splat<T>(0);
    let i: usize = 0;
    for (; i < whole; i += 16) {
      sum = v128.add<T>(sum, v128.mul<T>(v128.load(dy + i), v128.load(y + i)));
    }
    if (tail) {
      const product = v128.mul<T>(v128.load(dy + i), v128.load(y + i));
      sum = v128.add<T>(sum, v128.and(product, lanesBelow<T>(tail)));
    }
    sum = horizontalSum<T>(sum);
    for (i = 0; i < whole; i += 16) {
      v128.store(dx + i, v128.mul<T>(v128.load(y + i), v128.sub<T>(v128.load(dy + i), sum)));
    }
    if (tail) {
      storePartial<T>(dx + i, v128.mul<T>(v128.load(y + i), v128.sub<T>(v128.load(dy + i), sum)), tail);
    }
    dx += stride;
    dy += stride;
    y += stride;
  }
}
