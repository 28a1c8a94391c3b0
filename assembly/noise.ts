// Random numbers for every element of a batch: dropout and normal numbers.

import { lanes, splat, storePartial } from "./lanes";
import { logOf } from "./math";
import { MULTIPLIER_0, MULTIPLIER_1, uniform53, WEYL_0, WEYL_1 } from "./random";

/** Upper halves of the 64-bit products, lane by lane. */
// @ts-ignore: decorator
@inline function multiplyHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b), 1, 3, 5, 7);
}

/**
 * mask = 0 where a random word is below the threshold, else scale; y = x mask. `row` is the number of the first row. Four
 * blocks of Philox lie in the lanes of a vector: see Noise in ops.ts.
 */
export function dropout<T>(
  y: usize, mask: usize, x: usize, row: usize, rows: usize, width: usize, threshold: u32, scale: f64,
  seedLow: u32, seedHigh: u32, stream: u32, step: u32,
): void {
  const kept = splat<T>(scale);
  const limit = i32x4.splat(threshold);
  const multiplier0 = i32x4.splat(<i32>MULTIPLIER_0);
  const multiplier1 = i32x4.splat(<i32>MULTIPLIER_1);
  const end = row + rows;
  for (; row < end; row++) {
    let block = i32x4(0, 1, 2, 3);
    let left = width;
    while (left) {
      let c0 = block;
      let c1 = i32x4.splat(<i32>row);
      let c2 = i32x4.splat(stream);
      let c3 = i32x4.splat(step);
      let key0 = seedLow;
      let key1 = seedHigh;
      for (let round = 0; round < 10; round++) {
        const low0 = i32x4.mul(c0, multiplier0);
        const low1 = i32x4.mul(c2, multiplier1);
        const high0 = multiplyHigh(c0, multiplier0);
        c0 = v128.xor(v128.xor(multiplyHigh(c2, multiplier1), c1), i32x4.splat(key0));
        c2 = v128.xor(v128.xor(high0, c3), i32x4.splat(key1));
        c1 = low1;
        c3 = low0;
        key0 += WEYL_0;
        key1 += WEYL_1;
      }
      for (let word = 0; word < 4; word++) {
        let dropped = i32x4.lt_u(c0, limit);
        // Four elements: one vector, or two.
        for (let i: usize = 0; i < 4 && left; i += lanes<T>()) {
          const factor = v128.andnot(kept, sizeof<T>() == 8 ? i64x2.extend_low_i32x4_s(dropped) : dropped);
          const result = v128.mul<T>(v128.load(x), factor);
          const count = min<usize>(left, lanes<T>());
          if (count < lanes<T>()) {
            storePartial<T>(mask, factor, count);
            storePartial<T>(y, result, count);
          } else {
            v128.store(mask, factor);
            v128.store(y, result);
          }
          left -= count;
          mask += count * sizeof<T>();
          y += count * sizeof<T>();
          x += count * sizeof<T>();
          dropped = v128.shuffle<u64>(dropped, dropped, 1, 1);
        }
        c0 = c1;
        c1 = c2;
        c2 = c3;
      }
      block = i32x4.add(block, i32x4.splat(4));
    }
  }
}

/**
 * The number that a standard normal one is below with the probability p, 2^-54 <= p < 1. Wichura 1988, "Algorithm AS 241:
 * The percentage points of the normal distribution", PPND7, without its branch for |z| above 6.66, which one number in
 * 10^11 is. Relative error: 1.2e-7, there up to 3.5e-6.
 */
function quantile(p: f64): f64 {
  const q = p - 0.5;
  if (abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (
      (q * (((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)) /
      (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1)
    );
  }
  const tail = q < 0 ? p : 1 - p;
  const r = sqrt(-f64x2.extract_lane(logOf<f64>(f64x2.splat(tail)), 0)) - 1.6;
  const z =
    (((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777) /
    ((0.12021132975 * r + 0.7370016425) * r + 1);
  return q < 0 ? -z : z;
}

/** Share of a normal distribution below minus two standard deviations. */
// @ts-ignore: decorator
@inline const BELOW: f64 = 0.022750131948179195;

/**
 * y = x + deviation z, or without x deviation z, z by the inverse of the distribution from one uniform
 * number an element; truncated, z is from -2 to 2. Drawn in f64, then rounded to T.
 */
export function normal<T>(
  y: usize, x: usize, row: usize, rows: usize, width: usize, deviation: f64, truncated: bool,
  seedLow: u32, seedHigh: u32, stream: u32, step: u32,
): void {
  const end = row + rows;
  for (; row < end; row++) {
    for (let j: usize = 0; j < width; j++) {
      const u = max<f64>(uniform53(seedLow, seedHigh, stream, <u32>j, <u32>row, step), 5.551115123125783e-17);
      const value = <T>(deviation * quantile(truncated ? BELOW + u * (1 - 2 * BELOW) : u));
      if (x) {
        store<T>(y, <T>(load<T>(x) + value));
        x += sizeof<T>();
      } else {
        store<T>(y, value);
      }
      y += sizeof<T>();
    }
  }
}
