// The binaries out of what scripts/pack.mjs makes of them.

import { expand } from "./lzma.js";

/** Two near twins in one LZMA stream: the plain binary, and the relaxed one as a patch of it. */
export interface Packed {
  /** Bytes of the plain binary. */
  readonly plain: number;
  /** Bytes of the relaxed binary. */
  readonly relaxed: number;
  /** Bytes of the patch. */
  readonly patch: number;
  /** The raw LZMA stream of the plain binary and the patch, in base64. */
  readonly base64: string;
}

/** Both binaries. */
export function unpack({ plain, relaxed, patch, base64 }: Packed) {
  const bytes = new Uint8Array(plain + patch);
  expand(decode(base64), bytes);
  return {
    plain: bytes.slice(0, plain),
    relaxed: patched(bytes.subarray(0, plain), bytes.subarray(plain), new Uint8Array(relaxed)),
  };
}

/**
 * Fills `output` from the original and a patch: a list of steps, each a number of bytes that follow here, those bytes, a
 * number of bytes of the original to skip, and a number to copy. Numbers are unsigned LEB128.
 */
function patched(original: Uint8Array, patch: Uint8Array, output: Uint8Array<ArrayBuffer>) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = patch[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  let from = 0;
  let to = 0;
  while (at < patch.length) {
    const added = number();
    output.set(patch.subarray(at, at + added), to);
    at += added;
    to += added;
    from += number();
    const copied = number();
    output.set(original.subarray(from, from + copied), to);
    from += copied;
    to += copied;
  }
  return output;
}

function decode(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
