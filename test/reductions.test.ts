// Column sums, transposition, and the statistics that a training step reports.

import { describe, expect, test } from "vitest";
import { Start, Stat } from "../src/program/builder.js";
import {
  elements,
  epsilon,
  expectClose,
  expectSameBits,
  Lab,
  type Numbers,
  randomValues,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

const shapes = [
  ...sizes.map((width) => ({ rows: 5, width })),
  ...sizes.map((rows) => ({ rows, width: 5 })),
  { rows: 67, width: 67 },
  { rows: 300, width: 19 },
];

describe.each(settings)("columnSums in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  function columnSums(values: Numbers, rows: number, width: number, initial?: Numbers) {
    const [output] = lab.run(
      (bench) => {
        const input = bench.input(values);
        const output = initial ? bench.inPlace(initial) : bench.output(width);
        bench.builder.columnSums(output, input, rows, width, initial ? Start.add : Start.zero);
      },
      { label: `${rows} rows of ${width}` },
    );
    return output;
  }

  test("is the sum down every column, or is added to the output, with the same bits on both executors", () => {
    for (const { rows, width } of shapes) {
      const values = randomValues(rows * width, rows + width);
      const initial = randomValues(width, 7);
      const sums = new Float64Array(width);
      for (let i = 0; i < values.length; i++) sums[i % width] += values[i];
      // Each of up to 300 additions rounds by half an epsilon of at most 2 * 300.
      const tolerance = { absolute: 2 * rows * rows * epsilon[dtype] + 4 * epsilon[dtype] };
      expectClose(columnSums(values, rows, width), sums, tolerance);
      expectClose(
        columnSums(values, rows, width, initial),
        sums.map((sum, j) => sum + initial[j]),
        tolerance,
      );
    }
  });

  test("leaves the same bits for infinities and NaN", () => {
    for (const { rows, width } of shapes) {
      columnSums(wildValues(rows * width, width), rows, width);
      columnSums(wildValues(rows * width, width), rows, width, wildValues(width, 7));
    }
  });
});

describe.each(settings)("transpose in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test("puts element (r, j) at (j, r)", () => {
    for (const { rows, width } of shapes) {
      const values = elements(dtype, wildValues(rows * width, width));
      const [output] = lab.run((bench) => {
        const input = bench.input(values);
        bench.builder.transpose(bench.output(rows * width), input, rows, width);
      });
      const expected = values.map((_, i) => values[(i % rows) * width + Math.floor(i / rows)]);
      expectSameBits(output, expected as typeof values, `${rows} rows of ${width}`);
    }
  });
});

describe.each(settings)("report in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  /** The statistics after the report of some steps. */
  function report(losses: Numbers, hits: Numbers, { weight = 1, steps = [0, 1] as [number, number] } = {}) {
    const before = new Float64Array(Stat.cells);
    before[Stat.lossSum] = 10;
    before[Stat.hits] = 20;
    before[Stat.badStep] = -1;
    const [statistics] = lab.run(
      (bench) => {
        const statistics = bench.place(before, { written: true });
        const l = bench.input(losses);
        const h = bench.input(hits);
        bench.builder.report(statistics, l, h, losses.length, bench.builder.cell(weight));
      },
      { steps },
    );
    return statistics as Float64Array;
  }

  test("adds the losses times the weight, and the hits", () => {
    for (const size of sizes) {
      const losses = randomValues(size, size, 0, 2);
      const hits = randomValues(size, size + 1, 0, 1).map(Math.round);
      const statistics = report(losses, hits, { weight: 0.25 });
      const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
      // Summed in float64 whatever the type: losses of 2 at most round by 67 half epsilons of 134.
      expectClose([statistics[Stat.lossSum]], [10 + sum(losses) * 0.25], {
        absolute: 67 * 134 * epsilon.float64,
      });
      expect(statistics[Stat.hits]).toBe(20 + sum(hits));
      expect(statistics[Stat.badStep]).toBe(-1);
    }
  });

  test("adds up over the steps", () => {
    const statistics = report([1, 2, 3], [1, 0, 1], { steps: [0, 4] });
    expect(statistics[Stat.lossSum]).toBe(10 + 4 * 6);
    expect(statistics[Stat.hits]).toBe(20 + 4 * 2);
  });

  test("marks the first step with a loss that is not finite, wherever it stands", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (let at = 0; at < 5; at++) {
        const statistics = report([1, 2, 3, 4, 5].with(at, bad), [0, 0, 0, 0, 0], { steps: [7, 9] });
        expect(statistics[Stat.badStep]).toBe(7);
      }
    }
  });
});
