// The binaries as they are inlined are those that the compiler wrote.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packed } from "../build/binaries.js";
import { compress } from "../scripts/pack.mjs";
import { expand } from "../src/executors/wasm/lzma.js";
import { unpack } from "../src/executors/wasm/unpack.js";

test.each(["plain", "relaxed"] as const)("The %s binary is unpacked as it was packed", (build) => {
  const compiled = readFileSync(new URL(`../build/${build}.wasm`, import.meta.url));
  const binary = unpack(packed)[build];
  expect(Buffer.compare(binary, compiled)).toBe(0);
  // A Buffer's slice() would be a view, and what makes a copy for unshared memory would change the original.
  expect(binary.constructor).toBe(Uint8Array);
});

/** A number of 20 bits that is the same for the same place, and otherwise like chance. */
const mixed = (place: number) => Math.imul(Math.imul(place * 4 + 1, 0x9e3779b1) ^ 0x55555, 0x85ebca6b) >>> 12;

/** What becomes of the bytes on their way through encoder and decoder. */
function throughLzma(bytes: Uint8Array) {
  const output = new Uint8Array(bytes.length);
  expand(compress(bytes), output);
  return output;
}

test("A stream of no bytes, one byte, and runs of one byte up to lengths of every kind is expanded", () => {
  for (const length of [0, 1, 2, 3, 9, 10, 17, 18, 19, 273, 274, 275, 5000]) {
    const run = new Uint8Array(length).fill(171);
    expect(throughLzma(run)).toEqual(run);
  }
});

test("Bytes without any order, which are all literals, are expanded", () => {
  const bytes = Uint8Array.from({ length: 20000 }, (_, i) => mixed(i));
  expect(throughLzma(bytes)).toEqual(bytes);
});

test("Repetitions over distances of every kind, the last four and others, are expanded", () => {
  const bytes: number[] = [];
  const recent: number[] = [];
  for (let i = 0; i < 2000; i++) {
    for (let literals = mixed(i) % 5; literals > 0; literals--) bytes.push(mixed(bytes.length));
    const far = 1 + (mixed(i + 0.5) % 2 ** Math.min(17, i % 18));
    const distance = Math.min(bytes.length, i % 3 ? far : (recent[mixed(i + 0.25) % 4] ?? 1));
    recent.unshift(distance);
    recent.length = Math.min(recent.length, 4);
    if (distance > 0)
      for (let length = mixed(i + 0.75) % (i % 50 ? 12 : 1200); length > 0; length--)
        bytes.push(bytes[bytes.length - distance]);
  }
  const input = Uint8Array.from(bytes);
  expect(input.length).toBeGreaterThan(2 ** 14);
  expect(Buffer.compare(throughLzma(input), input)).toBe(0);
});
