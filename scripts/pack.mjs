// Packs the binaries, which are near twins: the plain one, and the relaxed one as a patch of it, in one deflate stream.
//
// Each of them takes 12.6 KB deflated. Deflate finds a repetition no further back than 32 KiB, and one after the other
// they are 41 KB apart; in turns of 16 KiB (the best of 0.5 to 16) both take 15.9 KB, as a patch 14.8, and the bundle
// inflates less. Base64 comes last, for it breaks the alignment of bytes that gzip would need to find anything in it.

import { promisify } from "node:util";
import zopfli from "@gfx/zopfli";

/** Shortest run of equal bytes that is copied; shorter ones are found in the wrong places. */
const SHORTEST = 6;
/** How far ahead in the original the next run may be: what lies between is lost for all that follows. */
const FURTHEST = 64;

/** What src/executors/wasm/unpack.ts takes; it says what is what. */
export async function pack({ plain, relaxed }) {
  const patch = difference(plain, relaxed);
  // Zopfli makes the same format as zlib's level 9, 5 % smaller.
  const stream = Buffer.from(
    await promisify(zopfli.deflate)(Buffer.concat([plain, patch]), { numiterations: 60 }),
  );
  return {
    plain: plain.length,
    relaxed: relaxed.length,
    patch: patch.length,
    base64: stream.toString("base64"),
  };
}

/** The patch that makes `changed` of `original`, going through both from front to back. */
function difference(original, changed) {
  const places = new Map();
  const key = (bytes, at) => bytes.toString("latin1", at, at + SHORTEST);
  for (let at = 0; at + SHORTEST <= original.length; at++) {
    const known = places.get(key(original, at));
    if (known) known.push(at);
    else places.set(key(original, at), [at]);
  }
  const runLength = (from, to) => {
    let length = 0;
    while (to + length < changed.length && original[from + length] === changed[to + length]) length++;
    return length;
  };

  const patch = [];
  const number = (value) => {
    for (; value > 127; value >>>= 7) patch.push((value & 127) | 128);
    patch.push(value);
  };
  let from = 0;
  let added = [];
  const step = (skipped, copied) => {
    number(added.length);
    patch.push(...added);
    number(skipped);
    number(copied);
    from += skipped + copied;
    added = [];
  };
  for (let to = 0; to < changed.length; ) {
    const near = (places.get(key(changed, to)) ?? []).filter((at) => at >= from && at <= from + FURTHEST);
    // Long runs, and of those alike the nearest.
    const runs = near.map((at) => ({ skipped: at - from, length: runLength(at, to) }));
    const [best] = runs.sort((a, b) => b.length - b.skipped / 64 - (a.length - a.skipped / 64));
    if (best) {
      step(best.skipped, best.length);
      to += best.length;
    } else added.push(changed[to++]);
  }
  if (added.length > 0) step(0, 0);
  return Uint8Array.from(patch);
}
