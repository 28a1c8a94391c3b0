// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As
// Easy as 1, 2, 3; SC 2011). The number at (seed, stream, index) depends on nothing else, so it does not
// matter who draws it or in which order.

// @ts-ignore: decorator
@inline export const MULTIPLIER_0: u64 = 0xd2511f53;
// @ts-ignore: decorator
@inline export const MULTIPLIER_1: u64 = 0xcd9e8d57;
// @ts-ignore: decorator
@inline export const WEYL_0: u32 = 0x9e3779b9;
// @ts-ignore: decorator
@inline export const WEYL_1: u32 = 0xbb67ae85;

/** The first two of the four 32-bit words of the block at counter (index, row, stream, step). */
function philox(seedLow: u32, seedHigh: u32, stream: u32, index: u32, row: u32, step: u32): u64 {
  let c0 = index;
  let c1 = row;
  let c2 = stream;
  let c3 = step;
  for (let round = 0; round < 10; round++) {
    const p0 = MULTIPLIER_0 * <u64>c0;
    const p1 = MULTIPLIER_1 * <u64>c2;
    c0 = <u32>(p1 >> 32) ^ c1 ^ seedLow;
    c1 = <u32>p1;
    c2 = <u32>(p0 >> 32) ^ c3 ^ seedHigh;
    c3 = <u32>p0;
    seedLow += WEYL_0;
    seedHigh += WEYL_1;
  }
  return (<u64>c1 << 32) | <u64>c0;
}

/** Uniform in [0, 1) with 53 random bits. */
export function uniform53(seedLow: u32, seedHigh: u32, stream: u32, index: u32, row: u32 = 0, step: u32 = 0): f64 {
  return <f64>(philox(seedLow, seedHigh, stream, index, row, step) >> 11) * (1.0 / 9007199254740992.0);
}

/** y[i] = low + (high - low) u[i]: drawn in f64, then rounded to T, so both types start alike. */
export function uniform<T>(
  y: usize, n: usize, low: f64, high: f64, seedLow: u32, seedHigh: u32, stream: u32,
): void {
  const span = high - low;
  for (let i: usize = 0; i < n; i++) {
    store<T>(y + i * sizeof<T>(), <T>(low + span * uniform53(seedLow, seedHigh, stream, <u32>i)));
  }
}

/** order = a permutation of 0 .. n - 1, every one equally likely (Fisher-Yates, from the identity). */
export function shuffle(order: usize, n: usize, seedLow: u32, seedHigh: u32, stream: u32): void {
  for (let i: usize = 0; i < n; i++) store<u32>(order + i * 4, <u32>i);
  for (let i = n; i > 1; i--) {
    const j = <usize>(uniform53(seedLow, seedHigh, stream, <u32>i) * <f64>i);
    const last = order + (i - 1) * 4;
    const other = order + j * 4;
    const swap = load<u32>(last);
    store<u32>(last, load<u32>(other));
    store<u32>(other, swap);
  }
}
