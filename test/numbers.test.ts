// Numbers that the network's element type does not hold, or that no training survives: said as it is, before
// anything changes.

import { describe, expect, test } from "vitest";
import { Dense, type DType, Network, type NetworkOptions } from "../src/index.js";
import { dtypes, makeClassifier, parameters, randomValues } from "./helpers.js";

function regressor(options: Partial<NetworkOptions> = {}): Network {
  return new Network({ inputs: 2, layers: [new Dense(1, { activation: "linear" })], seed: 1, ...options });
}

const float64Way = 'scale the values down, or use dtype: "float64"';

describe("values that overflow float32", () => {
  const network = regressor({ dtype: "float32" });

  test.each<[string, () => unknown, string]>([
    [
      "inputs of predict",
      () => network.predict([[1, 1e39]]),
      `inputs holds 1e+39 in row 0, column 1, which overflows the network's float32: ${float64Way}`,
    ],
    [
      "inputs of fit in a typed array",
      () => network.fit(Float64Array.of(1, 2, -3.5e38, 4), [1, 2]),
      `inputs holds -3.5e+38 in row 1, column 0, which overflows the network's float32: ${float64Way}`,
    ],
    [
      "targets",
      () => network.evaluate([[1, 2]], [1e39]),
      `targets holds 1e+39 in row 0, column 0, which overflows the network's float32: ${float64Way}`,
    ],
    [
      "inputs once they are scaled",
      () => regressor({ dtype: "float32", inputScale: 1e10 }).predict([1, 1e30]),
      "inputs holds 1e+30 in row 0, column 1, which, multiplied by the inputScale 10000000000, overflows the " +
        `network's float32: ${float64Way}`,
    ],
    [
      "bytes once they are scaled",
      () => regressor({ dtype: "float32", inputScale: 2e36 }).predict(Uint8Array.of(0, 200)),
      "inputs holds 200 in row 0, column 1, which, multiplied by the inputScale 2e+36, overflows the network's " +
        `float32: ${float64Way}`,
    ],
    [
      "inputs of float64 once they are scaled",
      () => regressor({ inputScale: 10 }).predict([1, 1e308]),
      "inputs holds 1e+308 in row 0, column 1, which, multiplied by the inputScale 10, overflows the network's " +
        "float64: scale the values down",
    ],
  ])("%s", async (_, call, message) => {
    await expect((async () => call())()).rejects.toThrow(expect.objectContaining({ message }));
  });

  test("are taken by float64, and the largest of float32 by float32", () => {
    expect(regressor().predict([1, 1e39])[0]).toSatisfy(Number.isFinite);
    const largest = 3.4028234663852886e38;
    const layer = new Dense(1, { activation: "linear", weightBounds: [1, 1] });
    const exact = new Network({ inputs: 1, layers: [layer], dtype: "float32" });
    expect([...exact.predict([largest])]).toEqual([largest]);
  });
});

describe("options that the element type does not hold", () => {
  const way = 'take one that float32 holds, or use dtype: "float64"';

  test.each<[number, string]>([
    [1e-50, "0"],
    [1e39, "Infinity"],
  ])("learningRate %d and inputScale", async (value, held) => {
    const network = regressor({ dtype: "float32" });
    const before = parameters(network);
    await expect(network.fit([[1, 2]], [1], { learningRate: value })).rejects.toThrow(
      `learningRate is ${value}, which is ${held} in the network's float32: ${way}`,
    );
    expect(parameters(network)).toEqual(before);
    expect(() => regressor({ dtype: "float32", inputScale: value })).toThrow(
      `inputScale is ${value}, which is ${held} in the network's float32: ${way}`,
    );
    await expect(
      regressor({ inputScale: value }).fit([[0, 0]], [0], { learningRate: value }),
    ).resolves.toHaveLength(1);
  });

  test("learningRate of which a row's share is 0", async () => {
    const network = regressor({ dtype: "float32" });
    const x = new Float32Array(2 * 64);
    const t = new Float32Array(64);
    await expect(network.fit(x, t, { learningRate: 1e-44, batchSize: 64 })).rejects.toThrow(
      "learningRate is 1e-44, of which a row's share in a batch of 64 is 0 in the network's float32: take a larger " +
        "learningRate or a smaller batchSize",
    );
  });

  test.each<[DType, [number, number]]>([
    ["float64", [-1.5e308, 1.5e308]],
    ["float32", [-3e38, 3e38]],
    ["float32", [0, 1e39]],
  ])("weightBounds whose width overflows %s", (dtype, weightBounds) => {
    const layers = [new Dense(2, { weightBounds }), new Dense(1)];
    expect(() => new Network({ inputs: 2, layers, dtype })).toThrow(
      `weightBounds is [${weightBounds.join(", ")}], whose width overflows the network's ${dtype}: take bounds closer to 0`,
    );
    // The layers are unused still.
    expect(new Network({ inputs: 2, layers: [layers[1]] }).outputs).toBe(1);
  });
});

describe.each(dtypes)("a parameter of %s that is not finite, written by hand,", (dtype) => {
  const x = randomValues(20 * 4, 1);
  const classes = Uint8Array.from({ length: 20 }, (_, i) => i % 3);
  const way =
    "but weights and biases must be finite. It was written through a live view: write a finite number there";

  test.each<[string, (network: Network) => unknown]>([
    ["fit", (network) => network.fit(x, classes)],
    ["evaluate", (network) => network.evaluate(x, classes)],
    ["evaluateAsync", (network) => network.evaluateAsync(x, classes)],
    ["predict of one row", (network) => network.predict([0, 0, 0, 0])],
    ["predict of two rows", (network) => network.predict([0, 0, 0, 0, 0, 0, 0, 0])],
    ["predictAsync", (network) => network.predictAsync(x)],
  ])("is refused by %s, which names it", async (_, call) => {
    const network = makeClassifier({ dtype });
    const { weights } = network.layers[0];
    const old = weights[3];
    weights[3] = Number.POSITIVE_INFINITY;
    await expect((async () => call(network))()).rejects.toThrow(`layers[0].weights[3] is Infinity, ${way}`);
    weights[3] = old;
    network.layers[1].biases[2] = Number.NaN;
    await expect((async () => call(network))()).rejects.toThrow(`layers[1].biases[2] is NaN, ${way}`);
    network.layers[1].biases[2] = 0;
    await (async () => call(network))();
  });

  test("is found through a view that was asked for long ago", () => {
    const network = makeClassifier({ dtype });
    const { weights } = network.layers[0];
    network.predict(x);
    network.predict(x);
    weights[0] = Number.NaN;
    expect(() => network.predict(x)).toThrow(`layers[0].weights[0] is NaN, ${way}`);
  });

  test("in a callback ends the training, which says so and does not blame the learningRate", async () => {
    const network = makeClassifier({ dtype });
    const training = network.fit(x, classes, {
      epochs: 3,
      onEpoch: ({ epoch }) => {
        if (epoch === 2) network.layers[0].weights[5] = Number.NaN;
      },
    });
    await expect(training).rejects.toThrow(
      "training stopped in epoch 3: layers[0].weights[5] is NaN, and was so when the epoch began. It was written through " +
        "a live view: write a finite number there",
    );
  });
});

describe("a loss that overflows", () => {
  test("in evaluate is an error that says so", () => {
    const network = regressor({ dtype: "float32" });
    expect(() => network.evaluate([[1, 2]], [1e30])).toThrow(
      "the loss is Infinity: inputs or targets are so large that it overflows the network's float32: " +
        float64Way,
    );
    expect(regressor().evaluate([[1, 2]], [1e30]).loss).toBeCloseTo(1e60, -48);
  });

  test("before the first step of a fit is not blamed on the learningRate", async () => {
    const network = regressor();
    const before = parameters(network);
    await expect(network.fit([[1, 2]], [1e200])).rejects.toThrow(
      "training stopped in epoch 1: the loss of the first batch, before any step, overflows float64. Scale the inputs " +
        "and the targets to about -1 .. 1. The weights are those of before this call of fit",
    );
    expect(parameters(network)).toEqual(before);
  });
});

describe("a loss that explodes but stays finite", () => {
  /** Prices of houses by their size and age, unscaled. */
  const houses = Array.from({ length: 64 }, (_, i) => [500 + 30 * i, (i * 7) % 50]);
  const prices = houses.map(([size, age]) => 1000 * size - 2000 * age);

  test("warns once, with the loss's way, the ranges of the data, and what to do", async () => {
    const warnings: string[] = [];
    const network = regressor({ onWarning: (message) => warnings.push(message) });
    const history = await network.fit(houses, prices, { epochs: 4, batchSize: 64, learningRate: 1e-4 });
    expect(history[3].loss).toBeGreaterThan(1e13);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /^wasmgrad: the training loss explodes: it was [\d.e+]+ in (the first batch|epoch \d) and is [\d.e+]+ in epoch \d\. The inputs run from 0 to 2390, the targets from 500000 to 2308000: scale them to about -1 \.\. 1, or lower the learningRate \(0\.0001\)$/,
    );
    // Another fit is warned of anew.
    await network.fit(houses, prices, { epochs: 4, batchSize: 64, learningRate: 1e-4 });
    expect(warnings).toHaveLength(2);
  });

  test.each<[string, (network: Network) => Promise<unknown>]>([
    [
      "falls",
      (network) =>
        network.fit(
          houses.map(([a, b]) => [a / 1000, b / 50]),
          prices.map((p) => p / 1e6),
          { epochs: 20 },
        ),
    ],
    [
      "was small in the first batch by chance",
      // The first row fits exactly, the others do not at all.
      (network) =>
        network.fit(
          houses.map((_, i) => [i === 0 ? 0 : 1, 0]),
          prices.map((_, i) => (i === 0 ? 0 : 100)),
          { epochs: 3, batchSize: 1, shuffle: false, learningRate: 1e-6 },
        ),
    ],
  ])("does not warn where the loss %s", async (_, train) => {
    const warnings: string[] = [];
    await train(regressor({ onWarning: (message) => warnings.push(message) }));
    expect(warnings).toEqual([]);
  });
});

test("inputs that overflow only as their product with inputScale is rounded are refused too", () => {
  for (const [dtype, largest] of [
    ["float32", 3.4028234663852886e38],
    ["float64", Number.MAX_VALUE],
  ] as const) {
    for (let i = 1; i < 300; i++) {
      const inputScale = 1 + i * 0.37;
      const layer = new Dense(1, { activation: "linear", weightBounds: [1, 1] });
      const network = new Network({ inputs: 1, layers: [layer], dtype, inputScale });
      try {
        expect(network.predict([largest / inputScale])[0]).toSatisfy(Number.isFinite);
      } catch (error) {
        expect((error as Error).message).toContain("multiplied by the inputScale");
      }
    }
  }
});

test("a loss that explodes on rows of very many values warns, and does not end the training", async () => {
  const warnings: string[] = [];
  const inputs = 200_000;
  const layers = [new Dense(1, { activation: "linear" })];
  const network = new Network({ inputs, layers, seed: 1, onWarning: (message) => warnings.push(message) });
  const x = Float64Array.from({ length: 2 * inputs }, (_, i) => Math.sin(i) * 10);
  await network.fit(x, [1, 2], { epochs: 2, learningRate: 1e-4 });
  expect(warnings).toEqual([
    expect.stringMatching(/explodes.*The inputs run from -10 to 10, the targets from 1 to 2/),
  ]);
});
