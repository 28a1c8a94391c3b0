// Activations and their derivatives: every size from 0 to 67, in place and not, and against the formulas.
// How exact the functions are, in ulps, is in math.test.ts.

import { describe, expect, test } from "vitest";
import { type ForwardOp, Op } from "../src/program/builder.js";
import {
  epsilon,
  expectClose,
  expectSameBits,
  Lab,
  type Rounding,
  randomValues,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

const forwards: Record<string, { op: ForwardOp; formula: (x: number) => number; rounding?: Rounding }> = {
  // The errors of both builds together, as assembly/math.ts has them, rounded up.
  sigmoid: { op: Op.sigmoid, formula: (x) => 1 / (1 + Math.exp(-x)), rounding: { epsilons: 5 } },
  relu: { op: Op.relu, formula: (x) => Math.max(x, 0) },
  tanh: { op: Op.tanh, formula: Math.tanh, rounding: { epsilons: 5 } },
  exp: { op: Op.exp, formula: Math.exp, rounding: { epsilons: 3 } },
  log: { op: Op.log, formula: Math.log, rounding: { epsilons: 2 } },
};

/** From the gradient d of the output and the output y of the forward, with no multiply-add. */
const backwards = {
  sigmoid: { op: Op.sigmoidBackward, formula: (d: number, y: number) => d * y * (1 - y) },
  relu: { op: Op.reluBackward, formula: (d: number, y: number) => (y > 0 ? d : 0) },
  tanh: { op: Op.tanhBackward, formula: (d: number, y: number) => d * (1 - y * y) },
} as const;

type BackwardName = keyof typeof backwards;

function apply(lab: Lab, name: string, values: ArrayLike<number> & Iterable<number>) {
  const [y] = lab.run((bench) => {
    const x = bench.input(values);
    const { op, rounding } = forwards[name];
    bench.builder.forward(op, bench.output(values.length, rounding), x, 1, values.length);
  });
  return y;
}

describe.each(settings)("elementwise in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test.each(Object.keys(forwards))("%s leaves the same bits, in place and not", (name) => {
    for (const size of sizes) {
      const values = wildValues(size, size);
      const apart = apply(lab, name, values);
      const [inPlace] = lab.run(
        (bench) => {
          const { op, rounding } = forwards[name];
          const x = bench.inPlace(values, rounding);
          bench.builder.forward(op, x, x, 1, size);
        },
        { label: `size ${size}` },
      );
      expectSameBits(inPlace, apart, `size ${size}`);
    }
  });

  test.each(Object.keys(forwards))("%s follows its formula", (name) => {
    const values = randomValues(67, 1, name === "log" ? 0.01 : -5, 5);
    // A few ulps of the kernel and one of Math; near 1 the logarithm's own rounding counts, not its value's.
    const tolerance = { relative: 4 * epsilon[dtype], absolute: 4 * epsilon[dtype] };
    expectClose(apply(lab, name, values), Float64Array.from(values, forwards[name].formula), tolerance);
  });

  test.each(Object.keys(backwards) as BackwardName[])(
    "%s backward leaves the same bits, in place and not",
    (name) => {
      for (const size of sizes) {
        const gradients = wildValues(size, size);
        const saved = wildValues(size, size + 100);
        const [apart, inPlace, overSaved] = lab.run(
          (bench) => {
            const d = bench.input(gradients);
            const y = bench.input(saved);
            bench.builder.backward(backwards[name].op, bench.output(size), d, y, 1, size);
            const here = bench.inPlace(gradients);
            bench.builder.backward(backwards[name].op, here, here, y, 1, size);
            const both = bench.inPlace(saved);
            bench.builder.backward(backwards[name].op, both, d, both, 1, size);
          },
          { label: `size ${size}` },
        );
        expectSameBits(inPlace, apart, `size ${size}`);
        expectSameBits(overSaved, apart, `size ${size}`);
      }
    },
  );

  test.each(Object.keys(backwards) as BackwardName[])("%s backward follows its formula", (name) => {
    const gradients = randomValues(67, 1);
    const saved = randomValues(67, 2, 0, 1);
    const [d] = lab.run((bench) => {
      const gradient = bench.input(gradients);
      const y = bench.input(saved);
      bench.builder.backward(backwards[name].op, bench.output(67), gradient, y, 1, 67);
    });
    // Three roundings, of products of magnitude 2 at most.
    const expected = gradients.map((gradient, i) => backwards[name].formula(gradient, saved[i]));
    expectClose(d, expected, { absolute: 3 * epsilon[dtype] });
  });

  test("sigmoid is 0 at -1000, 1/2 at 0 and 1 at 1000", () => {
    expect([...apply(lab, "sigmoid", [-1000, 0, 1000])]).toEqual([0, 0.5, 1]);
  });

  test("tanh is -1 at -1000, 0 at 0 and 1 at 1000", () => {
    expect([...apply(lab, "tanh", [-1000, 0, 1000])]).toEqual([-1, 0, 1]);
  });

  test("every activation lets NaN through, so that a diverged network is noticed", () => {
    for (const name of Object.keys(forwards)) {
      // At each lane of a vector, and in the rest that fills none.
      expect([...apply(lab, name, Array(7).fill(Number.NaN))], name).toEqual(Array(7).fill(Number.NaN));
    }
  });
});

/** Rows by width for row-wise operations: every width, and rows around the vector's. */
const shapes = [
  ...sizes.map((width) => ({ rows: 3, width })),
  ...[0, 1, 2, 67].map((rows) => ({ rows, width: 10 })),
];

function softmaxOf(logits: ArrayLike<number>): number[] {
  const row = Array.from(logits);
  const largest = Math.max(...row);
  const powers = row.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

describe.each(settings)("softmax in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  function softmax(values: ArrayLike<number> & Iterable<number>, rows: number, width: number) {
    const [apart, inPlace] = lab.run(
      (bench) => {
        const x = bench.input(values);
        // Each build's exponentials, two units of both together, in a row's sum of `width` roundings and its quotient.
        const rounding = { epsilons: width + 5 };
        bench.builder.forward(Op.softmax, bench.output(rows * width, rounding), x, rows, width);
        const here = bench.inPlace(values, rounding);
        bench.builder.forward(Op.softmax, here, here, rows, width);
      },
      { label: `${rows} rows of ${width}` },
    );
    expectSameBits(inPlace, apart, `${rows} rows of ${width}`);
    return apart;
  }

  test("leaves the same bits, in place and not", () => {
    for (const { rows, width } of shapes) softmax(randomValues(rows * width, width, -8, 8), rows, width);
  });

  test("leaves the same bits for infinities and NaN", () => {
    for (const { rows, width } of shapes) softmax(wildValues(rows * width, width), rows, width);
  });

  test("follows its formula in every row", () => {
    for (const { rows, width } of shapes) {
      const values = randomValues(rows * width, width, -8, 8);
      const actual = softmax(values, rows, width);
      for (let r = 0; r < rows; r++) {
        const row = [r * width, (r + 1) * width] as const;
        // The exponentials' few ulps and the sum's one for each of up to 67 terms.
        expectClose(actual.subarray(...row), softmaxOf(values.subarray(...row)), {
          relative: 70 * epsilon[dtype],
        });
      }
    }
  });

  test("neither overflows nor vanishes for logits of 1000 and -1000", () => {
    expect([...softmax([1000, -1000, 1000, -1000], 1, 4)]).toEqual([0.5, 0, 0.5, 0]);
    expect([...softmax([-1000, -1000, -1000, -1000], 1, 4)]).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect([...softmax([1000, -1000], 2, 1)]).toEqual([1, 1]);
  });

  test("does not change a bit when all logits shift by a number that adds without rounding", () => {
    const logits = Array.from({ length: 11 }, (_, j) => j / 4 - 1);
    const shifted = softmax(
      logits.map((logit) => logit + 512),
      1,
      11,
    );
    expectSameBits(shifted, softmax(logits, 1, 11));
  });

  test("backward leaves the same bits, in place and not", () => {
    for (const { rows, width } of shapes) {
      const size = rows * width;
      const gradients = randomValues(size, width);
      const saved = randomValues(size, width + 1, 0, 1);
      const [apart, inPlace] = lab.run(
        (bench) => {
          const d = bench.input(gradients);
          const y = bench.input(saved);
          bench.builder.backward(Op.softmaxBackward, bench.output(size), d, y, rows, width);
          const here = bench.inPlace(gradients);
          bench.builder.backward(Op.softmaxBackward, here, here, y, rows, width);
        },
        { label: `${rows} rows of ${width}` },
      );
      expectSameBits(inPlace, apart, `${rows} rows of ${width}`);
      for (let r = 0; r < rows; r++) {
        const d = gradients.subarray(r * width, (r + 1) * width);
        const y = saved.subarray(r * width, (r + 1) * width);
        const sum = Array.from(d).reduce((total, value, j) => total + value * y[j], 0);
        const expected = Float64Array.from(d, (value, j) => y[j] * (value - sum));
        // A sum of up to 67 products of magnitude 2 at most.
        expectClose(apart.subarray(r * width, (r + 1) * width), expected, {
          absolute: 2 * 70 * epsilon[dtype],
        });
      }
    }
  });
});
