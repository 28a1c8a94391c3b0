// Optimizers: against PyTorch, on both executors, from one fit to the next, and what a failure leaves.

import { describe, expect, test, vi } from "vitest";
import { WasmExecutor } from "../src/executors/wasm/executor.js";
import { type ExecutorName, type FitOptions, type Network, type Optimizer, sgd } from "../src/index.js";
import { modelOf } from "../src/network.js";
import { goldenNetworks, goldenTrajectories } from "./golden/networks.js";
import {
  buildGolden,
  dtypes,
  expectClose,
  expectSameBits,
  factors,
  Lab,
  makeClassifier as make,
  parameters,
  randomValues,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

const ROWS = 40;
const x = randomValues(ROWS * 4, 1);
const classes = Array.from({ length: ROWS }, (_, r) => r % 3);

const momenta: [string, () => Optimizer][] = [
  ["a momentum", () => sgd({ learningRate: 0.1, momentum: 0.9 })],
  ["Nesterov's momentum", () => sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true })],
];

describe.each(
  goldenTrajectories.map((golden) => [JSON.stringify(golden.options), golden.network, golden] as const),
)("sgd(%s) takes PyTorch's twenty steps on %s", (_, name, golden) => {
  // As in golden.test.ts: sums in another order.
  test.each<[ExecutorName, "float64" | "float32", number]>([
    ["wasm", "float64", 1e-10],
    ["reference", "float64", 1e-10],
    ["wasm", "float32", 1e-5],
  ])("on the %s executor in %s", async (executor, dtype, tolerance) => {
    const network = goldenNetworks.find((one) => one.name === name)!;
    const { x, targets, loss } = network;
    const trained = buildGolden(network, { executor, dtype });
    const epochs = golden.losses.length / 2;
    const history = [];
    for (const learningRate of [golden.learningRate, golden.learningRate / 2]) {
      const optimizer = sgd({ learningRate, ...golden.options });
      const options = { epochs, batchSize: x.length, loss, shuffle: false, optimizer };
      history.push(...(await trained.fit(x, targets, options)));
    }
    const close = { relative: tolerance, absolute: tolerance };
    expectClose(
      history.map((entry) => entry.loss),
      golden.losses,
      close,
    );
    for (const [i, { weights, biases }] of trained.layers.entries()) {
      expectClose(weights, golden.finalWeights[i], { ...close, label: `weights of layer ${i}` });
      expectClose(biases, golden.finalBiases[i], { ...close, label: `biases of layer ${i}` });
    }
  });
});

describe.each(settings)("a step with a momentum in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  const run = (size: number, values: typeof factors, nesterov: boolean) =>
    lab.run(
      (bench) => {
        const { builder } = bench;
        // Of exact products a fused multiply-add and a separate one make the same sum but for its rounding.
        const rounding = { epsilons: 2, of: new Float64Array(size).fill(100) };
        const velocity = bench.inPlace(values(size, 1), rounding);
        const parameters = bench.inPlace(values(size, 2), rounding);
        const gradients = bench.input(values(size, 3));
        const update = { parameters, gradients, size, rate: builder.cell(-0.25) };
        builder.momentum(update, velocity, builder.cell(0.5), nesterov);
      },
      { label: `size ${size}` },
    );

  test.each([false, true])("leaves the same bits for every size, with nesterov: %s", (nesterov) => {
    for (const size of sizes) run(size, factors, nesterov);
    if (options.build === "plain")
      for (const size of sizes) run(size, wildValues as typeof factors, nesterov);
  });

  test.each([false, true])("follows its formula, with nesterov: %s", (nesterov) => {
    const [velocity, weights] = run(67, factors, nesterov);
    const [v, w, g] = [1, 2, 3].map((seed) => factors(67, seed));
    const expected = v.map((value, i) => 0.5 * value + g[i]);
    expectClose(velocity, expected, { absolute: 1e-6 });
    const steps = expected.map((value, i) => (nesterov ? g[i] + 0.5 * value : value));
    expectClose(
      weights,
      w.map((value, i) => value - 0.25 * steps[i]),
      { absolute: 1e-6 },
    );
  });

  test("has the bits of one thread on three", async () => {
    await lab.runOnThreads(3, (bench) => {
      const { builder } = bench;
      const size = 5001;
      const [parameters, velocity] = [bench.inPlace(factors(size, 1)), bench.inPlace(factors(size, 2))];
      const update = {
        parameters,
        gradients: bench.input(factors(size, 3)),
        size,
        rate: builder.cell(-0.25),
      };
      builder.momentum(update, velocity, builder.cell(0.5), true);
    });
  });
});

describe("an optimizer", () => {
  test("of plain SGD is what a learningRate alone is", async () => {
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { learningRate: 0.3 });
    await other.fit(x, classes, { optimizer: sgd({ learningRate: 0.3 }) });
    expect(parameters(one)).toEqual(parameters(other));
  });

  test("has a learning rate of 0.01 unless told otherwise, as fit has", async () => {
    const [one, other] = [make(), make()];
    await one.fit(x, classes);
    await other.fit(x, classes, { optimizer: sgd() });
    expect(parameters(one)).toEqual(parameters(other));
    expect(sgd()).toMatchObject({ name: "sgd", learningRate: 0.01 });
  });

  test.each(momenta)("with %s trains otherwise than without", async (_, optimizer) => {
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { learningRate: 0.1, epochs: 2 });
    await other.fit(x, classes, { optimizer: optimizer(), epochs: 2 });
    expect(parameters(one)).not.toEqual(parameters(other));
  });

  test.each(momenta)("with %s: two calls of fit are one of twice the epochs", async (_, optimizer) => {
    for (const dtype of dtypes) {
      const [once, twice] = [make({ dtype }), make({ dtype })];
      await once.fit(x, classes, { optimizer: optimizer(), epochs: 4 });
      await twice.fit(x, classes, { optimizer: optimizer(), epochs: 2 });
      twice.predict([1, 2, 3, 4]);
      twice.evaluate(x, classes);
      await twice.fit(x, classes, { optimizer: optimizer(), epochs: 2 });
      expectSameBits(parameters(twice), parameters(once));
    }
  });

  test.each(momenta)("with %s goes on where it was after a fit without", async (_, optimizer) => {
    const still = { learningRate: Number.MIN_VALUE * 2 ** 60, epochs: 1 };
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    await one.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    await other.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    await other.fit(x, classes, { ...still, shuffle: false });
    await other.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    expectSameBits(parameters(other), parameters(one));
  });

  test.each(momenta)("with %s leaves the same bits on 1, 2, 3 and 8 threads", async (_, optimizer) => {
    const networks = [1, 2, 3, 8].map((threads) => make({ threads }));
    for (const network of networks) await network.fit(x, classes, { optimizer: optimizer(), epochs: 3 });
    for (const network of networks) expectSameBits(parameters(network), parameters(networks[0]));
  });

  test("can be used for several networks, each with a velocity of its own", async () => {
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { optimizer, epochs: 3 });
    await other.fit(x, classes, { optimizer, epochs: 3 });
    expectSameBits(parameters(other), parameters(one));
  });

  test("cannot be changed", () => {
    expect(Object.isFrozen(sgd({ momentum: 0.5 }))).toBe(true);
  });
});

describe("a fit with a momentum that fails leaves the network as before:", () => {
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
  /** What the next fit makes of a network, the velocity included. */
  async function next(network: Network): Promise<Float64Array> {
    await network.fit(x, classes, { optimizer, shuffle: false });
    return parameters(network);
  }

  test.each<[string, FitOptions]>([
    ["the training diverges", { optimizer: sgd({ learningRate: 1.7e308, momentum: 0.99 }), batchSize: 1 }],
    ["a callback throws in the first epoch", { optimizer, onEpoch: () => expect.fail("on purpose") }],
  ])("%s", async (name, options) => {
    const [one, other] = [make(), make()];
    for (const network of [one, other]) await network.fit(x, classes, { optimizer, shuffle: false });
    await expect(one.fit(x, classes, { ...options, shuffle: false })).rejects.toThrow();
    // A callback's error comes after a whole epoch, which stays.
    if (name.startsWith("a callback")) await other.fit(x, classes, { optimizer, shuffle: false });
    expectSameBits(parameters(one), parameters(other));
    // The failed epoch does not count, so both shuffle alike.
    expectSameBits(await next(one), await next(other));
  });

  test("a worker dies in the middle of an epoch", async () => {
    const { RunFailure } = await import("../src/executors/executor.js");
    const [one, other] = [make({ threads: 2 }), make({ threads: 2 })];
    for (const network of [one, other]) await network.fit(x, classes, { optimizer, shuffle: false });
    const run = WasmExecutor.prototype.runParallel;
    const spy = vi.spyOn(WasmExecutor.prototype, "runParallel").mockImplementation(async function (
      this: WasmExecutor,
      ...given
    ) {
      await run.apply(this, given);
      throw new RunFailure("a worker died");
    });
    await expect(one.fit(x, classes, { optimizer, shuffle: false })).rejects.toThrow("a worker died");
    spy.mockRestore();
    expectSameBits(parameters(one), parameters(other));
    expectSameBits(await next(one), await next(other));
  });

  test("it has no memory for its data", async () => {
    const network = make();
    const before = parameters(network);
    vi.spyOn(modelOf(network).executor, "grow").mockImplementation(() => {
      throw new RangeError("no");
    });
    const many = new Float64Array(4 * 100_000);
    const targets = new Uint8Array(100_000);
    await expect(network.fit(many, targets, { optimizer })).rejects.toThrow("memory would have to grow");
    vi.restoreAllMocks();
    expect(parameters(network)).toEqual(before);
    await expect(network.fit(x, classes, { optimizer })).resolves.toHaveLength(1);
  });
});

describe("sgd refuses", () => {
  test.each<[string, object, string]>([
    ["an unknown option", { rate: 1 }, 'sgd has no option "rate": it takes learningRate, momentum, nesterov'],
    ["a learning rate of 0", { learningRate: 0 }, "learningRate is 0, but must be a finite number above 0"],
    ["a momentum of 1", { momentum: 1 }, "momentum is 1, but must be at least 0 and less than 1, e.g. 0.9"],
    [
      "a negative one",
      { momentum: -0.1 },
      "momentum is -0.1, but must be at least 0 and less than 1, e.g. 0.9",
    ],
    [
      "one that is no number",
      { momentum: "0.9" },
      'momentum is "0.9", but must be at least 0 and less than 1',
    ],
    ["NaN", { momentum: Number.NaN }, "momentum is NaN, but must be at least 0 and less than 1, e.g. 0.9"],
    ["nesterov as a number", { momentum: 0.9, nesterov: 1 }, "nesterov is 1, but must be true or false"],
    ["nesterov without a momentum", { nesterov: true }, "nesterov is true, but without a momentum"],
  ])("%s", (_, options, message) => {
    expect(() => sgd(options)).toThrow(message);
  });
});

describe("fit refuses", () => {
  test.each<[string, object, string]>([
    [
      "an optimizer beside a learning rate",
      { optimizer: sgd(), learningRate: 0.1 },
      "both optimizer and learningRate are given: pass the learningRate to the optimizer",
    ],
    [
      "an optimizer that no factory made",
      { optimizer: { name: "sgd", learningRate: 1 } },
      "optimizer is an object (Object), but must be what sgd() returns",
    ],
    ["the factory itself", { optimizer: sgd }, "optimizer is a function, but must be what sgd() returns"],
    ["null", { optimizer: null }, "optimizer is null, but must be what sgd() returns"],
    [
      "a learning rate that float32 does not hold",
      { optimizer: sgd({ learningRate: 1e-60 }) },
      "learningRate is 1e-60, which is 0 in the network's float32",
    ],
  ])("%s", async (_, options, message) => {
    const network = make({ dtype: "float32" });
    const before = parameters(network);
    await expect(network.fit(x, classes, options as FitOptions)).rejects.toThrow(message);
    expect(parameters(network)).toEqual(before);
    await expect(network.fit(x, classes)).resolves.toHaveLength(1);
  });
});
