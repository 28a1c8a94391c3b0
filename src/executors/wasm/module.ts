// The binaries: inlined, packed; unpacked and compiled on first use, kept for the life of the process.

import { packed } from "../../../build/binaries.js";
import { unpack } from "./unpack.js";

/** Which build of the kernels: see assembly/lanes.ts. */
export type Build = "plain" | "relaxed";

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

let binaries: Record<Build, Uint8Array<ArrayBuffer>> | undefined;
const modules = new Map<string, WebAssembly.Module>();

/** The compiled module of a build, for shared or for unshared memory. */
export function compiled(build: Build, shared: boolean): WebAssembly.Module {
  const key = `${build} ${shared}`;
  let module = modules.get(key);
  if (!module) {
    binaries ??= unpack(packed);
    const bytes = shared ? binaries[build] : unshared(binaries[build]);
    module = new WebAssembly.Module(bytes);
    modules.set(key, module);
  }
  return module;
}

/**
 * A copy that imports an unshared memory. The binary is compiled for shared memory; the only difference is the limits
 * flag of the import: 3 (shared, has a maximum) becomes 1 (has a maximum). Atomic instructions run on either.
 */
function unshared(binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = binary.slice();
  // "env" "memory", kind 2 (memory), limits flag 3
  const memoryImport = [3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 3];
  const last = bytes.length - memoryImport.length;
  for (let i = 0; i <= last; i++) {
    if (memoryImport.every((byte, j) => bytes[i + j] === byte)) {
      bytes[i + memoryImport.length - 1] = 1;
      return bytes;
    }
  }
  throw new Error("the binary does not import a shared memory: it was built with other options");
}
