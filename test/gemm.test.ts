// Matrix products: around every edge of the register tile and of the block of terms.

import { describe, test } from "vitest";
import { Op, Start } from "../src/program.js";
import {
  elements,
  epsilon,
  expectClose,
  expectSameBits,
  Lab,
  randomValues,
  settings,
  wildValues,
} from "./helpers.js";

interface Shape {
  m: number;
  n: number;
  k: number;
}

const starts = { zero: Start.zero, bias: Start.bias, add: Start.add };
type StartName = keyof typeof starts;
const startNames = Object.keys(starts) as StartName[];

/** Every combination of the sizes. */
function grid(ms: number[], ns: number[], ks: number[]): Shape[] {
  return ms.flatMap((m) => ns.flatMap((n) => ks.map((k) => ({ m, n, k }))));
}

/** Tiles are 4 rows by 4 or 8 columns. */
const tileEdges = grid(
  [0, 1, 2, 3, 4, 5, 7, 8, 9],
  [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17],
  [0, 1, 2, 3],
);
/** Sums are made in blocks of 256 terms. */
const blockEdges = grid([1, 4, 5], [1, 3, 4, 8, 9, 17], [255, 256, 257, 513]);
/** From 16 rows and columns on factors are packed, in blocks of 1024 bytes (128 or 256 columns) by 256 terms. */
const packingEdges = [
  ...grid([15, 16, 17, 18, 19, 20, 33], [15, 16, 17, 18, 19, 20, 23, 24, 25], [7, 8, 9]),
  ...grid([17, 18], [17, 24], [255, 256, 257, 513]),
  ...grid([16, 19], [127, 128, 129, 131, 255, 256, 257, 259, 513], [8, 9]),
  { m: 18, n: 259, k: 300 },
];
/** Products as training has them. */
const large = [
  { m: 32, n: 30, k: 784 },
  { m: 784, n: 30, k: 32 },
  { m: 33, n: 10, k: 513 },
  { m: 67, n: 67, k: 67 },
  { m: 20, n: 258, k: 130 },
  { m: 1, n: 300, k: 300 },
  { m: 300, n: 1, k: 300 },
];
/** Few of each, for where the formula is what is tested. */
const various = [
  ...grid([0, 1, 3, 4, 6], [0, 1, 5, 8, 11], [0, 1, 2, 7]),
  ...grid([5], [9], [256, 257, 600]),
];

const label = ({ m, n, k }: Shape, rest = "") => `(${m}, ${k}) times (${k}, ${n}) ${rest}`;

/** The matrices of one product; A in memory order of the plain or of the transposed layout. */
function makeData({ m, n, k }: Shape, values: (count: number, seed: number) => Float64Array) {
  return {
    left: values(m * k, 1),
    right: values(k * n, 2),
    bias: values(n, 3),
    output: values(m * n, 4),
    saved: values(m * n, 5),
  };
}
type Matrices = ReturnType<typeof makeData>;

function multiply(lab: Lab, shape: Shape, data: Matrices, transposed: boolean, start: StartName, rest = "") {
  const [output] = lab.run(
    (bench) => {
      const left = bench.input(data.left);
      const right = bench.input(data.right);
      const bias = start === "bias" ? bench.input(data.bias) : 0;
      const output = start === "add" ? bench.inPlace(data.output) : bench.output(shape.m * shape.n);
      const { m, n, k } = shape;
      bench.builder.product(output, left, right, m, n, k, { transposed, start: starts[start], bias });
    },
    { label: label(shape, `${start}${transposed ? ", transposed" : ""} ${rest}`) },
  );
  return output;
}

/** The formula, in float64: the product, and the sum of the terms' magnitudes to measure errors by. */
function naive({ m, n, k }: Shape, data: Matrices, transposed: boolean, start: StartName) {
  const value = new Float64Array(m * n);
  const magnitude = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const initial = start === "zero" ? 0 : start === "bias" ? data.bias[j] : data.output[i * n + j];
      let sum = initial;
      let size = Math.abs(initial);
      for (let p = 0; p < k; p++) {
        const term = data.left[transposed ? p * m + i : i * k + p] * data.right[p * n + j];
        sum += term;
        size += Math.abs(term);
      }
      value[i * n + j] = sum;
      magnitude[i * n + j] = size;
    }
  }
  return { value, magnitude };
}

describe.each(settings)("product in %s", (_, { dtype, shifted }) => {
  const lab = new Lab(dtype, { shifted });
  const cases = [false, true].flatMap((transposed) => startNames.map((start) => ({ transposed, start })));

  test.each([
    ["around the edges of the tile", tileEdges],
    ["around the edges of the block of terms", blockEdges],
    ["around the edges of packed blocks", packingEdges],
    ["of the sizes of training", large],
  ])("leaves the same bits on both executors and nothing outside its output %s", (_, shapes) => {
    for (const shape of shapes) {
      const data = makeData(shape, randomValues);
      for (const { transposed, start } of cases) multiply(lab, shape, data, transposed, start);
    }
  });

  test("leaves the same bits for zeros, infinities, NaN and subnormal numbers", () => {
    for (const shape of [
      ...grid([1, 3, 4, 5], [1, 2, 7, 8, 13], [1, 2, 5, 300]),
      ...grid([16, 19], [16, 21], [8, 300]),
    ]) {
      const data = makeData(shape, wildValues);
      for (const { transposed, start } of cases) multiply(lab, shape, data, transposed, start);
    }
  });

  test("is start + A B, to the error of a sum of k terms", () => {
    for (const shape of various) {
      const data = makeData(shape, randomValues);
      for (const { transposed, start } of cases) {
        const actual = multiply(lab, shape, data, transposed, start);
        const { value, magnitude } = naive(shape, data, transposed, start);
        // Each of the k products and k + 1 additions rounds by half an epsilon of at most `magnitude`.
        const bound = (shape.k + 1) * epsilon[dtype];
        expectClose(
          value.map((expected, i) => (actual[i] - expected) / (magnitude[i] || 1)),
          new Float64Array(value.length),
          { absolute: bound, label: label(shape, start) },
        );
      }
    }
  });
});

const forwards = { sigmoid: Op.sigmoid, relu: Op.relu, tanh: Op.tanh, exp: Op.exp, log: Op.log } as const;
const backwards = { sigmoid: Op.sigmoidBackward, relu: Op.reluBackward, tanh: Op.tanhBackward } as const;

describe.each(settings)("epilogue in %s", (_, { dtype, shifted }) => {
  const lab = new Lab(dtype, { shifted });
  const shapes = [
    ...grid([1, 3, 4, 5], [1, 2, 3, 4, 5, 8, 9, 17], [0, 3, 257]),
    ...grid([0], [3], [2]),
    ...grid([2], [0], [2]),
    { m: 67, n: 67, k: 5 },
    { m: 21, n: 21, k: 257 },
  ];

  test.each(Object.entries(forwards))(
    "%s gives the bits of the product followed by the operation",
    (_, op) => {
      for (const shape of shapes) {
        const { m, n, k } = shape;
        const data = makeData(shape, randomValues);
        for (const start of startNames) {
          const [fused, , apart] = lab.run(
            (bench) => {
              const left = bench.input(data.left);
              const right = bench.input(data.right);
              const bias = bench.input(data.bias);
              const room = () => (start === "add" ? bench.inPlace(data.output) : bench.output(m * n));
              const fused = room();
              bench.builder.product(fused, left, right, m, n, k, { start: starts[start], bias });
              bench.builder.forward(op, fused, fused, m * n);
              const product = room();
              const apart = bench.output(m * n);
              bench.builder.product(product, left, right, m, n, k, { start: starts[start], bias });
              bench.builder.forward(op, apart, product, m * n);
            },
            { label: label(shape, start) },
          );
          expectSameBits(fused, apart, label(shape, start));
        }
      }
    },
  );

  test.each(Object.entries(backwards))(
    "%s backward gives the bits of the product followed by the operation",
    (_, op) => {
      for (const shape of shapes) {
        const { m, n, k } = shape;
        const data = makeData(shape, randomValues);
        const [fused, , apart] = lab.run(
          (bench) => {
            const left = bench.input(data.left);
            const right = bench.input(data.right);
            const saved = bench.input(data.saved);
            const fused = bench.output(m * n);
            bench.builder.product(fused, left, right, m, n, k);
            bench.builder.backward(op, fused, fused, saved, m * n);
            const product = bench.output(m * n);
            const apart = bench.output(m * n);
            bench.builder.product(product, left, right, m, n, k);
            bench.builder.backward(op, apart, product, saved, m * n);
          },
          { label: label(shape) },
        );
        expectSameBits(fused, apart, label(shape));
      }
    },
  );
});

describe("a product", () => {
  test("never reads its output where it starts from zero", () => {
    const lab = new Lab("float64");
    const data = makeData({ m: 5, n: 5, k: 5 }, randomValues);
    // The output is NaN before the run, and NaN + x is NaN.
    const output = multiply(lab, { m: 5, n: 5, k: 5 }, data, false, "zero");
    expectSameBits(output, output.map((value) => (Number.isNaN(value) ? 0 : value)) as typeof output);
  });

  test("of no terms is its start", () => {
    const lab = new Lab("float32");
    const shape = { m: 2, n: 3, k: 0 };
    const data = makeData(shape, randomValues);
    expectSameBits(multiply(lab, shape, data, false, "zero"), elements("float32", 6));
    expectSameBits(
      multiply(lab, shape, data, false, "bias"),
      elements("float32", [...data.bias, ...data.bias]),
    );
    expectSameBits(multiply(lab, shape, data, false, "add"), elements("float32", data.output));
  });
});
