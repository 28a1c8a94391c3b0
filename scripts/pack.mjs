// Packs the binaries, which are near twins: the plain one, and the relaxed one as a patch of it, in one LZMA stream.
//
// With the relaxed one whole it would take 500 bytes more and twice the time to expand. Deflate makes 20 KB of what LZMA
// makes 16.3. Base64 comes last, for it breaks the alignment of bytes that gzip would need to find anything in it.

import lzma from "lzma-purejs";

/** Shortest run of equal bytes that is copied; shorter ones are found in the wrong places. */
const SHORTEST = 6;
/** How far ahead in the original the next run may be: what lies between is lost for all that follows. */
const FURTHEST = 64;

// See src/executors/wasm/lzma.ts, which has the same numbers.
const QUICKEST = 6;
const SLOWEST = 100;

/** What src/executors/wasm/unpack.ts takes; it says what is what. */
export function pack({ plain, relaxed }) {
  const patch = difference(plain, relaxed);
  const stream = compress(Buffer.concat([plain, patch]));
  return {
    plain: plain.length,
    relaxed: relaxed.length,
    patch: patch.length,
    base64: Buffer.from(stream).toString("base64"),
  };
}

/** The stream that src/executors/wasm/lzma.ts expands to the bytes: an encoder of LZMA says what, RangeCoder how. */
export function compress(bytes) {
  const encoder = new lzma.LZMA.Encoder();
  // Bits of context: the upper three of the byte before, none of the position.
  encoder.setLcLpPb(3, 0, 0);
  encoder.setNumFastBytes(273);
  // What has been is searched no further back: 64 KB are searched whole, in little memory.
  encoder.setDictionarySize(2 ** 18);
  const coder = new RangeCoder();
  encoder._rangeEncoder = coder;
  let read = 0;
  const input = {
    read: (target, offset, size) => {
      const chunk = bytes.subarray(read, read + size);
      for (let i = 0; i < chunk.length; i++) target[offset + i] = chunk[i];
      read += chunk.length;
      return chunk.length;
    },
  };
  encoder.code(input, undefined, bytes.length, -1);
  return Uint8Array.from(coder.bytes);
}

/** In place of the encoder's own range coder, with the same methods, but with the probabilities of lzma.ts. */
class RangeCoder {
  bytes = [];
  #low = 0;
  #range = 2 ** 32 - 1;
  /** Of each table of the encoder's. */
  #estimates = new Map();

  encode(table, place, bit) {
    if (!this.#estimates.has(table)) {
      const { length } = table;
      this.#estimates.set(table, {
        quick: new Uint16Array(length).fill(2 ** 14),
        slow: new Uint16Array(length).fill(2 ** 14),
        counts: new Uint8Array(length).fill(2),
      });
    }
    const { quick, slow, counts } = this.#estimates.get(table);
    const bound = (this.#range >>> 16) * (quick[place] + slow[place]);
    if (bit) {
      this.#low += bound;
      this.#range -= bound;
    } else {
      this.#range = bound;
    }
    const goal = bit ? 31 : 2 ** 15 - 31;
    const count = counts[place];
    quick[place] += (goal - quick[place]) / Math.min(count, QUICKEST);
    slow[place] += (goal - slow[place]) / count;
    if (count < SLOWEST) counts[place]++;
    // By this the encoder knows what its choices will cost.
    table[place] = (quick[place] + slow[place]) >> 5;
    this.#normalize();
  }

  encodeDirectBits(value, bits) {
    for (let i = bits - 1; i >= 0; i--) {
      this.#range >>>= 1;
      if ((value >> i) & 1) this.#low += this.#range;
      this.#normalize();
    }
  }

  flushData() {
    for (let i = 0; i < 4; i++) this.#shift();
  }

  #normalize() {
    if (this.#range >= 2 ** 24) return;
    this.#range *= 256;
    this.#shift();
  }

  #shift() {
    if (this.#low >= 2 ** 32) {
      // A carry: into the byte before, and where that overflows, on.
      let i = this.bytes.length - 1;
      while (this.bytes[i] === 255) this.bytes[i--] = 0;
      this.bytes[i]++;
    }
    this.bytes.push((this.#low >>> 24) & 255);
    this.#low = (this.#low << 8) >>> 0;
  }

  // The encoder calls these, too.
  init() {}
  setStream() {}
  releaseStream() {}
  flushStream() {}
  getProcessedSizeAdd() {
    return this.bytes.length;
  }
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
