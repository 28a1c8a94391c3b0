// Shapes: inputs of several axes, layers that map the last, and what a network says of them.

import { describe, expect, test } from "vitest";
import { activations } from "../src/activations.js";
import { Dense, Network, type Shape } from "../src/index.js";
import {
  type DenseNetwork,
  type DenseNetworkOptions,
  type ExecutorOption,
  expectClose,
  expectSameBits,
  parameters,
  randomValues,
  reference,
  setParameters,
} from "./helpers.js";

const SHAPE = [2, 3, 4];
const VALUES = 24;
const POSITIONS = 6;
const ROWS = 10;
const x = randomValues(ROWS * VALUES, 1, -1, 1);

function make(options: Partial<DenseNetworkOptions> = {}): DenseNetwork {
  const layers = [new Dense(5, { activation: "tanh" }), new Dense(2, { activation: "linear" })];
  return new Network({ inputs: SHAPE, layers, seed: 3, ...options });
}

/** The same layers over each position as over a row. */
function flat(shaped: Network): Network {
  const network = make({ inputs: 4 });
  setParameters(network, parameters(shaped));
  return network;
}

describe("a network on inputs of several axes", () => {
  test("has the shapes of a row, and the number of its values", () => {
    const network = make();
    expect(network.inputShape).toEqual([2, 3, 4]);
    expect(network.outputShape).toEqual([2, 3, 2]);
    expect([network.inputs, network.outputs]).toEqual([24, 12]);
    expect(network.layers.map(({ inputs }) => inputs)).toEqual([4, 5]);
    expect(network.parameterCount).toBe((4 + 1) * 5 + (5 + 1) * 2);
  });

  test("is what a number of inputs makes where it has one axis", async () => {
    const [one, other] = [make({ inputs: 24 }), make({ inputs: [24] })];
    const targets = randomValues(ROWS * 2, 2);
    await one.fit(x, targets, { epochs: 2 });
    await other.fit(x, targets, { epochs: 2 });
    expect(parameters(other)).toEqual(parameters(one));
    expect([one.inputShape, one.outputShape]).toEqual([[24], [2]]);
  });

  test("predicts every position as if it were a row", () => {
    const network = make();
    expectSameBits(network.predict(x), flat(network).predict(x));
    expectSameBits(network.predict(x.subarray(0, VALUES)), flat(network).predict(x.subarray(0, VALUES)));
  });

  test.each<[ExecutorOption, number]>([
    ["wasm", 1],
    ["wasm", 3],
    [reference, 1],
  ])(
    "has the loss and the gradients of its positions as rows (%s executor, %i threads)",
    async (executor, threads) => {
      const targets = randomValues(ROWS * POSITIONS * 2, 2);
      const network = make({ executor, threads, deterministic: true });
      const rows = flat(network);
      // A batch has other rows, so sums of losses begin elsewhere.
      expectClose([network.evaluate(x, targets).loss], [rows.evaluate(x, targets).loss], { relative: 1e-15 });
      const [one, other] = [network, rows].map((it) => it.gradients(x, targets).layers);
      // The same sums, of blocks that begin elsewhere.
      for (const [i, { weights, biases }] of one.entries()) {
        expectClose(weights, other[i].weights, { absolute: 1e-14 });
        expectClose(biases, other[i].biases, { absolute: 1e-14 });
      }
      const options = { epochs: 3, learningRate: 0.1, shuffle: false };
      const history = await network.fit(x, targets, { ...options, batchSize: 4 });
      const expected = await rows.fit(x, targets, { ...options, batchSize: 4 * POSITIONS });
      expectClose(parameters(network), parameters(rows), { absolute: 1e-12 });
      expectClose(
        history.map(({ loss }) => loss),
        expected.map(({ loss }) => loss),
        { absolute: 1e-12 },
      );
    },
  );

  test("takes distributions at every position, and counts the hits of all", () => {
    const layers = [new Dense(3, { activation: "softmax" })];
    const network = new Network({ inputs: SHAPE, layers, seed: 1 });
    const targets = Float64Array.from({ length: ROWS * POSITIONS * 3 }, (_, i) => Number(i % 3 === 1));
    const outputs = network.predict(x);
    let hits = 0;
    let loss = 0;
    for (let p = 0; p < outputs.length; p += 3) {
      const row = outputs.subarray(p, p + 3);
      hits += Number(row[1] === Math.max(...row));
      loss -= Math.log(row[1]);
    }
    const figures = network.evaluate(x, targets);
    expect(figures.accuracy).toBe(hits / (ROWS * POSITIONS));
    expectClose([figures.loss], [loss / (ROWS * POSITIONS)], { relative: 1e-12 });
  });

  test("refuses one class index a row, for there are several positions", () => {
    const layers = [new Dense(3, { activation: "softmax" })];
    const network = new Network({ inputs: SHAPE, layers });
    expect(() => network.evaluate(x, Array(ROWS).fill(0))).toThrow(
      "targets holds 10 values, which is not a multiple of the network's 18 outputs",
    );
    const targets = new Float64Array(ROWS * 18).fill(1 / 3);
    targets[18 * 7 + 5] = 0;
    expect(() => network.evaluate(x, targets)).toThrow("targets sums to 0.6666666666666666 in row 7");
  });

  test("takes inputs that are mostly zeros, densely", async () => {
    const sparse = x.map((value, i) => (i % 5 ? 0 : value));
    const targets = randomValues(ROWS * POSITIONS * 2, 2);
    const network = make();
    await network.fit(sparse, targets, { epochs: 1 });
    expect(network.summary()).not.toContain("are not zero");
    expectSameBits(network.predict(sparse), flat(network).predict(sparse));
  });

  test("shows the shapes in its summary", () => {
    expect(
      make()
        .summary()
        .split("\n")
        .slice(2, 5)
        .map((line) => line.split(/\s+/)),
    ).toEqual([
      ["input", "2x3x4", "0"],
      ["Dense", "tanh", "2x3x5", "25"],
      ["Dense", "linear", "2x3x2", "12"],
    ]);
  });
});

describe("new Network refuses a shape", () => {
  test.each<[unknown, string]>([
    [[], "inputs is [], but a shape has at least one length, e.g. [28, 28, 1]"],
    [[28, 0], "inputs[1] is 0, but must be an integer of at least 1"],
    [[28, 2.5], "inputs[1] is 2.5, but must be an integer of at least 1"],
    [["28"], 'inputs[0] is "28", but must be an integer of at least 1'],
    ["28x28", 'inputs is "28x28", but must be an integer of at least 1'],
    [
      [2 ** 20, 2 ** 20, 2 ** 20],
      "the product of inputs is 1152921504606847000, but must be an integer from 1 to",
    ],
  ])("%j", (inputs, message) => {
    expect(() => new Network({ inputs: inputs as Shape, layers: [new Dense(1)] })).toThrow(message);
  });

  test("and does not change with the array it was given", () => {
    const shape = [2, 3];
    const network = new Network({ inputs: shape, layers: [new Dense(1)] });
    shape[0] = 7;
    expect(network.inputShape).toEqual([2, 3]);
    expect(Object.isFrozen(network.inputShape) && Object.isFrozen(network.outputShape)).toBe(true);
  });
});

test("an activation whose derivative reads its input keeps the input, and has the same gradients", () => {
  const make = () => {
    const layers = [7, 5].map((size) => new Dense(size, { activation: "relu" }));
    return new Network({ inputs: 4, layers: [...layers, new Dense(3)], seed: 1 });
  };
  const [inputs, targets] = [randomValues(20 * 4, 1), randomValues(20 * 3, 2, 0, 1)];
  const expected = make().gradients(inputs, targets);
  const outputs = make().predict(inputs);
  // The slope of relu is told by its input as well as by its output.
  const row = activations.relu as { reads?: "input" | "output" };
  row.reads = "input";
  try {
    expect(make().gradients(inputs, targets)).toEqual(expected);
    expect(make().predict(inputs)).toEqual(outputs);
  } finally {
    row.reads = "output";
  }
});
