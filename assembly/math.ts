// Elementary functions, lane by lane and generic over the element type T (f64: 2 lanes, f32: 4 lanes).
//
// No branches: special cases are blended in. src/executors/reference/math.ts is the scalar twin of this file,
// function by function; in the plain build both give the same bits for every input, except which NaN a NaN
// is. The relaxed build fuses each madd and may differ in the last bits.
//
// Constants are loaded from memory: V8 13 (Node 24) rebuilds a v128.const from immediates at each use, even
// in a loop: 1.3 to 1.6 times the time. This can go, for splat(), once V8 loads or keeps them by itself.
//
// Errors are the largest measured distances to the exact value, in units in the last place (ulp): of the
// f32 functions over every f32 above 1e-20 in size (log: every one) up to where they saturate, of the f64
// functions over 10^7 random values each. Below 2.5 ulp the correctly rounded value is at most 2 ulp away.

import { madd, splat } from "./lanes";

// Adding ROUND to |v| < 2^51 (f32: 2^22) rounds v to an integer and leaves that integer in the low bits
// of the sum; adding ROUND + 1023 (f32: 127) leaves it there already biased as an exponent.
const ROUND_64: f64 = 6755399441055744.0; // 0x1.8p52
const ROUND_32: f32 = 12582912.0; // 0x1.8p23

// ln 2 in two parts: an integer of 11 bits (f32: 8) times the high part is exact.
const LN2_HIGH_64: f64 = 0.6931471805601177; // 3fe62e42fefa4000
const LN2_LOW_64: f64 = -1.7239444525614835e-13; // bd48432a1b0e2634
const LN2_HIGH_32: f32 = 0.693145751953125; // 3f317200
const LN2_LOW_32: f32 = 1.428606765330187e-6; // 35bfbe8e

/** The constants that are no coefficients: where each one stands in K_64 and in K_32. */
const enum K {
  one, two, minusTwo, half, infinity, minusInfinity, signBit,
  log2e, ln2High, ln2Low, minusLn2High, minusLn2Low,
  expMax, expMin, expBias,
  logTiny, logScale, logBias, logBiasTiny,
  tanhMin, tanhBias,
  sigmoidMax, sigmoidMin, sigmoidBias, sigmoidGuard,
}

const K_64 = memory.data<f64>([
  1, // one
  2, // two
  -2, // minusTwo
  0.5, // half
  Infinity, // infinity
  -Infinity, // minusInfinity
  -0.0, // signBit

  1.4426950408889634, // log2e 3ff71547652b82fe
  LN2_HIGH_64, // ln2High
  LN2_LOW_64, // ln2Low
  -LN2_HIGH_64, // minusLn2High
  -LN2_LOW_64, // minusLn2Low

  710, // expMax
  -746, // expMin
  ROUND_64 + 2046, // expBias: twice 1023

  2.2250738585072014e-308, // logTiny 0x1p-1022
  18014398509481984, // logScale 0x1p54
  4503599627371519, // logBias 2^52 + 1023
  4503599627371573, // logBiasTiny: 54 more

  -44, // tanhMin
  ROUND_64 + 1023, // tanhBias

  40, // sigmoidMax
  -746, // sigmoidMin
  ROUND_64 + 1023 - 64, // sigmoidBias
  5.421010862427522e-20, // sigmoidGuard 0x1p-64
]);

const K_32 = memory.data<f32>([
  1, // one
  2, // two
  -2, // minusTwo
  0.5, // half
  Infinity, // infinity
  -Infinity, // minusInfinity
  -0.0, // signBit

  1.4426950216293335, // log2e 3fb8aa3b
  LN2_HIGH_32, // ln2High
  LN2_LOW_32, // ln2Low
  -LN2_HIGH_32, // minusLn2High
  -LN2_LOW_32, // minusLn2Low

  89, // expMax
  -104, // expMin
  ROUND_32 + 254, // expBias: twice 127

  1.1754943508222875e-38, // logTiny 0x1p-126
  33554432, // logScale 0x1p25
  8388735, // logBias 2^23 + 127
  8388760, // logBiasTiny: 25 more

  -20, // tanhMin
  ROUND_32 + 127, // tanhBias

  20, // sigmoidMax
  -104, // sigmoidMin
  ROUND_32 + 127 - 32, // sigmoidBias
  2.3283064365386963e-10, // sigmoidGuard 0x1p-32
]);

/** Coefficients of q in expm1Reduced64: number i is that of r^i. */
const EXP_64 = memory.data<f64>([
  0.5000000000000011, // 3fe000000000000a
  0.16666666666666413, // 3fc55555555554fa
  0.041666666666530246, // 3fa5555555550889
  0.008333333333494354, // 3f81111111127ba7
  0.0013888888943603991, // 3f56c16c1842720e
  0.00019841269506752084, // 3f2a01a012a67535
  2.4801493128966106e-5, // 3efa0199a14dd7fb
  2.755758627675283e-6, // 3ec71df253c5c57f
  2.7630236711535076e-7, // 3e928ad6a9654412
  2.5000073488150126e-8, // 3e5ad7f7c694f58b
]);

const EXP_32 = memory.data<f32>([
  0.4999999403953552, // 3efffffe
  0.1666652113199234, // 3e2aaa49
  0.04166838899254799, // 3d2aac79
  0.00836871936917305, // 3c091cf4
  0.0013814604608342052, // 3ab5121f
]);

/** Coefficients of R in log64: number i is that of z^(i + 1). */
const LOG_64 = memory.data<f64>([
  0.6666666666666735, // 3fe5555555555593
  0.3999999999940942, // 3fd999999997fa04
  0.2857142874366239, // 3fd2492494229359
  0.22222198432149784, // 3fcc71c51d8e78af
  0.1818357216161805, // 3fc7466496cb03de
  0.15313837699209373, // 3fc39a09d078c69f
  0.14798198605116586, // 3fc2f112df3e5244
]);

const LOG_32 = memory.data<f32>([
  0.6666666269302368, // 3f2aaaaa
  0.40000972151756287, // 3eccce13
  0.2849878668785095, // 3e91e9ee
  0.24279078841209412, // 3e789e26
]);

/** The bit patterns that log adds and masks with: where each one stands in BITS_64 and in BITS_32. */
const enum Bits { sqrtHalf, toOne, integer, fraction }

const BITS_64 = memory.data<u64>([
  0x3fe6a09e00000000, // sqrtHalf: sqrt(1/2), cut
  0x3ff0000000000000 - 0x3fe6a09e00000000, // toOne: 1 less sqrtHalf
  0x4330000000000000, // integer: 2^52, whose low bits count ones
  0x000fffffffffffff, // fraction: all but sign and exponent
]);

const BITS_32 = memory.data<u32>([
  0x3f3504f3, // sqrtHalf: sqrt(1/2)
  0x3f800000 - 0x3f3504f3, // toOne: 1 less sqrtHalf
  0x4b000000, // integer: 2^23, whose low bits count ones
  0x007fffff, // fraction: all but sign and exponent
]);

/** Number `index`, a constant, of a table of 8-byte values, in both lanes. */
// @ts-ignore: decorator
@inline function at64(table: usize, index: usize): v128 {
  return v128.load64_splat(table + index * 8);
}

/** Number `index`, a constant, of a table of 4-byte values, in all four lanes. */
// @ts-ignore: decorator
@inline function at32(table: usize, index: usize): v128 {
  return v128.load32_splat(table + index * 4);
}

// @ts-ignore: decorator
@inline function k64(name: K): v128 {
  return at64(K_64, name);
}

// @ts-ignore: decorator
@inline function k32(name: K): v128 {
  return at32(K_32, name);
}

/**
 * exp(r) - 1 for r = x - n ln 2, |r| <= ln(2) / 2: r + r^2 q(r), q of degree 9 in two interleaved halves.
 * q is the minimax polynomial (own Remez run) for the relative error of exp(r), 3.7e-18.
 */
// @ts-ignore: decorator
@inline function expm1Reduced64(x: v128, n: v128): v128 {
  const r = madd<f64>(n, k64(K.minusLn2Low), madd<f64>(n, k64(K.minusLn2High), x));
  const r2 = f64x2.mul(r, r);
  let even = at64(EXP_64, 8);
  even = madd<f64>(even, r2, at64(EXP_64, 6));
  even = madd<f64>(even, r2, at64(EXP_64, 4));
  even = madd<f64>(even, r2, at64(EXP_64, 2));
  even = madd<f64>(even, r2, at64(EXP_64, 0));
  let odd = at64(EXP_64, 9);
  odd = madd<f64>(odd, r2, at64(EXP_64, 7));
  odd = madd<f64>(odd, r2, at64(EXP_64, 5));
  odd = madd<f64>(odd, r2, at64(EXP_64, 3));
  odd = madd<f64>(odd, r2, at64(EXP_64, 1));
  return madd<f64>(madd<f64>(odd, r, even), r2, r);
}

/** As expm1Reduced64, q of degree 4: relative error of exp(r) 3.1e-9. */
// @ts-ignore: decorator
@inline function expm1Reduced32(x: v128, n: v128): v128 {
  const r = madd<f32>(n, k32(K.minusLn2Low), madd<f32>(n, k32(K.minusLn2High), x));
  const r2 = f32x4.mul(r, r);
  let even = at32(EXP_32, 4);
  even = madd<f32>(even, r2, at32(EXP_32, 2));
  even = madd<f32>(even, r2, at32(EXP_32, 0));
  let odd = at32(EXP_32, 3);
  odd = madd<f32>(odd, r2, at32(EXP_32, 1));
  return madd<f32>(madd<f32>(odd, r, even), r2, r);
}

/**
 * exp(x) = 2^n exp(r) for every x: below -746 it is 0, above 710 infinity. 2^n is applied as two powers of
 * two, the first exactly, so that subnormal results round once and the overflow edge is right.
 * Error: 1.03 ulp, relaxed 1.06 ulp.
 */
// @ts-ignore: decorator
@inline function exp64(x: v128): v128 {
  const bias = k64(K.expBias);
  x = f64x2.pmax(f64x2.pmin(x, k64(K.expMax)), k64(K.expMin));
  const shifted = madd<f64>(x, k64(K.log2e), bias);
  const power = f64x2.add(expm1Reduced64(x, f64x2.sub(shifted, bias)), k64(K.one));
  const half = i64x2.shr_u(shifted, 1);
  const first = i64x2.shl(half, 52);
  const second = i64x2.shl(i64x2.sub(shifted, half), 52);
  return f64x2.mul(f64x2.mul(power, first), second);
}

/** As exp64, between -104 and 89. Error: 1.02 ulp, relaxed 1.05 ulp. */
// @ts-ignore: decorator
@inline function exp32(x: v128): v128 {
  const bias = k32(K.expBias);
  x = f32x4.pmax(f32x4.pmin(x, k32(K.expMax)), k32(K.expMin));
  const shifted = madd<f32>(x, k32(K.log2e), bias);
  const power = f32x4.add(expm1Reduced32(x, f32x4.sub(shifted, bias)), k32(K.one));
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
  const tiny = f64x2.lt(x, k64(K.logTiny));
  const scaled = v128.bitselect(f64x2.mul(x, k64(K.logScale)), x, tiny);
  // Adding 1 less sqrt(1/2) carries into the exponent from sqrt(2) on.
  const bits = i64x2.add(scaled, at64(BITS_64, Bits.toOne));
  const bias = v128.bitselect(k64(K.logBiasTiny), k64(K.logBias), tiny);
  const k = f64x2.sub(v128.or(i64x2.shr_u(bits, 52), at64(BITS_64, Bits.integer)), bias);
  const fraction = v128.and(bits, at64(BITS_64, Bits.fraction));
  const f = f64x2.sub(i64x2.add(fraction, at64(BITS_64, Bits.sqrtHalf)), k64(K.one));

  const s = f64x2.div(f, f64x2.add(f, k64(K.two)));
  const z = f64x2.mul(s, s);
  const w = f64x2.mul(z, z);
  let even = at64(LOG_64, 5);
  even = madd<f64>(even, w, at64(LOG_64, 3));
  even = madd<f64>(even, w, at64(LOG_64, 1));
  let odd = at64(LOG_64, 6);
  odd = madd<f64>(odd, w, at64(LOG_64, 4));
  odd = madd<f64>(odd, w, at64(LOG_64, 2));
  odd = madd<f64>(odd, w, at64(LOG_64, 0));
  const rest = madd<f64>(even, w, f64x2.mul(odd, z));
  const halfSquare = f64x2.mul(f64x2.mul(f, f), k64(K.half));
  const low = madd<f64>(s, f64x2.add(halfSquare, rest), f64x2.mul(k, k64(K.ln2Low)));
  let result = madd<f64>(k, k64(K.ln2High), f64x2.add(f64x2.sub(low, halfSquare), f));

  result = v128.bitselect(result, x, f64x2.lt(x, k64(K.infinity)));
  result = v128.or(result, f64x2.lt(x, splat<f64>(0)));
  return v128.bitselect(k64(K.minusInfinity), result, f64x2.eq(x, splat<f64>(0)));
}

/** As log64, with the coefficients of musl logf.c; subnormals are scaled by 2^25. Error: 0.84 ulp. */
// @ts-ignore: decorator
@inline function log32(x: v128): v128 {
  const tiny = f32x4.lt(x, k32(K.logTiny));
  const scaled = v128.bitselect(f32x4.mul(x, k32(K.logScale)), x, tiny);
  const bits = i32x4.add(scaled, at32(BITS_32, Bits.toOne));
  const bias = v128.bitselect(k32(K.logBiasTiny), k32(K.logBias), tiny);
  const k = f32x4.sub(v128.or(i32x4.shr_u(bits, 23), at32(BITS_32, Bits.integer)), bias);
  const fraction = v128.and(bits, at32(BITS_32, Bits.fraction));
  const f = f32x4.sub(i32x4.add(fraction, at32(BITS_32, Bits.sqrtHalf)), k32(K.one));

  const s = f32x4.div(f, f32x4.add(f, k32(K.two)));
  const z = f32x4.mul(s, s);
  const w = f32x4.mul(z, z);
  let even = at32(LOG_32, 3);
  even = madd<f32>(even, w, at32(LOG_32, 1));
  let odd = at32(LOG_32, 2);
  odd = madd<f32>(odd, w, at32(LOG_32, 0));
  const rest = madd<f32>(even, w, f32x4.mul(odd, z));
  const halfSquare = f32x4.mul(f32x4.mul(f, f), k32(K.half));
  const low = madd<f32>(s, f32x4.add(halfSquare, rest), f32x4.mul(k, k32(K.ln2Low)));
  let result = madd<f32>(k, k32(K.ln2High), f32x4.add(f32x4.sub(low, halfSquare), f));

  result = v128.bitselect(result, x, f32x4.lt(x, k32(K.infinity)));
  result = v128.or(result, f32x4.lt(x, splat<f32>(0)));
  return v128.bitselect(k32(K.minusInfinity), result, f32x4.eq(x, splat<f32>(0)));
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
  const bias = k64(K.tanhBias);
  const y = f64x2.pmax(f64x2.mul(f64x2.abs(x), k64(K.minusTwo)), k64(K.tanhMin));
  const shifted = madd<f64>(y, k64(K.log2e), bias);
  const e = expm1Reduced64(y, f64x2.sub(shifted, bias));
  const scale = i64x2.shl(shifted, 52);
  const change = f64x2.mul(e, scale);
  const numerator = f64x2.sub(f64x2.sub(k64(K.one), scale), change);
  const denominator = f64x2.add(f64x2.add(k64(K.one), scale), change);
  return v128.or(f64x2.div(numerator, denominator), v128.and(x, k64(K.signBit)));
}

/** As tanh64; from |x| = 10 on it is 1. Error: 2.12 ulp, relaxed 1.99 ulp. */
// @ts-ignore: decorator
@inline function tanh32(x: v128): v128 {
  const bias = k32(K.tanhBias);
  const y = f32x4.pmax(f32x4.mul(f32x4.abs(x), k32(K.minusTwo)), k32(K.tanhMin));
  const shifted = madd<f32>(y, k32(K.log2e), bias);
  const e = expm1Reduced32(y, f32x4.sub(shifted, bias));
  const scale = i32x4.shl(shifted, 23);
  const change = f32x4.mul(e, scale);
  const numerator = f32x4.sub(f32x4.sub(k32(K.one), scale), change);
  const denominator = f32x4.add(f32x4.add(k32(K.one), scale), change);
  return v128.or(f32x4.div(numerator, denominator), v128.and(x, k32(K.signBit)));
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
  const bias = k64(K.sigmoidBias);
  const guard = k64(K.sigmoidGuard);
  const y = f64x2.neg(f64x2.pmax(f64x2.pmin(x, k64(K.sigmoidMax)), k64(K.sigmoidMin)));
  const shifted = madd<f64>(y, k64(K.log2e), bias);
  const power = f64x2.add(expm1Reduced64(y, f64x2.sub(shifted, bias)), k64(K.one));
  return f64x2.div(guard, madd<f64>(power, i64x2.shl(shifted, 52), guard));
}

/** As sigmoid64, with g = 2^-32. Error: 2.49 ulp. */
// @ts-ignore: decorator
@inline function sigmoid32(x: v128): v128 {
  const bias = k32(K.sigmoidBias);
  const guard = k32(K.sigmoidGuard);
  const y = f32x4.neg(f32x4.pmax(f32x4.pmin(x, k32(K.sigmoidMax)), k32(K.sigmoidMin)));
  const shifted = madd<f32>(y, k32(K.log2e), bias);
  const power = f32x4.add(expm1Reduced32(y, f32x4.sub(shifted, bias)), k32(K.one));
  return f32x4.div(guard, madd<f32>(power, i32x4.shl(shifted, 23), guard));
}

/** Logistic function 1 / (1 + exp(-x)). */
// @ts-ignore: decorator
@inline export function sigmoid<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return sigmoid64(x);
  return sigmoid32(x);
}

// Each of these is some hundred bytes long: what is rare, or not done for each element, calls them.
export function expOf<T>(x: v128): v128 { return exp<T>(x); }
export function logOf<T>(x: v128): v128 { return log<T>(x); }
export function tanhOf<T>(x: v128): v128 { return tanh<T>(x); }
export function sigmoidOf<T>(x: v128): v128 { return sigmoid<T>(x); }
