// Matrix products: around every edge of the register tiles and of the blocks of terms and columns.
//
// Most are of factors() of twelve bits, whose products are exact: the relaxed build, which rounds a multiply-add once,
// must then leave the bits of the plain one. Random values of all bits are for the plain build, and for the formula.

import { describe, expect, test } from "vitest";
import { Op, Start } from "../src/program/builder.js";
import {
  builds,
  elements,
  epsilon,
  expectClose,
  expectSameBits,
  factors,
  Lab,
  type Rounding,
  randomValues,
  settings,
  toTwelveBits,
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
/**
 * The relaxed build's tile is of 6 rows where there are as many and 64 terms. 16 to 23 rows leave every number of them
 * to the last tiles. Blocks are of up to 320 terms, 256 where the sums are added.
 */
const tallEdges = [
  ...grid([16, 17, 18, 19, 20, 21, 22, 23], [21], [65, 257, 321]),
  ...grid([18, 23], [21], [63, 64, 255, 256, 319, 320, 641]),
  ...grid([17, 18, 23], [16, 17, 18, 19, 20, 22, 23, 24, 25], [65, 321]),
  ...grid([19], [127, 129, 255, 257], [65]),
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
  ...grid([18, 23], [19], [64, 257, 641]),
];

const label = ({ m, n, k }: Shape, rest = "") => `(${m}, ${k}) times (${k}, ${n}) ${rest}`;

/** The matrices of one product; A in memory order of the plain or of the transposed layout. */
function makeData({ m, n, k }: Shape, values: (count: number, seed: number) => Float64Array) {
  return {
    left: values(m * k, 1),
    right: values(k * n, 2),
    bias: values(n, 3),
    output: values(m * n, 4),
  };
}
type Matrices = ReturnType<typeof makeData>;

function multiply(
  lab: Lab,
  shape: Shape,
  data: Matrices,
  transposed: boolean,
  start: StartName,
  rounding?: Rounding,
) {
  const [output] = lab.run(
    (bench) => {
      const { m, n, k } = shape;
      const left = bench.input(data.left);
      const right = bench.input(data.right);
      const bias = start === "bias" ? bench.input(data.bias) : undefined;
      const output = start === "add" ? bench.inPlace(data.output, rounding) : bench.output(m * n, rounding);
      bench.builder.product(output, left, right, m, n, k, { transposed, start: starts[start], bias });
    },
    { label: label(shape, `${start}${transposed ? ", transposed" : ""}`) },
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

describe.each(settings)("product in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const cases = [false, true].flatMap((transposed) => startNames.map((start) => ({ transposed, start })));
  const values = lab.build === "plain" ? randomValues : factors;

  test.each([
    ["around the edges of the tile", tileEdges],
    ["around the edges of the block of terms", blockEdges],
    ["around the edges of packed blocks", packingEdges],
    ["around the edges of the tall tile", tallEdges],
    ["of the sizes of training", large],
  ])("leaves the same bits on both sides and nothing outside its output %s", (_, shapes) => {
    for (const shape of shapes) {
      const data = makeData(shape, values);
      for (const { transposed, start } of cases) multiply(lab, shape, data, transposed, start);
    }
  });

  test("leaves the same bits for zeros, infinities, NaN and subnormal numbers", () => {
    for (const shape of [
      ...grid([1, 3, 4, 5], [1, 2, 7, 8, 13], [1, 2, 5, 300]),
      ...grid([16, 19], [16, 21], [8, 300]),
    ]) {
      const data = makeData(shape, lab.build === "plain" ? wildValues : wildFactors);
      for (const { transposed, start } of cases) multiply(lab, shape, data, transposed, start);
    }
  });

  test("is start + A B, to the error of a sum of k terms", () => {
    for (const shape of various) {
      const data = makeData(shape, randomValues);
      for (const { transposed, start } of cases) {
        const { value, magnitude } = naive(shape, data, transposed, start);
        // Each of the k products and k + 1 additions rounds by half an epsilon of at most `magnitude`.
        const rounding = { epsilons: shape.k + 1, of: magnitude };
        const actual = multiply(lab, shape, data, transposed, start, rounding);
        const bound = rounding.epsilons * epsilon[dtype];
        expectClose(
          value.map((expected, i) => (actual[i] - expected) / (magnitude[i] || 1)),
          new Float64Array(value.length),
          { absolute: bound, label: label(shape, start) },
        );
      }
    }
  });
});

/**
 * As wildValues, of twelve bits; no numbers that make a product overflow or vanish by rounding, for there a fused
 * multiply-add may give a finite number or the smallest one where a separate one gives infinity or 0.
 */
function wildFactors(count: number, seed: number): Float64Array {
  return wildValues(count, seed).map((value) => {
    const size = Math.abs(value);
    return toTwelveBits(
      Number.isFinite(value) && (size > 1000 || size < 2 ** -50) ? Math.sign(value) : value,
    );
  });
}

/** The transpose of a matrix (rows, width). */
function transpose(x: Float64Array, rows: number, width: number): Float64Array {
  return Float64Array.from({ length: rows * width }, (_, i) => x[(i % rows) * width + Math.floor(i / rows)]);
}

describe.each(settings)("product with a transposed right factor in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  // Below, at and above what is packed (16 x 16 x 8), the panels (4 or 8 columns), a vector of terms, the blocks of
  // 256 and 320 terms and of 128 or 256 columns.
  const shapes = [
    ...grid([15, 16, 17, 19], [15, 16, 17, 18, 19, 20, 21, 22, 23], [9]),
    ...grid([17], [18], [7, 8, 10, 11, 63, 64, 65, 255, 256, 257, 319, 320, 321, 513]),
    ...grid([16], [127, 128, 129, 130, 131, 257, 259], [8]),
  ];

  test.each(startNames)("has the bits of the one that does not lie transposed, from %s", (start) => {
    for (const shape of shapes) {
      const { m, n, k } = shape;
      const data = makeData(shape, lab.build === "plain" ? randomValues : factors);
      const [fromTransposed, plain] = lab.run(
        (bench) => {
          const { builder } = bench;
          const options = { start: starts[start], bias: bench.input(data.bias) };
          const left = bench.input(data.left);
          const turned = bench.input(transpose(data.right, k, n));
          const right = bench.input(data.right);
          const [one, other] = [bench.inPlace(data.output), bench.inPlace(data.output)];
          builder.product(one, left, turned, m, n, k, { ...options, rightTransposed: true });
          builder.product(other, left, right, m, n, k, options);
        },
        { label: label(shape, start) },
      );
      expectSameBits(fromTransposed, plain, label(shape, start));
    }
  });
});

const forwards = { sigmoid: Op.sigmoid, relu: Op.relu, tanh: Op.tanh, exp: Op.exp, log: Op.log } as const;
const backwards = { sigmoid: Op.sigmoidBackward, relu: Op.reluBackward, tanh: Op.tanhBackward } as const;

describe.each(settings)("epilogue in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const shapes = [
    ...grid([1, 3, 4, 5], [1, 2, 3, 4, 5, 8, 9, 17], [0, 3, 257]),
    ...grid([0], [3], [2]),
    ...grid([2], [0], [2]),
    { m: 67, n: 67, k: 5 },
    { m: 21, n: 21, k: 257 },
  ];

  /** Each build's functions are exact to 2.5 units of the last place. */
  const rounding = { epsilons: 5 };

  test.each(Object.entries(forwards))(
    "%s gives the bits of the product followed by the operation",
    (_, op) => {
      for (const shape of shapes) {
        const { m, n, k } = shape;
        const data = makeData(shape, factors);
        for (const start of startNames) {
          const [fused, , apart] = lab.run(
            (bench) => {
              const left = bench.input(data.left);
              const right = bench.input(data.right);
              const bias = bench.input(data.bias);
              const room = (rounding?: Rounding) =>
                start === "add" ? bench.inPlace(data.output, rounding) : bench.output(m * n, rounding);
              const fused = room(rounding);
              bench.builder.product(fused, left, right, m, n, k, { start: starts[start], bias });
              bench.builder.forward(op, fused, fused, m, n);
              const product = room();
              const apart = bench.output(m * n, rounding);
              bench.builder.product(product, left, right, m, n, k, { start: starts[start], bias });
              bench.builder.forward(op, apart, product, m, n);
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
        const data = makeData(shape, factors);
        const [fused, , apart] = lab.run(
          (bench) => {
            const left = bench.input(data.left);
            const right = bench.input(data.right);
            const saved = bench.input(factors(m * n, 5));
            const fused = bench.output(m * n);
            bench.builder.product(fused, left, right, m, n, k);
            bench.builder.backward(op, fused, fused, saved, m, n);
            const product = bench.output(m * n);
            const apart = bench.output(m * n);
            bench.builder.product(product, left, right, m, n, k);
            bench.builder.backward(op, apart, product, saved, m, n);
          },
          { label: label(shape) },
        );
        expectSameBits(fused, apart, label(shape));
      }
    },
  );
});

describe.each(builds)("a product in the %s build", (build) => {
  test("never reads its output where it starts from zero", () => {
    const lab = new Lab("float64", { build });
    for (const shape of [
      { m: 5, n: 5, k: 5 },
      { m: 19, n: 19, k: 70 },
    ]) {
      // The output is NaN before the run, and NaN + x is NaN.
      const output = multiply(lab, shape, makeData(shape, factors), false, "zero");
      expect(output.some(Number.isNaN)).toBe(false);
    }
  });

  test("of no terms is its start", () => {
    const lab = new Lab("float32", { build });
    const shape = { m: 2, n: 3, k: 0 };
    const data = makeData(shape, factors);
    expectSameBits(multiply(lab, shape, data, false, "zero"), elements("float32", 6));
    expectSameBits(
      multiply(lab, shape, data, false, "bias"),
      elements("float32", [...data.bias, ...data.bias]),
    );
    expectSameBits(multiply(lab, shape, data, false, "add"), elements("float32", data.output));
  });

  test("that adds to its output makes the sum of each 256 terms apart, packed or not", () => {
    const lab = new Lab("float32", { build });
    /** 641 ones, but `big` at one place and -big at another: the ones between them are lost in a sum of all. */
    const column = (from: number, to: number) => {
      const big = 2 ** 30;
      return Float64Array.from({ length: 641 }, (_, p) => (p === from ? big : p === to ? -big : 1));
    };
    for (const m of [1, 6, 18]) {
      const shape = { m, n: m, k: 641 };
      const sum = (right: Float64Array) => {
        const data = {
          ...makeData(shape, factors),
          left: new Float64Array(m * 641).fill(1),
          right: Float64Array.from({ length: 641 * m }, (_, i) => right[Math.floor(i / m)]),
          output: new Float64Array(m * m).fill(5),
        };
        const sums = new Set(multiply(lab, shape, data, false, "add"));
        expect(sums.size).toBe(1);
        return [...sums][0];
      };
      // Both in the first block: all terms behind it count.
      expect(sum(column(0, 255))).toBe(5 + 641 - 256);
      // One in the first, one in the second: what both blocks and the output hold besides is lost.
      expect(sum(column(0, 256))).toBe(641 - 512);
      // Both in the second.
      expect(sum(column(256, 511))).toBe(5 + 641 - 256);
    }
  });
});
