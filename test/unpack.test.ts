// The binaries as they are inlined are those that the compiler wrote.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packed } from "../build/binaries.js";
import { unpack } from "../src/executors/wasm/unpack.js";

test.each(["plain", "relaxed"] as const)("the %s binary is unpacked as it was packed", (build) => {
  const compiled = readFileSync(new URL(`../build/${build}.wasm`, import.meta.url));
  expect(Buffer.compare(unpack(packed)[build], compiled)).toBe(0);
});
