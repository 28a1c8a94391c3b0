// Normalization: the operations with the same bits on both executors and by their formulas.

import { describe, expect, test } from "vitest";
import { Start } from "../src/program/builder.js";
import {
  type Bench,
  expectClose,
  factors,
  Lab,
  randomValues,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

const shapes = [
  ...sizes.map((width) => ({ rows: 5, width })),
  ...sizes.slice(1).map((rows) => ({ rows, width: 5 })),
  { rows: 67, width: 67 },
];
// Sums and quotients of some rounded values, in the relaxed build: of values of the size of 100 at most.
const rounding = (n: number) => ({ epsilons: 64, of: new Float64Array(n).fill(100) });

type Values = (count: number, seed: number) => Float64Array;

describe.each(settings)("normalization in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const epsilons = dtype === "float64" ? 1e-12 : 1e-3;

  function columnMoments(rows: number, width: number, values: Values, input = true) {
    return lab.run(
      (bench) => {
        const { builder } = bench;
        const regions = {
          mean: bench.output(width, rounding(width)),
          inverse: bench.output(width, rounding(width)),
          runningMean: bench.inPlace(values(width, 1), rounding(width)),
          runningVariance: bench.inPlace(values(width, 2).map(Math.abs), rounding(width)),
        };
        const x = input ? bench.input(values(rows * width, 3)) : undefined;
        builder.columnMoments(regions, x, rows, width, { momentum: 0.25, epsilon: 0.125 });
      },
      { label: `${rows} rows of ${width}` },
    );
  }

  /** By columns, or by rows; then the way back, of means of the batch or of others. */
  function emitNormalize(bench: Bench, rows: number, width: number, values: Values, kind: string) {
    const { builder } = bench;
    const size = rows * width;
    const matrix = () => bench.output(size, rounding(size));
    const vector = (seed: number) => bench.input(values(width, seed));
    const [scale, shift] = [vector(1), vector(2)];
    const byRows = kind === "by rows";
    const means = byRows
      ? { rowInverse: bench.output(rows, rounding(rows)) }
      : { mean: vector(3), inverse: vector(4) };
    const normalized = matrix();
    const x = bench.input(values(size, 5));
    builder.normalize(matrix(), x, rows, width, { ...means, normalized, scale, shift, epsilon: 0.125 });
    const sums = kind === "by columns" ? { sums: vector(6), products: vector(7) } : {};
    builder.normalizeBackward(matrix(), bench.input(values(size, 8)), normalized, rows, width, {
      ...means,
      scale,
      ...sums,
    });
  }
  const kinds = ["by columns", "by columns of other means", "by rows"];

  test("has the same bits on both executors for every shape", () => {
    for (const { rows, width } of shapes) {
      columnMoments(rows, width, factors);
      columnMoments(rows, width, factors, false);
      for (const kind of kinds)
        lab.run((bench) => emitNormalize(bench, rows, width, factors, kind), {
          label: `${kind} ${rows} x ${width}`,
        });
    }
  });

  test("has the same bits of wild values in the plain build", () => {
    if (options.build !== "plain") return;
    for (const { rows, width } of shapes) {
      columnMoments(rows, width, wildValues);
      for (const kind of kinds) lab.run((bench) => emitNormalize(bench, rows, width, wildValues, kind));
    }
  });

  test.each([2, 5])("has the bits of one thread on %i", async (threads) => {
    for (const kind of kinds)
      for (const [rows, width] of [
        [101, 37],
        [7, 130],
      ])
        await lab.runOnThreads(threads, (bench) => {
          emitNormalize(bench, rows, width, factors, kind);
          const { builder } = bench;
          const vectors = [1, 2].map(() => bench.output(width, rounding(width)));
          const running = [1, 2].map((seed) =>
            bench.inPlace(factors(width, seed).map(Math.abs), rounding(width)),
          );
          const [mean, inverse, runningMean, runningVariance] = [...vectors, ...running];
          const x = bench.input(factors(rows * width, 3));
          const regions = { mean, inverse, runningMean, runningVariance };
          builder.columnMoments(regions, x, rows, width, { momentum: 0.25, epsilon: 0.125 });
          builder.columnProducts(bench.output(width, rounding(width)), x, x, rows, width);
        });
  });

  test("by columns has the mean and the variance of every column, and moves the running ones", () => {
    const [rows, width] = [23, 19];
    const [mean, inverse, runningMean, runningVariance] = columnMoments(rows, width, randomValues);
    const x = randomValues(rows * width, 3);
    const before = [randomValues(width, 1), randomValues(width, 2).map(Math.abs)];
    for (let j = 0; j < width; j++) {
      const column = Array.from({ length: rows }, (_, r) => x[r * width + j]);
      const m = column.reduce((sum, value) => sum + value, 0) / rows;
      const squares = column.reduce((sum, value) => sum + (value - m) ** 2, 0);
      const label = `column ${j}`;
      const close = { absolute: epsilons, label };
      expectClose([mean[j], inverse[j]], [m, 1 / Math.sqrt(squares / rows + 0.125)], close);
      expectClose(
        [runningMean[j], runningVariance[j]],
        [0.75 * before[0][j] + 0.25 * m, 0.75 * before[1][j] + 0.25 * (squares / (rows - 1))],
        close,
      );
    }
  });

  test("without a batch has the running ones, and leaves them", () => {
    const [mean, inverse, runningMean, runningVariance] = columnMoments(0, 19, randomValues, false);
    expect(mean).toEqual(runningMean);
    expectClose(runningMean, randomValues(19, 1), {});
    expectClose(runningVariance, randomValues(19, 2).map(Math.abs), {});
    expectClose(
      inverse,
      randomValues(19, 2).map((value) => 1 / Math.sqrt(Math.abs(value) + 0.125)),
      {
        absolute: epsilons,
      },
    );
  });

  test("sums the products of every column, or adds them", () => {
    for (const { rows, width } of shapes) {
      const [a, b] = [factors(rows * width, 1), factors(rows * width, 2)];
      for (const start of [Start.zero, Start.add]) {
        const [output] = lab.run((bench) => {
          const output = start === Start.add ? bench.inPlace(factors(width, 3)) : bench.output(width);
          bench.builder.columnProducts(output, bench.input(a), bench.input(b), rows, width, start);
        });
        const sums = start === Start.add ? factors(width, 3) : new Float64Array(width);
        for (let i = 0; i < a.length; i++) sums[i % width] += a[i] * b[i];
        expectClose(output, sums, { absolute: epsilons });
      }
    }
  });
});
