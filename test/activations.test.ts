// Activations and their derivatives: every size from 0 to 67, in place and not, and against the formulas.
// How exact the functions are, in ulps, is in math.test.ts.

import { describe, expect, test } from "vitest";
import { FIRST_BY_ROWS } from "../assembly/ops.js";
import { type Activation, activations } from "../src/activations.js";
import { Op } from "../src/program/builder.js";
import { namesOf } from "../src/table.js";
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

interface Formula {
  forward: (x: number) => number;
  /** From what the backward reads: the output of the forward, or its input. */
  derivative?: (saved: number) => number;
  /** How far a multiply-add may take the builds from each other; of derivatives none has one. */
  rounding?: Rounding;
}

/** A formula for each activation that works element by element, and for the functions that others are made of. */
const formulas: Record<string, Formula> = {
  // The errors of both builds together, as assembly/math.ts has them, rounded up.
  sigmoid: {
    forward: (x) => 1 / (1 + Math.exp(-x)),
    derivative: (y) => y * (1 - y),
    rounding: { epsilons: 5 },
  },
  relu: { forward: (x) => Math.max(x, 0), derivative: (y) => (y > 0 ? 1 : 0) },
  tanh: { forward: Math.tanh, derivative: (y) => 1 - y * y, rounding: { epsilons: 5 } },
  exp: { forward: Math.exp, rounding: { epsilons: 3 } },
  log: { forward: Math.log, rounding: { epsilons: 2 } },
};

/** Opcodes of what is no activation by itself. */
const functions: Record<string, Op> = { exp: Op.exp, log: Op.log };

const elementwise = namesOf(activations).filter((name) => activations[name].forward! < FIRST_BY_ROWS);
const forwardOf = (name: string) => functions[name] ?? activations[name as Activation].forward;
const backwardOf = (name: Activation) => activations[name].backward!;

test("there is a formula for every activation", () => {
  expect(Object.keys(formulas)).toEqual([...elementwise, ...Object.keys(functions)]);
});

function apply(lab: Lab, name: string, values: ArrayLike<number> & Iterable<number>) {
  const [y] = lab.run((bench) => {
    const x = bench.input(values);
    const { rounding } = formulas[name];
    bench.builder.forward(forwardOf(name), bench.output(values.length, rounding), x, 1, values.length);
  });
  return y;
}

describe.each(settings)("elementwise in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test.each(Object.keys(formulas))("%s leaves the same bits, in place and not", (name) => {
    for (const size of sizes) {
      const values = wildValues(size, size);
      const apart = apply(lab, name, values);
      const [inPlace] = lab.run(
        (bench) => {
          const x = bench.inPlace(values, formulas[name].rounding);
          bench.builder.forward(forwardOf(name), x, x, 1, size);
        },
        { label: `size ${size}` },
      );
      expectSameBits(inPlace, apart, `size ${size}`);
    }
  });

  test.each(Object.keys(formulas))("%s follows its formula", (name) => {
    const values = randomValues(67, 1, name === "log" ? 0.01 : -5, 5);
    // A few ulps of the kernel and one of Math; near 1 the logarithm's own rounding counts, not its value's.
    const tolerance = { relative: 4 * epsilon[dtype], absolute: 4 * epsilon[dtype] };
    expectClose(apply(lab, name, values), Float64Array.from(values, formulas[name].forward), tolerance);
  });

  test.each(elementwise)("%s backward leaves the same bits, in place and not", (name) => {
    for (const size of sizes) {
      const gradients = wildValues(size, size);
      const saved = wildValues(size, size + 100);
      const [apart, inPlace, overSaved] = lab.run(
        (bench) => {
          const d = bench.input(gradients);
          const y = bench.input(saved);
          bench.builder.backward(backwardOf(name), bench.output(size), d, y, 1, size);
          const here = bench.inPlace(gradients);
          bench.builder.backward(backwardOf(name), here, here, y, 1, size);
          const both = bench.inPlace(saved);
          bench.builder.backward(backwardOf(name), both, d, both, 1, size);
        },
        { label: `size ${size}` },
      );
      expectSameBits(inPlace, apart, `size ${size}`);
      expectSameBits(overSaved, apart, `size ${size}`);
    }
  });

  test.each(elementwise)("%s backward follows its formula", (name) => {
    const gradients = randomValues(67, 1);
    const saved = randomValues(67, 2, 0, 1);
    const [d] = lab.run((bench) => {
      const gradient = bench.input(gradients);
      const y = bench.input(saved);
      bench.builder.backward(backwardOf(name), bench.output(67), gradient, y, 1, 67);
    });
    // Three roundings, of products of magnitude 2 at most.
    const expected = gradients.map((gradient, i) => gradient * formulas[name].derivative!(saved[i]));
    expectClose(d, expected, { absolute: 3 * epsilon[dtype] });
  });

  test("sigmoid is 0 at -1000, 1/2 at 0 and 1 at 1000", () => {
    expect([...apply(lab, "sigmoid", [-1000, 0, 1000])]).toEqual([0, 0.5, 1]);
  });

  test("tanh is -1 at -1000, 0 at 0 and 1 at 1000", () => {
    expect([...apply(lab, "tanh", [-1000, 0, 1000])]).toEqual([-1, 0, 1]);
  });

  test("every activation lets NaN through, so that a diverged network is noticed", () => {
    for (const name of Object.keys(formulas)) {
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
