// Sparse batches: what they leave out must not change a bit, and they may write nothing else.
//
// The products are of factors() of twelve bits, so that every build leaves the bits of the plain one.

import { describe, expect, test } from "vitest";
import { Dense, Network } from "../src/index.js";
import { Op, Start } from "../src/program/builder.js";
import type { SparseMatrix } from "../src/program/samples.js";
import {
  type Bench,
  elements,
  expectSameBits,
  factors,
  Lab,
  placeWithoutZeros,
  random,
  settings,
  sizes,
  sparseInput,
} from "./helpers.js";

/** Random factors of which about `density` are not zero. */
function sparseValues(count: number, density: number, seed: number): Float64Array {
  const next = random(seed);
  return factors(count, seed + 1).map((value) => (next() < density ? value : 0));
}

/** A sparse batch in regions of its own, to be filled. */
function placeSparse(bench: Bench, rows: number, width: number, capacity: number): SparseMatrix {
  return {
    counts: bench.place(new Uint32Array(rows), { written: true }),
    columns: bench.place(new Uint32Array(rows * capacity), { written: true }),
    values: bench.output(rows * capacity),
    capacity,
    rows,
    width,
    source: undefined,
  };
}

const densities = [0, 0.3, 1];

describe.each(settings)("compress in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test("keeps what is not zero, with its column, row by row", () => {
    for (const width of sizes) {
      for (const density of densities) {
        const rows = 4;
        const x = sparseValues(rows * width, density, width);
        const [counts, columns, values] = lab.run((bench) => {
          const input = bench.input(x);
          bench.builder.compress(placeSparse(bench, rows, width, width), input);
        });
        for (let r = 0; r < rows; r++) {
          const row = x.subarray(r * width, (r + 1) * width);
          const kept = [...row.keys()].filter((j) => row[j] !== 0);
          const at = r * width;
          expect(counts[r]).toBe(kept.length);
          expect([...columns.subarray(at, at + kept.length)]).toEqual(kept);
          expect([...values.subarray(at, at + kept.length)]).toEqual(kept.map((j) => row[j]));
        }
      }
    }
  });

  test("keeps NaN, and leaves out the zero that is negative", () => {
    const [counts, columns, values] = lab.run((bench) => {
      const input = bench.input([0, Number.NaN, -0, 5]);
      bench.builder.compress(placeSparse(bench, 1, 4, 4), input);
    });
    expect(counts[0]).toBe(2);
    expect([...columns.subarray(0, 2)]).toEqual([1, 3]);
    expect([...values.subarray(0, 2)]).toEqual([Number.NaN, 5]);
  });
});

describe.each(settings)("gatherSparse in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const samples = 7;
  const batch = 3;
  const order = Uint32Array.of(3, 1, 1, 0, 6, 5, 2);
  const factor = elements(dtype, [1 / 255])[0];

  test.each([
    ["u8", Uint8Array],
    ["f32", Float32Array],
    ["f64", Float64Array],
  ] as const)(
    "copies what is not zero of %s samples, in their own order and in the given one, and scales it",
    (_, type) => {
      for (const width of [0, 1, 2, 3, 5, 9, 17, 67]) {
        for (const density of densities) {
          const values = sparseValues(samples * width, density, width).map((x) => Math.abs(100 * x));
          const data = type.from(values);
          for (const permuted of [false, true]) {
            for (const [step, rows] of [
              [0, batch],
              [1, batch],
              [2, 1],
            ]) {
              let capacity = 0;
              const [counts, columns, scaled] = lab.run(
                (bench) => {
                  const entries = placeWithoutZeros(bench, data, width, samples);
                  capacity = entries.capacity;
                  const visit = { order: permuted ? bench.place(order) : undefined, batch };
                  const matrix = placeSparse(bench, rows, width, capacity);
                  bench.builder.gatherSparse(matrix, entries, visit, bench.builder.cell(1 / 255));
                },
                { steps: [step, step + 1], label: `width ${width}, step ${step}` },
              );
              for (let r = 0; r < rows; r++) {
                const sample = permuted ? order[step * batch + r] : step * batch + r;
                const row = data.subarray(sample * width, (sample + 1) * width);
                const kept = [...row.keys()].filter((j) => row[j] !== 0);
                const at = r * capacity;
                expect(counts[r]).toBe(kept.length);
                expect([...columns.subarray(at, at + kept.length)]).toEqual(kept);
                // One rounding to the working type, then one multiplication in it.
                const rounded = elements(
                  dtype,
                  kept.map((j) => row[j]),
                );
                expectSameBits(
                  scaled.slice(at, at + kept.length),
                  rounded.map((value) => value * factor),
                );
              }
            }
          }
        }
      }
    },
  );
});

describe.each(settings)("sparse products in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  /**
   * Rows (m), inputs (k) and outputs (n). Outputs around the vectors, the pairs of them, the strides of 4 and of 16
   * vectors (8 and 32 f64, 16 and 64 f32) and rows of 2048 bytes (256 f64, 512 f32), whose gradients are made
   * another way; entries of every number modulo 4, by the densities; batches of one to three blocks of 256 rows.
   */
  const shapes = [
    ...sizes.map((n) => ({ m: 3, k: 9, n })),
    ...[0, 1, 2, 3, 4, 5, 8, 67].map((k) => ({ m: 5, k, n: 11 })),
    ...[0, 1, 2, 255, 256, 257, 513].map((m) => ({ m, k: 6, n: 9 })),
    ...[95, 96, 97, 129, 255, 256, 257, 511, 512, 513, 520].map((n) => ({ m: 21, k: 17, n })),
    { m: 1, k: 1, n: 1 },
    { m: 4, k: 67, n: 7 },
    { m: 33, k: 31, n: 33 },
    { m: 19, k: 130, n: 70 },
    { m: 600, k: 9, n: 34 },
    { m: 600, k: 3, n: 515 },
  ];

  test.each([
    ["forward from zero", { transposed: false, start: Start.zero }],
    ["forward from a bias", { transposed: false, start: Start.bias }],
    ["of the gradient from zero", { transposed: true, start: Start.zero }],
    ["of the gradient added", { transposed: true, start: Start.add }],
  ])("%s give the bits of the dense product", (_, { transposed, start }) => {
    for (const { m, k, n } of shapes) {
      for (const density of densities) {
        const label = `(${m}, ${k}), ${n} outputs, density ${density}`;
        const [rows, terms] = transposed ? [k, m] : [m, k];
        const x = sparseValues(m * k, density, k);
        const [d, bias, initial] = [factors(terms * n, 5), factors(n, 6), factors(rows * n, 7)];
        const [sparse, dense] = lab.run(
          (bench) => {
            const input = bench.input(x);
            const right = bench.input(d);
            const options = { transposed, start, bias: bench.input(bias) };
            const outputs = [0, 1].map(() =>
              start === Start.add ? bench.inPlace(initial) : bench.output(rows * n),
            );
            const matrix = sparseInput(bench, x, m, k);
            bench.builder.product(outputs[0], matrix, right, rows, n, terms, options);
            bench.builder.product(outputs[1], input, right, rows, n, terms, options);
          },
          { label },
        );
        expectSameBits(sparse, dense, label);
      }
    }
  });

  test("of the gradient of a single row are its outer product, added", () => {
    for (const n of [1, 9, 600]) {
      const [k, x, d] = [7, sparseValues(7, 0.5, 1), factors(n, 2)];
      const [gradient] = lab.run((bench) => {
        const right = bench.input(d);
        const matrix = bench.builder.compressRow(bench.input(x), k);
        const output = bench.inPlace(new Float64Array(k * n).fill(1));
        bench.builder.product(output, matrix, right, k, n, 1, { transposed: true, start: Start.add });
      });
      const expected = Float64Array.from({ length: k * n }, (_, i) => 1 + x[Math.floor(i / n)] * d[i % n]);
      expectSameBits(gradient, elements(dtype, expected), `${n} columns`);
    }
  });

  test("forward take an epilogue, a forward or a backward one", () => {
    for (const n of sizes) {
      const [m, k] = [3, 7];
      const [sparse, dense, sparseBackward, denseBackward] = lab.run((bench) => {
        const { builder } = bench;
        const input = bench.input(sparseValues(m * k, 0.3, n));
        const right = bench.input(factors(k * n, 5));
        const saved = bench.input(factors(m * n, 7));
        // Each build's sigmoid is exact to 2.5 units of the last place; a derivative has no multiply-add.
        const outputs = [{ epsilons: 5 }, { epsilons: 5 }, undefined, undefined].map((rounding) =>
          bench.output(m * n, rounding),
        );
        const matrix = placeSparse(bench, m, k, k);
        builder.compress(matrix, input);
        for (const [i, left] of [matrix, input, matrix, input].entries()) {
          builder.product(outputs[i], left, right, m, n, k);
          if (i < 2) builder.forward(Op.sigmoid, outputs[i], outputs[i], m, n);
          else builder.backward(Op.tanhBackward, outputs[i], outputs[i], saved, m, n);
        }
      });
      expectSameBits(sparse, dense, `sigmoid, ${n} columns`);
      expectSameBits(sparseBackward, denseBackward, `tanhBackward, ${n} columns`);
    }
  });
});

test("A network says in its summary how dense the data were and what the first layer made of it", async () => {
  const network = new Network({
    inputs: 20,
    layers: [new Dense(6, { activation: "tanh" }), new Dense(3, { activation: "softmax" })],
    seed: 1,
  });
  expect(network.summary()).not.toContain("not zero");
  const classes = Uint8Array.from({ length: 50 }, (_, i) => i % 3);
  await network.fit(sparseValues(50 * 20, 0.1, 1), classes);
  expect(network.summary()).toMatch(
    /\d+ % of the inputs last trained on are not zero: the first layer walks/,
  );
  await network.fit(sparseValues(50 * 20, 1, 1), classes);
  expect(network.summary()).toContain("100 % of the inputs last trained on are not zero");
  expect(network.summary()).toContain("multiplies them all");
});

test("a network sees how dense data are whose rows come in a rhythm", async () => {
  for (const period of [2, 3, 4, 5, 8, 16]) {
    const network = new Network({ inputs: 4, layers: [new Dense(2, { activation: "softmax" })], seed: 1 });
    // One row of each period is all zeros.
    const x = Float64Array.from({ length: 4 * 16_384 }, (_, i) => (Math.floor(i / 4) % period === 0 ? 0 : 1));
    await network.fit(x, new Uint8Array(16_384), { batchSize: 1024 });
    const percent = Number(/(\d+) % of the inputs last trained on/.exec(network.summary())![1]);
    // A sample of 1,024 rows is off by less than 5 in a hundred.
    expect(Math.abs(percent - (100 * (period - 1)) / period), `period ${period}`).toBeLessThan(5);
  }
});
