// AssemblyScript: bench/peak.ts compiles it.
//
// As many multiply-adds as V8's code does in 128-bit vectors: a loop over registers alone. Ten independent
// accumulators, two rounds of them a turn: more ran out of V8's registers or were no faster, in either type.

import { madd, splat } from "../../assembly/lanes";

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
  const s0 = v128.add<T>(v128.add<T>(c0, c1), v128.add<T>(c2, c3));
  const s1 = v128.add<T>(v128.add<T>(c4, c5), v128.add<T>(c6, c7));
  const s2 = v128.add<T>(c8, c9);
  const sum = v128.add<T>(v128.add<T>(s0, s1), s2);
  if (sizeof<T>() === 8) return f64x2.extract_lane(sum, 0);
  return <f64>f32x4.extract_lane(sum, 0);
}

export function peak64(count: i32, factor: f64, term: f64): f64 {
  return peak<f64>(count, factor, term);
}

export function peak32(count: i32, factor: f64, term: f64): f64 {
  return peak<f32>(count, factor, term);
}
