// AssemblyScript: bench/peak.ts compiles it.

import { packedRows4, packedRows6, SumStart } from "../../assembly/gemm";
import { FUSED, madd, splat } from "../../assembly/lanes";
import { PACKED_TERM_BYTES, PANEL_ROW_BYTES, TALL_ROWS } from "../../assembly/ops";

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
  const s0 = v128.add<T>(v128.add<T>(c0, c1), v128.add<T>(c2, c3));
  const s1 = v128.add<T>(v128.add<T>(c4, c5), v128.add<T>(c6, c7));
  const s2 = v128.add<T>(c8, c9);
  const sum = v128.add<T>(v128.add<T>(s0, s1), s2);
  if (sizeof<T>() === 8) return f64x2.extract_lane(sum, 0);
  return <f64>f32x4.extract_lane(sum, 0);
}

// As many as the innermost loop of a product does, which loads what it multiplies: the product's own code, on the same
// packed tile of A and panel of B over and over, all in the first-level cache.

/** Terms of the tile, as bench/peak.ts knows. */
const TERMS = 128;
const TILE = memory.data(TERMS * PACKED_TERM_BYTES, 16);
const PANEL = memory.data(TERMS * PANEL_ROW_BYTES, 16);
const OUTPUT = memory.data(TALL_ROWS * PANEL_ROW_BYTES, 16);

/** Does `count` tiles of TERMS terms: of 6 x 2 vectors, without fused multiply-adds of 4 x 2. */
function tile<T>(count: i32): void {
  for (let i = count; i; i--) {
    if (FUSED)
      packedRows6<T>(SumStart.zero, OUTPUT, PANEL_ROW_BYTES, PANEL_ROW_BYTES, TILE, PANEL, 0, TERMS, 0);
    else packedRows4<T>(SumStart.zero, OUTPUT, PANEL_ROW_BYTES, PANEL_ROW_BYTES, TILE, PANEL, 0, TERMS, 0);
  }
}

export function peak64(count: i32, factor: f64, term: f64): f64 {
  return peak<f64>(count, factor, term);
}

export function peak32(count: i32, factor: f64, term: f64): f64 {
  return peak<f32>(count, factor, term);
}

export function tile64(count: i32): void {
  tile<f64>(count);
}

export function tile32(count: i32): void {
  tile<f32>(count);
}
