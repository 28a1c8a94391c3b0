// Random numbers of batches: dropout and normal numbers, against Philox in exact integers and against their distributions.

import { describe, expect, test } from "vitest";
import { expectClose, Lab, momentsOf, philox, randomValues, settings, sizes, wildValues } from "./helpers.js";

const shapes = [
  ...sizes.map((width) => ({ rows: 3, width })),
  ...sizes.map((rows) => ({ rows, width: 5 })),
  { rows: 40, width: 67 },
];

/** Share of a standard normal distribution below z: 1/2 + density(z) (z + z^3 / 3 + z^5 / (3 * 5) + ...). */
function shareBelow(z: number): number {
  let sum = 0;
  for (let term = z, k = 1; Math.abs(term) > 1e-18; k += 2) {
    sum += term;
    term *= (z * z) / (k + 2);
  }
  return 0.5 + (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}

describe.each(settings)("dropout in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  function dropout(
    values: Float64Array,
    rows: number,
    width: number,
    { rate = 0.25, seed = 7, at = 0 } = {},
  ) {
    return lab.run(
      (bench) => {
        const { builder } = bench;
        const [output, mask] = [bench.output(rows * width), bench.output(rows * width)];
        const source = { seed, stream: 2 ** 30 + 3, step: builder.cell(at) };
        builder.dropout(output, mask, bench.input(values), rows, width, rate, source);
      },
      { label: `${rows} rows of ${width}`, steps: [2, 3] },
    );
  }

  test("has the same bits on both executors, whatever the values, and changes nothing outside", () => {
    for (const { rows, width } of shapes) dropout(wildValues(rows * width, width), rows, width);
  });

  test("drops what is below the rate in Philox's words at (block, row, stream, step), and divides by 1 - rate", () => {
    const [rows, width, rate, seed, at] = [3, 67, 0.25, 2 ** 40 + 5, 2 ** 32 + 10];
    const values = randomValues(rows * width, 1);
    const [output, mask] = dropout(values, rows, width, { rate, seed, at });
    for (let i = 0; i < values.length; i++) {
      const [r, j] = [Math.floor(i / width), i % width];
      // Step 2 of the program, after so many trained before it, modulo 2^32.
      const words = philox([4 * (j >> 4) + (j & 3), r, 2 ** 30 + 3, 12], [5, 2 ** 8]);
      const kept =
        words[(j >> 2) & 3] < rate * 2 ** 32 ? 0 : dtype === "float64" ? 1 / 0.75 : Math.fround(1 / 0.75);
      expect(mask[i]).toBe(kept);
      expectClose([output[i]], [values[i] * kept], { relative: 2 ** -23 });
    }
  });

  test("keeps a share of 1 - rate, within five standard deviations", () => {
    const [rows, width] = [100, 1000];
    for (const rate of [0.1, 0.5, 0.9]) {
      const [, mask] = dropout(new Float64Array(rows * width), rows, width, { rate });
      const kept = mask.filter((factor) => factor > 0).length / mask.length;
      expect(Math.abs(kept - (1 - rate))).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / mask.length));
    }
  });

  test("at rate 0 keeps everything, at a rate of nearly 1 hardly anything", () => {
    const values = randomValues(1000, 1);
    expect([...dropout(values, 10, 100, { rate: 0 })[0]]).toEqual([...values]);
    expect(dropout(values, 10, 100, { rate: 1 - 2 ** -53 })[1].filter((factor) => factor > 0)).toHaveLength(
      0,
    );
  });

  test("draws others for another seed, row or step", () => {
    const ones = new Float64Array(200).fill(1);
    const [one] = dropout(ones, 2, 100);
    expect(dropout(ones, 2, 100)[0]).toEqual(one);
    expect(dropout(ones, 2, 100, { seed: 8 })[0]).not.toEqual(one);
    expect(dropout(ones, 2, 100, { at: 1 })[0]).not.toEqual(one);
    expect(one.subarray(0, 100)).not.toEqual(one.subarray(100));
  });

  test.each([2, 5])("has the bits of one thread on %i", async (threads) => {
    for (const [rows, width] of [
      [41, 37],
      [3, 500],
    ]) {
      await lab.runOnThreads(threads, (bench) => {
        const { builder } = bench;
        const [output, mask] = [bench.output(rows * width), bench.output(rows * width)];
        const source = { seed: 1, stream: 2, step: builder.cell(3) };
        builder.dropout(output, mask, bench.input(randomValues(rows * width, 1)), rows, width, 0.5, source);
        const noisy = bench.output(rows * width, { epsilons: 4 });
        builder.normal(noisy, output, rows, width, { deviation: 0.5 }, source);
      });
    }
  });
});

describe.each(settings)("normal numbers in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  // The relaxed build's logarithm rounds otherwise.
  const rounding = (n: number) => ({ epsilons: 8, of: new Float64Array(n).fill(20) });

  function normal(
    rows: number,
    width: number,
    { deviation = 1, truncated = false, seed = 7 },
    values?: Float64Array,
  ) {
    const [output] = lab.run(
      (bench) => {
        const { builder } = bench;
        const output = bench.output(rows * width, rounding(rows * width));
        const input = values && bench.input(values);
        const source = { seed, stream: 2 ** 30 + 3, step: builder.cell(1) };
        builder.normal(output, input, rows, width, { deviation, truncated }, source);
      },
      { label: `${rows} rows of ${width}` },
    );
    return output;
  }

  test("have the same bits on both executors for every size", () => {
    for (const { rows, width } of shapes) {
      normal(rows, width, { deviation: 3 });
      normal(rows, width, { truncated: true });
      normal(rows, width, { deviation: 0.5 }, randomValues(rows * width, 1));
    }
  });

  test("are those that the uniform numbers of Philox's blocks (column, row, stream, step) are the shares below", () => {
    const values = normal(4, 500, {});
    for (const [i, z] of values.entries()) {
      const [w0, w1] = philox([i % 500, Math.floor(i / 500), 2 ** 30 + 3, 1], [7, 0]);
      const u = Number(((BigInt(w1) << 32n) | BigInt(w0)) >> 11n) * 2 ** -53;
      // The density of z times the error of 1.2e-7 z of AS 241, or the rounding of float32.
      expectClose([shareBelow(z)], [u], { absolute: 1.5e-7 });
    }
  });

  test("are added to an input", () => {
    const values = randomValues(500, 1);
    const noise = normal(5, 100, { deviation: 0.5 });
    const noisy = normal(5, 100, { deviation: 0.5 }, values);
    expectClose(
      noisy,
      values.map((value, i) => value + noise[i]),
      { absolute: dtype === "float64" ? 0 : 2 ** -21 },
    );
  });

  test("have the moments and the shares of a normal distribution", () => {
    const values = normal(100, 1000, {});
    const { n, mean, variance } = momentsOf(values);
    // Standard deviations: sqrt(1 / n) of the mean, sqrt(2 / n) of the variance.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    // Shares below z: of the standard normal distribution.
    for (const [z, share] of [
      [-3, 0.001349898],
      [-1.5, 0.0668072],
      [-0.5, 0.3085375],
      [0, 0.5],
      [1, 0.8413447],
      [2, 0.9772499],
    ]) {
      const below = values.filter((value) => value < z).length / n;
      expect(Math.abs(below - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / n));
    }
  });

  test("truncated have the moments of the part from -2 to 2, and never leave it", () => {
    const values = normal(100, 1000, { deviation: 2, truncated: true });
    const { n, mean, variance } = momentsOf(values);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-4.000001);
    expect(Math.max(...values)).toBeLessThanOrEqual(4.000001);
    // 0.87962566103423978 is the standard deviation of the truncated standard normal distribution (Keras).
    const deviation = 2 * 0.87962566103423978;
    expect(Math.abs(mean)).toBeLessThan((5 * deviation) / Math.sqrt(n));
    expect(Math.abs(variance - deviation ** 2)).toBeLessThan(5 * deviation ** 2 * Math.sqrt(2 / n));
  });
});
