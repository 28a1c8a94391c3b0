// The binaries as they are inlined are those that the compiler wrote.

import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { packed } from "../build/binaries.js";
import { unpack } from "../src/executors/wasm/unpack.js";

afterEach(() => vi.restoreAllMocks());

describe.each(["Node's inflate", "the bundled inflate"])("with %s", (inflate) => {
  test.each(["plain", "relaxed"] as const)("the %s binary is unpacked as it was packed", (build) => {
    const compiled = readFileSync(new URL(`../build/${build}.wasm`, import.meta.url));
    const builtin = vi.spyOn(process, "getBuiltinModule");
    if (inflate === "the bundled inflate") builtin.mockReturnValue(undefined as never);
    const binary = unpack(packed)[build];
    expect(builtin).toHaveBeenCalledWith("node:zlib");
    expect(Buffer.compare(binary, compiled)).toBe(0);
    // A Buffer's slice() would be a view, and what makes a copy for unshared memory would change the original.
    expect(binary.constructor).toBe(Uint8Array);
  });
});
