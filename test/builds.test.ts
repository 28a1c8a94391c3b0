// The two builds of the kernels: which of them this engine has, and so which the kernel tests run on.

import { expect, test } from "vitest";
import { chooseBuild, compiled } from "../src/executors/wasm/module.js";
import { builds } from "./helpers.js";

const hasRelaxedSimd = Number.parseInt(process.versions.node, 10) >= 22;

test(`Kernel tests on Node ${process.version} run on: ${builds.join(", ")} (relaxed SIMD needs Node 22)`, () => {
  expect(builds).toEqual(hasRelaxedSimd ? ["plain", "relaxed"] : ["plain"]);
});

test("The build is the relaxed one where the engine has it, and the plain one where bits must not depend on it", () => {
  expect(chooseBuild(false)).toBe(hasRelaxedSimd ? "relaxed" : "plain");
  expect(chooseBuild(true)).toBe("plain");
});

test("The plain build compiles everywhere, the relaxed one only with relaxed SIMD, for it has such instructions", () => {
  for (const shared of [false, true]) {
    expect(compiled("plain", shared)).toBeInstanceOf(WebAssembly.Module);
    if (hasRelaxedSimd) expect(compiled("relaxed", shared)).toBeInstanceOf(WebAssembly.Module);
    else expect(() => compiled("relaxed", shared)).toThrow(WebAssembly.CompileError);
  }
});
