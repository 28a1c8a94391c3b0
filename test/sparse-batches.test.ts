// The operations on sparse batches, in guarded regions, for every width: what they leave out must not change a
// bit, and they may write nothing else.

import { describe, expect, test } from "vitest";
import { DataType, Op, type SparseMatrix, Start } from "../src/program.js";
import {
  type Bench,
  elements,
  expectSameBits,
  Lab,
  random,
  randomValues,
  settings,
  sizes,
  sparseInput,
} from "./helpers.js";

/** Random values of which about `density` are not zero. */
function sparseValues(count: number, density: number, seed: number): Float64Array {
  const next = random(seed);
  return randomValues(count, seed + 1).map((value) => (next() < density ? value : 0));
}

/** A sparse batch in guarded regions, to be filled. */
function placeSparse(bench: Bench, rows: number, width: number, capacity: number): SparseMatrix {
  return {
    counts: bench.place(new Uint32Array(rows), { written: true }),
    columns: bench.place(new Uint32Array(rows * capacity + 1), { written: true }),
    values: bench.output(rows * capacity + 1),
    capacity,
    rows,
    width,
  };
}

const densities = [0, 0.3, 1];

describe.each(settings)("compress in %s", (_, { dtype, shifted }) => {
  const lab = new Lab(dtype, { shifted });

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

describe.each(settings)("gatherSparse in %s", (_, { dtype, shifted }) => {
  const lab = new Lab(dtype, { shifted });
  const samples = [[], [0, 3], [1], [0, 1, 2, 3], [], [2, 3], [1, 3]];
  const order = Uint32Array.of(3, 1, 1, 0, 6, 5, 2);
  const starts = [0];
  for (const sample of samples) starts.push(starts[starts.length - 1] + sample.length);
  const entries = Array.from({ length: starts[samples.length] }, (_, e) => e + 1);

  test.each([
    ["u8", DataType.u8, Uint8Array],
    ["f32", DataType.f32, Float32Array],
    ["f64", DataType.f64, Float64Array],
  ] as const)(
    "copies %s samples in their own order and in the given one, and scales them",
    (_, dataType, type) => {
      const factor = elements(dtype, [1 / 255])[0];
      for (const permuted of [false, true]) {
        for (const [step, rows] of [
          [0, 3],
          [1, 3],
          [2, 1],
        ]) {
          const [counts, columns, scaled] = lab.run(
            (bench) => {
              const from = {
                data: bench.place(type.from(entries)),
                starts: bench.place(Uint32Array.from(starts)),
                columns: bench.place(Uint32Array.from(samples.flat())),
                capacity: 4,
                order: permuted ? bench.place(order) : 0,
                batch: 3,
              };
              const cell = bench.builder.cell(1 / 255);
              bench.builder.gatherSparse(placeSparse(bench, rows, 4, 4), from, dataType, cell);
            },
            { steps: [step, step + 1] },
          );
          for (let r = 0; r < rows; r++) {
            const sample = permuted ? order[step * 3 + r] : step * 3 + r;
            expect(counts[r]).toBe(samples[sample].length);
            expect([...columns.subarray(r * 4, r * 4 + counts[r])]).toEqual(samples[sample]);
            const expected = samples[sample].map((_, e) => entries[starts[sample] + e] * factor);
            expectSameBits(scaled.slice(r * 4, r * 4 + counts[r]), elements(dtype, expected));
          }
        }
      }
    },
  );
});

describe.each(settings)("sparse products in %s", (_, { dtype, shifted }) => {
  const lab = new Lab(dtype, { shifted });

  /** Rows, inputs and outputs: every width, few and many entries, and around a block of 256 terms. */
  const shapes = [
    ...sizes.map((n) => ({ m: 3, k: 9, n })),
    ...[0, 1, 2, 3, 4, 5, 8, 67].map((k) => ({ m: 5, k, n: 11 })),
    ...[0, 1, 2, 255, 256, 257, 513].map((m) => ({ m, k: 6, n: 9 })),
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
        const [sparse, dense] = lab.run(
          (bench) => {
            const x = sparseValues(m * k, density, k);
            const input = bench.input(x);
            const right = bench.input(randomValues(terms * n, 5));
            const options = { transposed, start, bias: bench.input(randomValues(n, 6)) };
            const initial = randomValues(rows * n, 7);
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

  test("forward take an epilogue, a forward or a backward one", () => {
    for (const n of sizes) {
      const [m, k] = [3, 7];
      const [sparse, dense, sparseBackward, denseBackward] = lab.run((bench) => {
        const { builder } = bench;
        const input = bench.input(sparseValues(m * k, 0.3, n));
        const right = bench.input(randomValues(k * n, 5));
        const saved = bench.input(randomValues(m * n, 7));
        const outputs = Array.from({ length: 4 }, () => bench.output(m * n));
        const matrix = placeSparse(bench, m, k, k);
        builder.compress(matrix, input);
        for (const [i, left] of [matrix, input, matrix, input].entries()) {
          builder.product(outputs[i], left, right, m, n, k);
          if (i < 2) builder.forward(Op.sigmoid, outputs[i], outputs[i], m * n);
          else builder.backward(Op.tanhBackward, outputs[i], outputs[i], saved, m * n);
        }
      });
      expectSameBits(sparse, dense, `sigmoid, ${n} columns`);
      expectSameBits(sparseBackward, denseBackward, `tanhBackward, ${n} columns`);
    }
  });
});
