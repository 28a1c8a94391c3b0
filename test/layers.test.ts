// The layers besides Dense: normalization against PyTorch, gradients against differences of the loss, noise, and what
// freezing leaves as it is.

import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { activations } from "../src/activations.js";
import {
  type ActivationName,
  BatchNormalization,
  Dense,
  Dropout,
  type FitOptions,
  type FloatArray,
  GaussianNoise,
  type Layer,
  LayerNormalization,
  Network,
  type NetworkOptions,
  sgd,
} from "../src/index.js";
import { modelOf } from "../src/network.js";
import { Op } from "../src/program/builder.js";
import { namesOf } from "../src/table.js";
import {
  dtypes,
  type ExecutorOption,
  executors,
  expectClose,
  expectSameBits,
  randomValues,
  reference,
} from "./helpers.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Live views of all tensors, by the names of the store. */
function views(network: Network): Record<string, FloatArray> {
  const { store } = modelOf(network);
  return Object.fromEntries(store.tensors.map((tensor) => [tensor.name, store.view(tensor)]));
}

/** Copies of all tensors. */
function state(network: Network): Record<string, FloatArray> {
  return Object.fromEntries(Object.entries(views(network)).map(([name, view]) => [name, view.slice()]));
}

interface GoldenLayers {
  name: string;
  inputs: number[];
  momentum: number;
  learningRate: number;
  batchSize: number;
  layers: { layer: string; size: number; activation: ActivationName; options: object }[];
  x: number[];
  targets: number[];
  initial: Record<string, number[]>[];
  losses: number[];
  final: Record<string, number[]>[];
  outputs: number[];
  loss: number;
}

const goldens: GoldenLayers[] = JSON.parse(
  readFileSync(new URL("golden/layers.json", import.meta.url), "utf8"),
);

describe.each(goldens.map((golden) => [golden.name, golden] as const))("PyTorch's %s:", (_, golden) => {
  const { x, targets, learningRate, momentum, batchSize } = golden;
  const kinds: Record<string, (row: GoldenLayers["layers"][0]) => Layer> = {
    Dense: ({ size, activation }) => new Dense(size, { activation }),
    BatchNormalization: ({ options }) => new BatchNormalization(options),
    LayerNormalization: ({ options }) => new LayerNormalization(options),
  };

  // Sums in another order. In float32 of about 1 a value, over fifteen steps.
  test.each([
    ["wasm", "float64", 1, 1e-10],
    ["wasm", "float64", 3, 1e-10],
    [reference, "float64", 1, 1e-10],
    ["wasm", "float32", 1, 2e-4],
  ] as const)(
    "losses, parameters, running statistics and outputs (%s executor, %s, %i threads)",
    async (executor, dtype, threads, tolerance) => {
      const layers = golden.layers.map((row) => kinds[row.layer](row));
      const network = new Network({ inputs: golden.inputs, layers, executor, dtype, threads });
      const tensors = views(network);
      for (const [i, own] of golden.initial.entries())
        for (const [name, values] of Object.entries(own)) tensors[`layers.${i}.${name}`].set(values);
      const close = { relative: tolerance, absolute: tolerance };
      const optimizer = sgd({ learningRate, momentum });
      const options: FitOptions = { epochs: golden.losses.length, batchSize, shuffle: false, optimizer };
      const history = await network.fit(x, targets, { ...options, loss: "meanSquaredError" });
      expectClose(
        history.map(({ loss }) => loss),
        golden.losses,
        close,
      );
      const final = state(network);
      for (const [i, own] of golden.final.entries())
        for (const [name, values] of Object.entries(own))
          expectClose(final[`layers.${i}.${name}`], values, { ...close, label: `${name} of layer ${i}` });
      expectClose(network.predict(x), golden.outputs, close);
      expectClose([network.evaluate(x, targets).loss], [golden.loss], close);
    },
  );
});

const ROWS = 6;
const STEP = 6e-6;
// As in gradients.test.ts.
const tolerance = { relative: 1e-7, absolute: 1e-8 };
const hidden = namesOf(activations).filter((name) => !activations[name].onlyLast);

/** Every layer of this issue under and above dense layers of an activation. */
const stacks: [string, (activation: ActivationName) => Layer[]][] = [
  ["BatchNormalization", (activation) => [new Dense(5, { activation }), new BatchNormalization()]],
  ["LayerNormalization", (activation) => [new Dense(5, { activation }), new LayerNormalization()]],
  ["Dropout", (activation) => [new Dense(7, { activation }), new Dropout(0.4)]],
  ["GaussianNoise", (activation) => [new Dense(5, { activation }), new GaussianNoise(0.2)]],
  ["no biases", (activation) => [new Dense(5, { activation, useBias: false })]],
  [
    "a frozen BatchNormalization",
    (activation) => [new Dense(5, { activation }), new BatchNormalization({ trainable: false })],
  ],
  [
    "all of them",
    (activation) => [
      new LayerNormalization(),
      new Dense(5, { activation, useBias: false }),
      new BatchNormalization(),
      new Dropout(0.4),
      new LayerNormalization(),
      new GaussianNoise(0.2),
    ],
  ],
];

describe.each(stacks)("the gradient of %s is the slope of the loss", (_, stack) => {
  const x = randomValues(ROWS * 4, 1, -1, 1);
  const targets = randomValues(ROWS * 3, 2, 0, 1);
  const make = (activation: ActivationName, executor: ExecutorOption) => {
    const layers = [
      ...stack(activation),
      new Dense(4, { activation }),
      new Dense(3, { activation: "linear" }),
    ];
    const network = new Network({ inputs: 4, layers, seed: 5, executor });
    for (const [i, [name, view]] of Object.entries(views(network)).entries()) {
      // No parameter at 0 or 1, and no relu at its kink.
      if (!name.endsWith("weights")) view.set(randomValues(view.length, i + 1, 0.5, 1));
      // The loss of an exponential of an exponential is large, and so is the rounding of its differences.
      else if (activation === "exponential") view.set(view.map((value) => value / 2));
    }
    return network;
  };
  const same = (network: Network, values: Record<string, FloatArray>) => {
    for (const [name, view] of Object.entries(views(network))) view.set(values[name]);
  };
  /** Slopes of the loss by each trained parameter. */
  async function slopes(network: Network, lossOf: () => Promise<number>) {
    const before = state(network);
    const found: Record<string, number[]> = {};
    for (const { name, trainable } of modelOf(network).store.tensors) {
      if (!trainable) continue;
      found[name] = [];
      for (let i = 0; i < before[name].length; i++) {
        const at = async (moved: number) => {
          same(network, before);
          views(network)[name][i] = moved;
          return await lossOf();
        };
        const value = before[name][i];
        found[name].push(((await at(value + STEP)) - (await at(value - STEP))) / (2 * STEP));
      }
    }
    same(network, before);
    return found;
  }

  test.each(hidden)("in training, under %s", async (activation) => {
    const network = make(activation, "wasm");
    const model = modelOf(network);
    const options = { batchSize: ROWS, shuffle: false } as const;
    const train = async (given: FitOptions) => {
      // The noise is that of this step each time.
      model.stepsTrained = 3;
      return (await network.fit(x, targets, { ...options, ...given }))[0].loss;
    };
    const expected = await slopes(network, () => train({ learningRate: 1e-300 }));
    const before = state(network);
    // Folded into the parameters, and with gradients in a buffer: a momentum's first step is its gradient.
    for (const momentum of [0, 0.5]) {
      const learningRate = 0.5;
      await train({ optimizer: sgd({ learningRate, momentum }) });
      const after = state(network);
      for (const [name, slope] of Object.entries(expected)) {
        const gradient = after[name].map((value, i) => (before[name][i] - value) / learningRate);
        expectClose(gradient, slope, { ...tolerance, label: `${name}, momentum ${momentum}` });
      }
      same(network, before);
    }
    expect(expected["layers.0.weights"]?.some((value) => Math.abs(value) > 1e-4) ?? true).toBe(true);
  });

  test.each(executors)("in evaluation, on the %s executor", async (executor) => {
    const network = make("tanh", executor);
    const expected = await slopes(network, async () => network.evaluate(x, targets).loss);
    const { layers } = network.gradients(x, targets);
    for (const [name, slope] of Object.entries(expected)) {
      const [, index, tensor] = name.split(".");
      expectClose(layers[Number(index)][tensor], slope, { ...tolerance, label: name });
    }
  });
});

const x = randomValues(40 * 4, 1);
const classes = Array.from({ length: 40 }, (_, r) => r % 3);

/** A network with everything in it. */
function make(options: Partial<NetworkOptions<"float64" | "float32", Layer[]>> = {}) {
  const layers: Layer[] = [
    new Dropout(0.1),
    new Dense(20, { activation: "relu" }),
    new BatchNormalization(),
    new Dropout(0.5),
    new Dense(10, { activation: "tanh", useBias: false }),
    new LayerNormalization(),
    new GaussianNoise(0.2),
    new Dense(3, { activation: "softmax" }),
  ];
  return new Network({ inputs: 4, layers, seed: 7, deterministic: true, ...options });
}

describe("a network with noise and normalization", () => {
  const train = (network: Network, options: FitOptions = {}) =>
    network.fit(x, classes, { learningRate: 0.1, batchSize: 16, ...options });

  test.each(dtypes)("trains to the same bits on 1 to 5 threads and both executors in %s", async (dtype) => {
    const networks = [1, 2, 3, 4, 5].map((threads) => make({ threads, dtype }));
    networks.push(make({ executor: reference, dtype }));
    networks.push(make({ executor: reference, threads: 3, dtype }));
    for (const network of networks) await train(network, { epochs: 3 });
    for (const network of networks) expect(state(network)).toEqual(state(networks[0]));
  });

  test("trains to the same bits with a momentum, on threads and the reference", async () => {
    const networks = [make(), make({ threads: 3 }), make({ executor: reference })];
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
    for (const network of networks) await network.fit(x, classes, { optimizer, batchSize: 16, epochs: 3 });
    for (const network of networks) expect(state(network)).toEqual(state(networks[0]));
  });

  test("trains in one call of two epochs as in two calls, whatever was predicted and evaluated between", async () => {
    const [once, twice] = [make(), make()];
    await train(once, { epochs: 2 });
    await train(twice);
    twice.predict(x);
    twice.evaluate(x, classes);
    await train(twice);
    expect(state(twice)).toEqual(state(once));
    expect(modelOf(twice).stepsTrained).toBe(6);
  });

  test("draws other noise in each step", async () => {
    const [one, other] = [make(), make()];
    modelOf(other).stepsTrained = 1;
    await train(one);
    await train(other);
    expect(state(other)).not.toEqual(state(one));
  });

  test("predicts and evaluates without noise, the same each time, and changes no running statistics", () => {
    const network = make();
    const before = state(network);
    const outputs = network.predict(x);
    expect(network.predict(x)).toEqual(outputs);
    expect(network.evaluate(x, classes)).toEqual(network.evaluate(x, classes));
    expect(state(network)).toEqual(before);
    // Each row by itself is what it is among others.
    const rows = Array.from({ length: 40 }, (_, r) => [...network.predict(x.subarray(4 * r, 4 * r + 4))]);
    expectClose(outputs, rows.flat(), { absolute: 1e-15 });
  });

  test("predicts in a callback what it predicts afterwards", async () => {
    for (const threads of [1, 2]) {
      const network = make({ threads });
      let seen: FloatArray | undefined;
      await train(network, {
        onEpoch: () => {
          seen = network.predict(x).slice();
        },
      });
      expect(network.predict(x)).toEqual(seen);
    }
  });

  test("has the running statistics of before when a fit fails, and draws the same noise again", async () => {
    const [one, other] = [make(), make()];
    for (const network of [one, other]) await train(network);
    const failing = { optimizer: sgd({ learningRate: 1e307 }), learningRate: undefined, batchSize: 5 };
    await expect(train(one, failing)).rejects.toThrow("diverged");
    expect(state(one)).toEqual(state(other));
    for (const network of [one, other]) await train(network);
    expect(state(one)).toEqual(state(other));
  });

  test("trains on inputs that are mostly zeros as on all", async () => {
    const sparse = x.map((value, i) => (i % 5 ? 0 : value));
    const [one, other] = [make(), make({ executor: reference })];
    for (const network of [one, other]) await network.fit(sparse, classes, { batchSize: 16 });
    expect(state(one)).toEqual(state(other));
  });
});

describe("Dropout", () => {
  test("emits nothing outside of training", () => {
    const layers = [new Dense(3), new Dropout(0.5), new Dense(2)];
    const network = new Network({ inputs: 2, layers, seed: 1 });
    const plain = new Network({ inputs: 2, layers: [new Dense(3), new Dense(2)], seed: 1 });
    const [a, b] = [network.layers, plain.layers];
    b[1].weights.set((a[2] as Dense).weights);
    expectSameBits(network.predict([1, 2, 3, 4]), plain.predict([1, 2, 3, 4]));
    expect(Op.dropout).toBeTypeOf("number");
    expect(layers[1].parameterCount).toBe(0);
  });

  test("makes no thread wait once more, and its way back is a product's epilogue", async () => {
    const planned = [];
    for (const between of [[], [new Dropout(0.5)]]) {
      const layers = [
        new Dense(32, { activation: "relu" }),
        ...between,
        new Dense(3, { activation: "linear" }),
      ];
      const network = new Network({ inputs: 4, layers, threads: 2 });
      const { executor } = modelOf(network as Network);
      const spy = vi.spyOn(executor, "runParallel");
      await network.fit(x, randomValues(40 * 3, 2), { batchSize: 40 });
      const [{ phases, count }] = spy.mock.calls[0];
      planned.push({ phases: phases.length, count });
    }
    // The dropout itself, and relu's derivative, whose product has an epilogue now.
    expect(planned[1]).toEqual({ phases: planned[0].phases, count: planned[0].count + 2 });
  });

  test("at rate 0 trains as if it were not there", async () => {
    const networks = [[new Dropout(0)], []].map(
      (between) =>
        new Network({
          inputs: 4,
          layers: [new Dense(6, { initializer: "ones" }), ...between, new Dense(3, { initializer: "ones" })],
        }),
    );
    const targets = randomValues(40 * 3, 3, 0, 1);
    for (const network of networks) await network.fit(x, targets, { shuffle: false, epochs: 2 });
    const [one, other] = networks.map((network) => Object.values(state(network as Network)));
    expect(one).toEqual(other);
  });

  test.each([1, -0.1, Number.NaN, "0.5", undefined])("refuses a rate of %s", (rate) => {
    expect(() => new Dropout(rate as number)).toThrow(
      /the rate of a Dropout is .*, but must be at least 0 and less than 1/,
    );
  });
});

describe("GaussianNoise refuses", () => {
  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("a stddev of %s", (stddev) => {
    expect(() => new GaussianNoise(stddev)).toThrow(
      `the stddev of a GaussianNoise is ${stddev}, but must be a finite number above 0, e.g. 0.1`,
    );
  });

  test("one whose numbers overflow", () => {
    const layers = [new GaussianNoise(1e38), new Dense(1)];
    expect(() => new Network({ inputs: 1, layers, dtype: "float32" })).toThrow(
      "overflow the network's float32",
    );
    expect(() => new Network({ inputs: 1, layers })).not.toThrow();
  });
});

describe("BatchNormalization", () => {
  const network = (options: object = {}) =>
    new Network({ inputs: 4, layers: [new Dense(3), new BatchNormalization(options)], seed: 1 });
  const targets = (rows: number) => randomValues(rows * 3, 2);

  test("has its tensors as live views, which start at what leaves the values", () => {
    const layer = new BatchNormalization();
    new Network({ inputs: 4, layers: [new Dense(3), layer] });
    const { gamma, beta, runningMean, runningVariance } = layer;
    expect([gamma, beta, runningMean, runningVariance].map((view) => [...view])).toEqual([
      [1, 1, 1],
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 1],
    ]);
    expect(layer.parameterCount).toBe(12);
    expect([layer.momentum, layer.epsilon, layer.trainable]).toEqual([0.1, 1e-5, true]);
  });

  test.each<[string, number, FitOptions, string]>([
    ["a batch of one row", 10, { batchSize: 1 }, "batchSize is 1, which makes a batch of 1 of the 10 rows"],
    [
      "a last batch of one row",
      10,
      { batchSize: 3 },
      "in each, also in the last, for its variance: take another batchSize, e.g. 4",
    ],
    [
      "a last batch of one row after validation",
      12,
      { batchSize: 3, validationSplit: 0.17 },
      "batchSize is 3, which makes a batch of 1 of the 10 rows",
    ],
    ["data of one row", 1, {}, "there is 1 row to train on, but a BatchNormalization needs at least 2"],
  ])("refuses %s, and changes nothing", async (_, rows, options, message) => {
    const one = network();
    const before = state(one);
    await expect(one.fit(x.subarray(0, rows * 4), targets(rows), options)).rejects.toThrow(message);
    expect(state(one)).toEqual(before);
    expect(modelOf(one).stepsTrained).toBe(0);
  });

  test("takes one row where it is frozen, and where a row has several positions", async () => {
    const frozen = network({ trainable: false });
    await expect(frozen.fit(x, targets(40), { batchSize: 1 })).resolves.toHaveLength(1);
    const layers = [new Dense(3), new BatchNormalization()];
    const positions = new Network({ inputs: [2, 4], layers });
    await expect(positions.fit(x, targets(40), { batchSize: 1 })).resolves.toHaveLength(1);
    expect(network().predict([1, 2, 3, 4])).toHaveLength(3);
    expect(network().evaluate([1, 2, 3, 4], [1, 2, 3]).loss).toBeGreaterThan(0);
  });

  test("at momentum 1 keeps the statistics of the last batch, at 0 those it began with", async () => {
    const layer = (momentum: number) => new BatchNormalization({ momentum });
    for (const momentum of [0, 1]) {
      const one = new Network({ inputs: 4, layers: [layer(momentum)] });
      await one.fit(x, x, { batchSize: 40 });
      const { runningMean, runningVariance } = one.layers[0];
      const column = (j: number) => Array.from({ length: 40 }, (_, r) => x[4 * r + j]);
      for (let j = 0; j < 4; j++) {
        const mean = column(j).reduce((sum, value) => sum + value, 0) / 40;
        const variance = column(j).reduce((sum, value) => sum + (value - mean) ** 2, 0) / 39;
        const expected = momentum === 1 ? [mean, variance] : [0, 1];
        expectClose([runningMean[j], runningVariance[j]], expected, { absolute: 1e-12 });
      }
    }
  });

  test.each<[object, string]>([
    [{ momentum: 1.5 }, "momentum is 1.5, but must be from 0 to 1, e.g. 0.1"],
    [{ momentum: "0.1" }, 'momentum is "0.1", but must be from 0 to 1'],
    [{ epsilon: 0 }, "epsilon is 0, but must be a finite number above 0, e.g. 1e-5"],
    [{ trainable: 1 }, "trainable is 1, but must be true or false"],
    [{ axis: 1 }, 'new BatchNormalization has no option "axis": it takes momentum, epsilon, trainable'],
  ])("refuses %j", (options, message) => {
    expect(() => new BatchNormalization(options)).toThrow(message);
  });

  test("refuses an epsilon that the element type does not hold, and a view before there is a network", () => {
    const layers = [new BatchNormalization({ epsilon: 1e-60 })];
    expect(() => new Network({ inputs: 1, layers, dtype: "float32" })).toThrow(
      "epsilon is 1e-60, which is 0 in the network's float32: take e.g. 1e-5",
    );
    expect(() => layers[0].gamma).toThrow("this BatchNormalization has no parameters yet");
    const proxy = new Proxy(layers[0], {});
    expect(() => proxy.gamma).toThrow("this is not a BatchNormalization, but perhaps a Proxy of one");
  });

  test("cannot be given to two networks", () => {
    const layers = [new BatchNormalization()];
    new Network({ inputs: 1, layers });
    expect(() => new Network({ inputs: 1, layers })).toThrow("make a new one, new BatchNormalization()");
  });
});

describe("LayerNormalization", () => {
  test("gives every vector of the last axis mean 0 and variance 1", () => {
    for (const dtype of dtypes) {
      const network = new Network({ inputs: [2, 20], layers: [new LayerNormalization()], dtype });
      const outputs = network.predict(randomValues(3 * 40, 1, -5, 5));
      for (let at = 0; at < outputs.length; at += 20) {
        const vector = Array.from(outputs.subarray(at, at + 20));
        const mean = vector.reduce((sum, value) => sum + value, 0) / 20;
        const variance = vector.reduce((sum, value) => sum + value * value, 0) / 20;
        // The epsilon of 1e-5 makes a variance of about 8 by a millionth smaller.
        expectClose([mean, variance], [0, 1], { absolute: 3e-6 });
      }
    }
  });

  test("refuses an unknown option", () => {
    expect(() => new LayerNormalization({ momentum: 1 } as object)).toThrow(
      'new LayerNormalization has no option "momentum": it takes epsilon, trainable',
    );
  });
});

describe("a frozen layer", () => {
  const options: FitOptions = { batchSize: 16, learningRate: 0.1 };
  const momentum: FitOptions = { batchSize: 16, optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }) };
  /** Names of the tensors that changed. */
  const changed = (network: Network, before: Record<string, FloatArray>) =>
    Object.entries(state(network))
      .filter(([name, values]) => values.some((value, i) => value !== before[name][i]))
      .map(([name]) => name);
  const owners = (names: string[]) => [...new Set(names.map((name) => Number(name.split(".")[1])))];
  const withParameters = [1, 2, 4, 5, 7];

  test.each([
    ["plain SGD", options],
    ["a momentum", momentum],
  ])("keeps its bits under %s, the others change", async (_, options) => {
    for (const frozen of [[1], [2], [7], [1, 2], [4, 5], [1, 2, 4, 5], [2, 7]]) {
      const network = make();
      for (const index of frozen) network.layers[index].trainable = false;
      const before = state(network);
      await network.fit(x, classes, options);
      expect(owners(changed(network, before)), `${frozen}`).toEqual(
        withParameters.filter((index) => !frozen.includes(index)),
      );
    }
  });

  test("trains on the same bits on threads and on the reference", async () => {
    const networks = [make(), make({ threads: 3 }), make({ executor: reference })];
    for (const network of networks) {
      for (const index of [1, 2, 5]) network.layers[index].trainable = false;
      await network.fit(x, classes, options);
    }
    for (const network of networks) expect(state(network)).toEqual(state(networks[0]));
  });

  test("leaves those above it what they would be", async () => {
    const layers = () => [new Dense(6, { activation: "tanh" }), new Dense(3, { activation: "softmax" })];
    const [free, frozen] = [layers(), layers()].map(
      (layers) => new Network({ inputs: 4, layers, seed: 3, deterministic: true }),
    );
    frozen.layers[0].trainable = false;
    // The first step moves the last layer alike, whether the first one moves or not.
    for (const network of [free, frozen]) await network.fit(x, classes, { batchSize: 40, shuffle: false });
    expectSameBits(frozen.layers[1].weights, free.layers[1].weights);
    expectSameBits(frozen.layers[1].biases, free.layers[1].biases);
    expect(frozen.layers[0].weights).not.toEqual(free.layers[0].weights);
  });

  test("goes on with what an optimizer kept of it when it is trained again", async () => {
    const [one, other] = [make(), make()];
    for (const network of [one, other]) {
      await network.fit(x, classes, momentum);
      for (const layer of network.layers) layer.trainable = layer === network.layers[7];
    }
    const velocity = (network: Network) => {
      const { store, heap } = modelOf(network);
      const slot = store.slot("sgd.velocity");
      const tensor = store.tensors.find(({ name }) => name === "layers.1.weights")!;
      return heap.elements(store.within(slot, tensor.region).offset, tensor.region.bytes / 8).slice();
    };
    const kept = velocity(one);
    await one.fit(x, classes, momentum);
    expect(velocity(one)).toEqual(kept);
    expect(kept.some((value) => value !== 0)).toBe(true);
    one.layers[1].trainable = true;
    await one.fit(x, classes, momentum);
    expect(velocity(one)).not.toEqual(kept);
  });

  test("makes no gradient of its inputs where nobody before it is trained, and none of itself", async () => {
    const emitted = async (trainable: (index: number) => boolean) => {
      const network = make();
      for (const [index, layer] of network.layers.entries()) layer.trainable = trainable(index);
      const { executor } = modelOf(network);
      const counts: number[] = [];
      const run = executor.run.bind(executor);
      vi.spyOn(executor, "run").mockImplementation((program, from, to) => {
        counts.push(program.count);
        run(program, from, to);
      });
      await network.fit(x, classes, { batchSize: 40, shuffle: false, learningRate: 0.1 });
      return counts[0];
    };
    const all = await emitted(() => true);
    const last = await emitted((index) => index === 7);
    const none = await emitted(() => false);
    // gather, oneHot, two dropouts, three products, columnMoments, two of normalize, normal, loss, report.
    expect(none).toBe(13);
    // Weights and biases of the last layer.
    expect(last).toBe(none + 2);
    expect(all).toBeGreaterThan(last + 8);
  });

  test("may be all of them: a fit then measures the loss", async () => {
    const network = make();
    for (const layer of network.layers) layer.trainable = false;
    const before = state(network);
    for (const given of [options, momentum]) await network.fit(x, classes, given);
    expect(state(network)).toEqual(before);
  });

  test("is told by an option, shown in the summary, and refuses what is no boolean", () => {
    const layers = [new Dense(3, { trainable: false }), new Dense(2)];
    const network = new Network({ inputs: 4, layers });
    expect(layers[0].trainable).toBe(false);
    expect(network.summary()).toContain("23 parameters");
    expect(network.summary()).toContain("8 of them trainable, 15 not");
    layers[0].trainable = true;
    expect(network.summary()).not.toContain("trainable");
    expect(() => {
      layers[0].trainable = "no" as never;
    }).toThrow('trainable is "no", but must be true or false');
  });
});

describe("a Dense layer without biases", () => {
  test("has none: no tensor, no parameters, an empty view", async () => {
    const layer = new Dense(3, { useBias: false, activation: "linear" });
    const network = new Network({ inputs: 4, layers: [layer], seed: 1 });
    expect([layer.parameterCount, network.parameterCount, layer.biases.length, layer.useBias]).toEqual([
      12,
      12,
      0,
      false,
    ]);
    expect(Object.keys(state(network))).toEqual(["layers.0.weights"]);
    expect([...network.predict([0, 0, 0, 0])]).toEqual([0, 0, 0]);
    await network.fit(x, randomValues(120, 2), { epochs: 2 });
    expect([...network.predict([0, 0, 0, 0])]).toEqual([0, 0, 0]);
  });

  test("begins with the weights of one with biases, for sparse inputs as well", async () => {
    const sparse = x.map((value, i) => (i % 5 ? 0 : value));
    const networks = [true, false].map(
      (useBias) =>
        new Network({ inputs: 4, layers: [new Dense(3, { useBias, activation: "linear" })], seed: 1 }),
    );
    expectSameBits(networks[1].predict(sparse), networks[0].predict(sparse));
    for (const network of networks) await network.fit(sparse, randomValues(120, 2), { batchSize: 40 });
    expectSameBits(networks[1].layers[0].weights, networks[0].layers[0].weights);
  });
});
