// The three losses: prediction, gradient, loss and hit of each element or row.

import { describe, expect, test } from "vitest";
import { losses } from "../src/losses.js";
import { Op } from "../src/program/builder.js";
import { namesOf } from "../src/table.js";
import {
  epsilon,
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
  if (op === Op.meanSquaredError) return {};
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

/** Runs one loss; `scores` are the predictions of meanSquaredError and the logits of the others. */
function run(
  lab: Lab,
  op: Op,
  scores: Numbers,
  targets: Numbers,
  rows: number,
  width: number,
  scale = SCALE,
) {
  const size = rows * width;
  const terms = op === Op.crossEntropy ? rows : size;
  const roundings = roundingsOf(op, scores, targets, rows, width, scale);
  const [gradient, losses, hits, prediction] = lab.run(
    (bench) => {
      const read = bench.input(scores);
      const target = bench.input(targets);
      const gradient = bench.output(size, roundings.gradient);
      const losses = bench.output(terms, roundings.losses);
      // No score here is so near to a tie that its rounding could make a hit a miss.
      const hits = bench.output(terms);
      const fused = op !== Op.meanSquaredError;
      const prediction = fused ? bench.output(size, roundings.prediction) : read;
      const buffers = { gradient, losses, hits, prediction, logits: read, target };
      const mean = { rate: bench.builder.cell(scale), factor: 1, terms: 1 };
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

describe.each(settings)("losses in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const eps = epsilon[dtype];
  /** The kernels round the scale to the working type. */
  const scale = dtype === "float64" ? SCALE : Math.fround(SCALE);

  test.each(namesOf(losses))("%s leaves the same bits and changes nothing but its outputs", (name) => {
    const { op } = losses[name];
    // A row of no columns has no loss: widths begin at 1.
    for (const width of sizes.slice(1)) {
      run(lab, op, randomValues(3 * width, width, -8, 8), randomValues(3 * width, width + 1, 0, 1), 3, width);
      run(lab, op, wildValues(3 * width, width), wildValues(3 * width, width + 1), 3, width);
    }
    for (const rows of [0, 1, 2, 67]) run(lab, op, randomValues(rows * 10, rows), oneHot(rows, 10), rows, 10);
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
    for (const { op, per } of Object.values(losses)) {
      for (let at = 0; at < 5; at++) {
        const scores = [1, 2, 3, 4, 5].with(at, Number.NaN);
        const { losses: values } = run(lab, op, scores, [0, 1, 0, 0, 0], 1, 5);
        expect(values[per === "row" ? 0 : at]).toBeNaN();
      }
    }
  });
});
