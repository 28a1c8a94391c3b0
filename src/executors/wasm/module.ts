// The compiled binaries: inlined as base64, compiled on first use, kept for the life of the process.

import * as binaries from "../../../build/binaries.js";

/** Which build of the kernels: see assembly/lanes.ts. */
export type Build = keyof typeof binaries;

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
