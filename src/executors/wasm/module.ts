// The compiled binaries: inlined as base64, compiled on first use, kept for the life of the process.

import { plain, relaxed } from "../../../build/binaries.js";

const binaries = { plain, relaxed };

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

const modules = new Map<string, WebAssembly.Module>();

/** The compiled module of a build, for shared or for unshared memory. */
export function compiled(build: Build, shared: boolean): WebAssembly.Module {
  const key = `${build} ${shared}`;
  let module = modules.get(key);
  if (!module) {
    const bytes = decode(binaries[build]);
    if (!shared) unshare(bytes);
    module = new WebAssembly.Module(bytes);
    modules.set(key, module);
  }
  return module;
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Makes the imported memory an unshared one. The binary is compiled for shared memory; the only difference is
 * the limits flag of the import: 3 (shared, has a maximum) becomes 1 (has a maximum). Atomic instructions run
 * on either.
 */
function unshare(bytes: Uint8Array): void {
  // "env" "memory", kind 2 (memory), limits flag 3
  const memoryImport = [3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 3];
  const last = bytes.length - memoryImport.length;
  for (let i = 0; i <= last; i++) {
    if (memoryImport.every((byte, j) => bytes[i + j] === byte)) {
      bytes[i + memoryImport.length - 1] = 1;
      return;
    }
  }
  throw new Error("the binary does not import a shared memory: it was built with other options");
}
