// Counter-based random numbers: Philox 4x32-10. See assembly/random.ts.

import type { FloatArray } from "../../dtype.js";

/** Upper 32 bits of the unsigned product a * b, from 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** The block at counter (index, row, stream, step), in four words: the same array each time. */
export function philox(
  seedLow: number,
  seedHigh: number,
  stream: number,
  index: number,
  row: number,
  step: number,
): Uint32Array {
  let key0 = seedLow | 0;
  let key1 = seedHigh | 0;
  let c0 = index | 0;
  let c1 = row | 0;
  let c2 = stream | 0;
  let c3 = step | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0 >>> 0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2 >>> 0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 = (key0 + 0x9e3779b9) | 0;
    key1 = (key1 + 0xbb67ae85) | 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
  return words;
}

const words = new Uint32Array(4);

/** Uniform in [0, 1) with 53 random bits: the upper 53 of the 64 bits of the block's first two words. */
export function uniform53(
  seedLow: number,
  seedHigh: number,
  stream: number,
  index: number,
  row = 0,
  step = 0,
): number {
  const block = philox(seedLow, seedHigh, stream, index, row, step);
  return (block[1] * 2 ** 21 + (block[0] >>> 11)) * 2 ** -53;
}

/** y[i] = low + (high - low) u[i]. */
export function uniform(
  f: FloatArray,
  y: number,
  n: number,
  low: number,
  high: number,
  seedLow: number,
  seedHigh: number,
  stream: number,
): void {
  const span = high - low;
  for (let i = 0; i < n; i++) f[y + i] = low + span * uniform53(seedLow, seedHigh, stream, i);
}

/** order = a permutation of 0 .. n - 1 (Fisher-Yates, from the identity). */
export function shuffle(
  u32: Uint32Array,
  order: number,
  n: number,
  seedLow: number,
  seedHigh: number,
  stream: number,
): void {
  for (let i = 0; i < n; i++) u32[order + i] = i;
  for (let i = n; i > 1; i--) {
    const j = Math.floor(uniform53(seedLow, seedHigh, stream, i) * i);
    const swap = u32[order + i - 1];
    u32[order + i - 1] = u32[order + j];
    u32[order + j] = swap;
  }
}
