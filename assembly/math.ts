// Elementary functions, lane by lane and generic over the element type T (f64: 2 lanes, f32: 4 lanes).
//
// No branches, tables or memory: special cases are blended in. src/executors/reference/math.ts is the
// scalar twin of this file, function by function; in the plain build both give the same bits for every
// input, except which NaN a NaN is. The relaxed build fuses each madd and may differ in the last bits.
//
// Errors are the largest measured distances to the exact value, in units in the last place (ulp): of the
// f32 functions over every f32 above 1e-20 in size (log: every one) up to where they saturate, of the f64
// functions over 10^7 random values each. Below 2.5 ulp the correctly rounded value is at most 2 ulp away.

import { madd, splat } from "./lanes";

// Adding ROUND to |v| < 2^51 (f32: 2^22) rounds v to an integer and leaves that integer in the low bits
// of the sum; adding ROUND + 1023 (f32: 127) leaves it there already biased as an exponent.
const ROUND_64: f64 = 6755399441055744.0; // 0x1.8p52
const ROUND_32: f64 = 12582912.0; // 0x1.8p23

// ln 2 in two parts: an integer of 11 bits (f32: 8) times the high part is exact.
const LOG2E_64: f64 = 1.4426950408889634; // 3ff71547652b82fe
const LN2_HIGH_64: f64 = 0.6931471805601177; // 3fe62e42fefa4000
const LN2_LOW_64: f64 = -1.7239444525614835e-13; // bd48432a1b0e2634
const LOG2E_32: f64 = 1.4426950216293335; // 3fb8aa3b
const LN2_HIGH_32: f64 = 0.693145751953125; // 3f317200
const LN2_LOW_32: f64 = 1.428606765330187e-6; // 35bfbe8e

/**
 * exp(r) - 1 for r = x - n ln 2, |r| <= ln(2) / 2: r + r^2 q(r), q of degree 9 in two interleaved halves.
 * q is the minimax polynomial (own Remez run) for the relative error of exp(r), 3.7e-18.
 */
// @ts-ignore: decorator
@inline function expm1Reduced64(x: v128, n: v128): v128 {
  const r = madd<f64>(n, splat<f64>(-LN2_LOW_64), madd<f64>(n, splat<f64>(-LN2_HIGH_64), x));
  const r2 = f64x2.mul(r, r);
  let even = splat<f64>(2.7630236711535076e-7); // 3e928ad6a9654412
  even = madd<f64>(even, r2, splat<f64>(2.4801493128966106e-5)); // 3efa0199a14dd7fb
  even = madd<f64>(even, r2, splat<f64>(0.0013888888943603991)); // 3f56c16c1842720e
  even = madd<f64>(even, r2, splat<f64>(0.041666666666530246)); // 3fa5555555550889
  even = madd<f64>(even, r2, splat<f64>(0.5000000000000011)); // 3fe000000000000a
  let odd = splat<f64>(2.5000073488150126e-8); // 3e5ad7f7c694f58b
  odd = madd<f64>(odd, r2, splat<f64>(2.755758627675283e-6)); // 3ec71df253c5c57f
  odd = madd<f64>(odd, r2, splat<f64>(0.00019841269506752084)); // 3f2a01a012a67535
  odd = madd<f64>(odd, r2, splat<f64>(0.008333333333494354)); // 3f81111111127ba7
  odd = madd<f64>(odd, r2, splat<f64>(0.16666666666666413)); // 3fc55555555554fa
  return madd<f64>(madd<f64>(odd, r, even), r2, r);
}

/** As expm1Reduced64, q of degree 4: relative error of exp(r) 3.1e-9. */
// @ts-ignore: decorator
@inline function expm1Reduced32(x: v128, n: v128): v128 {
  const r = madd<f32>(n, splat<f32>(-LN2_LOW_32), madd<f32>(n, splat<f32>(-LN2_HIGH_32), x));
  const r2 = f32x4.mul(r, r);
  let even = splat<f32>(0.0013814604608342052); // 3ab5121f
  even = madd<f32>(even, r2, splat<f32>(0.04166838899254799)); // 3d2aac79
  even = madd<f32>(even, r2, splat<f32>(0.4999999403953552)); // 3efffffe
  let odd = splat<f32>(0.00836871936917305); // 3c091cf4
  odd = madd<f32>(odd, r2, splat<f32>(0.1666652113199234)); // 3e2aaa49
  return madd<f32>(madd<f32>(odd, r, even), r2, r);
}

/**
 * exp(x) = 2^n exp(r) for every x: below -746 it is 0, above 710 infinity. 2^n is applied as two powers of
 * two, the first exactly, so that subnormal results round once and the overflow edge is right.
 * Error: 1.03 ulp, relaxed 1.06 ulp.
 */
// @ts-ignore: decorator
@inline function exp64(x: v128): v128 {
  const bias = splat<f64>(ROUND_64 + 2046);
  x = f64x2.pmax(f64x2.pmin(x, splat<f64>(710)), splat<f64>(-746));
  const shifted = madd<f64>(x, splat<f64>(LOG2E_64), bias);
  const power = f64x2.add(expm1Reduced64(x, f64x2.sub(shifted, bias)), splat<f64>(1));
  const half = i64x2.shr_u(shifted, 1);
  const first = i64x2.shl(half, 52);
  const second = i64x2.shl(i64x2.sub(shifted, half), 52);
  return f64x2.mul(f64x2.mul(power, first), second);
}

/** As exp64, between -104 and 89. Error: 1.02 ulp, relaxed 1.05 ulp. */
// @ts-ignore: decorator
@inline function exp32(x: v128): v128 {
  const bias = splat<f32>(ROUND_32 + 254);
  x = f32x4.pmax(f32x4.pmin(x, splat<f32>(89)), splat<f32>(-104));
  const shifted = madd<f32>(x, splat<f32>(LOG2E_32), bias);
  const power = f32x4.add(expm1Reduced32(x, f32x4.sub(shifted, bias)), splat<f32>(1));
  const half = i32x4.shr_u(shifted, 1);
  const first = i32x4.shl(half, 23);
  const second = i32x4.shl(i32x4.sub(shifted, half), 23);
  return f32x4.mul(f32x4.mul(power, first), second);
}

/** e to the power x. */
// @ts-ignore: decorator
@inline export function exp<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return exp64(x);
  return exp32(x);
}

/**
 * log(x) = k ln 2 + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2); with s = f / (2 + f), log(1 + f) is
 * f - f^2/2 + s (f^2/2 + R(s^2)). Method and coefficients: fdlibm e_log.c, as in musl log.c.
 * Subnormals are scaled by 2^54 first. Negative x gives NaN, 0 gives -infinity.
 * Error: 0.86 ulp.
 */
// @ts-ignore: decorator
@inline function log64(x: v128): v128 {
  const tiny = f64x2.lt(x, splat<f64>(2.2250738585072014e-308)); // 0x1p-1022
  const scaled = v128.bitselect(f64x2.mul(x, splat<f64>(18014398509481984)), x, tiny); // 0x1p54
  // 0x3fe6a09e00000000 is sqrt(1/2), cut: adding 1 less it carries into the exponent from sqrt(2) on.
  const bits = i64x2.add(scaled, i64x2.splat(0x3ff0000000000000 - 0x3fe6a09e00000000));
  // 2^52 + 1023, and 54 more.
  const bias = v128.bitselect(splat<f64>(4503599627371573), splat<f64>(4503599627371519), tiny);
  const k = f64x2.sub(v128.or(i64x2.shr_u(bits, 52), i64x2.splat(0x4330000000000000)), bias);
  const fraction = v128.and(bits, i64x2.splat(0x000fffffffffffff));
  const f = f64x2.sub(i64x2.add(fraction, i64x2.splat(0x3fe6a09e00000000)), splat<f64>(1));

  const s = f64x2.div(f, f64x2.add(f, splat<f64>(2)));
  const z = f64x2.mul(s, s);
  const w = f64x2.mul(z, z);
  let even = splat<f64>(0.15313837699209373); // 3fc39a09d078c69f
  even = madd<f64>(even, w, splat<f64>(0.22222198432149784)); // 3fcc71c51d8e78af
  even = madd<f64>(even, w, splat<f64>(0.3999999999940942)); // 3fd999999997fa04
  let odd = splat<f64>(0.14798198605116586); // 3fc2f112df3e5244
  odd = madd<f64>(odd, w, splat<f64>(0.1818357216161805)); // 3fc7466496cb03de
  odd = madd<f64>(odd, w, splat<f64>(0.2857142874366239)); // 3fd2492494229359
  odd = madd<f64>(odd, w, splat<f64>(0.6666666666666735)); // 3fe5555555555593
  const rest = madd<f64>(even, w, f64x2.mul(odd, z));
  const halfSquare = f64x2.mul(f64x2.mul(f, f), splat<f64>(0.5));
  const low = madd<f64>(s, f64x2.add(halfSquare, rest), f64x2.mul(k, splat<f64>(LN2_LOW_64)));
  let result = madd<f64>(k, splat<f64>(LN2_HIGH_64), f64x2.add(f64x2.sub(low, halfSquare), f));

  result = v128.bitselect(result, x, f64x2.lt(x, splat<f64>(Infinity)));
  result = v128.or(result, f64x2.lt(x, splat<f64>(0)));
  return v128.bitselect(splat<f64>(-Infinity), result, f64x2.eq(x, splat<f64>(0)));
}

/** As log64, with the coefficients of musl logf.c; subnormals are scaled by 2^25. Error: 0.84 ulp. */
// @ts-ignore: decorator
@inline function log32(x: v128): v128 {
  const tiny = f32x4.lt(x, splat<f32>(1.1754943508222875e-38)); // 0x1p-126
  const scaled = v128.bitselect(f32x4.mul(x, splat<f32>(33554432)), x, tiny); // 0x1p25
  // 0x3f3504f3 is sqrt(1/2).
  const bits = i32x4.add(scaled, i32x4.splat(0x3f800000 - 0x3f3504f3));
  // 2^23 + 127, and 25 more.
  const bias = v128.bitselect(splat<f32>(8388760), splat<f32>(8388735), tiny);
  const k = f32x4.sub(v128.or(i32x4.shr_u(bits, 23), i32x4.splat(0x4b000000)), bias);
  const fraction = v128.and(bits, i32x4.splat(0x007fffff));
  const f = f32x4.sub(i32x4.add(fraction, i32x4.splat(0x3f3504f3)), splat<f32>(1));

  const s = f32x4.div(f, f32x4.add(f, splat<f32>(2)));
  const z = f32x4.mul(s, s);
  const w = f32x4.mul(z, z);
  let even = splat<f32>(0.24279078841209412); // 3e789e26
  even = madd<f32>(even, w, splat<f32>(0.40000972151756287)); // 3eccce13
  let odd = splat<f32>(0.2849878668785095); // 3e91e9ee
  odd = madd<f32>(odd, w, splat<f32>(0.6666666269302368)); // 3f2aaaaa
  const rest = madd<f32>(even, w, f32x4.mul(odd, z));
  const halfSquare = f32x4.mul(f32x4.mul(f, f), splat<f32>(0.5));
  const low = madd<f32>(s, f32x4.add(halfSquare, rest), f32x4.mul(k, splat<f32>(LN2_LOW_32)));
  let result = madd<f32>(k, splat<f32>(LN2_HIGH_32), f32x4.add(f32x4.sub(low, halfSquare), f));

  result = v128.bitselect(result, x, f32x4.lt(x, splat<f32>(Infinity)));
  result = v128.or(result, f32x4.lt(x, splat<f32>(0)));
  return v128.bitselect(splat<f32>(-Infinity), result, f32x4.eq(x, splat<f32>(0)));
}

/** Natural logarithm. */
// @ts-ignore: decorator
@inline export function log<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return log64(x);
  return log32(x);
}

/**
 * tanh(|x|) = (1 - E) / (1 + E), E = exp(-2 |x|) = 2^n (1 + e), as ((1 - 2^n) - 2^n e) / ((1 + 2^n) + 2^n e):
 * 1 - 2^n and 2^n e are exact, so nothing is lost where E is near 1. From |x| = 22 on it is 1; the sign is
 * that of x, also for -0. Error: 2.21 ulp, relaxed 2.13 ulp.
 */
// @ts-ignore: decorator
@inline function tanh64(x: v128): v128 {
  const bias = splat<f64>(ROUND_64 + 1023);
  const y = f64x2.pmax(f64x2.mul(f64x2.abs(x), splat<f64>(-2)), splat<f64>(-44));
  const shifted = madd<f64>(y, splat<f64>(LOG2E_64), bias);
  const e = expm1Reduced64(y, f64x2.sub(shifted, bias));
  const scale = i64x2.shl(shifted, 52);
  const change = f64x2.mul(e, scale);
  const numerator = f64x2.sub(f64x2.sub(splat<f64>(1), scale), change);
  const denominator = f64x2.add(f64x2.add(splat<f64>(1), scale), change);
  return v128.or(f64x2.div(numerator, denominator), v128.and(x, splat<f64>(-0.0)));
}

/** As tanh64; from |x| = 10 on it is 1. Error: 2.12 ulp, relaxed 1.99 ulp. */
// @ts-ignore: decorator
@inline function tanh32(x: v128): v128 {
  const bias = splat<f32>(ROUND_32 + 127);
  const y = f32x4.pmax(f32x4.mul(f32x4.abs(x), splat<f32>(-2)), splat<f32>(-20));
  const shifted = madd<f32>(y, splat<f32>(LOG2E_32), bias);
  const e = expm1Reduced32(y, f32x4.sub(shifted, bias));
  const scale = i32x4.shl(shifted, 23);
  const change = f32x4.mul(e, scale);
  const numerator = f32x4.sub(f32x4.sub(splat<f32>(1), scale), change);
  const denominator = f32x4.add(f32x4.add(splat<f32>(1), scale), change);
  return v128.or(f32x4.div(numerator, denominator), v128.and(x, splat<f32>(-0.0)));
}

/** Hyperbolic tangent. */
// @ts-ignore: decorator
@inline export function tanh<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return tanh64(x);
  return tanh32(x);
}

/**
 * sigmoid(x) = 1 / (1 + exp(-x)) = g / (g + 2^n g exp(r)), -x = n ln 2 + r, with g = 2^-64: exp(-x) cannot
 * overflow before the quotient, rounded once, has run through the subnormals. No case for the sign of x.
 * Error: 2.42 ulp.
 */
// @ts-ignore: decorator
@inline function sigmoid64(x: v128): v128 {
  const bias = splat<f64>(ROUND_64 + 1023 - 64);
  const guard = splat<f64>(5.421010862427522e-20); // 0x1p-64
  const y = f64x2.neg(f64x2.pmax(f64x2.pmin(x, splat<f64>(40)), splat<f64>(-746)));
  const shifted = madd<f64>(y, splat<f64>(LOG2E_64), bias);
  const power = f64x2.add(expm1Reduced64(y, f64x2.sub(shifted, bias)), splat<f64>(1));
  return f64x2.div(guard, madd<f64>(power, i64x2.shl(shifted, 52), guard));
}

/** As sigmoid64, with g = 2^-32. Error: 2.49 ulp. */
// @ts-ignore: decorator
@inline function sigmoid32(x: v128): v128 {
  const bias = splat<f32>(ROUND_32 + 127 - 32);
  const guard = splat<f32>(2.3283064365386963e-10); // 0x1p-32
  const y = f32x4.neg(f32x4.pmax(f32x4.pmin(x, splat<f32>(20)), splat<f32>(-104)));
  const shifted = madd<f32>(y, splat<f32>(LOG2E_32), bias);
  const power = f32x4.add(expm1Reduced32(y, f32x4.sub(shifted, bias)), splat<f32>(1));
  return f32x4.div(guard, madd<f32>(power, i32x4.shl(shifted, 23), guard));
}

/** Logistic function 1 / (1 + exp(-x)). */
// @ts-ignore: decorator
@inline export function sigmoid<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return sigmoid64(x);
  return sigmoid32(x);
}
