// What makes terms of a loss count more or less: weights of samples and of classes, smoothed labels, targets that are NaN.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { FIRST_ROW_LOSS, Stat } from "../assembly/ops.js";
import type { ActivationName } from "../src/activations.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import {
  Dense,
  type DType,
  type EpochEntry,
  type FitOptions,
  focal,
  huber,
  type Loss,
  type LossSettings,
  Network,
  type Rows,
} from "../src/index.js";
import { losses, rowAfter, setLoss, smooths } from "../src/losses.js";
import { ClassWeights, Op } from "../src/program/builder.js";
import {
  type DenseNetwork,
  type DenseNetworkOptions,
  dtypes,
  executors,
  expectClose,
  expectSameBits,
  Lab,
  makeClassifier,
  parameters,
  random,
  randomValues,
  reference,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

interface GoldenCase {
  loss: Loss;
  settings: Record<string, number>;
  activation: ActivationName;
  /** null: NaN. */
  targets: number[] | (number | null)[][];
  options: { labelSmoothing?: number; classWeights?: number[]; sampleWeights?: number[] };
  value: number;
  weightGradients: number[];
  biasGradients: number[];
}

const golden: { x: number[][]; weights: number[][]; biases: number[]; cases: GoldenCase[] } = JSON.parse(
  readFileSync(new URL("./golden/losses.json", import.meta.url), "utf8"),
);

/** Inputs, targets and options as the library takes them. */
function given({ loss, settings, targets, options }: GoldenCase) {
  const t = targets.map((row) =>
    Array.isArray(row) ? row.map((value) => value ?? Number.NaN) : row,
  ) as Rows;
  const chosen = loss === "huber" ? huber(settings) : loss === "focal" ? focal(settings) : loss;
  return { t, options: { ...options, loss: chosen } };
}

function buildGolden({ activation }: GoldenCase, options: Partial<DenseNetworkOptions> = {}): DenseNetwork {
  const network = new Network({ inputs: 4, layers: [new Dense(3, { activation })], seed: 0, ...options });
  network.layers[0].weights.set(golden.weights.flat());
  network.layers[0].biases.set(golden.biases);
  return network;
}

const titled = golden.cases.map((one): [string, GoldenCase] => [
  `${one.loss} ${JSON.stringify(one.settings)} after ${one.activation}, ${JSON.stringify(one.options)}` +
    `${JSON.stringify(one.targets).includes("null") ? ", masked" : ""}`,
  one,
]);

describe("agrees with PyTorch:", () => {
  test("there is a case of every loss, plain and with each option that it takes", () => {
    for (const [name, row] of Object.entries(losses)) {
      const cases = golden.cases.filter(({ loss }) => loss === name);
      const taken = new Set(cases.flatMap(({ options }) => Object.keys(options)));
      expect(taken, name).toEqual(
        new Set([
          "sampleWeights",
          ...(smooths(row) ? ["labelSmoothing"] : []),
          ...(row.classes ? ["classWeights"] : []),
        ]),
      );
    }
  });

  test.each(titled)("%s", (_, one) => {
    const { t, options } = given(one);
    for (const executor of executors) {
      for (const dtype of dtypes) {
        const network = buildGolden(one, { executor, dtype });
        const { loss, layers } = network.gradients(golden.x, t, options);
        // Terms of about 1; float32 rounds some ten times.
        const tolerance = dtype === "float64" ? 1e-11 : 4e-6;
        const label = `${executor} ${dtype}`;
        expectClose([loss], [one.value], { absolute: tolerance, relative: tolerance, label });
        expectClose(layers[0].weights, one.weightGradients, {
          absolute: tolerance,
          relative: tolerance,
          label,
        });
        expectClose(layers[0].biases, one.biasGradients, { absolute: tolerance, relative: tolerance, label });
      }
    }
  });

  test.each(titled)("a step of fit on %s", async (_, one) => {
    const { t, options } = given(one);
    const network = buildGolden(one);
    const before = parameters(network);
    const learningRate = 0.125;
    const [{ loss }] = await network.fit(golden.x, t, {
      ...options,
      batchSize: 6,
      learningRate,
      shuffle: false,
    });
    const gradients = [...one.weightGradients, ...one.biasGradients];
    expectClose([loss], [one.value], { absolute: 1e-11 });
    expectClose(
      parameters(network),
      before.map((value, i) => value - learningRate * gradients[i]),
      { absolute: 1e-11 },
    );
  });
});

const ROWS = 23;

/** Every way in which terms count more or less, for a loss of rows and one of elements. */
function problems(): [string, { last: ActivationName; t: Rows; options: FitOptions }][] {
  const sampleWeights = Float64Array.from(randomValues(ROWS, 5, 0, 2), (w, i) => (i % 5 === 0 ? 0 : w));
  const classes = Array.from({ length: ROWS }, (_, r) => (5 * r) % 3);
  const real = randomValues(ROWS * 3, 6);
  const gaps = real.map((value, i) => (i % 4 === 1 ? Number.NaN : value));
  const signs = real.map((value, i) => (i % 7 === 1 ? Number.NaN : Math.sign(value)));
  const bits = signs.map((value) => (value + 1) / 2);
  const classWeights = [1, 0.5, 3];
  return [
    ["crossEntropy, smoothed", { last: "softmax", t: classes, options: { labelSmoothing: 0.1 } }],
    [
      "crossEntropy, classes",
      { last: "softmax", t: classes, options: { classWeights, labelSmoothing: 0.1 } },
    ],
    ["crossEntropy, samples", { last: "softmax", t: classes, options: { sampleWeights } }],
    ["focal", { last: "softmax", t: classes, options: { loss: "focal", classWeights, sampleWeights } }],
    ["binary", { last: "sigmoid", t: bits, options: { classWeights: [1, 4], labelSmoothing: 0.1 } }],
    ["binary focal", { last: "sigmoid", t: bits, options: { loss: "focal", sampleWeights } }],
    ["squares, masked", { last: "linear", t: gaps, options: {} }],
    ["huber, masked", { last: "linear", t: gaps, options: { loss: huber({ delta: 0.5 }), sampleWeights } }],
    ["hinge", { last: "linear", t: signs, options: { loss: "hinge", classWeights: [2, 1] } }],
    ["cosine, masked", { last: "linear", t: gaps, options: { loss: "cosineSimilarity", sampleWeights } }],
  ];
}

const x = randomValues(ROWS * 4, 4, -1, 1);

function build(last: ActivationName, options: Partial<DenseNetworkOptions> = {}): DenseNetwork {
  const layers = [new Dense(5, { activation: "tanh" }), new Dense(3, { activation: last })];
  return new Network({ inputs: 4, layers, seed: 7, deterministic: true, ...options });
}

describe.each(problems())("a training on %s", (_, { last, t, options }) => {
  const given = { ...options, epochs: 3, batchSize: 7, learningRate: 0.1, onEpoch: () => undefined };

  test("leaves the same bits on both executors and on 1 to 5 threads", async () => {
    for (const dtype of dtypes) {
      const one = build(last, { dtype });
      const history = await one.fit(x, t, given);
      const others = [
        build(last, { dtype, executor: reference }),
        build(last, { dtype, executor: reference, threads: 3 }),
        ...[2, 3, 4, 5].map((threads) => build(last, { dtype, threads })),
      ];
      for (const other of others) {
        const label = `${dtype}, ${other.executor}, ${other.threads} threads`;
        const figures = (await other.fit(x, t, given)).map(({ seconds, ...rest }) => rest);
        expect(figures, label).toEqual(history.map(({ seconds, ...rest }) => rest));
        expectSameBits(parameters(other), parameters(one), label);
      }
    }
  });

  test("has the epoch's loss and accuracy as they are summed over its batches", async () => {
    const network = build(last);
    const batches: number[] = [];
    const still = { ...options, learningRate: 1e-12, shuffle: false };
    const [entry] = await network.fit(x, t, {
      ...still,
      batchSize: 7,
      onBatch: ({ loss }) => batches.push(loss),
    });
    const [whole] = await network.fit(x, t, { ...still, batchSize: ROWS });
    expectClose([entry.loss], [whole.loss], { relative: 1e-9 });
    expect(entry.accuracy).toBe(whole.accuracy);
    expect(batches.at(-1)).toBe(entry.loss);
  });

  test("is the slope of the loss", () => {
    const network = build(last);
    const { layers } = network.gradients(x, t, options);
    const STEP = 1e-5;
    for (const [i, layer] of network.layers.entries()) {
      for (let j = 0; j < layer.weights.length; j++) {
        const value = layer.weights[j];
        const at = (moved: number) => {
          layer.weights[j] = moved;
          return network.gradients(x, t, options).loss;
        };
        const slope = (at(value + STEP) - at(value - STEP)) / (2 * STEP);
        layer.weights[j] = value;
        // A third derivative of about 1 times STEP^2, and 1e-15 / STEP.
        expectClose([layers[i].weights[j]], [slope], { absolute: 2e-9, label: `layer ${i}, ${j}` });
      }
    }
  });
});

describe("what counts", () => {
  const network = () => build("linear");
  const classifier = () => makeClassifier({ deterministic: true });
  const real = randomValues(ROWS * 3, 6);
  const classes = Array.from({ length: ROWS }, (_, r) => (5 * r) % 3);
  const options = { batchSize: ROWS, learningRate: 0.1, shuffle: false };

  test("a row of weight 0 leaves the step as if it were not there", async () => {
    const [one, other] = [network(), network()];
    const sampleWeights = Array.from({ length: ROWS }, (_, r) => (r < 20 ? 1 : 0));
    const [a] = await one.fit(x, real, { ...options, sampleWeights });
    const [b] = await other.fit(x.subarray(0, 80), real.subarray(0, 60), options);
    expectClose(parameters(one), parameters(other), { absolute: 1e-14 });
    expectClose([a.loss], [b.loss], { absolute: 1e-14 });
  });

  test("a weight of 2 is a row twice", async () => {
    const [one, other] = [classifier(), classifier()];
    const sampleWeights = Array.from({ length: ROWS }, (_, r) => (r === 3 ? 2 : 1));
    await one.fit(x, classes, { ...options, sampleWeights });
    const twice = [...x, ...x.subarray(12, 16)];
    await other.fit(twice, [...classes, classes[3]], { ...options, batchSize: ROWS + 1 });
    expectClose(parameters(one), parameters(other), { absolute: 1e-14 });
  });

  test("weights of 1 change nothing but roundings", async () => {
    const [one, other] = [classifier(), classifier()];
    await one.fit(x, classes, { ...options, sampleWeights: Array(ROWS).fill(1), classWeights: [1, 1, 1] });
    await other.fit(x, classes, options);
    expectClose(parameters(one), parameters(other), { absolute: 1e-14 });
  });

  test("a batch of which nothing counts makes no step and has the loss 0, not NaN", async () => {
    const one = network();
    const before = parameters(one);
    const seen: number[] = [];
    const t = real.map((value, i) => (i < 21 ? Number.NaN : value));
    const states: Float64Array[] = [];
    await one.fit(x, t, {
      ...options,
      batchSize: 7,
      onBatch: ({ loss }) => {
        seen.push(loss);
        states.push(parameters(one));
      },
    });
    expect(seen[0]).toBe(0);
    expect(states[0]).toEqual(before);
    expect(states[1]).not.toEqual(before);
    const sampleWeights = Array.from({ length: ROWS }, (_, r) => (r < 7 ? 0 : 1));
    const two = classifier();
    const start = parameters(two);
    const after: Float64Array[] = [];
    await two.fit(x, classes, {
      ...options,
      batchSize: 7,
      sampleWeights,
      onBatch: () => after.push(parameters(two)),
    });
    expect(after[0]).toEqual(start);
    expect(after[3].every(Number.isFinite)).toBe(true);
  });

  test("gradients of a batch that is masked are 0", () => {
    const { loss, layers } = network().gradients(x, new Float64Array(ROWS * 3).fill(Number.NaN));
    expect(loss).toBe(0);
    for (const { weights, biases } of layers)
      expect([...weights, ...biases].every((value) => value === 0)).toBe(true);
  });

  test("an element that is masked has no gradient: one output a row is trained, as in Q-learning", () => {
    const one = build("linear");
    const t = new Float64Array(ROWS * 3).fill(Number.NaN);
    for (let r = 0; r < ROWS; r++) t[3 * r + 1] = r / ROWS;
    const { loss, layers } = one.gradients(x, t, { loss: "huber" });
    expect([...layers[1].biases].map((value) => value !== 0)).toEqual([false, true, false]);
    const y = one.predict(x);
    const terms = Array.from({ length: ROWS }, (_, r) => Math.abs(y[3 * r + 1] - r / ROWS));
    const each = terms.map((d) => (d <= 1 ? d ** 2 / 2 : d - 0.5));
    expectClose([loss], [each.reduce((a, b) => a + b) / ROWS], { relative: 1e-13 });
  });

  test("accuracy is the share of hits among what counts", () => {
    const one = classifier();
    const right = Array.from({ length: ROWS }, (_, r) => {
      const row = one.predict(x.subarray(4 * r, 4 * r + 4));
      return row.indexOf(Math.max(...row));
    });
    // The first ten are right, the others wrong.
    const t = right.map((best, r) => (r < 10 ? best : (best + 1) % 3));
    const half = Array.from({ length: ROWS }, (_, r) => (r < 20 ? 0.1 + r : 0));
    expect(one.evaluate(x, t).accuracy).toBe(10 / ROWS);
    expect(one.evaluate(x, t, { sampleWeights: half }).accuracy).toBe(10 / 20);
    const masked = t.flatMap((best, r) => [0, 1, 2].map((j) => (r < 5 ? Number.NaN : Number(j === best))));
    expect(one.evaluate(x, masked).accuracy).toBe(5 / (ROWS - 5));
  });

  test("class weights do not count in validation and in evaluate, label smoothing and sample weights do", async () => {
    const sampleWeights = randomValues(ROWS, 5, 0, 2);
    const plain = classifier();
    const { loss } = plain.evaluate(x, classes);
    const smooth = plain.evaluate(x, classes, { labelSmoothing: 0.3 }).loss;
    const weighted = plain.evaluate(x, classes, { sampleWeights }).loss;
    expect(new Set([loss, smooth, weighted]).size).toBe(3);
    const validate = async (options: FitOptions) => {
      const network = classifier();
      const still = { ...options, learningRate: 1e-15, batchSize: ROWS };
      return (await network.fit(x, classes, still))[0].validationLoss!;
    };
    const validationData = [x, classes] as const;
    const tolerance = { relative: 1e-12 };
    expectClose([await validate({ validationData, classWeights: [1, 0, 5] })], [loss], tolerance);
    expectClose([await validate({ validationData, labelSmoothing: 0.3 })], [smooth], tolerance);
    expectClose([await validate({ validationData, sampleWeights })], [loss], tolerance);
    expectClose([await validate({ validationData: [x, classes, sampleWeights] })], [weighted], tolerance);
  });

  test("validationSplit takes the weights of its rows along", async () => {
    const sampleWeights = randomValues(ROWS, 5, 0, 2);
    const still = { learningRate: 1e-15, batchSize: ROWS, sampleWeights, validationSplit: 10 / ROWS };
    const [{ loss, validationLoss }] = await classifier().fit(x, classes, still);
    const part = (from: number, to: number) =>
      classifier().evaluate(x.subarray(4 * from, 4 * to), classes.slice(from, to), {
        sampleWeights: sampleWeights.subarray(from, to),
      }).loss;
    expectClose([loss, validationLoss!], [part(0, 13), part(13, 23)], { relative: 1e-12 });
  });

  test("evaluate takes over the loss of the last fit with its settings and its smoothing, and none of its weights", async () => {
    const one = build("linear");
    const loss = huber({ delta: 0.1 });
    await one.fit(x, real, { ...options, loss });
    expect(one.evaluate(x, real)).toEqual(one.evaluate(x, real, { loss }));
    expect(one.evaluate(x, real)).not.toEqual(one.evaluate(x, real, { loss: "huber" }));
    const two = classifier();
    await two.fit(x, classes, { ...options, labelSmoothing: 0.3, classWeights: [1, 2, 9] });
    expect(two.evaluate(x, classes)).toEqual(two.evaluate(x, classes, { labelSmoothing: 0.3 }));
    expect(two.evaluate(x, classes, { loss: "crossEntropy" })).toEqual(
      two.evaluate(x, classes, { labelSmoothing: 0 }),
    );
    const step = parameters(two);
    const copy = classifier();
    copy.layers.forEach((layer, i) => {
      layer.weights.set(two.layers[i].weights);
      layer.biases.set(two.layers[i].biases);
    });
    expect(parameters(copy)).toEqual(step);
    await two.fit(x, classes, options);
    await copy.fit(x, classes, { ...options, labelSmoothing: 0.3 });
    expect(parameters(two)).toEqual(parameters(copy));
  });

  test("evaluate and evaluateAsync give the weighted mean over all batches", async () => {
    const many = randomValues(700 * 4, 9);
    const labels = Array.from({ length: 700 }, (_, r) => r % 3);
    const sampleWeights = randomValues(700, 5, 0, 2);
    const one = classifier();
    const given = { sampleWeights, labelSmoothing: 0.1, loss: focal({ gamma: 1 }) };
    const whole = one.evaluate(many, labels, given);
    expect(await one.evaluateAsync(many, labels, given)).toEqual(whole);
    // Each row with its own weight, however many batches they make.
    let sum = 0;
    for (let r = 0; r < 700; r++) {
      const row = one.evaluate(many.subarray(4 * r, 4 * r + 4), [labels[r]], {
        ...given,
        sampleWeights: [1],
      });
      sum += row.loss * sampleWeights[r];
    }
    expectClose([whole.loss], [sum / sampleWeights.reduce((a, b) => a + b)], { relative: 1e-12 });
  });

  test("hinge learns to tell two classes apart", async () => {
    const one = new Network({ inputs: 2, layers: [new Dense(1, { activation: "linear" })], seed: 1 });
    const points = randomValues(200, 3, -1, 1);
    const t = Array.from({ length: 100 }, (_, r) => (points[2 * r] > points[2 * r + 1] ? 1 : -1));
    for (const loss of ["hinge", "squaredHinge"] as const) {
      const history = await one.fit(points, t, { loss, epochs: 100, learningRate: 0.1 });
      expect(history.at(-1)!.accuracy).toBeGreaterThan(0.95);
    }
  });

  test("outputs with positions have a loss for each, and the weight of their sample", () => {
    const layers = () => [new Dense(3, { activation: "softmax" as const })];
    const wide = new Network({ inputs: [5, 4], layers: layers(), seed: 3 });
    const narrow = new Network({ inputs: 4, layers: layers(), seed: 3 });
    const samples = 4;
    const inputs = randomValues(samples * 20, 8);
    const t = Float64Array.from({ length: samples * 15 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 3));
    t[20] = Number.NaN;
    const ofSamples = [1, 0.5, 2, 0.25];
    const options = { classWeights: [1, 2, 0.5], labelSmoothing: 0.1 };
    narrow.layers[0].weights.set(wide.layers[0].weights);
    const one = wide.gradients(inputs, t, { ...options, sampleWeights: ofSamples });
    const ofRows = Array.from({ length: samples * 5 }, (_, r) => ofSamples[Math.floor(r / 5)]);
    const other = narrow.gradients(inputs, t, { ...options, sampleWeights: ofRows });
    expectClose([one.loss, one.accuracy!], [other.loss, other.accuracy!], { relative: 1e-14 });
    expectClose(one.layers[0].weights, other.layers[0].weights, { absolute: 1e-15 });
  });
});

describe("refuses", () => {
  const soft = () => makeClassifier();
  const t = Array.from({ length: 6 }, (_, r) => r % 3);
  const six = randomValues(24, 1);
  const train = (options: object, last: ActivationName = "softmax", targets: Rows = t) =>
    build(last).fit(six, targets, options as FitOptions);
  const numbers = randomValues(18, 2);

  test.each<[string, object, string, ActivationName?, Rows?]>([
    [
      "smoothing with another loss",
      { labelSmoothing: 0.1 },
      'labelSmoothing is given, but the loss "meanSquaredError" takes none: leave it out, or choose ' +
        "binaryCrossEntropy, crossEntropy, focal",
      "linear",
      numbers,
    ],
    [
      "a smoothing of 1",
      { labelSmoothing: 1 },
      "labelSmoothing is 1, but must be at least 0 and less than 1, e.g. 0.1",
    ],
    [
      "a smoothing in words",
      { labelSmoothing: "0.1" },
      'labelSmoothing is "0.1", but must be at least 0 and less than 1, e.g. 0.1',
    ],
    [
      "class weights with a loss that does not classify",
      { classWeights: [1, 2, 3] },
      'classWeights is given, but the loss "meanSquaredError" takes none: leave it out, or choose binaryCrossEntropy, ' +
        "crossEntropy, hinge, squaredHinge, categoricalHinge, focal",
      "linear",
      numbers,
    ],
    [
      "two class weights for three classes",
      { classWeights: [1, 2] },
      "classWeights holds 2 numbers, but must hold 3: one for each class",
    ],
    [
      "three for two sides",
      { classWeights: [1, 2, 3] },
      "classWeights holds 3 numbers, but must hold 2: of the lower target and of the upper one",
      "sigmoid",
      new Float64Array(18),
    ],
    [
      "class weights by name",
      { classWeights: { 0: 1 } },
      "classWeights is an object (Object), but must be an array of 3 numbers: one for each class",
    ],
    [
      "a negative class weight",
      { classWeights: [1, -1, 1] },
      "classWeights[1] is -1, but must be a finite number of at least 0 in the network's float64",
    ],
    [
      "class weights of 0",
      { classWeights: [0, 0, 0] },
      "classWeights is 0 for all 3 classes: at least one must be above 0",
    ],
    [
      "sample weights of another length",
      { sampleWeights: [1, 2] },
      "sampleWeights holds 2 numbers, but must hold 6: one for each row of inputs",
    ],
    [
      "a number for sample weights",
      { sampleWeights: 2 },
      "sampleWeights is 2, but must be an array of 6 numbers: one for each row of inputs",
    ],
    [
      "a weight of NaN",
      { sampleWeights: [1, 1, Number.NaN, 1, 1, 1] },
      "sampleWeights[2] is NaN, but must be a finite number of at least 0 in the network's float64",
    ],
    [
      "an infinite weight",
      { sampleWeights: [1, 1, 1, Number.POSITIVE_INFINITY, 1, 1] },
      "sampleWeights[3] is Infinity, but must be a finite number of at least 0 in the network's float64",
    ],
    [
      "sample weights of 0",
      { sampleWeights: new Uint8Array(6) },
      "sampleWeights is 0 for all 6 rows: at least one must be above 0",
    ],
    [
      "sample weights of 0 where a split leaves no others",
      { sampleWeights: [0, 0, 0, 1, 1, 1], validationSplit: 0.5 },
      "sampleWeights is 0 for all 3 rows: at least one must be above 0",
    ],
    [
      "validation weights of another length",
      { validationData: [six, t, [1]] },
      "validationData[2] holds 1 number, but must hold 6: one for each row of inputs",
    ],
    [
      "validation weights of 0",
      { validationData: [six, t, new Uint8Array(6)] },
      "validationData[2] is 0 for all 6 rows: at least one must be above 0",
    ],
    [
      "targets that are all NaN",
      {},
      "targets is NaN everywhere, which means that nothing counts: give numbers for some",
      "linear",
      new Float64Array(18).fill(Number.NaN),
    ],
    [
      "an infinite target",
      {},
      "targets holds Infinity in row 0, column 0, but every value must be finite: drop such rows or fill the gaps first",
      "linear",
      numbers.map((value, i) => (i === 0 ? Number.POSITIVE_INFINITY : value)),
    ],
    [
      "half a class",
      {},
      "targets[1] is 0.5, but the network has 3 outputs: class indexes are integers from 0 to 2",
      "softmax",
      [0, 0.5, 1, 2, 0, 1],
    ],
    [
      "targets of 0 for hinge",
      { loss: "hinge" },
      "targets holds 0 in row 0, column 0, but the loss takes -1 or 1: write -1 for 0",
      "linear",
      new Float64Array(18),
    ],
    [
      "targets below 0 for poisson",
      { loss: "poisson" },
      "targets holds -1 in row 0, column 0, but the loss takes counts of at least 0",
      "relu",
      new Float64Array(18).fill(-1),
    ],
    [
      "focal after a tanh",
      { loss: "focal" },
      'loss is "focal", which is computed together with softmax or sigmoid, but the last layer\'s activation is "tanh": ' +
        'give the last layer activation "softmax", or choose loss "meanSquaredError"',
      "tanh",
      numbers,
    ],
    [
      "a loss made by hand of an unknown name",
      { loss: { name: "mse" } },
      `loss is "mse", but must be one of ${Object.keys(losses)
        .map((name) => `"${name}"`)
        .join(", ")}`,
    ],
  ])("%s", async (_, options, message, last, targets) => {
    await expect(train(options, last, targets)).rejects.toThrow(new RegExp(`^${escaped(message)}$`));
  });

  test("settings that are none", async () => {
    const made = { name: "crossEntropy", delta: 1 };
    await expect(train({ loss: made })).rejects.toThrow('crossEntropy has no option "delta": it takes');
    expect(() => huber({ delta: 0 })).toThrow("delta is 0, but must be a finite number above 0");
    expect(() => focal({ gamma: -1 })).toThrow("gamma is -1, but must be from 0 to 1000, e.g. 2");
    expect(() => focal({ alpha: 2 })).toThrow("alpha is 2, but must be from 0 to 1, e.g. 0.25");
    expect(() => huber({ gamma: 2 } as object)).toThrow('huber has no option "gamma": it takes delta');
  });

  test("in evaluate what fit refuses", () => {
    expect(() => soft().evaluate(six, t, { sampleWeights: [1] })).toThrow(
      "sampleWeights holds 1 number, but must hold 6: one for each row of inputs",
    );
    expect(() => soft().evaluate(six, t, { loss: "meanSquaredError", labelSmoothing: 0.5 })).toThrow(
      'labelSmoothing is given, but the loss "meanSquaredError" takes none',
    );
    expect(() => soft().evaluate(six, new Float64Array(18).fill(Number.NaN))).toThrow(
      "targets is NaN everywhere",
    );
  });

  test("outputs below 0 for poisson, with the way out", async () => {
    const counts = new Float64Array(18).fill(2);
    const one = build("linear");
    one.layers[1].biases.fill(-9);
    const advice = 'poisson takes outputs above 0, e.g. of activation "softplus". Else: ';
    expect(() => one.evaluate(six, counts, { loss: "poisson" })).toThrow(advice);
    await expect(one.fit(six, counts, { loss: "poisson" })).rejects.toThrow(advice);
  });

  test("NaN among the inputs, as before", async () => {
    const bad = six.map((value, i) => (i === 5 ? Number.NaN : value));
    await expect(build("softmax").fit(bad, t)).rejects.toThrow("inputs holds NaN in row 1, column 1");
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

const kinds = [ClassWeights.none, ClassWeights.ofSides, ClassWeights.ofRows, ClassWeights.ofTargets];

describe.each(settings)("the operations around a loss in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test.each(kinds)("leave the same bits with class weights of kind %i", (classes) => {
    for (const size of sizes.slice(1)) {
      for (const [rows, perRow, termWidth] of [
        [3, 1, size],
        [3, size, 1],
        [size, 2, 3],
      ]) {
        const width = perRow * termWidth;
        const terms = rows * perRow;
        const gaps = random(size);
        const t = randomValues(rows * width, size, 0, 1).map((v) => (gaps() < 0.1 ? Number.NaN : v));
        const statistics = new Float64Array(Stat.cells);
        const make = (sampled: boolean, d: Float64Array, l: Float64Array) =>
          lab.run((bench) => {
            const { builder } = bench;
            const target = bench.inPlace(t);
            const weights = { weights: bench.output(terms), shares: bench.output(terms) };
            const ofClasses = randomValues(Math.max(2, termWidth), 3, 0, 2);
            builder.prepareTargets(target, weights, rows, width, {
              sampleWeights: sampled
                ? bench.input(randomValues(rows, 4, 0, 1).map((v) => (v < 0.2 ? 0 : v)))
                : undefined,
              settings: builder.cells([0.9, 0.05, ...ofClasses]),
              classes,
              termWidth,
            });
            const outputs = {
              gradient: bench.inPlace(d),
              losses: bench.inPlace(l),
              hits: bench.inPlace(new Float64Array(terms).fill(1)),
            };
            builder.weigh(
              outputs,
              weights,
              rows,
              width,
              termWidth,
              bench.place(statistics, { written: true }),
            );
          });
        for (const sampled of [false, true]) {
          make(sampled, randomValues(rows * width, 1), randomValues(terms, 2));
          make(sampled, wildValues(rows * width, size), wildValues(terms, size));
        }
      }
    }
  });

  test("weigh gives what has no weight 0, whatever it was", () => {
    const [gradient, losses, hits, statistics] = lab.run((bench) => {
      const outputs = {
        gradient: bench.inPlace([Number.NaN, 1, 2, 4]),
        losses: bench.inPlace([Number.POSITIVE_INFINITY, 3]),
        hits: bench.inPlace([1, 1]),
      };
      const weights = { weights: bench.input([0, 2]), shares: bench.input([0, 8]) };
      const statistics = bench.place(new Float64Array(Stat.cells), { written: true });
      bench.builder.weigh(outputs, weights, 2, 2, 2, statistics);
    });
    expect([...gradient]).toEqual([0, 0, 0.5, 1]);
    expect([...losses]).toEqual([0, 6]);
    expect([...hits]).toEqual([0, 1]);
    expect([statistics[Stat.weightSum], statistics[Stat.counted]]).toEqual([8, 1]);
  });

  test.each([2, 3, 5])("leave the same bits on %i threads", async (threads) => {
    for (const rows of [1, 7, 101]) {
      const width = 6;
      await lab.runOnThreads(threads, (bench) => {
        const { builder } = bench;
        const target = bench.inPlace(randomValues(rows * width, 1, 0, 1));
        const weights = { weights: bench.output(rows), shares: bench.output(rows) };
        builder.prepareTargets(target, weights, rows, width, {
          sampleWeights: bench.input(randomValues(rows, 4, 0, 1)),
          settings: builder.cells([0.9, 0.05, 1, 2, 3, 4, 5, 6]),
          classes: ClassWeights.ofTargets,
          termWidth: width,
        });
        const buffers = {
          gradient: bench.output(rows * width),
          losses: bench.output(rows),
          hits: bench.output(rows),
          prediction: bench.output(rows * width),
          logits: bench.input(randomValues(rows * width, 2)),
          target,
        };
        const mean = { rate: builder.cell(1), factor: 1, terms: 1, parameters: builder.cells([0, 1]) };
        builder.loss(Op.focal, buffers, rows, width, mean);
        const statistics = bench.place(new Float64Array(Stat.cells), { written: true });
        builder.weigh(buffers, weights, rows, width, width, statistics);
      });
    }
  });
});

test("a loss by name is the loss of a factory without settings", async () => {
  const t = randomValues(ROWS * 3, 6);
  const pairs: [Loss, LossSettings, ActivationName][] = [
    ["huber", huber(), "linear"],
    ["focal", focal(), "sigmoid"],
    ["focal", focal({ gamma: 2, alpha: 0.25 }), "softmax"],
  ];
  for (const [name, made, last] of pairs) {
    const targets =
      last === "linear" ? t : Float64Array.from(t, (_, i) => Number(i % 3 === (Math.floor(i / 3) * 7) % 3));
    expect(build(last).gradients(x, targets, { loss: made })).toEqual(
      build(last).gradients(x, targets, { loss: name }),
    );
  }
});

/** A random loss with random data and options that it takes. */
const tasks = fc
  .record({
    last: fc.constantFrom<ActivationName>("softmax", "sigmoid", "linear", "relu"),
    pick: fc.nat(),
    outputs: fc.integer({ min: 1, max: 9 }),
    rows: fc.integer({ min: 1, max: 40 }),
    batchSize: fc.integer({ min: 1, max: 45 }),
    threads: fc.integer({ min: 1, max: 6 }),
    dtype: fc.constantFrom(...dtypes),
    smoothing: fc.constantFrom(0, 0.1),
    classes: fc.boolean(),
    samples: fc.boolean(),
    gaps: fc.boolean(),
    seed: fc.nat(),
  })
  .map((task) => {
    const { last, pick, outputs, rows, seed } = task;
    const names = (Object.keys(losses) as Loss[]).filter((name) => rowAfter(name, last));
    const loss = setLoss(rowAfter(names[pick % names.length], last)!, { name: names[pick % names.length] });
    const t = randomValues(rows * outputs, seed, 0, 1).map((value, i) => {
      if (loss.targets === "sign") return value < 0.5 ? -1 : 1;
      if (loss.targets !== "distribution") return value;
      return Number(i % outputs === (Math.floor(i / outputs) * 7 + seed) % outputs);
    });
    const chance = random(seed);
    // The first row always counts.
    const gaps = t.map((value, i) => (task.gaps && i >= outputs && chance() < 0.2 ? Number.NaN : value));
    const sides = loss.op < FIRST_ROW_LOSS;
    const ofClasses = Array.from(randomValues(sides ? 2 : outputs, seed, 0.1, 2), (w, i) =>
      i === 1 ? 0 : w,
    );
    const weights = randomValues(rows, seed + 1, 0, 2).map((w, r) => (r > 0 && w < 0.4 ? 0 : w));
    const options: FitOptions = {
      loss: loss.name,
      labelSmoothing: smooths(loss) ? task.smoothing : 0,
      ...(task.classes && loss.classifies ? { classWeights: ofClasses } : {}),
      ...(task.samples ? { sampleWeights: weights } : {}),
    };
    return { ...task, x: randomValues(rows * 4, seed + 2, -1, 1), t: gaps, options };
  });

describe("for every loss with every option that it takes", () => {
  const make = (
    { last, outputs, dtype }: { last: ActivationName; outputs: number; dtype: DType },
    options: Partial<DenseNetworkOptions>,
  ) => {
    const layers = [new Dense(6, { activation: "tanh" }), new Dense(outputs, { activation: last })];
    const network = new Network({ inputs: 4, layers, dtype, seed: 3, deterministic: true, ...options });
    // Outputs above 0, for poisson.
    network.layers[1].biases.fill(2);
    return network;
  };

  test("executors, threads and the order of parts change no bit, and predictions stay finite", async () => {
    let orders = 0;
    await fc.assert(
      fc.asyncProperty(tasks, async (task) => {
        const { x, t, options, threads, batchSize, seed } = task;
        const given = { ...options, batchSize, epochs: 2, learningRate: 0.01 };
        const one = make(task, {});
        const figures = (history: EpochEntry[]) => history.map(({ loss, accuracy }) => [loss, accuracy]);
        const history = figures(await one.fit(x, t, given));
        expect(history.flat().every((value) => value === undefined || Number.isFinite(value))).toBe(true);
        const next = random(seed);
        const spy = vi.spyOn(ReferenceExecutor.prototype, "order").mockImplementation((parts) => {
          if (parts > 1) orders++;
          const order = Array.from({ length: parts }, (_, part) => ({ part, key: next() }));
          return order.sort((a, b) => a.key - b.key).map(({ part }) => part);
        });
        const others = [make(task, { executor: reference, threads }), make(task, { threads })];
        for (const other of others) {
          expect(figures(await other.fit(x, t, given))).toEqual(history);
          expectSameBits(parameters(other), parameters(one));
        }
        spy.mockRestore();
        const { classWeights, ...evaluated } = options;
        expect(others[0].evaluate(x, t, evaluated)).toEqual(one.evaluate(x, t, evaluated));
      }),
      { numRuns: 150, seed: 1 },
    );
    expect(orders).toBeGreaterThan(0);
  });
});
