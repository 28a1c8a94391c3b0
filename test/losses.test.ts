// The losses: prediction, gradient, loss and hit of each element or row.

import { describe, expect, test } from "vitest";
import { FIRST_ROW_LOSS } from "../assembly/ops.js";
import type { SetLoss } from "../src/losses.js";
import { Op } from "../src/program/builder.js";
import {
  epsilon,
  everyLoss,
  expectClose,
  Lab,
  type Numbers,
  type Rounding,
  randomValues,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

const SCALE = 0.3;

/** Losses without a function of assembly/math.ts. */
const exact: Op[] = [
  Op.meanSquaredError,
  Op.meanAbsoluteError,
  Op.huber,
  Op.hinge,
  Op.squaredHinge,
  Op.categoricalHinge,
  Op.cosineSimilarity,
];
/** Losses that read logits. */
const fromLogits: Op[] = [Op.binaryCrossEntropy, Op.crossEntropy, Op.focal, Op.binaryFocal, Op.klDivergence];

/** How far the relaxed build may be from the plain one: see the bounds of the functions in assembly/math.ts. */
function roundingsOf(
  op: Op,
  scores: Numbers,
  targets: Numbers,
  rows: number,
  width: number,
  scale: number,
): Record<string, Rounding | undefined> {
  // Without a multiply-add.
  if (exact.includes(op)) return {};
  if (op !== Op.binaryCrossEntropy && op !== Op.crossEntropy) {
    // Functions of 2 units each in terms of 20 at most, and a power whose logarithm of 8 at most is multiplied by 2, in a
    // sum of up to `width`; what is stored in float32 rounds once more.
    const terms = op < FIRST_ROW_LOSS ? 1 : width;
    return {
      prediction: { epsilons: 60 },
      gradient: { epsilons: 30, of: new Float64Array(rows * width).fill(20 * terms) },
      losses: { epsilons: 30, of: new Float64Array(rows * width).fill(20 * terms) },
    };
  }
  const z = Float64Array.from(scores);
  const t = Float64Array.from(targets, Math.abs);
  const differences = t.map((target) => scale * (1 + target));
  if (op === Op.binaryCrossEntropy) {
    return {
      prediction: { epsilons: 5 },
      // The prediction's and two roundings.
      gradient: { epsilons: 7, of: differences },
      // Two units of exp, two of log, and two roundings, of terms of |z|, |z t| and log 2 at most.
      losses: { epsilons: 6, of: t.map((target, i) => 1 + Math.abs(z[i]) * (1 + target)) },
    };
  }
  return {
    // As softmax: see activations.test.ts.
    prediction: { epsilons: width + 5 },
    gradient: { epsilons: width + 7, of: differences },
    // The row's sum of exponentials, its logarithm, and a sum of `width` products of t and -log y.
    losses: {
      epsilons: 2 * width + 5,
      of: Float64Array.from({ length: rows }, (_, r) => {
        const row = z.subarray(r * width, (r + 1) * width);
        const largest = Math.max(...row);
        return row.reduce(
          (sum, logit, j) => sum + t[r * width + j] * (1 + Math.log(width) + (largest - logit)),
          0,
        );
      }),
    },
  };
}

/** Runs one loss; `scores` are the logits where an activation is fused, else the predictions. */
function run(
  lab: Lab,
  op: Op,
  scores: Numbers,
  targets: Numbers,
  rows: number,
  width: number,
  scale = SCALE,
  settings: readonly number[] = [],
) {
  const size = rows * width;
  const terms = op >= FIRST_ROW_LOSS ? rows : size;
  const roundings = roundingsOf(op, scores, targets, rows, width, scale);
  const [gradient, losses, hits, prediction] = lab.run(
    (bench) => {
      const read = bench.input(scores);
      const target = bench.input(targets);
      const gradient = bench.output(size, roundings.gradient);
      const losses = bench.output(terms, roundings.losses);
      // No score here is so near to a tie that its rounding could make a hit a miss.
      const hits = bench.output(terms);
      const fused = fromLogits.includes(op);
      const prediction = fused ? bench.output(size, roundings.prediction) : read;
      const buffers = { gradient, losses, hits, prediction, logits: read, target };
      const mean = {
        rate: bench.builder.cell(scale),
        factor: 1,
        terms: 1,
        parameters: bench.builder.cells([...settings, 0, 0]),
      };
      bench.builder.loss(op, buffers, rows, width, mean);
    },
    { label: `${rows} rows of ${width}` },
  );
  return { gradient, losses, hits, prediction };
}

/** One probability at each row's `row % width`, the rest 0. */
function oneHot(rows: number, width: number): Float64Array {
  return Float64Array.from({ length: rows * width }, (_, i) =>
    i % width === Math.floor(i / width) % width ? 1 : 0,
  );
}

const named = everyLoss().map((loss): [string, SetLoss] => [
  loss.op === Op.binaryFocal ? "binaryFocal" : loss.name,
  loss,
]);
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const softmax = (z: number[]) => z.map((value) => Math.exp(value) / sum(z.map(Math.exp)));

/** The losses that assembly/rare-losses.ts has, of a row or an element. */
const formulas: Record<string, { loss: (x: number[], t: number[]) => number; signs?: boolean }> = {
  meanAbsoluteError: { loss: ([x], [t]) => Math.abs(x - t) },
  huber: { loss: ([x], [t]) => (Math.abs(x - t) <= 1 ? (x - t) ** 2 / 2 : Math.abs(x - t) - 0.5) },
  logCosh: { loss: ([x], [t]) => Math.log(Math.cosh(x - t)) },
  hinge: { loss: ([x], [t]) => Math.max(1 - t * x, 0), signs: true },
  squaredHinge: { loss: ([x], [t]) => Math.max(1 - t * x, 0) ** 2, signs: true },
  categoricalHinge: {
    loss: (x, t) =>
      Math.max(
        1 + Math.max(...x.map((value, j) => (1 - t[j]) * value)) - sum(x.map((value, j) => t[j] * value)),
        0,
      ),
  },
  klDivergence: { loss: (x, t) => sum(softmax(x).map((y, j) => t[j] * Math.log(t[j] / y))) },
  poisson: { loss: ([x], [t]) => x - t * Math.log(x + 1e-8) },
  cosineSimilarity: {
    loss: (x, t) =>
      1 -
      sum(x.map((value, j) => value * t[j])) /
        Math.sqrt((sum(x.map((value) => value ** 2)) + 1e-12) * (sum(t.map((value) => value ** 2)) + 1e-12)),
  },
  focal: { loss: (x, t) => sum(softmax(x).map((y, j) => -0.25 * t[j] * (1 - y) ** 2 * Math.log(y))) },
  binaryFocal: {
    loss: ([x], [t]) => {
      const y = 1 / (1 + Math.exp(-x));
      const surprise = -(t * Math.log(y) + (1 - t) * Math.log(1 - y));
      return (0.25 * t + 0.75 * (1 - t)) * (1 - (y * t + (1 - y) * (1 - t))) ** 2 * surprise;
    },
  },
};
const rare = named.filter(([name]) => name in formulas);

test("there is a formula for every loss", () => {
  const others = ["meanSquaredError", "binaryCrossEntropy", "crossEntropy"];
  expect(new Set(named.map(([name]) => name))).toEqual(new Set([...others, ...Object.keys(formulas)]));
});

describe.each(settings)("losses in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const eps = epsilon[dtype];
  /** The kernels round the scale to the working type. */
  const scale = dtype === "float64" ? SCALE : Math.fround(SCALE);

  test.each(named)("%s leaves the same bits and changes nothing but its outputs", (_, { op, settings }) => {
    // A row of no columns has no loss: widths begin at 1.
    for (const width of sizes.slice(1)) {
      const scores = randomValues(3 * width, width, -8, 8);
      run(lab, op, scores, randomValues(3 * width, width + 1, 0, 1), 3, width, SCALE, settings);
      // A power of what is almost infinite has no bound in the relaxed build.
      if (options.build === "relaxed" && !exact.includes(op) && op !== Op.crossEntropy) continue;
      run(lab, op, wildValues(3 * width, width), wildValues(3 * width, width + 1), 3, width, SCALE, settings);
    }
    for (const rows of [0, 1, 2, 67]) {
      run(lab, op, randomValues(rows * 10, rows), oneHot(rows, 10), rows, 10, SCALE, settings);
    }
  });

  test.each(rare)("%s follows its formula, and its gradient is the slope of it", (name, { op, settings }) => {
    const formula = formulas[name];
    for (const width of op < FIRST_ROW_LOSS ? [1] : [1, 2, 3, 5, 10]) {
      const rows = 20;
      const x = randomValues(
        rows * width,
        width,
        ...(op === Op.poisson ? ([0.1, 5] as const) : ([-3, 3] as const)),
      );
      const t = randomValues(rows * width, width + 1, 0, 1);
      if (formula.signs) for (const i of t.keys()) t[i] = t[i] < 0.5 ? -1 : 1;
      const { losses, gradient } = run(lab, op, x, t, rows, width, SCALE, settings);
      for (let r = 0; r < rows; r++) {
        const at = [r * width, (r + 1) * width] as const;
        const row = [...x.subarray(...at)];
        const target = [...t.subarray(...at)];
        const label = `${name}, row ${r} of ${width}`;
        // Sums of some ten roundings of terms of about 10.
        expectClose([losses[r]], [formula.loss(row, target)], { absolute: 200 * eps, label });
        const STEP = 1e-5;
        const slopes = row.map((value, j) => {
          const at = (moved: number) => formula.loss(row.with(j, moved), target);
          return ((at(value + STEP) - at(value - STEP)) / (2 * STEP)) * SCALE;
        });
        // factor 2 is not in it.
        const whole = slopes.map((slope) => slope / (op === Op.squaredHinge ? 2 : 1));
        // A third derivative of about 10 times STEP^2, and 1e-15 / STEP.
        expectClose(gradient.subarray(...at), whole, { absolute: 1e-8 + 200 * eps, label });
      }
    }
  });

  test("hinge and squaredHinge count a hit where output and target have one sign", () => {
    for (const op of [Op.hinge, Op.squaredHinge]) {
      expect([...run(lab, op, [2, -2, 0.1, -0.1, 0], [1, 1, -1, -1, -1], 5, 1).hits]).toEqual([
        1, 0, 0, 1, 1,
      ]);
    }
  });

  test("categoricalHinge and focal count a hit where the largest output is the largest target", () => {
    const logits = [1, 2, 0, /**/ 1, 2, 0, /**/ 3, 3, 0];
    const target = [0, 1, 0, /**/ 1, 0, 0, /**/ 1, 0, 0];
    for (const op of [Op.categoricalHinge, Op.focal, Op.klDivergence]) {
      expect([...run(lab, op, logits, target, 3, 3, SCALE, [2, 1]).hits]).toEqual([1, 0, 1]);
    }
  });

  test("focal, klDivergence and logCosh stay finite for scores of 1000 and -1000", () => {
    const scores = [1000, -1000, 1000, -1000];
    for (const op of [Op.focal, Op.binaryFocal, Op.klDivergence, Op.logCosh]) {
      for (const gamma of [0, 0.5, 2]) {
        const { losses, gradient } = run(lab, op, scores, [1, 0, 0, 1], 2, 2, SCALE, [gamma, 0.25]);
        expect(losses.every(Number.isFinite)).toBe(true);
        expect(gradient.every((value) => Math.abs(value) <= 1e4)).toBe(true);
      }
    }
  });

  test("focal with gamma 0 and alpha 1 is crossEntropy", () => {
    const z = randomValues(50, 1, -5, 5);
    const t = oneHot(5, 10);
    const one = run(lab, Op.focal, z, t, 5, 10, SCALE, [0, 1]);
    const other = run(lab, Op.crossEntropy, z, t, 5, 10);
    for (const key of ["losses", "gradient", "prediction", "hits"] as const) {
      expectClose(one[key] as Float64Array, other[key] as Float64Array, { absolute: 50 * eps, label: key });
    }
  });

  test("meanSquaredError is (y - t)^2 with gradient (y - t) scale, and knows no hits", () => {
    const y = randomValues(67, 1);
    const t = randomValues(67, 2);
    const { gradient, losses, hits } = run(lab, Op.meanSquaredError, y, t, 67, 1);
    const differences = y.map((value, i) => value - t[i]);
    // Two roundings; the square doubles the difference's.
    expectClose(
      losses,
      differences.map((d) => d * d),
      { relative: 4 * eps },
    );
    expectClose(
      gradient,
      differences.map((d) => d * scale),
      { relative: 4 * eps },
    );
    expect([...hits]).toEqual(Array(67).fill(0));
  });

  test("binaryCrossEntropy is -(t log y + (1 - t) log(1 - y)) of y = sigmoid(z), with gradient (y - t) scale", () => {
    const z = randomValues(67, 1, -5, 5);
    const t = randomValues(67, 2, 0, 1);
    const { gradient, losses, prediction } = run(lab, Op.binaryCrossEntropy, z, t, 67, 1);
    const y = z.map((value) => 1 / (1 + Math.exp(-value)));
    const rest = z.map((value) => 1 / (1 + Math.exp(value)));
    // A few roundings of terms of magnitude 10 at most.
    const tolerance = { absolute: 30 * eps };
    expectClose(prediction, y, tolerance);
    expectClose(
      gradient,
      y.map((value, i) => (value - t[i]) * scale),
      tolerance,
    );
    expectClose(
      losses,
      y.map((value, i) => -(t[i] * Math.log(value) + (1 - t[i]) * Math.log(rest[i]))),
      tolerance,
    );
  });

  test("binaryCrossEntropy stays finite for logits of 1000 and -1000", () => {
    const { losses, prediction } = run(
      lab,
      Op.binaryCrossEntropy,
      [1000, -1000, 1000, -1000],
      [1, 0, 0, 1],
      4,
      1,
    );
    expect([...prediction]).toEqual([1, 0, 1, 0]);
    expect([...losses]).toEqual([0, 0, 1000, 1000]);
  });

  test("binaryCrossEntropy counts a hit where prediction and target lie on the same side of 1/2", () => {
    const { hits } = run(lab, Op.binaryCrossEntropy, [2, 2, -2, -2, 0, 0.1], [1, 0, 1, 0, 1, 0.5], 6, 1);
    expect([...hits]).toEqual([1, 0, 0, 1, 1, 1]);
  });

  test("crossEntropy is -sum of t log y of y = softmax(z), with gradient (y - t) scale", () => {
    for (const width of [1, 2, 3, 5, 10, 17]) {
      const rows = 4;
      const z = randomValues(rows * width, width, -5, 5);
      const t = oneHot(rows, width).map((value) => 0.75 * value + 0.25 / width);
      const { gradient, losses, prediction } = run(lab, Op.crossEntropy, z, t, rows, width);
      for (let r = 0; r < rows; r++) {
        const at = [r * width, (r + 1) * width] as const;
        const powers = z.subarray(...at).map(Math.exp);
        const sum = powers.reduce((total, power) => total + power, 0);
        const y = powers.map((power) => power / sum);
        // Rounded targets, and sums of up to 17 terms of magnitude 12 at most.
        const tolerance = { absolute: 200 * eps };
        const target = t.subarray(...at);
        expectClose(prediction.subarray(...at), y, tolerance);
        expectClose(
          gradient.subarray(...at),
          y.map((value, j) => (value - target[j]) * scale),
          tolerance,
        );
        const loss = -y.reduce((total, value, j) => total + target[j] * Math.log(value), 0);
        expectClose([losses[r]], [loss], tolerance);
      }
    }
  });

  test("crossEntropy stays finite for logits of 1000 and -1000", () => {
    const { losses, prediction } = run(lab, Op.crossEntropy, [1000, -1000, 1000, -1000], [1, 0, 0, 1], 2, 2);
    expect([...prediction]).toEqual([1, 0, 1, 0]);
    expect([...losses]).toEqual([0, 2000]);
  });

  test("crossEntropy counts a hit where the first largest prediction is the first largest target", () => {
    const logits = [1, 2, 0, /**/ 1, 2, 0, /**/ 3, 3, 0, /**/ 3, 3, 0];
    const target = [0, 1, 0, /**/ 1, 0, 0, /**/ 1, 0, 0, /**/ 0, 1, 0];
    expect([...run(lab, Op.crossEntropy, logits, target, 4, 3).hits]).toEqual([1, 0, 1, 0]);
  });

  test("a NaN among the scores makes the loss NaN", () => {
    for (const { op, settings } of everyLoss()) {
      for (let at = 0; at < 5; at++) {
        const scores = [1, 2, 3, 4, 5].with(at, Number.NaN);
        const { losses: values } = run(lab, op, scores, [0, 1, 0, 0, 0], 1, 5, SCALE, settings);
        expect(values[op >= FIRST_ROW_LOSS ? 0 : at], `loss ${op}`).toBeNaN();
      }
    }
  });
});
