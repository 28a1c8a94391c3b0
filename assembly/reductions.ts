// Sums down the columns of a matrix, and the statistics that a training step reports.

import { lanes, splat, storePartial } from "./lanes";
import { Start, Stat } from "./ops";

// Four vectors of columns at a time keep four independent sums in flight.
// @ts-ignore: decorator
@inline const GROUP: usize = 4;

/**
 * output[j] = sum over r of input[r, j] for `columns` columns, rows in ascending order, each row `stride`
 * bytes apart. With Start.add the sum is added to output[j].
 */
// @ts-ignore: decorator
@inline export function columnSums<T>(
  output: usize, input: usize, rows: usize, columns: usize, stride: usize, start: Start,
): void {
  let left = columns;
  while (left >= GROUP * lanes<T>()) {
    let s0 = splat<T>(0);
    let s1 = splat<T>(0);
    let s2 = splat<T>(0);
    let s3 = splat<T>(0);
    let x = input;
    for (let r: usize = 0; r < rows; r++) {
      s0 = v128.add<T>(s0, v128.load(x));
      s1 = v128.add<T>(s1, v128.load(x, 16));
      s2 = v128.add<T>(s2, v128.load(x, 32));
      s3 = v128.add<T>(s3, v128.load(x, 48));
      x += stride;
    }
    if (start == Start.add) {
      s0 = v128.add<T>(v128.load(output), s0);
      s1 = v128.add<T>(v128.load(output, 16), s1);
      s2 = v128.add<T>(v128.load(output, 32), s2);
      s3 = v128.add<T>(v128.load(output, 48), s3);
    }
    v128.store(output, s0);
    v128.store(output, s1, 16);
    v128.store(output, s2, 32);
    v128.store(output, s3, 48);
    output += 16 * GROUP;
    input += 16 * GROUP;
    left -= GROUP * lanes<T>();
  }
  while (left) {
    let sum = splat<T>(0);
    let x = input;
    for (let r: usize = 0; r < rows; r++) {
      sum = v128.add<T>(sum, v128.load(x));
      x += stride;
    }
    if (start == Start.add) sum = v128.add<T>(v128.load(output), sum);
    if (left < lanes<T>()) {
      storePartial<T>(output, sum, left);
      return;
    }
    v128.store(output, sum);
    output += 16;
    input += 16;
    left -= lanes<T>();
  }
}

/** Sum of n elements in f64: the even ones, the odd ones, then the two together. */
// @ts-ignore: decorator
@inline function sum<T>(x: usize, n: usize): f64 {
  const tail = n & 1;
  const end = x + (n - tail) * sizeof<T>();
  let pairs = f64x2.splat(0);
  while (x < end) {
    pairs = f64x2.add(
      pairs,
      sizeof<T>() == 8 ? v128.load(x) : f64x2.promote_low_f32x4(v128.load64_zero(x)),
    );
    x += 2 * sizeof<T>();
  }
  let even = f64x2.extract_lane(pairs, 0);
  if (tail) even += <f64>load<T>(x);
  return even + f64x2.extract_lane(pairs, 1);
}

/** Adds a batch's losses and hits to the statistics; the first loss that is not finite marks its step. */
// @ts-ignore: decorator
@inline export function report<T>(
  statistics: usize, losses: usize, hits: usize, size: usize, weight: f64, step: usize,
): void {
  const loss = sum<T>(losses, size) * weight;
  store<f64>(statistics, load<f64>(statistics, Stat.lossSum * 8) + loss, Stat.lossSum * 8);
  store<f64>(statistics, load<f64>(statistics, Stat.hits * 8) + sum<T>(hits, size), Stat.hits * 8);
  if (loss - loss != 0 && load<f64>(statistics, Stat.badStep * 8) < 0) {
    store<f64>(statistics, <f64>step, Stat.badStep * 8);
  }
}
