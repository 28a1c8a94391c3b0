// Random numbers: Philox as published, uniform numbers and permutations as they should be distributed.

import { describe, expect, test } from "vitest";
import { expectSameBits, Lab, philox, settings } from "./helpers.js";

/** The number in [0, 1) of 53 bits of the first two words. */
function uniformOf([w0, w1]: number[]): number {
  return Number(((BigInt(w1) << 32n) | BigInt(w0)) >> 11n) * 2 ** -53;
}

// From Random123's kat_vectors, philox4x32 with 10 rounds.
const published = [
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
];

test("this file's Philox gives the words that Random123 publishes", () => {
  for (const { counter, key, words } of published) expect(philox(counter, key)).toEqual(words);
});

function uniform(lab: Lab, size: number, { low = 0, high = 1, seed = 0, stream = 0 } = {}) {
  const [output] = lab.run((bench) => {
    const { builder } = bench;
    builder.uniform(bench.output(size), size, builder.cell(low), builder.cell(high), seed, stream);
  });
  return output;
}

function shuffle(lab: Lab, size: number, { seed = 0, stream = 1 } = {}): Uint32Array {
  const [order] = lab.run((bench) => {
    const { builder } = bench;
    const order = bench.place(new Uint32Array(size), { written: true });
    // The stream and the epoch add up.
    builder.shuffle(order, size, seed, stream - 1, builder.cell(1));
  });
  return order as Uint32Array;
}

describe.each(settings)("uniform in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const rounded = (value: number) => (dtype === "float64" ? value : Math.fround(value));

  test("gives Random123's published words at seed 0, stream 0, index 0", () => {
    expect(uniform(lab, 1)[0]).toBe(rounded(uniformOf(published[0].words)));
  });

  test("gives the block at counter (index, 0, stream, 0) under the seed as key, for seeds up to 2^53 - 1", () => {
    for (const seed of [0, 1, 0xffffffff, 2 ** 32, 2 ** 40 + 12345, Number.MAX_SAFE_INTEGER]) {
      for (const stream of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
        const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
        const expected = Array.from({ length: 20 }, (_, i) =>
          rounded(uniformOf(philox([i, 0, stream, 0], key))),
        );
        expect([...uniform(lab, 20, { seed, stream })]).toEqual(expected);
      }
    }
  });

  test("gives low + (high - low) u, and changes nothing outside", () => {
    for (let size = 0; size <= 67; size++) {
      const expected = Float64Array.from(
        { length: size },
        (_, i) => -2 + 5 * uniformOf(philox([i, 0, 4, 0], [3, 0])),
      );
      const output = uniform(lab, size, { low: -2, high: 3, seed: 3, stream: 4 });
      expectSameBits(Float64Array.from(output), expected.map(rounded), `size ${size}`);
    }
  });

  test("is spread evenly: mean, variance and 16 bins of 100,000 numbers", () => {
    const size = 100_000;
    const values = [...uniform(lab, size, { seed: 2026 })];
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size;
    // Five standard deviations: sqrt(1/12 / n) of the mean, sqrt(1/180 / n) of the variance.
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / size));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / size));
    const bins = Array(16).fill(0);
    for (const value of values) bins[Math.floor(value * 16)]++;
    const chiSquare = bins.reduce((sum, count) => sum + (count - size / 16) ** 2 / (size / 16), 0);
    // 15 degrees of freedom: exceeded with probability 1e-4.
    expect(chiSquare).toBeLessThan(44.3);
  });
});

describe.each(settings)("shuffle in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test("gives a permutation, and changes nothing outside", () => {
    for (let size = 0; size <= 67; size++) {
      const order = shuffle(lab, size, { seed: size });
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
    }
  });

  test("gives another permutation for another seed or stream, and the same for the same", () => {
    const order = shuffle(lab, 50, { seed: 1, stream: 1 });
    expect(shuffle(lab, 50, { seed: 1, stream: 1 })).toEqual(order);
    expect(shuffle(lab, 50, { seed: 2, stream: 1 })).not.toEqual(order);
    expect(shuffle(lab, 50, { seed: 1, stream: 2 })).not.toEqual(order);
  });

  test("gives each of the 24 permutations of four about equally often", () => {
    const counts = new Map<string, number>();
    const draws = 4800;
    for (let stream = 0; stream < draws; stream++) {
      const order = shuffle(lab, 4, { seed: 5, stream }).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const mean = draws / 24;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
    // 23 degrees of freedom: exceeded with probability 1e-4.
    expect(chiSquare).toBeLessThan(56.5);
  });
});
