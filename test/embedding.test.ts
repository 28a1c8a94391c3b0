// Embedding: against PyTorch, finite differences, and the formula; what it refuses; the bits of any number of threads.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  Dense,
  type DType,
  Embedding,
  Flatten,
  type FloatArray,
  Network,
  type NetworkOptions,
  Normalization,
  Rescaling,
  Reshape,
  type Rows,
  sgd,
} from "../src/index.js";
import {
  dtypes,
  elements,
  executors,
  expectClose,
  expectSameBits,
  factors,
  random,
  reference,
} from "./helpers.js";

interface Golden {
  vocabulary: number;
  dimensions: number;
  length: number;
  classes: number;
  cases: {
    options: { momentum?: number };
    learningRate: number;
    indices: number[];
    targets: number[];
    initial: number[][];
    outputs: number[];
    gradients: number[][];
    losses: number[];
    final: number[][];
  }[];
}

const golden: Golden = JSON.parse(readFileSync(new URL("golden/embedding.json", import.meta.url), "utf8"));

type Words = Network<DType, readonly [Embedding, Flatten, Dense]>;

function make(
  { vocabulary = 11, dimensions = 3, length = 4, classes = 3 },
  options: Partial<NetworkOptions> = {},
): Words {
  const layers = [
    new Embedding(vocabulary, dimensions, { weightBounds: [-1, 1] }),
    new Flatten(),
    new Dense(classes, { activation: "softmax" }),
  ] as const;
  return new Network({ inputs: length, seed: 3, ...options, layers }) as Words;
}

const views = ({ layers: [embedding, , dense] }: Words) => [embedding.weights, dense.weights, dense.biases];

// As in golden.test.ts: both compute in float64 and sum in different orders.
const close = { relative: 1e-10, absolute: 1e-10 };

describe.each(executors)("in the %s executor", (executor) => {
  test.each(golden.cases.map((one) => [JSON.stringify(one.options), one] as const))(
    "the outputs, the gradients and twenty steps of sgd(%s) are PyTorch's",
    async (_, one) => {
      const network = make(golden, { executor });
      for (const [i, view] of views(network).entries()) view.set(one.initial[i]);
      expectClose(network.predict(one.indices), one.outputs, close);
      const { layers } = network.gradients(one.indices, one.targets);
      for (const [i, gradient] of [layers[0].weights, layers[2].weights, layers[2].biases].entries()) {
        expectClose(gradient, one.gradients[i], close);
      }
      const { learningRate } = one;
      const history = await network.fit(one.indices, one.targets, {
        epochs: one.losses.length,
        batchSize: 100,
        optimizer: sgd({ learningRate, ...one.options }),
        shuffle: false,
      });
      expectClose(
        history.map(({ loss }) => loss),
        one.losses,
        close,
      );
      for (const [i, view] of views(network).entries()) expectClose(view, one.final[i], close);
    },
  );

  test("every gradient is the slope of the loss", () => {
    const network = make({}, { executor });
    const x = [
      [1, 1, 4, 0],
      [10, 2, 1, 4],
    ];
    const { layers } = network.gradients(x, [2, 0]);
    const weights = () => network.layers[0].weights;
    const step = 6e-6;
    const slopes = Array.from(weights(), (value, i) => {
      const lossAt = (moved: number) => {
        weights()[i] = moved;
        return network.evaluate(x, [2, 0]).loss;
      };
      const slope = (lossAt(value + step) - lossAt(value - step)) / (2 * step);
      weights()[i] = value;
      return slope;
    });
    // As in gradients.test.ts: truncation and rounding are about 1e-11.
    expectClose(layers[0].weights, slopes, { relative: 1e-8, absolute: 1e-8 });
    // Five of the eleven words are in the batch.
    const rows = Array.from({ length: 11 }, (_, w) => layers[0].weights.slice(3 * w, 3 * w + 3));
    expect(rows.map((row) => row.some((value) => value !== 0))).toEqual(
      Array.from({ length: 11 }, (_, w) => x.flat().includes(w)),
    );
  });
});

describe.each(dtypes)("on %s", (dtype) => {
  test("the output is the rows of the weights, from any array of numbers", () => {
    for (const executor of executors) {
      const network = new Network({ inputs: [2, 3], layers: [new Embedding(300, 5)], dtype, executor });
      expect(network.outputShape).toEqual([2, 3, 5]);
      const indices = [0, 299, 7, 7, 256, 1, 255, 3, 2, 200, 0, 0];
      const { weights } = network.layers[0];
      const expected = indices.flatMap((index) => [...weights.subarray(5 * index, 5 * index + 5)]);
      for (const rows of [Uint16Array, Int32Array, Uint32Array, Float32Array].map((type) =>
        type.from(indices),
      )) {
        expectSameBits(network.predict(rows), elements(dtype, expected));
      }
      const bytes = indices.map((index) => index % 256);
      expectSameBits(network.predict(Uint8Array.from(bytes)), network.predict(bytes));
    }
  });

  const length = 6;
  const next = random(4);
  const indices = Uint16Array.from({ length: 203 * length }, () => Math.floor(500 * next() ** 3));
  const classes = Uint8Array.from({ length: 203 }, (_, i) => (i * i) % 3);

  test.each([
    ["plain SGD, which folds,", undefined],
    ["momentum", sgd({ learningRate: 0.1, momentum: 0.9 })],
  ])("%s leaves the same bits on 1 to 5 threads, and in the reference", async (_, optimizer) => {
    const networks = [1, 2, 3, 4, 5].map((threads) =>
      make({ vocabulary: 500, dimensions: 9, length }, { dtype, threads, deterministic: true }),
    );
    networks.push(make({ vocabulary: 500, dimensions: 9, length }, { dtype, executor: reference }));
    const results = [];
    for (const network of networks) {
      // The last batch is of 3 rows.
      const history = await network.fit(indices, classes, { epochs: 3, batchSize: 50, optimizer });
      results.push({
        losses: history.map(({ loss }) => loss),
        views: views(network).map((view) => view.slice()),
      });
    }
    for (const { losses, views } of results.slice(1)) {
      expect(losses).toEqual(results[0].losses);
      for (const [i, view] of views.entries()) expectSameBits(view, results[0].views[i], `tensor ${i}`);
    }
  });

  test("a step so long that one thread does it in parts leaves the bits of two threads", async () => {
    // 2 ** 27 multiplications of 1024 rows.
    const data = Uint16Array.from({ length: 1024 * 8 }, (_, i) => (i * i + 5 * i) % 300);
    const run = async (threads: number) => {
      const layers = [
        new Embedding(300, 32),
        new Flatten(),
        new Dense(512, { activation: "tanh" }),
        new Dense(1),
      ];
      const network = new Network({ inputs: 8, layers, dtype, threads, seed: 1 });
      await network.fit(data, new Uint8Array(1024), { batchSize: 1024 });
      return (layers[0] as Embedding).weights.slice();
    };
    expectSameBits(await run(1), await run(2));
  });

  test("a step of plain SGD changes the rows of its indices and no others", async () => {
    const network = make({ vocabulary: 40 }, { dtype });
    const before = network.layers[0].weights.slice();
    await network.fit([[3, 39, 3, 0]], [1], { learningRate: 1 });
    const after = network.layers[0].weights;
    const changed = Array.from({ length: 40 }, (_, w) => w).filter((w) => before[3 * w] !== after[3 * w]);
    expect(changed).toEqual([0, 3, 39]);
  });

  test("the gradient is that of the same rows one-hot in a dense layer, to the bit", () => {
    // Zeros do not change the sums, and the terms come in the same order. Weights of twelve bits: no rounding forward.
    const rows = Array.from({ length: 300 }, (_, i) => (i * i + 3 * i) % 7);
    const targets = rows.map((row) => [0, 1, 2].map((j) => Number(j === row % 3)));
    const oneHot = rows.map((row) => Array.from({ length: 7 }, (_, j) => Number(j === row)));
    for (const executor of executors) {
      const options = { dtype, executor, deterministic: true };
      const words = new Network({ ...options, inputs: 1, layers: [new Embedding(7, 3), new Flatten()] });
      const dense = new Network({ ...options, inputs: 7, layers: [new Dense(3, { activation: "linear" })] });
      for (const [{ weights }] of [words.layers, dense.layers]) weights.set(factors(21, 7));
      const [one, other] = [words.gradients(rows, targets), dense.gradients(oneHot, targets)];
      expectSameBits(one.layers[0].weights, other.layers[0].weights);
    }
  });
});

describe("an Embedding", () => {
  test("takes the initializers of Dense, with as many inputs as words", () => {
    const make = (layer: Embedding) => new Network({ inputs: 1, layers: [layer], seed: 2 }).layers[0].weights;
    expect(new Set(make(new Embedding(6, 4, { initializer: { constant: 0.5 } })))).toEqual(new Set([0.5]));
    const orthogonal = make(new Embedding(6, 4, { initializer: "orthogonal" }));
    const column = (j: number) => Array.from({ length: 6 }, (_, i) => orthogonal[4 * i + j]);
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    // Six products of about 0.2.
    expectClose([dot(column(0), column(0)), dot(column(1), column(2))], [1, 0], { absolute: 1e-15 });
    expect(() => new Embedding(6, 4, { initializer: "zeros", weightBounds: [0, 1] })).toThrow(
      "both weightBounds and",
    );
    expect(() => new Embedding(6, 4, { initializer: "normal" as never })).toThrow(
      'initializer is "normal", but must be',
    );
  });

  test("that is not trainable stays as it is, and what stands behind it is trained", async () => {
    for (const optimizer of [undefined, sgd({ momentum: 0.9, learningRate: 0.1 })]) {
      const network = make({});
      const [embedding, , dense] = network.layers;
      embedding.trainable = false;
      const [before, after] = [embedding.weights.slice(), dense.weights.slice()];
      await network.fit([[1, 2, 3, 4]], [1], { optimizer });
      expect(embedding.weights).toEqual(before);
      expect(dense.weights).not.toEqual(after);
      embedding.trainable = true;
      await network.fit([[1, 2, 3, 4]], [1], { optimizer });
      expect(embedding.weights).not.toEqual(before);
    }
  });

  test("leaves no gradient of its inputs, and trains one batch at a time", () => {
    const network = make({});
    expect(network.gradients([[1, 2, 3, 4]], [1]).inputs).toHaveLength(0);
    const [first, second] = [0, 1].map(() => network.trainBatch([[1, 2, 3, 4]], [1], { learningRate: 1 }));
    expect(second).toBeLessThan(first);
    expect(() => network.trainBatch([[1, 2, 3, 11]], [1])).toThrow("holds 11 in row 0, column 3");
  });
});

describe("an Embedding refuses", () => {
  const network = () => make({ vocabulary: 10 });
  const takes = "but an Embedding of a vocabulary of 10 takes integers from 0 to 9";

  test.each<[string, Rows, string]>([
    [
      "an index out of range",
      [
        [1, 2, 3, 4],
        [0, 0, 10, 0],
      ],
      `inputs holds 10 in row 1, column 2, ${takes}`,
    ],
    ["one below 0", [[1, 2, 3, -1]], `inputs holds -1 in row 0, column 3, ${takes}`],
    ["a fraction", Float32Array.of(0, 1.5, 2, 3), `inputs holds 1.5 in row 0, column 1, ${takes}`],
    ["NaN", [[Number.NaN, 1, 2, 3]], "inputs holds NaN in row 0, column 0, but every value must be finite"],
    ["a byte out of range", Uint8Array.of(0, 1, 2, 200), `inputs holds 200 in row 0, column 3, ${takes}`],
  ])("%s in fit, predict, evaluate and validation, with nothing changed", async (_, x, message) => {
    const it = network();
    const before = it.layers[0].weights.slice();
    const classes = Uint8Array.from({ length: Array.isArray(x) ? x.length : x.length / 4 });
    expect(() => it.predict(x)).toThrow(message);
    await expect(it.predictAsync(x)).rejects.toThrow(message);
    expect(() => it.evaluate(x, classes)).toThrow(message);
    await expect(it.fit(x, classes)).rejects.toThrow(message);
    await expect(it.fit([[1, 2, 3, 4]], [0], { validationData: [x, classes] })).rejects.toThrow(
      message.replace("inputs", "validationData[0]"),
    );
    expect(it.layers[0].weights).toEqual(before);
  });

  const first = "which takes indices as they are: make it the first layer";
  test.each<[string, () => Partial<NetworkOptions>, string]>([
    [
      "a place behind a layer",
      () => ({ layers: [new Dense(4), new Embedding(9, 2)] }),
      `layers[1] is an Embedding, ${first}`,
    ],
    [
      "an inputScale",
      () => ({ layers: [new Embedding(9, 2)], inputScale: 2 }),
      `layers[0] is an Embedding, ${first}`,
    ],
    [
      "a Rescaling",
      () => ({ layers: [new Rescaling(2), new Embedding(9, 2)] }),
      `layers[1] is an Embedding, ${first}`,
    ],
    [
      "a Normalization",
      () => ({ layers: [new Normalization({ mean: 0, variance: 1 }), new Embedding(9, 2)] }),
      `layers[1] is an Embedding, ${first}`,
    ],
    [
      "another Embedding before it",
      () => ({ layers: [new Embedding(9, 2), new Embedding(9, 2)] }),
      `layers[1] is an Embedding, ${first}`,
    ],
  ])("%s", (_, options, message) => {
    expect(() => new Network({ inputs: 4, layers: [], ...options() })).toThrow(message);
  });

  test.each<[() => unknown, string]>([
    [() => new Embedding(0, 2), "the vocabulary of an Embedding is 0, but must be an integer from 1 to"],
    [() => new Embedding(2.5, 2), "the vocabulary of an Embedding is 2.5"],
    [() => new Embedding(2, -1), "the dimensions of an Embedding is -1"],
    [
      () => new Embedding(2, 2, { weightBounds: [1, 0] }),
      "weightBounds is [1, 0], but must be two finite numbers",
    ],
    [() => new Embedding(2, 2, { weightBounds: [0, Number.NaN] }), "weightBounds is [0, NaN]"],
    [() => new Embedding(2, 2, { bounds: 1 } as never), 'new Embedding has no option "bounds"'],
  ])("unusable options: %s", (call, message) => {
    expect(call).toThrow(message);
  });

  test("bounds that the type does not hold", () => {
    const layers = [new Embedding(2, 2, { weightBounds: [0, 1e300] })];
    expect(() => new Network({ inputs: 1, layers, dtype: "float32" })).toThrow(
      "weightBounds is [0, 1e+300], whose width overflows the network's float32",
    );
  });

  test("to show weights before it is in a network", () => {
    expect(() => new Embedding(2, 2).weights).toThrow(
      "this Embedding has no parameters yet: give it to a network first",
    );
  });
});

test("an Embedding draws its weights from -0.05 to 0.05, or between the bounds, and the same for a seed", () => {
  const weights = (options?: { weightBounds: [number, number] }): FloatArray =>
    new Network({ inputs: 1, layers: [new Embedding(500, 4, options)], seed: 8 }).layers[0].weights;
  const drawn = weights();
  expect(Math.max(...drawn)).toBeLessThan(0.05);
  expect(Math.max(...drawn)).toBeGreaterThan(0.049);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(-0.05);
  expect(Math.min(...drawn)).toBeLessThan(-0.049);
  expect(weights()).toEqual(drawn);
  expect(Math.min(...weights({ weightBounds: [2, 3] }))).toBeGreaterThanOrEqual(2);
});

test("an Embedding stands behind a Reshape of the indices, and before a layer that maps each position", () => {
  const layers = [new Reshape([2, -1]), new Embedding(9, 4), new Dense(2, { activation: "linear" })] as const;
  const network = new Network({ inputs: 6, layers, seed: 1 });
  expect(network.outputShape).toEqual([2, 3, 2]);
  const [, embedding, dense] = layers;
  const out = network.predict([8, 0, 1, 2, 3, 8]);
  const word = (w: number) =>
    [0, 1].map((j) =>
      [0, 1, 2, 3].reduce((sum, d) => sum + embedding.weights[4 * w + d] * dense.weights[2 * d + j], 0),
    );
  // Sums of four terms of about 0.01 in another order.
  expectClose(out, [8, 0, 1, 2, 3, 8].flatMap(word), { absolute: 1e-16 });
});

test("a network with an Embedding shows its shapes and parameters", () => {
  const lines = make({ vocabulary: 1000, dimensions: 16, length: 20 }).summary().split("\n").slice(2, 6);
  expect(lines.map((line) => line.trim().split(/\s+/))).toEqual([
    ["input", "20", "0"],
    ["Embedding", "20x16", "16,000"],
    ["Flatten", "320", "0"],
    ["Dense", "softmax", "3", "963"],
  ]);
});
