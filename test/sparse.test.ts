// Sparse batches: the same bits on both executors, and the same as the dense product.

import { describe, expect, test } from "vitest";
import { Dense, Network } from "../src/index.js";
import { DataType, Start } from "../src/program.js";
import {
  type Bench,
  elements,
  expectSameBits,
  Lab,
  placeWithoutZeros,
  random,
  settings,
  sparseInput,
} from "./helpers.js";

/** Values of which about `density` are not zero. */
function sparseValues(count: number, seed: number, density: number): Float64Array {
  const next = random(seed);
  return Float64Array.from({ length: count }, () => (next() < density ? Math.fround(4 * next() - 2) : 0));
}

/**
 * Widths around the vectors, the pairs of them and the strides of 16 (32 f64, 64 f32); rows up to more than a block of
 * 256; empty rows too. Rows of every number of entries modulo 4 come of the density.
 */
const shapes = [
  { rows: 1, inputs: 1, width: 1 },
  { rows: 3, inputs: 5, width: 3 },
  { rows: 4, inputs: 67, width: 7 },
  { rows: 7, inputs: 40, width: 16 },
  { rows: 9, inputs: 23, width: 31 },
  { rows: 9, inputs: 23, width: 32 },
  { rows: 33, inputs: 31, width: 33 },
  { rows: 9, inputs: 23, width: 64 },
  { rows: 19, inputs: 130, width: 70 },
  { rows: 257, inputs: 6, width: 9 },
  { rows: 600, inputs: 9, width: 34 },
  { rows: 21, inputs: 17, width: 129 },
  { rows: 21, inputs: 17, width: 520 },
];

describe.each(settings)("on %s", (_, setting) => {
  test.each(shapes)(
    "a forward product of $rows x $inputs x $width has the bits of the dense one",
    (shape) => {
      const { rows, inputs, width } = shape;
      const lab = new Lab(setting.dtype, setting);
      for (const density of [0, 0.2, 1]) {
        for (const start of [Start.zero, Start.bias]) {
          const x = sparseValues(rows * inputs, 1, density);
          const w = sparseValues(inputs * width, 2, 1);
          const b = sparseValues(width, 3, 1);
          const [sparse, dense] = lab.run((bench) => {
            const matrix = sparseInput(bench, x, rows, inputs);
            const [weights, bias] = [bench.input(w), bench.input(b)];
            bench.builder.product(bench.output(rows * width), matrix, weights, rows, width, inputs, {
              start,
              bias,
            });
            const left = bench.input(x);
            bench.builder.product(bench.output(rows * width), left, weights, rows, width, inputs, {
              start,
              bias,
            });
          });
          expectSameBits(sparse, dense, `density ${density}`);
        }
      }
    },
  );

  test.each(shapes)(
    "a weight gradient of $rows x $inputs x $width has the bits of the dense one",
    (shape) => {
      const { rows, inputs, width } = shape;
      const lab = new Lab(setting.dtype, setting);
      for (const density of [0, 0.2, 1]) {
        for (const start of [Start.zero, Start.add]) {
          const x = sparseValues(rows * inputs, 4, density);
          const d = sparseValues(rows * width, 5, 1);
          const old = sparseValues(inputs * width, 6, 1);
          const [sparse, dense] = lab.run((bench) => {
            const matrix = sparseInput(bench, x, rows, inputs);
            const gradient = bench.input(d);
            const options = { transposed: true, start };
            bench.builder.product(bench.inPlace(old), matrix, gradient, inputs, width, rows, options);
            bench.builder.product(bench.inPlace(old), bench.input(x), gradient, inputs, width, rows, options);
          });
          expectSameBits(sparse, dense, `density ${density}`);
        }
      }
    },
  );

  test("a gathered batch is that of the dense data, in the order asked for", () => {
    const [samples, inputs, width, batch] = [23, 17, 5, 4];
    const lab = new Lab(setting.dtype, setting);
    for (const [dataType, scale] of [
      [DataType.u8, 1 / 255],
      [DataType.f32, 1],
      [DataType.f64, 0.1],
    ]) {
      const raw = sparseValues(samples * inputs, 7, 0.3);
      const data =
        dataType === DataType.u8
          ? Uint8Array.from(raw, (value) => Math.abs(value) * 100)
          : elements(dataType === DataType.f32 ? "float32" : "float64", raw);
      const order = Uint32Array.from({ length: samples }, (_, i) => (i * 5) % samples);
      const weights = sparseValues(inputs * width, 8, 1);
      const emit = (bench: Bench) => {
        const { builder } = bench;
        const w = bench.input(weights);
        const from = { order: bench.place(order), batch };
        const cell = builder.cell(scale);
        const entries = placeWithoutZeros(bench, data, inputs);
        const sparse = builder.sparseMatrix(batch, inputs, entries.capacity);
        builder.gatherSparse(sparse, { ...from, ...entries }, dataType, cell);
        builder.product(bench.output(batch * width), sparse, w, batch, width, inputs);
        const dense = builder.matrix(batch, inputs);
        builder.gather(dense, { ...from, data: bench.place(data) }, dataType, inputs, batch, cell);
        builder.product(bench.output(batch * width), dense, w, batch, width, inputs);
      };
      for (const step of [0, 3]) {
        const [sparse, dense] = lab.run(emit, { steps: [step, step + 1] });
        expectSameBits(sparse, dense, `data type ${dataType} step ${step}`);
      }
    }
  });
});

describe("a network", () => {
  const make = () =>
    new Network({
      inputs: 20,
      layers: [new Dense(6, { activation: "tanh" }), new Dense(3, { activation: "softmax" })],
      seed: 1,
    });

  test("says in its summary how dense the data were and what the first layer made of it", async () => {
    const network = make();
    expect(network.summary()).not.toContain("not zero");
    const classes = Uint8Array.from({ length: 50 }, (_, i) => i % 3);
    await network.fit(sparseValues(50 * 20, 1, 0.1), classes);
    expect(network.summary()).toMatch(
      /\d+ % of the inputs last trained on are not zero: the first layer walks/,
    );
    await network.fit(sparseValues(50 * 20, 1, 1), classes);
    expect(network.summary()).toContain("100 % of the inputs last trained on are not zero");
    expect(network.summary()).toContain("multiplies them all");
  });
});
