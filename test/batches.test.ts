// Batches out of data sets: every element type, with and without an order, step by step.

import { describe, expect, test } from "vitest";
import { DataType } from "../src/program/builder.js";
import {
  type Data,
  elements,
  expectSameBits,
  Lab,
  random,
  randomValues,
  settings,
  sizes,
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
