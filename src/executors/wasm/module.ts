// The compiled binaries: inlined as base64, compiled on first use, kept for the life of the process.

import * as binaries from "../../../build/binaries.js";

/** Which build of the kernels: see assembly/lanes.ts. */
export type Build = keyof typeof binaries;

/**
 * A module of one function that holds a relaxed SIMD instruction: engines without relaxed SIMD (Node 20,
 * Safari) reject it.
 */
const RELAXED_SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
  ...[1, 5, 1, 96, 0, 1, 123], // type: () -> v128
  ...[3, 2, 1, 0], // function 0 has type 0
  ...[10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11], // i8x16.relaxed_swizzle of two splats
);

/**
 * The build to run: fused multiply-add where the engine has it, unless the bits must be those of every other
 * engine and of the reference executor.
 */
export function chooseBuild(deterministic: boolean): Build {
  return !deterministic && WebAssembly.validate(RELAXED_SIMD) ? "relaxed" : "plain";
}

const modules = new Map<Build, WebAssembly.Module>();

/** The compiled module of a build. */
export function compiled(build: Build): WebAssembly.Module {
  let module = modules.get(build);
  if (!module) {
    module = new WebAssembly.Module(bytesOf(build));
    modules.set(build, module);
  }
  return module;
}

function bytesOf(build: Build): Uint8Array<ArrayBuffer> {
  const text = atob(binaries[build]);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
