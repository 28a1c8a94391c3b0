// What a user sees of a network: what it is, what predict and evaluate return.

import { describe, expect, test } from "vitest";
import { Dense, Network, type Rows } from "../src/index.js";
import {
  dtypes,
  elements,
  executors,
  expectClose,
  expectSameBits,
  makeClassifier as make,
  parameters,
  randomValues,
  reference,
} from "./helpers.js";

describe("a new network", () => {
  test("tells what it was made of", () => {
    const network = make({ dtype: "float32", executor: reference });
    expect(network).toMatchObject({
      inputs: 4,
      outputs: 3,
      seed: 7,
      dtype: "float32",
      executor: "reference",
    });
    expect(network.layers.map(({ inputs, size, activation }) => [inputs, size, activation])).toEqual([
      [4, 5, "tanh"],
      [5, 3, "softmax"],
    ]);
    expect(network.layers.map((layer) => layer.parameterCount)).toEqual([25, 18]);
    expect(network.parameterCount).toBe(43);
  });

  test("works in float64 on the wasm executor with sigmoid layers unless told otherwise", () => {
    const network = new Network({ inputs: 1, layers: [new Dense(1)] });
    expect(network).toMatchObject({ dtype: "float64", executor: "wasm" });
    expect(network.layers[0].activation).toBe("sigmoid");
    expect(network.layers[0].weights).toBeInstanceOf(Float64Array);
  });

  test("draws a seed of its own, from which the same network can be made again", () => {
    const make = (seed?: number) => new Network({ inputs: 4, layers: [new Dense(8)], seed });
    const network = make();
    expect(make().seed).not.toBe(network.seed);
    expect(make(network.seed).layers[0].weights).toEqual(network.layers[0].weights);
  });

  test.each([
    ["sigmoid", Math.sqrt(6 / (50 + 80))],
    ["tanh", Math.sqrt(6 / (50 + 80))],
    ["softmax", Math.sqrt(6 / (50 + 80))],
    ["linear", Math.sqrt(6 / (50 + 80))],
    ["relu", Math.sqrt(6 / 50)],
  ] as const)("draws weights of %s within Glorot's or He's bounds, and biases of 0", (activation, bound) => {
    const layer = new Dense(80, { activation });
    new Network({ inputs: 50, layers: [layer], seed: 3 });
    const largest = Math.max(...layer.weights.map(Math.abs));
    expect(largest).toBeLessThanOrEqual(bound);
    // The largest of 4,000 uniform numbers is below 0.99 of the bound with probability 1e-17.
    expect(largest).toBeGreaterThan(0.99 * bound);
    expect(layer.biases).toEqual(new Float64Array(80));
  });

  test("draws weights within the bounds it is given", () => {
    const layer = new Dense(80, { weightBounds: [2, 3] });
    new Network({ inputs: 50, layers: [layer], seed: 3 });
    expect(Math.min(...layer.weights)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...layer.weights)).toBeLessThan(3);
    expect(new Set(layer.weights).size).toBe(4000);
  });

  test("draws other weights for each layer", () => {
    const layers = [new Dense(4, { weightBounds: [0, 1] }), new Dense(4, { weightBounds: [0, 1] })];
    new Network({ inputs: 4, layers, seed: 3 });
    expect(layers[0].weights).not.toEqual(layers[1].weights);
  });

  test("starts alike in both element types, to the rounding", () => {
    const wide = make();
    const narrow = make({ dtype: "float32" });
    for (const [i, { weights }] of narrow.layers.entries()) {
      expect(weights).toEqual(Float32Array.from(wide.layers[i].weights));
    }
  });

  test("prints its layers, shapes and parameters", () => {
    const layers = [new Dense(128, { activation: "relu" }), new Dense(10, { activation: "softmax" })];
    expect(new Network({ inputs: 784, layers, seed: 1, dtype: "float32" }).summary()).toBe(
      [
        "layer  activation  output  parameters",
        "-------------------------------------",
        "input                 784           0",
        "Dense  relu           128     100,480",
        "Dense  softmax         10       1,290",
        "-------------------------------------",
        "101,770 parameters, 397.5 KiB, float32, executor wasm, seed 1",
      ].join("\n"),
    );
  });
});

describe("the views of a layer", () => {
  test("are live: what is written there is what predict uses", () => {
    const layer = new Dense(1, { activation: "linear" });
    const network = new Network({ inputs: 2, layers: [layer] });
    layer.weights.set([2, 3]);
    layer.biases.set([0.5]);
    expect([...network.predict([10, 100])]).toEqual([320.5]);
  });

  test("have the weights row-major, shape (inputs, size)", () => {
    const layer = new Dense(2, { activation: "linear" });
    const network = new Network({ inputs: 3, layers: [layer] });
    layer.weights.set([1, 2, 3, 4, 5, 6]);
    expect([...network.predict([1, 0, 0])]).toEqual([1, 2]);
    expect([...network.predict([0, 0, 1])]).toEqual([5, 6]);
  });
});

describe.each(executors.flatMap((executor) => dtypes.map((dtype) => [executor, dtype] as const)))(
  "predict on %s in %s",
  (executor, dtype) => {
    /** More than two of the batches of 256 that predict works in, and a rest. */
    const count = 600;
    const values = randomValues(count * 4, 1);

    test("gives a row the same bits alone and among others", () => {
      const network = make({ executor, dtype });
      const outputs = network.predict(values);
      expect(outputs).toHaveLength(count * 3);
      for (let r = 0; r < count; r += 7) {
        const alone = network.predict(values.subarray(r * 4, (r + 1) * 4));
        expectSameBits(alone, outputs.subarray(r * 3, (r + 1) * 3), `row ${r}`);
      }
    });

    test("takes rows in any form", () => {
      const network = make({ executor, dtype });
      const few = values.subarray(0, 10 * 4);
      const expected = network.predict(few);
      expect(expected).toBeInstanceOf(elements(dtype, 0).constructor);
      const rows = Array.from({ length: 10 }, (_, r) => few.subarray(r * 4, (r + 1) * 4));
      const forms: Rows[] = [
        [...few],
        rows.map((row) => [...row]),
        rows,
        rows.map((row) => Float32Array.from(row)),
        Float32Array.from(few),
      ];
      for (const form of forms) expectSameBits(network.predict(form), expected);
    });

    test("takes every type of integers", () => {
      const network = make({ executor, dtype });
      const numbers = [1, 2, 3, 4, 100, 0, 7, 50];
      const expected = network.predict(numbers);
      const types = [
        Uint8Array,
        Uint8ClampedArray,
        Int8Array,
        Uint16Array,
        Int16Array,
        Uint32Array,
        Int32Array,
      ];
      for (const type of types) {
        expectSameBits(network.predict(type.from(numbers)), expected, type.name);
        expectSameBits(
          network.predict([type.from(numbers.slice(0, 4)), type.from(numbers.slice(4))]),
          expected,
        );
      }
    });

    test("takes a view that begins inside its buffer", () => {
      const network = make({ executor, dtype });
      const bytes = Uint8Array.of(9, 9, 9, 1, 2, 3, 4, 9);
      expectSameBits(network.predict(bytes.subarray(3, 7)), network.predict([1, 2, 3, 4]));
    });
  },
);

describe("predict", () => {
  test("gives results of its own, which a later call does not overwrite", () => {
    const network = make();
    const first = network.predict([1, 2, 3, 4]);
    const copy = first.slice();
    network.predict([4, 3, 2, 1]);
    expect(first).toEqual(copy);
  });

  test("scales the inputs by inputScale", () => {
    const scaled = make({ inputScale: 1 / 4 });
    // A power of two scales without rounding.
    expectSameBits(scaled.predict([1, 2, 3, 4]), make().predict([0.25, 0.5, 0.75, 1]));
    expectSameBits(scaled.predict(Uint8Array.of(1, 2, 3, 4)), make().predict([0.25, 0.5, 0.75, 1]));
  });

  test("changes no parameter", () => {
    const network = make();
    network.predict(randomValues(400, 1));
    expect(parameters(network)).toEqual(parameters(make()));
  });
});

describe("evaluate", () => {
  const count = 600;
  const x = randomValues(count * 4, 1);
  const classes = Array.from({ length: count }, (_, r) => r % 3);

  test("gives the mean loss and the share of hits over all rows, however many batches they make", () => {
    const network = make();
    const outputs = network.predict(x);
    let loss = 0;
    let hits = 0;
    for (let r = 0; r < count; r++) {
      const row = [...outputs.subarray(r * 3, (r + 1) * 3)];
      loss -= Math.log(row[classes[r]]);
      if (row.indexOf(Math.max(...row)) === classes[r]) hits++;
    }
    const figures = network.evaluate(x, classes);
    // Sums of 600 terms of about 1 in another order.
    expectClose([figures.loss], [loss / count], { relative: 1e-12 });
    expect(figures.accuracy).toBe(hits / count);
  });

  test("takes classes and the same as one-hot rows alike", () => {
    const network = make();
    const oneHot = classes.map((index) => [0, 0, 0].with(index, 1));
    expect(network.evaluate(x, oneHot)).toEqual(network.evaluate(x, classes));
    expect(network.evaluate(x, Uint8Array.from(classes))).toEqual(network.evaluate(x, classes));
  });

  test("takes the loss it is told, and knows no accuracy for meanSquaredError", () => {
    const network = make();
    const targets = randomValues(count * 3, 2, 0, 1);
    const outputs = network.predict(x);
    const sum = [...outputs].reduce((sum, output, i) => sum + (output - targets[i]) ** 2, 0);
    const figures = network.evaluate(x, targets, { loss: "meanSquaredError" });
    expect(Object.keys(figures)).toEqual(["loss"]);
    // Sums of 1800 terms below 1 in another order.
    expectClose([figures.loss], [sum / (count * 3)], { relative: 1e-12 });
  });

  test("takes the loss of the last fit unless told otherwise", async () => {
    const network = make();
    const targets = randomValues(count * 3, 2, 0, 1);
    await network.fit(x, targets, { loss: "meanSquaredError" });
    expect(network.evaluate(x, targets)).toEqual(network.evaluate(x, targets, { loss: "meanSquaredError" }));
  });

  test("counts a sigmoid's hits element by element", () => {
    const layer = new Dense(2, { activation: "sigmoid" });
    const network = new Network({ inputs: 1, layers: [layer] });
    layer.weights.set([1, -1]);
    const figures = network.evaluate(
      [[1], [2], [-1], [-2]],
      [
        [1, 0],
        [1, 1],
        [0, 1],
        [1, 0],
      ],
    );
    expect(figures.accuracy).toBe(5 / 8);
  });
});
