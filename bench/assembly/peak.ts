// AssemblyScript: bench/peak.ts compiles it.

import { FUSED, madd, splat } from "../../assembly/lanes";

// As many multiply-adds as V8's code does in 128-bit vectors: a loop over registers alone. Ten independent
// accumulators, two rounds of them a turn: more ran out of V8's registers or were no faster, in either type.

/** Does `count` times 20 vector multiply-adds c = c factor + term. Returns a value that depends on all of them. */
function peak<T>(count: i32, factor: f64, term: f64): f64 {
  const a = splat<T>(factor);
  const b = splat<T>(term);
  let c0 = splat<T>(0);
  let c1 = splat<T>(1);
  let c2 = splat<T>(2);
  let c3 = splat<T>(3);
  let c4 = splat<T>(4);
  let c5 = splat<T>(5);
  let c6 = splat<T>(6);
  let c7 = splat<T>(7);
  let c8 = splat<T>(8);
  let c9 = splat<T>(9);
  for (let i = count; i; i--) {
    c0 = madd<T>(c0, a, b);
    c1 = madd<T>(c1, a, b);
    c2 = madd<T>(c2, a, b);
    c3 = madd<T>(c3, a, b);
    c4 = madd<T>(c4, a, b);
    c5 = madd<T>(c5, a, b);
    c6 = madd<T>(c6, a, b);
    c7 = madd<T>(c7, a, b);
    c8 = madd<T>(c8, a, b);
    c9 = madd<T>(c9, a, b);
    c0 = madd<T>(c0, a, b);
    c1 = madd<T>(c1, a, b);
    c2 = madd<T>(c2, a, b);
    c3 = madd<T>(c3, a, b);
    c4 = madd<T>(c4, a, b);
    c5 = madd<T>(c5, a, b);
    c6 = madd<T>(c6, a, b);
    c7 = madd<T>(c7, a, b);
    c8 = madd<T>(c8, a, b);
    c9 = madd<T>(c9, a, b);
  }
  return lowLane<T>(add4<T>(c0, c1, c2, add4<T>(c3, c4, c5, add4<T>(c6, c7, c8, c9))));
}

// As many as the register tile of a product does (see assembly/gemm.ts), which loads what it multiplies: the same
// loop, but for ever, and always out of the first-level cache.

/** What is multiplied: 128 turns of two vectors of B and up to six of A. */
const FACTORS = memory.data(128 * 128, 16);
const FACTORS_BYTES: usize = 128 * 128;

/** Does `count` turns over a tile of 6 x 2 vectors, without fused multiply-adds 4 x 2. */
function tile<T>(count: i32): f64 {
  let c00 = splat<T>(0);
  let c01 = splat<T>(0);
  let c10 = splat<T>(0);
  let c11 = splat<T>(0);
  let c20 = splat<T>(0);
  let c21 = splat<T>(0);
  let c30 = splat<T>(0);
  let c31 = splat<T>(0);
  let c40 = splat<T>(0);
  let c41 = splat<T>(0);
  let c50 = splat<T>(0);
  let c51 = splat<T>(0);
  let at: usize = 0;
  for (let i = count; i; i--) {
    const factors = FACTORS + at;
    const b0 = v128.load(factors);
    const b1 = v128.load(factors, 16);
    const a0 = v128.load(factors, 32);
    c00 = madd<T>(a0, b0, c00);
    c01 = madd<T>(a0, b1, c01);
    const a1 = v128.load(factors, 48);
    c10 = madd<T>(a1, b0, c10);
    c11 = madd<T>(a1, b1, c11);
    const a2 = v128.load(factors, 64);
    c20 = madd<T>(a2, b0, c20);
    c21 = madd<T>(a2, b1, c21);
    const a3 = v128.load(factors, 80);
    c30 = madd<T>(a3, b0, c30);
    c31 = madd<T>(a3, b1, c31);
    if (FUSED) {
      const a4 = v128.load(factors, 96);
      c40 = madd<T>(a4, b0, c40);
      c41 = madd<T>(a4, b1, c41);
      const a5 = v128.load(factors, 112);
      c50 = madd<T>(a5, b0, c50);
      c51 = madd<T>(a5, b1, c51);
    }
    at = (at + 128) & (FACTORS_BYTES - 1);
  }
  const upper = add4<T>(c00, c01, c10, add4<T>(c11, c20, c21, c30));
  return lowLane<T>(add4<T>(upper, c31, c40, add4<T>(c41, c50, c51, c51)));
}

function add4<T>(x: v128, y: v128, z: v128, w: v128): v128 {
  return v128.add<T>(v128.add<T>(x, y), v128.add<T>(z, w));
}

function lowLane<T>(x: v128): f64 {
  if (sizeof<T>() === 8) return f64x2.extract_lane(x, 0);
  return <f64>f32x4.extract_lane(x, 0);
}

export function peak64(count: i32, factor: f64, term: f64): f64 {
  return peak<f64>(count, factor, term);
}

export function peak32(count: i32, factor: f64, term: f64): f64 {
  return peak<f32>(count, factor, term);
}

export function tile64(count: i32): f64 {
  return tile<f64>(count);
}

export function tile32(count: i32): f64 {
  return tile<f32>(count);
}
