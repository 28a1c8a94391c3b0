// A decoder of what scripts/pack.mjs makes of the binaries. Nothing else is accepted, and nothing checked.
//
// The format is that of Igor Pavlov's LZMA specification (7-zip.org/sdk.html, public domain) with lc = 3, lp = 0, pb = 0,
// without header and end marker. Each decision is a bit, coded by what was seen of its kind before: a literal byte, a match
// (length and distance), or a repetition of one of the last four distances. `state`, 0 to 11, says of which kind the last
// few were; from 7 on the last one was no literal. Only the probabilities are our own: LZMA's learn slowly, and of so short
// a stream theirs make 400 bytes more.

// Where in the table each kind of bit has its probabilities. A tree of n bits takes 2^n of them.
const IS_MATCH = 0;
const IS_REPETITION = 12;
/** Not the last distance; from there on: not the one before; not the one before that. */
const IS_OLDER = 24;
/** More than one byte of the last distance. */
const IS_LONG = 60;
const LENGTHS = 72;
const LENGTH_TABLE = 2 + 8 + 8 + 256;
const REPEATED_LENGTHS = LENGTHS + LENGTH_TABLE;
/** Four trees of 6 bits, by the length. */
const SLOTS = REPEATED_LENGTHS + LENGTH_TABLE;
const SPECIAL = SLOTS + 4 * 64;
const LOWEST = SPECIAL + 115;
/** Eight tables, by the upper three bits of the byte before. */
const LITERALS = LOWEST + 16;
const LITERAL_TABLE = 3 * 256;
const PLACES = LITERALS + 8 * LITERAL_TABLE;

// The probability of a bit is the mean of two estimates. Each bit moves them by 1 / (the number of bits before it + 2) of the
// way, but not by less than 1 / 6 and 1 / 100: scripts/pack.mjs has the same numbers.
const QUICKEST = 6;
const SLOWEST = 100;

/** Fills `output` from the stream. */
export function expand(stream: Uint8Array, output: Uint8Array): void {
  // In units of 2^-15: how probable it is that the bit is 0.
  const quick = new Uint16Array(PLACES).fill(2 ** 14);
  const slow = quick.slice();
  // How many bits have been, and two.
  const counts = new Uint8Array(PLACES).fill(2);
  // In arrays, for a variable of more than 31 bits would be a new object at each change: a third more time.
  const range = Uint32Array.of(2 ** 32 - 1);
  const code = new Uint32Array(1);
  let at = 0;
  const shift = () => {
    code[0] = (code[0] << 8) | stream[at++];
  };
  for (let i = 0; i < 4; i++) shift();

  const bit = (place: number) => {
    const bound = (range[0] >>> 16) * (quick[place] + slow[place]);
    const result = code[0] < bound ? 0 : 1;
    if (result) {
      range[0] -= bound;
      code[0] -= bound;
    } else {
      range[0] = bound;
    }
    const goal = result ? 31 : 2 ** 15 - 31;
    const count = counts[place];
    quick[place] += (goal - quick[place]) / (count < QUICKEST ? count : QUICKEST);
    slow[place] += (goal - slow[place]) / count;
    if (count < SLOWEST) counts[place]++;
    if (range[0] < 2 ** 24) {
      range[0] *= 256;
      shift();
    }
    return result;
  };
  /** A number of so many bits, the highest first. */
  const tree = (place: number, bits: number) => {
    let node = 1;
    for (let i = 0; i < bits; i++) node = 2 * node + bit(place + node);
    return node - (1 << bits);
  };
  /** The lowest bit first. */
  const reverseTree = (place: number, bits: number) => {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const next = bit(place + node);
      node = 2 * node + next;
      value |= next << i;
    }
    return value;
  };
  /** Bits that are 0 as often as 1. */
  const direct = (bits: number) => {
    let value = 0;
    for (; bits > 0; bits--) {
      range[0] >>>= 1;
      const next = code[0] < range[0] ? 0 : 1;
      if (next) code[0] -= range[0];
      value = 2 * value + next;
      if (range[0] < 2 ** 24) {
        range[0] *= 256;
        shift();
      }
    }
    return value;
  };
  /** The length of a match, less 2. */
  const length = (place: number) => {
    if (!bit(place)) return tree(place + 2, 3);
    return bit(place + 1) ? 16 + tree(place + 18, 8) : 8 + tree(place + 10, 3);
  };
  /** The distance of a match, less 1: a slot tells its upper two bits and how many follow. */
  const distance = (less: number) => {
    const slot = tree(SLOTS + 64 * Math.min(less, 3), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const upper = (2 | (slot & 1)) << bits;
    if (slot < 14) return upper + reverseTree(SPECIAL + upper - slot, bits);
    return upper + 16 * direct(bits - 4) + reverseTree(LOWEST, 4);
  };

  let state = 0;
  /** The last four distances, less 1, the latest first. */
  const distances = [0, 0, 0, 0];
  for (let to = 0; to < output.length; ) {
    if (!bit(IS_MATCH + state)) {
      const table = LITERALS + LITERAL_TABLE * (output[to - 1] >> 5);
      // After a match, the byte that would have followed it chooses the probabilities, as long as its bits are the same.
      let expected = output[to - distances[0] - 1];
      let same = state < 7 ? 0 : 256;
      let node = 1;
      while (node < 256) {
        expected <<= 1;
        const guess = expected & same;
        const next = bit(table + same + guess + node);
        node = 2 * node + next;
        same &= next ? guess : ~guess;
      }
      output[to++] = node;
      state -= state < 4 ? state : state < 10 ? 3 : 6;
      continue;
    }
    const literalBefore = state < 7;
    let count = 1;
    if (!bit(IS_REPETITION + state)) {
      count = 2 + length(LENGTHS);
      distances.pop();
      distances.unshift(distance(count - 2));
      state = literalBefore ? 7 : 10;
    } else {
      let which = 0;
      while (which < 3 && bit(IS_OLDER + 12 * which + state)) which++;
      const long = which > 0 || bit(IS_LONG + state) > 0;
      if (long) {
        distances.unshift(...distances.splice(which, 1));
        count = 2 + length(REPEATED_LENGTHS);
      }
      state = literalBefore ? (long ? 8 : 9) : 11;
    }
    for (; count > 0; count--, to++) output[to] = output[to - distances[0] - 1];
  }
}
