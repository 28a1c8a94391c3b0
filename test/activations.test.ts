// Activations and their derivatives: every size from 0 to 67, in place and not, and against the formulas and PyTorch.
// How exact the functions are that they are made of, in ulps, is in math.test.ts.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type ActivationName, activations } from "../src/activations.js";
import type { Region } from "../src/heap.js";
import { Curve, Op } from "../src/program/builder.js";
import { namesOf } from "../src/table.js";
import {
  type Bench,
  builds,
  dtypes,
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

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const normal = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
/** The cumulative normal distribution by its series (Marsaglia 2004): 1/2 + normal(x) (x + x^3 / 3 + x^5 / 15 + ...). */
function cumulative(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 3; n < 200; n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + normal(x) * sum;
}
const bent = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const rounded = { epsilons: 8 };

/** A formula for each activation that works element by element, and for the functions that others are made of. */
const formulas: Record<string, Formula> = {
  // The errors of both builds together, as assembly/math.ts has them, rounded up.
  sigmoid: { forward: sigmoid, derivative: (y) => y * (1 - y), rounding: { epsilons: 5 } },
  relu: { forward: (x) => Math.max(x, 0), derivative: (y) => (y > 0 ? 1 : 0) },
  tanh: { forward: Math.tanh, derivative: (y) => 1 - y * y, rounding: { epsilons: 5 } },
  leakyRelu: { forward: (x) => Math.max(x, 0.01 * x), derivative: (y) => (y > 0 ? 1 : 0.01) },
  prelu: { forward: (x) => Math.max(x, SLOPE * x), derivative: (x) => (x > 0 ? 1 : SLOPE) },
  elu: {
    forward: (x) => (x > 0 ? x : Math.expm1(x)),
    derivative: (x) => Math.exp(Math.min(x, 0)),
    rounding: rounded,
  },
  selu: {
    forward: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
    derivative: (x) => 1.0507009873554805 * (x > 0 ? 1 : 1.6732632423543772 * Math.exp(x)),
    rounding: rounded,
  },
  celu: {
    forward: (x) => (x > 0 ? x : Math.expm1(x)),
    derivative: (x) => Math.exp(Math.min(x, 0)),
    rounding: rounded,
  },
  gelu: {
    forward: (x) => x * cumulative(x),
    derivative: (x) => cumulative(x) + x * normal(x),
    rounding: rounded,
  },
  geluTanh: {
    forward: (x) => (x * (1 + Math.tanh(bent(x)))) / 2,
    derivative: (x) =>
      (1 + Math.tanh(bent(x))) / 2 +
      ((x * (1 - Math.tanh(bent(x)) ** 2)) / 2) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x),
    rounding: rounded,
  },
  silu: {
    forward: (x) => x * sigmoid(x),
    derivative: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    rounding: rounded,
  },
  mish: {
    forward: (x) => x * Math.tanh(softplus(x)),
    derivative: (x) => Math.tanh(softplus(x)) + (x * sigmoid(x)) / Math.cosh(softplus(x)) ** 2,
    rounding: rounded,
  },
  softplus: { forward: softplus, derivative: sigmoid, rounding: rounded },
  softsign: { forward: (x) => x / (1 + Math.abs(x)), derivative: (x) => 1 / (1 + Math.abs(x)) ** 2 },
  hardSigmoid: {
    forward: (x) => Math.min(Math.max(x + 3, 0), 6) / 6,
    derivative: (x) => (Math.abs(x) < 3 ? 1 / 6 : 0),
  },
  hardSwish: {
    forward: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
    derivative: (x) => (Math.abs(x) < 3 ? (2 * x + 3) / 6 : x > 0 ? 1 : 0),
  },
  relu6: { forward: (x) => Math.min(Math.max(x, 0), 6), derivative: (y) => (y > 0 && y < 6 ? 1 : 0) },
  exponential: { forward: Math.exp, derivative: (y) => y, rounding: { epsilons: 3 } },
  exp: { forward: Math.exp, rounding: { epsilons: 3 } },
  log: { forward: Math.log, rounding: { epsilons: 2 } },
};

/** The slope of prelu, here in all columns. */
const SLOPE = 0.25;

/** Opcodes of what is no activation by itself. */
const functions: Record<string, Op> = { exp: Op.exp, log: Op.log };

const byRows: readonly ActivationName[] = ["softmax", "logSoftmax"];
const elementwise = namesOf(activations).filter((name) => name !== "linear" && !byRows.includes(name));

/** The parameter of an activation over `width` columns: its cell, or of prelu its slopes. */
function parameterOf(bench: Bench, name: string, width: number, slopes = Array(width).fill(SLOPE)) {
  const { parameter, learned } = activations[name as ActivationName] ?? {};
  if (learned !== undefined) return bench.input(slopes);
  return parameter === undefined ? undefined : bench.builder.cell(parameter);
}

function emitForward(
  bench: Bench,
  name: string,
  y: Region,
  x: Region,
  width: number,
  { rows = 1, parameter = parameterOf(bench, name, width) } = {},
): void {
  const { forward = functions[name], curve } = activations[name as ActivationName] ?? {};
  if (forward !== undefined) bench.builder.forward(forward, y, x, rows, width);
  else bench.builder.curve(curve!, y, x, rows, width, { parameter });
}

function emitBackward(
  bench: Bench,
  name: ActivationName,
  d: Region,
  gradient: Region,
  saved: Region,
  width: number,
  { rows = 1, parameter = parameterOf(bench, name, width) } = {},
): void {
  const { backward, curve } = activations[name];
  if (backward !== undefined) bench.builder.backward(backward, d, gradient, saved, rows, width);
  else bench.builder.curve(curve!, d, saved, rows, width, { parameter, gradient });
}

/**
 * How far the builds may be from each other in derivatives: they have errors of some epsilons of 1, or, where the gradient
 * is larger, of that.
 */
function backwardRounding(
  name: ActivationName,
  gradients: Float64Array,
  saved: Float64Array,
): Rounding | undefined {
  const { curve, readsOutput } = activations[name];
  if (curve === undefined || readsOutput) return undefined;
  return {
    epsilons: 8,
    of: gradients.map((gradient, i) => Math.abs(gradient) * Math.max(1, Math.min(Math.abs(saved[i]), 40))),
  };
}

test("there is a formula for every activation", () => {
  expect(Object.keys(formulas)).toEqual([...elementwise, ...Object.keys(functions)]);
});

function apply(lab: Lab, name: string, values: ArrayLike<number> & Iterable<number>) {
  const [y] = lab.run((bench) => {
    const x = bench.input(values);
    const { rounding } = formulas[name];
    emitForward(bench, name, bench.output(values.length, rounding), x, values.length);
  });
  return y;
}

function applyBackward(lab: Lab, name: ActivationName, gradients: Float64Array, saved: Float64Array) {
  const [d] = lab.run((bench) => {
    const gradient = bench.input(gradients);
    const x = bench.input(saved);
    const output = bench.output(saved.length, backwardRounding(name, gradients, saved));
    emitBackward(bench, name, output, gradient, x, saved.length);
  });
  return d;
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
          emitForward(bench, name, x, x, size);
        },
        { label: `size ${size}` },
      );
      expectSameBits(inPlace, apart, `size ${size}`);
    }
  });

  test.each(Object.keys(formulas))("%s follows its formula", (name) => {
    const values = randomValues(67, 1, name === "log" ? 0.01 : -5, 5);
    // A few ulps of the kernel and one of Math; near 1 the logarithm's own rounding counts, not its value's.
    // The series for gelu cancels below 0: there it is as exact as 1 is, times x.
    const absolute = (name === "gelu" ? 20 : 4) * epsilon[dtype];
    const tolerance = { relative: 4 * epsilon[dtype], absolute };
    expectClose(apply(lab, name, values), Float64Array.from(values, formulas[name].forward), tolerance);
  });

  test.each(elementwise)("%s backward leaves the same bits, in place and not", (name) => {
    for (const size of sizes) {
      const gradients = wildValues(size, size);
      const saved = wildValues(size, size + 100);
      const rounding = backwardRounding(name, gradients, saved);
      const [apart, inPlace, overSaved] = lab.run(
        (bench) => {
          const d = bench.input(gradients);
          const y = bench.input(saved);
          emitBackward(bench, name, bench.output(size, rounding), d, y, size);
          const here = bench.inPlace(gradients, rounding);
          emitBackward(bench, name, here, here, y, size);
          const both = bench.inPlace(saved, rounding);
          emitBackward(bench, name, both, d, both, size);
        },
        { label: `size ${size}` },
      );
      expectSameBits(inPlace, apart, `size ${size}`);
      expectSameBits(overSaved, apart, `size ${size}`);
    }
  });

  test.each(elementwise)("%s backward follows its formula", (name) => {
    const gradients = randomValues(67, 1);
    // Outputs of sigmoid and tanh are from 0 to 1; other functions are told apart by more.
    const saved =
      activations[name].backward === undefined ? randomValues(67, 2, -7, 7) : randomValues(67, 2, 0, 1);
    const d = applyBackward(lab, name, gradients, saved);
    // Three roundings, of products of magnitude 2 at most, or some of curves; an exponential's output is up to 7.
    const epsilons = activations[name].backward === undefined ? 60 : 3;
    const expected = gradients.map((gradient, i) => gradient * formulas[name].derivative!(saved[i]));
    expectClose(d, expected, { absolute: epsilons * epsilon[dtype] });
  });

  test("every activation has finite values and slopes from -1e30 to 1e30", () => {
    const large = [1e30, 1e18, 1e9, 1001, 999, 700, 100].flatMap((x) => [x, -x]);
    for (const name of elementwise) {
      if (name === "exponential") continue;
      const y = apply(lab, name, large);
      const x = Float64Array.from(activations[name].readsOutput ? y : large);
      const d = applyBackward(lab, name, new Float64Array(x.length).fill(1), x);
      for (const [i, value] of [...y, ...d].entries())
        expect(Number.isFinite(value), `${name} of ${large[i % large.length]}: ${value}`).toBe(true);
    }
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

describe.each(settings)("logSoftmax in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  // Sums of up to 67 terms of 1 at most, and a logarithm.
  const absolute = 80 * epsilon[dtype];

  function logSoftmax(values: Float64Array, rows: number, width: number) {
    // Between the builds lie the errors of an exponential of each term and of the logarithm.
    const rounding = { epsilons: 8, of: values.map((value) => Math.max(1, Math.abs(value)) * 16) };
    const [apart, inPlace] = lab.run(
      (bench) => {
        const x = bench.input(values);
        bench.builder.curve(Curve.logSoftmax, bench.output(values.length, rounding), x, rows, width);
        const here = bench.inPlace(values, rounding);
        bench.builder.curve(Curve.logSoftmax, here, here, rows, width);
      },
      { label: `${rows} rows of ${width}` },
    );
    expectSameBits(inPlace, apart, `${rows} rows of ${width}`);
    return apart;
  }

  test("is the logarithm of softmax in every row, in place and not", () => {
    for (const { rows, width } of shapes) {
      const values = randomValues(rows * width, width, -8, 8);
      const actual = logSoftmax(values, rows, width);
      for (let r = 0; r < rows; r++) {
        const row = [r * width, (r + 1) * width] as const;
        const expected = softmaxOf(values.subarray(...row)).map(Math.log);
        expectClose(actual.subarray(...row), expected, { absolute: 16 * epsilon[dtype] + absolute });
      }
    }
  });

  test("leaves the same bits for infinities and NaN", () => {
    for (const { rows, width } of shapes) logSoftmax(wildValues(rows * width, width), rows, width);
  });

  test("is exact where softmax vanishes", () => {
    const values = Float64Array.of(1000, -1000, 0, -1e30);
    expect([...logSoftmax(values, 1, 4)]).toEqual(
      [0, -2000, -1000, -1e30 - 1000].map(dtype === "float64" ? Number : Math.fround),
    );
  });

  test("backward follows its formula, in place and not", () => {
    for (const { rows, width } of shapes) {
      const size = rows * width;
      const gradients = randomValues(size, width);
      const saved = randomValues(size, width + 1, -5, 0);
      const rounding = { epsilons: 8, of: saved.map(() => 2 * width) };
      const [apart, inPlace, overSaved] = lab.run(
        (bench) => {
          const gradient = bench.input(gradients);
          const y = bench.input(saved);
          bench.builder.curve(Curve.logSoftmax, bench.output(size, rounding), y, rows, width, { gradient });
          const here = bench.inPlace(gradients, rounding);
          bench.builder.curve(Curve.logSoftmax, here, y, rows, width, { gradient: here });
          const both = bench.inPlace(saved, rounding);
          bench.builder.curve(Curve.logSoftmax, both, both, rows, width, { gradient });
        },
        { label: `${rows} rows of ${width}` },
      );
      expectSameBits(inPlace, apart, `${rows} rows of ${width}`);
      expectSameBits(overSaved, apart, `${rows} rows of ${width}`);
      for (let r = 0; r < rows; r++) {
        const row = [r * width, (r + 1) * width] as const;
        const sum = gradients.subarray(...row).reduce((total, value) => total + value, 0);
        const expected = gradients.subarray(...row).map((d, j) => d - Math.exp(saved[r * width + j]) * sum);
        expectClose(apart.subarray(...row), expected, { absolute: 2 * absolute });
      }
    }
  });
});

describe.each(settings)("prelu in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test("has a slope of its own in each column, and its derivative by the slope is the negative part", () => {
    for (const { rows, width } of shapes) {
      const size = rows * width;
      const [x, d] = [randomValues(size, width), randomValues(size, width + 1)];
      const slopes = randomValues(width, width + 2);
      const [y, dx, ds] = lab.run(
        (bench) => {
          const input = bench.input(x);
          const gradient = bench.input(d);
          const parameter = bench.input(slopes);
          bench.builder.curve(Curve.prelu, bench.output(size), input, rows, width, { parameter });
          bench.builder.curve(Curve.prelu, bench.output(size), input, rows, width, { parameter, gradient });
          bench.builder.curve(Curve.preluSlope, bench.output(size), input, rows, width, { gradient });
        },
        { label: `${rows} rows of ${width}` },
      );
      const round = dtype === "float64" ? Number : Math.fround;
      const slope = (i: number) => (x[i] > 0 ? 1 : slopes[i % width]);
      expectSameBits(
        Float64Array.from(y),
        x.map((value, i) => round(value * slope(i))),
      );
      expectSameBits(
        Float64Array.from(dx),
        d.map((value, i) => round(value * slope(i))),
      );
      expectSameBits(
        Float64Array.from(ds),
        d.map((value, i) => round(value * Math.min(x[i], 0))),
      );
    }
  });
});

test.each(builds)("threads leave the bits of one in every curve, in the %s build", async (build) => {
  for (const dtype of dtypes) {
    const lab = new Lab(dtype, { build });
    for (const threads of [2, 3, 5]) {
      await lab.runOnThreads(threads, (bench) => {
        const [x, d] = [bench.input(randomValues(23 * 7, 1, -5, 5)), bench.input(randomValues(23 * 7, 2))];
        for (const name of namesOf(activations)) {
          const { curve, forward } = activations[name];
          if (curve === undefined) continue;
          const parameter = parameterOf(bench, name, 7, [...randomValues(7, 3)]);
          if (forward === undefined)
            bench.builder.curve(curve, bench.output(23 * 7), x, 23, 7, { parameter });
          bench.builder.curve(curve, bench.output(23 * 7), x, 23, 7, { parameter, gradient: d });
        }
      });
    }
  }
});

test.each(builds)("gelu is within 6 ulp of its exact values from -6.5 to 6, in the %s build", (build) => {
  // Computed to 40 digits: x erfc(-x / sqrt(2)) / 2.
  const exact = [
    [-6.5, -2.6104003795084267e-10],
    [-6, -5.9195258702261885e-9],
    [-5, -1.4332578593959695e-6],
    [-4, -0.0001266849673324797],
    [-3, -0.0040496940948902835],
    [-2, -0.04550026389635842],
    [-1, -0.15865525393145705],
    [-0.5, -0.15426876936299344],
    [0, 0],
    [0.5, 0.34573123063700656],
    [1, 0.8413447460685429],
    [2, 1.9544997361036416],
    [3, 2.99595030590511],
    [4, 3.9998733150326675],
    [5, 4.999998566742141],
    [6, 5.999999994080474],
  ];
  for (const dtype of dtypes) {
    const y = apply(
      new Lab(dtype, { build }),
      "gelu",
      exact.map(([x]) => x),
    );
    // In float32 it is computed in float64, and rounded once.
    const relative = dtype === "float64" ? 6 * epsilon[dtype] : epsilon[dtype] / 2;
    expectClose(
      y,
      exact.map(([, value]) => value),
      { relative },
    );
  }
});

describe("PyTorch's float64", () => {
  const golden: Record<string, Record<"x" | "y" | "d", number[]>> = JSON.parse(
    readFileSync(new URL("./golden/activations.json", import.meta.url), "utf8"),
  );
  const names = namesOf(activations).filter((name) => name !== "linear");

  test("is there for every activation", () => {
    expect(Object.keys(golden)).toEqual(names);
  });

  test.each(builds.flatMap((build) => names.map((name) => [name, build] as const)))(
    "%s and its gradient are those of PyTorch in the %s build",
    (name, build) => {
      const lab = new Lab("float64", { build });
      const { x, y, d } = golden[name];
      const width = byRows.includes(name) ? 5 : x.length;
      const shape = { rows: x.length / width };
      const wide = { epsilons: 64, of: x.map((value) => Math.max(1, Math.abs(value))) };
      const gradients = x.map((_, i) => 1 + (i % 5) / 4);
      const [values] = lab.run((bench) => {
        emitForward(
          bench,
          name,
          bench.output(x.length, name === "exponential" ? formulas.exp.rounding : wide),
          bench.input(x),
          width,
          shape,
        );
      });
      const saved = activations[name].readsOutput ? values : x;
      const [slopes] = lab.run((bench) => {
        const output = bench.output(x.length, wide);
        emitBackward(bench, name, output, bench.input(gradients), bench.input(saved), width, shape);
      });
      // Where PyTorch's own formula cancels (1 + erf, 1 + tanh, 1 - y) its absolute error is that of 1, times x.
      const tolerance = { relative: 1e-12, absolute: 30 * 2 ** -52 };
      expectClose(values, y, tolerance);
      expectClose(slopes, d, tolerance);
    },
  );
});
