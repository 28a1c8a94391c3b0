// Batches out of data sets: every element type, with and without an order, step by step.

import { describe, expect, test } from "vitest";
import type { DType } from "../src/dtype.js";
import { DataType, Start } from "../src/program/builder.js";
import {
  type Data,
  elements,
  expectSameBits,
  Lab,
  type Numbers,
  random,
  randomValues,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

const types = {
  u8: { dataType: DataType.u8, make: (values: Float64Array) => Uint8Array.from(values, (x) => 100 + 30 * x) },
  f32: { dataType: DataType.f32, make: (values: Float64Array) => Float32Array.from(values) },
  f64: {
    dataType: DataType.f64,
    make: (values: Float64Array) => values.map((x) => x + 1e-12),
  },
};
type TypeName = keyof typeof types;

const SAMPLES = 9;
const ORDER = Uint32Array.of(4, 0, 8, 1, 1, 7, 3, 2, 6);

/** Batches of `rows` out of steps of `batch` rows: what one step leaves in the output. */
function gather(
  lab: Lab,
  type: TypeName,
  data: Data,
  width: number,
  { rows = 2, batch = 2, step = 0, order = undefined as Uint32Array | undefined, scale = 1 } = {},
): Data {
  const [output] = lab.run(
    (bench) => {
      const visit = { order: order && bench.place(order), batch };
      const { dataType } = types[type];
      const samples = { data: bench.place(data), dataType };
      const cell = bench.builder.cell(scale);
      bench.builder.gather(bench.output(rows * width), samples, visit, width, rows, cell);
    },
    { steps: [step, step + 1], label: `width ${width}, step ${step}` },
  );
  return output;
}

describe.each(settings)("gather in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test.each(Object.keys(types) as TypeName[])("copies %s rows in their own order and scales them", (type) => {
    const scale = 1 / 255;
    for (const width of sizes) {
      const data = types[type].make(randomValues(SAMPLES * width, width));
      for (const step of [0, 1, 3]) {
        const actual = gather(lab, type, data, width, { step, scale });
        // One rounding to the working type, then one multiplication in it.
        const rows = elements(dtype, data.subarray(step * 2 * width, (step * 2 + 2) * width));
        const factor = elements(dtype, [scale])[0];
        expectSameBits(
          actual,
          rows.map((value) => value * factor),
          `width ${width}, step ${step}`,
        );
      }
    }
  });

  test.each(Object.keys(types) as TypeName[])("copies %s rows in the given order", (type) => {
    for (const width of sizes) {
      const data = types[type].make(randomValues(SAMPLES * width, width));
      for (const step of [0, 1, 3]) {
        const actual = gather(lab, type, data, width, { step, order: ORDER });
        const picked = [...ORDER.subarray(step * 2, step * 2 + 2)];
        const expected = picked.flatMap((sample) => [...data.subarray(sample * width, (sample + 1) * width)]);
        expectSameBits(actual, elements(dtype, expected), `width ${width}, step ${step}`);
      }
    }
  });

  test("takes the rest of the data where the last step has fewer rows than a full batch", () => {
    const data = Float64Array.from({ length: SAMPLES }, (_, i) => i);
    expect([...gather(lab, "f64", data, 1, { rows: 1, batch: 4, step: 2 })]).toEqual([8]);
    expect([...gather(lab, "f64", data, 1, { rows: 1, batch: 4, step: 2, order: ORDER })]).toEqual([6]);
  });

  test("gives every value of a byte", () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect([...gather(lab, "u8", data, 128)]).toEqual([...data]);
  });
});

/** (x - mean[j]) * factor[j], column j having those at j modulo their number, each operation rounded to the type. */
function normalized(dtype: DType, x: Numbers, width: number, mean: Numbers, factor: Numbers): Data {
  const [m, f] = [elements(dtype, mean), elements(dtype, factor)];
  const differences = elements(
    dtype,
    Array.from(x, (value, i) => value - m[(i % width) % m.length]),
  );
  return differences.map((value, i) => value * f[(i % width) % f.length]);
}

/** Columns of a mean and a factor each that make rows of `width`: as many as there are values, and fewer. */
const columnsOf = (width: number) => [...new Set([width, 1, 3])].filter((columns) => width % columns === 0);

describe.each(settings)("means and factors of columns in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test.each(Object.keys(types) as TypeName[])(
    "are applied by gather to %s rows that it has scaled",
    (type) => {
      const scale = 1 / 255;
      for (const width of sizes.slice(1)) {
        const data = types[type].make(randomValues(SAMPLES * width, width));
        for (const columns of columnsOf(width)) {
          const [mean, factor] = [randomValues(columns, 1), randomValues(columns, 2)];
          const label = `width ${width}, ${columns} columns`;
          const [output] = lab.run(
            (bench) => {
              const visit = { order: bench.place(ORDER), batch: 2 };
              const samples = { data: bench.place(data), dataType: types[type].dataType };
              const vectors = { mean: bench.input(mean), factor: bench.input(factor), length: columns };
              const cell = bench.builder.cell(scale);
              bench.builder.gather(bench.output(2 * width), samples, visit, width, 2, cell, vectors);
            },
            { steps: [1, 2], label },
          );
          const rows = [...ORDER.subarray(2, 4)].flatMap((s) => [
            ...data.subarray(s * width, (s + 1) * width),
          ]);
          const scaled = elements(dtype, rows).map((value) => value * elements(dtype, [scale])[0]);
          expectSameBits(output, normalized(dtype, scaled, width, mean, factor), label);
        }
      }
    },
  );

  test("are applied by normalize to wild values, in place and elsewhere", () => {
    const rows = 3;
    for (const width of sizes) {
      const x = elements(dtype, wildValues(rows * width, width));
      for (const columns of width ? columnsOf(width) : [0]) {
        const [mean, factor] = [wildValues(columns, 1), wildValues(columns, 2)];
        const label = `width ${width}, ${columns} columns`;
        const outputs = lab.run(
          (bench) => {
            const vectors = { mean: bench.input(mean), factor: bench.input(factor), length: columns };
            bench.builder.standardize(bench.output(rows * width), bench.input(x), rows, width, vectors);
            const place = bench.inPlace(x);
            bench.builder.standardize(place, place, rows, width, vectors);
          },
          { label },
        );
        for (const output of outputs)
          expectSameBits(output, normalized(dtype, x, width, mean, factor), label);
      }
    }
  });
});

describe.each(settings)("indices in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const vocabulary = 70_000;

  /** The columns of the one-hot rows that a step leaves: a product reads them. */
  function columns(
    data: Uint8Array | Float32Array | Float64Array,
    length: number,
    { rows = 2, batch = 2, step = 0, order = undefined as Uint32Array | undefined, words = vocabulary } = {},
  ): number[] {
    const dataType =
      data instanceof Uint8Array ? DataType.u8 : data instanceof Float32Array ? DataType.f32 : DataType.f64;
    const table = Float64Array.from({ length: words }, (_, i) => i);
    const [output] = lab.run(
      (bench) => {
        const visit = { order: order && bench.place(order), batch };
        const samples = { data: bench.place(data), dataType };
        const matrix = bench.builder.gatherIndices(samples, visit, rows, length, words);
        const [weights, output] = [bench.input(table), bench.output(rows * length)];
        bench.builder.product(output, matrix, weights, rows * length, 1, words);
      },
      { steps: [step, step + 1], label: `length ${length}, step ${step}` },
    );
    return [...output];
  }

  test.each([
    ["u8", Uint8Array, 255],
    ["f32", Float32Array, vocabulary - 1],
    ["f64", Float64Array, vocabulary - 1],
  ] as const)(
    "are those of %s rows, in their own order and in the given one, step by step",
    (_, type, last) => {
      for (const length of [1, 2, 3, 7]) {
        const next = random(length);
        const data = new type(SAMPLES * length).map((_: number, i: number) =>
          i ? Math.floor(next() * (last + 1)) : last,
        );
        for (const order of [undefined, ORDER]) {
          for (const [step, rows] of [
            [0, 4],
            [1, 4],
            [2, 1],
          ]) {
            const samples = Array.from({ length: rows }, (_, r) =>
              order ? order[step * 4 + r] : step * 4 + r,
            );
            expect(columns(data, length, { rows, batch: 4, step, order })).toEqual(
              samples.flatMap((s) => [...data.subarray(s * length, (s + 1) * length)]),
            );
          }
        }
      }
    },
  );

  test("are never beyond the vocabulary, whatever the data have become meanwhile", () => {
    const wrong = [0, 9, 10, -1, 2.9, 2 ** 32 + 5, 1e300, Number.NaN, Number.POSITIVE_INFINITY, -1e300];
    const held = [0, 9, 9, 0, 2, 9, 9, 0, 9, 0];
    expect(columns(Float64Array.from(wrong), 5, { words: 10 })).toEqual(held);
    expect(columns(Float32Array.from(wrong), 5, { words: 10 })).toEqual(held);
    expect(columns(Uint8Array.of(0, 9, 10, 255), 2, { words: 10 })).toEqual([0, 9, 9, 9]);
  });

  test("make the gradient of each word the sum of its rows in the batch, in their order", () => {
    // 520 indices: more than two blocks of sums.
    const [rows, length, words, width] = [130, 4, 9, 5];
    const data = Uint8Array.from({ length: rows * length }, (_, i) => (i * i) % 8);
    const d = randomValues(rows * length * width, 3);
    const run = (start: Start) =>
      lab.run((bench) => {
        const samples = { data: bench.place(data), dataType: DataType.u8 };
        const matrix = bench.builder.gatherIndices(
          samples,
          { order: undefined, batch: rows },
          rows,
          length,
          words,
        );
        const gradient = bench.input(d);
        const output = bench.inPlace(new Float64Array(words * width));
        bench.builder.product(output, matrix, gradient, words, width, rows * length, {
          transposed: true,
          start,
        });
      })[0];
    const sums = elements(dtype, words * width);
    for (let i = 0; i < data.length; i++)
      for (let j = 0; j < width; j++) sums[data[i] * width + j] += d[i * width + j];
    expectSameBits(run(Start.zero), sums);
    // In blocks of 256 indices.
    const blocks = elements(dtype, words * width);
    for (let first = 0; first < data.length; first += 256) {
      const block = elements(dtype, words * width);
      for (let i = first; i < Math.min(first + 256, data.length); i++) {
        for (let j = 0; j < width; j++) block[data[i] * width + j] += d[i * width + j];
      }
      for (const [at, value] of block.entries()) blocks[at] += value;
    }
    expectSameBits(run(Start.add), blocks);
  });
});

describe.each(settings)("oneHot in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test("sets 1 at the class and 0 elsewhere, in the given order and in the data's own", () => {
    for (const width of sizes.slice(1)) {
      const next = random(width);
      const classes = Uint32Array.from({ length: SAMPLES }, () => Math.floor(next() * width));
      for (const order of [undefined, ORDER]) {
        for (const [step, rows] of [
          [0, 4],
          [1, 4],
          [2, 1],
        ]) {
          const [output] = lab.run(
            (bench) => {
              const visit = { order: order && bench.place(order), batch: 4 };
              const samples = { classes: bench.place(classes) };
              bench.builder.oneHot(bench.output(rows * width), samples, visit, width, rows);
            },
            { steps: [step, step + 1] },
          );
          const expected = elements(dtype, rows * width);
          for (let r = 0; r < rows; r++) {
            const position = step * 4 + r;
            expected[r * width + classes[order ? order[position] : position]] = 1;
          }
          expectSameBits(output, expected, `width ${width}, step ${step}`);
        }
      }
    }
  });

  test("of no rows writes nothing", () => {
    lab.run((bench) => {
      bench.builder.oneHot(
        bench.output(0),
        { classes: bench.place(Uint32Array.of(0)) },
        { order: undefined, batch: 1 },
        3,
        0,
      );
    });
  });
});
