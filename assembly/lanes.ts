// SIMD lane helpers, generic over the element type T (f64: 2 lanes, f32: 4 lanes).
//
// madd() is the only place that chooses between one fused multiply-add (relaxed build) and a separate
// multiplication and addition (plain build). The plain build rounds twice, in the order the reference
// executor does, so both leave the same bits.

/** Lanes of T in a vector. */
// @ts-ignore: decorator
@inline export function lanes<T>(): usize {
  return 16 / sizeof<T>();
}

/** Whether madd() is one fused instruction. */
// @ts-ignore: decorator
@inline export const FUSED: bool = ASC_FEATURE_RELAXED_SIMD;

/** a * b + c, lane by lane. */
// @ts-ignore: decorator
@inline export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (FUSED) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** The scalar `value`, rounded to T, in every lane. */
// @ts-ignore: decorator
@inline export function splat<T>(value: f64): v128 {
  if (sizeof<T>() == 8) return f64x2.splat(value);
  return f32x4.splat(<f32>value);
}

/**
 * Stores the first `count` lanes of `value` (0 < count < lanes). The matching partial load is a plain
 * v128.load: it may read past the end of an array, which the arena's padding keeps inside memory, and
 * the lanes read there are never stored.
 */
// @ts-ignore: decorator
@inline export function storePartial<T>(pointer: usize, value: v128, count: usize): void {
  if (sizeof<T>() == 8) {
    v128.store64_lane(pointer, value, 0);
  } else {
    if (count & 2) {
      v128.store64_lane(pointer, value, 0);
      if (count & 1) v128.store32_lane(pointer, value, 2, 8);
    } else {
      v128.store32_lane(pointer, value, 0);
    }
  }
}

/** Stores the lanes of `value` that `left` elements have room for: not inlined, for what is rare. */
export function storeLanes<T>(pointer: usize, value: v128, left: usize): void {
  if (left < lanes<T>()) storePartial<T>(pointer, value, left);
  else v128.store(pointer, value);
}

/** All ones in the first `count` lanes, zeros in the others. */
// @ts-ignore: decorator
@inline export function lanesBelow<T>(count: usize): v128 {
  return sizeof<T>() == 8
    ? i64x2.lt_s(i64x2(0, 1), i64x2.splat(<i64>count))
    : i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>count));
}

/** Sum of the lanes in every lane: 0 + 1, or (0 + 1) + (2 + 3). */
// @ts-ignore: decorator
@inline export function horizontalSum<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return v128.add<T>(x, v128.shuffle<u64>(x, x, 1, 0));
  const pairs = v128.add<T>(x, v128.shuffle<u32>(x, x, 1, 0, 3, 2));
  return v128.add<T>(pairs, v128.shuffle<u32>(pairs, pairs, 2, 3, 0, 1));
}

/** Largest lane in every lane. */
// @ts-ignore: decorator
@inline export function horizontalMax<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return v128.max<T>(x, v128.shuffle<u64>(x, x, 1, 0));
  const pairs = v128.max<T>(x, v128.shuffle<u32>(x, x, 1, 0, 3, 2));
  return v128.max<T>(pairs, v128.shuffle<u32>(pairs, pairs, 2, 3, 0, 1));
}

/** The first lane as f64. */
// @ts-ignore: decorator
@inline export function first<T>(x: v128): f64 {
  if (sizeof<T>() == 8) return f64x2.extract_lane(x, 0);
  return <f64>f32x4.extract_lane(x, 0);
}
