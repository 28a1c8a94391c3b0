// Flatten and Reshape: other shapes of the same values, for nothing.

import { describe, expect, test } from "vitest";
import {
  type ActivationName,
  Dense,
  Dropout,
  Flatten,
  type Layer,
  Network,
  type NetworkOptions,
  Rescaling,
  Reshape,
  type Shape,
} from "../src/index.js";
import { dtypes, executors, expectSameBits, randomValues } from "./helpers.js";

const SHAPE = [3, 4, 2];
const ROWS = 50;
const x = randomValues(ROWS * 24, 1, -1, 1);
const sparse = x.map((value, i) => (i % 5 ? 0 : value));
const classes = Uint8Array.from({ length: ROWS }, (_, i) => (i * i) % 3);
const denseLayers = () =>
  [new Dense(7, { activation: "tanh" }), new Dense(3, { activation: "softmax" })] as const;

/** All parameters of the Dense layers of a network. */
const parametersOf = (layers: readonly Layer[]) =>
  layers.flatMap((layer) => (layer instanceof Dense ? [layer.weights, layer.biases] : []));

describe.each(dtypes)("on %s", (dtype) => {
  test.each([
    ["dense", x],
    ["mostly zero", sparse],
  ])("Flatten before Dense layers has the bits of flat inputs, %s ones", async (_, inputs) => {
    for (const executor of executors) {
      const options = { dtype, executor, deterministic: true };
      const [first, second] = denseLayers();
      const shaped = new Network({ ...options, inputs: SHAPE, layers: [new Flatten(), first, second] });
      const flat = new Network({ ...options, inputs: 24, layers: denseLayers(), seed: shaped.seed });
      for (const [i, view] of parametersOf(flat.layers).entries()) view.set(parametersOf(shaped.layers)[i]);
      const fit = { epochs: 3, batchSize: 20, learningRate: 0.1, shuffle: false };
      const [one, other] = [await shaped.fit(inputs, classes, fit), await flat.fit(inputs, classes, fit)];
      expect(one.map(({ loss }) => loss)).toEqual(other.map(({ loss }) => loss));
      for (const [i, view] of parametersOf(shaped.layers).entries()) {
        expectSameBits(view, parametersOf(flat.layers)[i]);
      }
      expectSameBits(shaped.predict(inputs), flat.predict(inputs));
      expectSameBits(shaped.predict(inputs.subarray(0, 24)), flat.predict(inputs.subarray(0, 24)));
      expect(shaped.evaluate(inputs, classes)).toEqual(flat.evaluate(inputs, classes));
      expect(shaped.summary().includes("walks only those")).toBe(inputs === sparse);
    }
  });

  test("between layers and behind the last they pass values and gradients through", () => {
    for (const executor of executors) {
      const make = (shapes: boolean) => {
        const layers: Layer[] = [
          new Dense(4, { activation: "relu" }),
          ...(shapes ? [new Flatten(), new Reshape([3, 2, -1])] : []),
          new Dense(4, { activation: "tanh" }),
          ...(shapes ? [new Reshape([24])] : []),
        ];
        return new Network({ inputs: [6, 2], layers, dtype, executor, seed: 1 });
      };
      const [shaped, plain] = [make(true), make(false)];
      expect([shaped.outputShape, plain.outputShape]).toEqual([[24], [6, 4]]);
      for (const [i, view] of parametersOf(shaped.layers).entries()) view.set(parametersOf(plain.layers)[i]);
      const [inputs, targets] = [randomValues(5 * 12, 2), randomValues(5 * 24, 3)];
      const options = { loss: "meanSquaredError" } as const;
      const one = shaped.gradients(inputs, targets, options);
      const other = plain.gradients(inputs, targets, options);
      expect(one.loss).toBe(other.loss);
      expectSameBits(one.layers[0].weights, other.layers[0].weights);
      expectSameBits(one.layers[3].weights, other.layers[1].weights);
    }
  });
});

test("a network of shapes alone gives its inputs back, and fit changes nothing", async () => {
  for (const executor of executors) {
    const layers = [new Flatten(), new Reshape([2, 2, 6])];
    const network = new Network({ inputs: SHAPE, layers, executor, inputScale: 2 });
    expect(network.outputShape).toEqual([2, 2, 6]);
    expectSameBits(
      network.predict(x),
      x.map((value) => 2 * value),
    );
    const [entry] = await network.fit(sparse, x);
    expect(entry.loss).toBeGreaterThan(0);
    expect(network.summary()).toMatch(/Reshape +2x2x6 +0\n/);
  }
});

test.each<[Shape, Shape, Shape]>([
  [[24], [2, 3, 4], [2, 3, 4]],
  [[2, 3, 4], [-1], [24]],
  [[24], [-1, 8], [3, 8]],
  [
    [4, 6],
    [2, -1, 2],
    [2, 6, 2],
  ],
  [[7], [7, -1], [7, 1]],
])("inputs of %j in the shape %j are of %j", (inputs, shape, expected) => {
  const network = new Network({ inputs, layers: [new Reshape(shape)] });
  expect(network.outputShape).toEqual(expected);
});

describe("behind the last activation", () => {
  test.each<[string, ActivationName, Shape, () => Layer[]]>([
    ["a Flatten leaves a softmax", "softmax", [24], () => [new Flatten()]],
    ["a Reshape leaves a softmax", "softmax", [24], () => [new Reshape([1, -1]), new Reshape([1, 1, -1])]],
    ["a Reshape leaves a logSoftmax", "logSoftmax", [24], () => [new Reshape([1, 3])]],
    ["a Flatten leaves a sigmoid", "sigmoid", SHAPE, () => [new Flatten()]],
  ])("%s its loss, its accuracy and all bits", async (_, activation, inputs, others) => {
    const states = [[], others()].map(async (behind) => {
      const last = new Dense(3, { activation });
      const network = new Network({ inputs, layers: [new Dense(5), last, ...behind], seed: 3 });
      const t =
        activation === "sigmoid" ? randomValues(ROWS * network.outputs, 2).map((v) => +(v > 0)) : classes;
      const history = await network.fit(x, t, { epochs: 3, batchSize: 16, metrics: ["accuracy"] });
      const trained = history.map(({ loss, accuracy }) => [loss, accuracy]);
      const { loss, inputs: gradients } = network.gradients(x, t);
      return { trained, weights: last.weights.slice(), gradients, loss, figures: network.evaluate(x, t) };
    });
    const [expected, actual] = await Promise.all(states);
    expect(expected.figures.accuracy).toBeGreaterThan(0);
    expect(actual).toEqual(expected);
  });

  test("no layer may make a softmax's rows others, or change its values", () => {
    const make = (behind: Layer) =>
      new Network({ inputs: SHAPE, layers: [new Dense(3, { activation: "softmax" }), behind] });
    expect(() => make(new Flatten())).toThrow(
      'layers[0] has activation "softmax" but the layers behind it make its rows of 3 values rows of 36: softmax makes',
    );
    expect(() => make(new Rescaling(2))).toThrow(
      'layers[0] has activation "softmax" but is not the last layer',
    );
    expect(() => make(new Dropout(0.5))).toThrow(
      'layers[0] has activation "softmax" but is not the last layer',
    );
    expect(make(new Reshape([-1, 3])).outputShape).toEqual([12, 3]);
  });

  test("a layer that changes values leaves none: a loss that needs one says so", () => {
    const network = new Network({ inputs: 24, layers: [new Dense(1), new Dropout(0.5)] });
    expect(network.evaluate(x, new Uint8Array(ROWS)).accuracy).toBeUndefined();
    expect(() => network.evaluate(x, new Uint8Array(ROWS), { loss: "binaryCrossEntropy" })).toThrow(
      "which is computed together with sigmoid, but the last layer's activation is none: give the last layer",
    );
  });
});

describe("Reshape refuses", () => {
  test.each<[unknown, string]>([
    [[], "the shape of a Reshape is [], but must be lengths of at least 1, of which one may be -1"],
    [784, "the shape of a Reshape is 784, but must be lengths"],
    [undefined, "the shape of a Reshape is undefined"],
    [[-1, 2, -1], "the shape of a Reshape is [-1, 2, -1], but must be lengths"],
    [[2, 0], "the shape of a Reshape is [2, 0], but must be lengths"],
    [[-2], "the shape of a Reshape is [-2]"],
    [["4"], 'the shape of a Reshape is ["4"]'],
  ])("the shape %j", (shape, message) => {
    expect(() => new Reshape(shape as Shape)).toThrow(message);
  });

  test.each<[Shape, string]>([
    [
      [5, 5],
      "Reshape [5, 5] takes 25 values, but its inputs, 4x6, have 24: give it lengths whose product is 24",
    ],
    [[2, 6], "Reshape [2, 6] takes 12 values, but its inputs, 4x6, have 24"],
    [[-1, 5], "Reshape [-1, 5] takes a multiple of 5 values, but its inputs, 4x6, have 24"],
    [[48, -1], "Reshape [48, -1] takes a multiple of 48 values"],
  ])("to make %j of 4x6", (shape, message) => {
    const layers = [new Reshape(shape), new Dense(2)];
    const options: NetworkOptions<"float64"> = { inputs: [4, 6], layers };
    expect(() => new Network(options)).toThrow(message);
    // Its layers are as unused as before.
    const others = [new Dense(24), layers[1]];
    expect(new Network({ inputs: 3, layers: others }).outputs).toBe(2);
  });
});

test("Reshape does not change with the array it was given", () => {
  const shape = [2, 3];
  const layer = new Reshape(shape);
  shape[0] = 6;
  expect(layer.shape).toEqual([2, 3]);
});
