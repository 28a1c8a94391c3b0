// Optimizers: against PyTorch, on both executors, from one fit to the next, and what a failure leaves.

import { describe, expect, test, vi } from "vitest";
import { WasmExecutor } from "../src/executors/wasm/executor.js";
import {
  adagrad,
  adam,
  adamW,
  type BatchEntry,
  Dense,
  type FitOptions,
  lion,
  Network,
  type Optimizer,
  type PenaltyOptions,
  rmsprop,
  sgd,
} from "../src/index.js";
import { modelOf } from "../src/network.js";
import { makeOptimizer, optimizers } from "../src/optimizers.js";
import { chunksOf, Op, Variant } from "../src/program/builder.js";
import { namesOf } from "../src/table.js";
import { goldenNetworks, goldenTrajectories } from "./golden/networks.js";
import {
  type Bench,
  buildGolden,
  type DenseNetworkOptions,
  dtypes,
  type ExecutorOption,
  expectClose,
  expectSameBits,
  factors,
  Lab,
  makeClassifier as make,
  parameters,
  randomValues,
  reference,
  settings,
  sizes,
  wildValues,
} from "./helpers.js";

const ROWS = 40;
const x = randomValues(ROWS * 4, 1);
const classes = Array.from({ length: ROWS }, (_, r) => r % 3);

const factories = { sgd, rmsprop, adagrad, adam, adamW, lion };
/** Every optimizer that keeps something, in every variant of it. */
const kinds: [string, () => Optimizer][] = [
  ["a momentum", () => sgd({ learningRate: 0.1, momentum: 0.9 })],
  ["Nesterov's momentum", () => sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true })],
  ["rmsprop", () => rmsprop()],
  ["centered rmsprop with a momentum", () => rmsprop({ centered: true, momentum: 0.5, weightDecay: 0.1 })],
  ["adagrad", () => adagrad({ learningRate: 0.1 })],
  ["adam", () => adam({ learningRate: 0.01 })],
  ["amsgrad", () => adam({ learningRate: 0.01, beta2: 0.5, amsgrad: true })],
  ["adamW and clipped gradients", () => adamW({ learningRate: 0.01, clipNorm: 0.1, clipValue: 0.05 })],
  ["lion", () => lion({ learningRate: 0.01, weightDecay: 0.1 })],
];
/** Without anything that is kept. */
const steady: [string, () => Optimizer][] = [
  ["weight decay alone", () => sgd({ learningRate: 0.1, weightDecay: 0.1 })],
  ["a clipped norm alone", () => sgd({ learningRate: 0.1, clipNorm: 0.1 })],
  ["clipped values alone", () => sgd({ learningRate: 0.1, clipValue: 0.01 })],
];

describe.each(
  goldenTrajectories.map(
    ({ optimizer, options, layers = {}, network }, i) =>
      [optimizer, options, layers, network, goldenTrajectories[i]] as const,
  ),
)("%s(%j) with layers of %j takes PyTorch's twenty steps on %s", (make, _, layers, name, golden) => {
  // As in golden.test.ts: sums in another order.
  test.each<[ExecutorOption, "float64" | "float32", number]>([
    ["wasm", "float64", 1e-10],
    [reference, "float64", 1e-10],
    ["wasm", "float32", 1e-5],
  ])("on the %s executor in %s", async (executor, dtype, tolerance) => {
    const network = goldenNetworks.find((one) => one.name === name)!;
    const { x, targets, loss } = network;
    const trained = buildGolden(network, { executor, dtype }, layers);
    const epochs = golden.losses.length / 2;
    const history = [];
    for (const learningRate of [golden.learningRate, golden.learningRate / 2]) {
      const optimizer = makeOptimizer(make, { learningRate, ...golden.options });
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

/** The steps of all optimizers, as operations: what to do, and how many of the slots it has. */
const steps: [string, Op, number, (boolean | 0 | 1)[]][] = [
  ["momentum", Op.momentum, 0, [1]],
  ["Nesterov's momentum", Op.momentum, Variant.nesterov, [1]],
  ["adam", Op.adam, Variant.mean, [1, 1]],
  ["amsgrad", Op.adaptive, Variant.mean | Variant.maximum, [1, 1, 1]],
  ["rmsprop", Op.adaptive, 0, [0, 1]],
  ["rmsprop with a momentum", Op.adaptive, Variant.velocity, [1, 1]],
  ["centered rmsprop", Op.adaptive, Variant.centered, [0, 1, 1]],
  ["centered rmsprop with a momentum", Op.adaptive, Variant.velocity | Variant.centered, [1, 1, 1]],
  ["lion", Op.adaptive, Variant.sign, [1]],
];

/** Coefficients of twelve bits and less, by Rate and Setting. */
const rates = [-0.25, 0.125, 0.875];
const constants = [0.0625, 0.5, 0.75, 0.5, 0.25, 9, 9];
const FACTOR = 0.5;

/** What a step makes of one element, in float64, from the formulas in assembly/optimizers.ts. */
function stepOf(op: Op, variant: number, [first, second, third, w, g]: number[]) {
  const [rate, epsilon, keep] = op === Op.momentum ? [rates[0], 0, 1] : rates;
  const [weightDecay, decay1, share1, decay2, share2] = constants;
  const gradient = g * FACTOR + weightDecay * w;
  if (op === Op.momentum) {
    const v = decay1 * first + gradient;
    const direction = variant ? gradient + decay1 * v : v;
    return [v, second, third, w + rate * direction];
  }
  if (variant === Variant.sign) {
    const direction = Math.sign(decay1 * first + share1 * gradient);
    return [decay2 * first + share2 * gradient, second, third, keep * w + rate * direction];
  }
  const square = decay2 * second + share2 * gradient ** 2;
  const mean = decay2 * third + share2 * gradient;
  const maximum = Math.max(third, square);
  const under =
    variant & Variant.centered
      ? Math.max(0, square - mean ** 2)
      : variant & Variant.maximum
        ? maximum
        : square;
  const m = decay1 * first + share1 * gradient;
  const divided = (variant & Variant.mean ? m : gradient) / (Math.sqrt(under) + epsilon);
  const velocity = decay1 * first + divided;
  const direction = variant & Variant.velocity ? velocity : divided;
  return [
    variant & Variant.mean ? m : velocity,
    square,
    variant & Variant.centered ? mean : maximum,
    keep * w + rate * direction,
  ];
}

describe.each(settings)("a step in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);
  /** Squares are not negative. */
  const valuesOf = (values: typeof factors, size: number, slot: number) =>
    slot === 1 || slot === 2 ? values(size, slot).map(Math.abs) : values(size, slot);
  const emit =
    (op: Op, variant: number, has: (boolean | 0 | 1)[], size: number, values: typeof factors) =>
    (bench: Bench) => {
      // A root or a quotient makes a small difference of a sum larger: by the size of what is under it.
      const rounding = { epsilons: 256, of: new Float64Array(size).fill(100) };
      const slots = has.map((one, slot) =>
        one ? bench.inPlace(valuesOf(values, size, slot), rounding) : undefined,
      );
      bench.builder.update(op, {
        slots,
        parameters: bench.inPlace(values(size, 3), rounding),
        gradients: bench.input(values(size, 4)),
        size,
        // The second of two steps.
        rates: bench.place(Float64Array.of(7, 7, 7, ...rates)),
        stride: 24,
        settings: bench.place(Float64Array.from(constants)),
        factor: bench.builder.cell(FACTOR),
        variant,
      });
    };
  const second = { steps: [1, 2] as [number, number] };

  test.each(steps)("of %s leaves the same bits for every size", (_, op, variant, has) => {
    for (const size of sizes)
      lab.run(emit(op, variant, has, size, factors), { ...second, label: `size ${size}` });
    if (options.build === "relaxed") return;
    for (const size of sizes)
      lab.run(emit(op, variant, has, size, wildValues as typeof factors), {
        ...second,
        label: `wild, size ${size}`,
      });
  });

  test.each(steps)("of %s follows its formula", (_, op, variant, has) => {
    const size = 67;
    const outputs = lab.run(emit(op, variant, has, size, factors), second);
    const before = [0, 1, 2, 3, 4].map((slot) => valuesOf(factors, size, slot));
    const expected = Array.from({ length: size }, (_, i) =>
      stepOf(
        op,
        variant,
        before.map((values) => values[i]),
      ),
    );
    const places = [...has.flatMap((one, slot) => (one ? [slot] : [])), 3];
    expect(outputs).toHaveLength(places.length);
    for (const [index, place] of places.entries())
      expectClose(
        outputs[index],
        expected.map((values) => values[place]),
        { relative: 1e-5, absolute: 1e-5, label: `output ${place}` },
      );
  });

  test("has the bits of one thread on 2 to 5", async () => {
    for (const [, op, variant, has] of steps)
      for (const threads of [2, 3, 4, 5])
        await lab.runOnThreads(threads, emit(op, variant, has, 2001, factors), second);
  });

  const adjust = (size: number, values: typeof factors, limit: number) => (bench: Bench) => {
    const { builder } = bench;
    const rounding = { epsilons: 2, of: new Float64Array(size).fill(10) };
    const gradients = bench.inPlace(values(size, 1), rounding);
    const cells = [0.5, 0.25, limit].map((value) => builder.cell(value));
    builder.adjust(gradients, bench.input(values(size, 2)), size, cells[0], cells[1], cells[2]);
  };

  test("of penalties and limits leaves the same bits for every size, and follows its formula", () => {
    for (const size of sizes) {
      for (const limit of [1, Number.POSITIVE_INFINITY]) {
        const [adjusted] = lab.run(adjust(size, factors, limit), { label: `size ${size}` });
        const w = factors(size, 2);
        const sums = factors(size, 1).map((g, i) => g + 0.5 * Math.sign(w[i]) + 0.25 * w[i]);
        const expected = sums.map((sum) => Math.max(-limit, Math.min(limit, sum)));
        expectClose(adjusted, expected, { absolute: 1e-6, label: `size ${size}` });
      }
      if (options.build === "plain") lab.run(adjust(size, wildValues as typeof factors, 1));
    }
  });

  const clip = (size: number, values: typeof factors, limit: number) => (bench: Bench) => {
    const { builder } = bench;
    const chunks = chunksOf(size);
    const sums = bench.place(new Float64Array(chunks), { written: true });
    const factor = bench.place(new Float64Array(1), { written: true });
    builder.squares(sums, bench.input(values(size, 1)), size);
    builder.clipFactor(factor, sums, chunks, builder.cell(limit));
  };
  const large = [4095, 4096, 4097, 8192 + 13, 50_000];

  test("of a norm leaves the same bits for every size, and follows its formula", () => {
    for (const size of [...sizes, ...large]) {
      const [sums, [factor]] = lab.run(clip(size, factors, 3), { label: `size ${size}` });
      expect(sums).toHaveLength(Math.ceil(size / 4096));
      const norm = Math.hypot(...factors(size, 1));
      expect(factor).toBeCloseTo(Math.min(1, 3 / (norm + 1e-6)), 12);
      if (options.build === "plain") lab.run(clip(size, wildValues as typeof factors, 3));
    }
  });

  test("of a norm has the bits of one thread on 2 to 5", async () => {
    for (const threads of [2, 3, 4, 5])
      for (const size of large) await lab.runOnThreads(threads, clip(size, factors, 3));
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("of a norm that is %s has no factor", (value) => {
    const values = (size: number) => new Float64Array(size).fill(1).fill(value, size - 1);
    for (const size of [1, 9, 4097]) expect(lab.run(clip(size, values, 3))[1][0]).toBeNaN();
  });

  const bound = (rows: number, columns: number, values: typeof factors) => (bench: Bench) => {
    const rounding = { epsilons: 8 };
    const matrix = bench.inPlace(values(rows * columns, 1), rounding);
    bench.builder.maxNorm(matrix, rows, columns, bench.builder.cell(3));
  };

  test("that bounds the norms of columns leaves the same bits, and follows its formula", () => {
    for (const rows of [0, 1, 2, 5]) {
      for (const columns of sizes) {
        const label = `${rows} x ${columns}`;
        const [bounded] = lab.run(bound(rows, columns, factors), { label });
        const before = factors(rows * columns, 1);
        const norms = Array.from({ length: columns }, (_, j) =>
          Math.hypot(...before.filter((_, i) => i % columns === j)),
        );
        const expected = before.map((value, i) => {
          const norm = norms[i % columns];
          return norm > 3 ? (value * 3) / (norm + 1e-7) : value;
        });
        expectClose(bounded, expected, { absolute: 2e-6, label });
        if (options.build === "plain") lab.run(bound(rows, columns, wildValues as typeof factors), { label });
      }
    }
  });

  test("that bounds the norms of columns has the bits of one thread on 2 to 5", async () => {
    for (const threads of [2, 3, 4, 5]) await lab.runOnThreads(threads, bound(40, 67, factors));
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

  test.each([...kinds, ...steady])("with %s trains otherwise than without", async (_, optimizer) => {
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { learningRate: 0.1, epochs: 2 });
    await other.fit(x, classes, { optimizer: optimizer(), epochs: 2 });
    expect(parameters(one)).not.toEqual(parameters(other));
  });

  test.each([...kinds, ...steady])(
    "with %s: two calls of fit are one of twice the epochs",
    async (_, optimizer) => {
      for (const dtype of dtypes) {
        const [once, twice] = [make({ dtype }), make({ dtype })];
        await once.fit(x, classes, { optimizer: optimizer(), epochs: 4 });
        await twice.fit(x, classes, { optimizer: optimizer(), epochs: 2 });
        twice.predict([1, 2, 3, 4]);
        twice.evaluate(x, classes);
        await twice.fit(x, classes, { optimizer: optimizer(), epochs: 2 });
        expectSameBits(parameters(twice), parameters(once));
      }
    },
  );

  test.each(kinds)("with %s goes on where it was after a fit without", async (_, optimizer) => {
    const still = { learningRate: Number.MIN_VALUE * 2 ** 60, epochs: 1 };
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    await one.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    await other.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    await other.fit(x, classes, { ...still, shuffle: false });
    await other.fit(x, classes, { optimizer: optimizer(), shuffle: false });
    expectSameBits(parameters(other), parameters(one));
  });

  test.each([...kinds, ...steady])(
    "with %s leaves the same bits on 1 to 5 and 8 threads",
    async (_, optimizer) => {
      const networks = [1, 2, 3, 4, 5, 8].map((threads) => make({ threads }));
      for (const network of networks)
        await network.fit(x, classes, { optimizer: optimizer(), epochs: 2, batchSize: 15 });
      for (const network of networks) expectSameBits(parameters(network), parameters(networks[0]));
    },
  );

  test.each([...kinds, ...steady])("with %s leaves the same bits on both executors", async (_, optimizer) => {
    for (const dtype of dtypes) {
      const [one, other] = [make({ dtype, deterministic: true }), make({ dtype, executor: reference })];
      for (const network of [one, other])
        await network.fit(x, classes, { optimizer: optimizer(), epochs: 3 });
      expectSameBits(parameters(one), parameters(other));
    }
  });

  test.each(namesOf(optimizers))(
    "may be given by its name: %s, with a learning rate or its own",
    async (name) => {
      for (const rate of [{}, { learningRate: 0.03 }]) {
        const [one, other] = [make(), make()];
        await one.fit(x, classes, { optimizer: name, ...rate });
        await other.fit(x, classes, { optimizer: factories[name](rate) });
        expectSameBits(parameters(one), parameters(other));
        expect(factories[name](rate)).toMatchObject({ name, ...rate });
      }
    },
  );

  test("may change between calls of fit, and goes on with what it keeps", async () => {
    const optimizer = adam({ learningRate: 0.01 });
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { optimizer, shuffle: false });
    await other.fit(x, classes, { optimizer: adam({ learningRate: 0.01 }), shuffle: false });
    optimizer.learningRate = 0.02;
    optimizer.beta1 = 0.5;
    optimizer.amsgrad = true;
    optimizer.clipNorm = 0.1;
    await one.fit(x, classes, { optimizer, shuffle: false });
    const same = adam({ learningRate: 0.02, beta1: 0.5, amsgrad: true, clipNorm: 0.1 });
    await other.fit(x, classes, { optimizer: same, shuffle: false });
    expectSameBits(parameters(one), parameters(other));
    // Nothing remembers the settings of before.
    optimizer.clipNorm = undefined;
    await one.fit(x, classes, { optimizer, shuffle: false });
    await other.fit(x, classes, {
      optimizer: adam({ learningRate: 0.02, beta1: 0.5, amsgrad: true }),
      shuffle: false,
    });
    expectSameBits(parameters(one), parameters(other));
  });

  test("that changes in the middle of a fit does so in the next", async () => {
    const optimizer = adam({ learningRate: 0.01 });
    const [one, other] = [make(), make()];
    const onEpoch = () => {
      optimizer.learningRate = 1;
    };
    await one.fit(x, classes, { optimizer, epochs: 3, onEpoch });
    await other.fit(x, classes, { optimizer: adam({ learningRate: 0.01 }), epochs: 3 });
    expectSameBits(parameters(one), parameters(other));
  });

  test("counts its steps, those of a fit that is aborted too", async () => {
    for (const threads of [1, 2]) {
      const network = make({ threads });
      const { heap, store } = modelOf(network);
      const steps = () => heap.f64[store.slot("adam.steps", 8).offset / 8];
      await network.fit(x, classes, { optimizer: "adam", batchSize: 10, epochs: 2 });
      expect(steps()).toBe(8);
      const controller = new AbortController();
      const onBatch = ({ batch }: BatchEntry) => {
        if (batch === 3) controller.abort();
      };
      const { signal } = controller;
      const aborted = network.fit(x, classes, { optimizer: "adam", batchSize: 10, onBatch, signal });
      await expect(aborted).rejects.toThrow();
      expect(steps()).toBe(11);
      await network.fit(x, classes, { optimizer: "adamW", batchSize: 10 });
      expect(steps()).toBe(11);
    }
  });

  test("clips the norm of all gradients together", async () => {
    const [one, other] = [make(), make()];
    const before = parameters(one);
    const all = { batchSize: ROWS, shuffle: false };
    await one.fit(x, classes, { ...all, optimizer: sgd({ learningRate: 1, clipNorm: 0.01 }) });
    await other.fit(x, classes, { ...all, optimizer: sgd({ learningRate: 1 }) });
    const steps = [one, other].map((network) => parameters(network).map((value, i) => value - before[i]));
    const norms = steps.map((step) => Math.hypot(...step));
    expect(norms[1]).toBeGreaterThan(0.1);
    expect(norms[0]).toBeCloseTo((0.01 * norms[1]) / (norms[1] + 1e-6), 12);
    const expected = steps[1].map((value) => (value * norms[0]) / norms[1]);
    expectClose(steps[0], expected, { absolute: 1e-12 });
  });

  test("can be used for several networks, each with a velocity of its own", async () => {
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
    const [one, other] = [make(), make()];
    await one.fit(x, classes, { optimizer, epochs: 3 });
    await other.fit(x, classes, { optimizer, epochs: 3 });
    expectSameBits(parameters(other), parameters(one));
  });

  test("takes no setting that it does not have, nor another name", () => {
    const optimizer = adam() as unknown as Record<string, unknown>;
    optimizer.beta1 = 0.8;
    expect(() => {
      optimizer.momentum = 0.9;
    }).toThrow(TypeError);
    expect(() => {
      optimizer.name = "sgd";
    }).toThrow(TypeError);
  });
});

describe("weights with penalties", () => {
  const penalized: [string, PenaltyOptions][] = [
    ["l1", { l1: 0.01 }],
    ["l2", { l2: 0.01 }],
    ["maxNorm", { maxNorm: 0.5 }],
    ["all", { l1: 0.01, l2: 0.01, maxNorm: 0.5 }],
  ];
  const build = (penalties: PenaltyOptions, options: Partial<DenseNetworkOptions> = {}) => {
    const layers = [
      new Dense(5, { activation: "tanh", ...penalties }),
      new Dense(3, { activation: "softmax" }),
    ];
    return new Network({ inputs: 4, layers, seed: 7, ...options });
  };

  test.each(penalized)("%s: the same bits on both executors and 1 to 5 threads", async (_, penalties) => {
    for (const dtype of dtypes) {
      for (const optimizer of ["sgd", "adam"] as const) {
        const networks = [1, 2, 3, 4, 5].map((threads) =>
          build(penalties, { dtype, threads, deterministic: true }),
        );
        networks.push(build(penalties, { dtype, executor: reference }));
        const without = build({}, { dtype, deterministic: true });
        for (const network of [...networks, without])
          await network.fit(x, classes, { optimizer, epochs: 2, learningRate: 0.05, batchSize: 15 });
        for (const network of networks) expectSameBits(parameters(network), parameters(networks[0]));
        expect(parameters(without)).not.toEqual(parameters(networks[0]));
      }
    }
  });

  test("report the loss of the data alone", async () => {
    const [one, other] = [build({ l1: 1, l2: 1 }), build({})];
    const all = { batchSize: ROWS, shuffle: false };
    const [[a], [b]] = [await one.fit(x, classes, all), await other.fit(x, classes, all)];
    expect(a.loss).toBe(b.loss);
  });

  test("of an l1 become small, and within maxNorm none is larger", async () => {
    const network = build({ l1: 0.5 });
    await network.fit(x, classes, { epochs: 200, learningRate: 0.01 });
    expect(Math.max(...network.layers[0].weights.map(Math.abs))).toBeLessThan(0.02);
    const bounded = build({ maxNorm: 0.25 });
    await bounded.fit(x, classes, { epochs: 20, learningRate: 0.5 });
    const { weights } = bounded.layers[0];
    for (let j = 0; j < 5; j++)
      expect(Math.hypot(...weights.filter((_, i) => i % 5 === j))).toBeLessThanOrEqual(0.25);
  });

  test.each<[object, string]>([
    [{ l1: -0.1 }, "l1 is -0.1, but must be a finite number of at least 0"],
    [{ l2: Number.NaN }, "l2 is NaN, but must be a finite number of at least 0"],
    [{ l2: "1" }, 'l2 is "1", but must be a finite number of at least 0'],
    [{ maxNorm: 0 }, "maxNorm is 0, but must be a finite number above 0, or undefined for none"],
  ])("are refused: %j", (options, message) => {
    expect(() => new Dense(3, options)).toThrow(message);
  });
});

describe("a gradient that overflows", () => {
  /** Finite losses of about 1e300, and gradients of about 1e160, whose squares are not finite. */
  const steep = (optimizer: Optimizer) => {
    const network = new Network({ inputs: 1, layers: [new Dense(1, { activation: "linear" })], seed: 1 });
    return network.fit([1e10, 1e10], [1e150, 1e150], { optimizer, batchSize: 2 });
  };

  test("is no step that passes unnoticed: of a clipped norm the parameters, of squares what is kept", async () => {
    await expect(steep(sgd({ clipNorm: 1 }))).rejects.toThrow(
      "a parameter was no longer finite after batch 1 of 1",
    );
    await expect(steep(adam())).rejects.toThrow(
      "what the optimizer keeps of a parameter was no longer finite after batch 1 of 1",
    );
  });
});

describe.each([
  ["a momentum", sgd({ learningRate: 0.1, momentum: 0.9 }), sgd({ learningRate: 1.7e308, momentum: 0.99 })],
  ["adam", adam({ learningRate: 0.1 }), adam({ learningRate: 1.7e308 })],
  ["clipped amsgrad", adam({ amsgrad: true, clipNorm: 0.1 }), adam({ amsgrad: true, learningRate: 1.7e308 })],
])("a fit with %s that fails leaves the network as before:", (_, optimizer, diverging) => {
  /** What the next fit makes of a network, the velocity included. */
  async function next(network: Network): Promise<Float64Array> {
    await network.fit(x, classes, { optimizer, shuffle: false });
    return parameters(network);
  }

  test.each<[string, FitOptions]>([
    ["the training diverges", { optimizer: diverging, batchSize: 1 }],
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

describe("an optimizer refuses", () => {
  test.each<[string, () => unknown, string]>([
    [
      "a decay of 1",
      () => adam({ beta2: 1 }),
      "beta2 is 1, but must be at least 0 and less than 1, e.g. 0.9",
    ],
    [
      "a rho below 0",
      () => rmsprop({ rho: -1 }),
      "rho is -1, but must be at least 0 and less than 1, e.g. 0.9",
    ],
    ["no epsilon", () => adam({ epsilon: 0 }), "epsilon is 0, but must be a finite number above 0"],
    [
      "a weight decay below 0",
      () => adamW({ weightDecay: -1 }),
      "weightDecay is -1, but must be a finite number of at",
    ],
    [
      "a norm of 0",
      () => lion({ clipNorm: 0 }),
      "clipNorm is 0, but must be a finite number above 0, or undefined for",
    ],
    [
      "an infinite value",
      () => sgd({ clipValue: 1 / 0 }),
      "clipValue is Infinity, but must be a finite number above 0",
    ],
    [
      "amsgrad as a text",
      () => adam({ amsgrad: "yes" as never }),
      'amsgrad is "yes", but must be true or false',
    ],
    ["null for a setting", () => adam({ beta1: null as never }), "beta1 is null, but must be at least 0"],
    [
      "another's option",
      () => lion({ epsilon: 1 } as never),
      'lion has no option "epsilon": it takes learningRate, beta1',
    ],
    ["no object", () => adagrad(0.1 as never), "adagrad takes an options object, but got 0.1"],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(message);
  });
});

describe("fit refuses a setting that was changed into", () => {
  test.each<[string, object, string]>([
    ["no share", { beta1: 1 }, "beta1 is 1, but must be at least 0 and less than 1, e.g. 0.9"],
    [
      "no number",
      { clipNorm: "1" },
      'clipNorm is "1", but must be a finite number above 0, or undefined for none',
    ],
    ["no rate", { learningRate: 0 }, "learningRate is 0, but must be a finite number above 0"],
    ["what float32 has not", { epsilon: 1e-60 }, "epsilon is 1e-60, which is 0 in the network's float32"],
    [
      "a limit that float32 has not",
      { clipValue: 1e-60 },
      "clipValue is 1e-60, which is 0 in the network's float32",
    ],
  ])("%s", async (_, change, message) => {
    const network = make({ dtype: "float32" });
    const before = parameters(network);
    const { top } = modelOf(network).heap;
    const optimizer = adam();
    Object.assign(optimizer, change);
    await expect(network.fit(x, classes, { optimizer })).rejects.toThrow(message);
    expectSameBits(parameters(network), before);
    expect(modelOf(network).heap.top).toBe(top);
  });

  test("Nesterov without a momentum", async () => {
    const optimizer = sgd({ momentum: 0.9, nesterov: true });
    optimizer.momentum = 0;
    await expect(make().fit(x, classes, { optimizer })).rejects.toThrow(
      "nesterov is true, but without a momentum",
    );
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
      'optimizer is an object (Object), but must be one of "sgd", "rmsprop", "adagrad", "adam", "adamW", "lion", or what a ' +
        "factory returns, e.g. adam()",
    ],
    [
      "the factory itself",
      { optimizer: sgd },
      'optimizer is a function, but must be one of "sgd", "rmsprop"',
    ],
    ["null", { optimizer: null }, 'optimizer is null, but must be one of "sgd", "rmsprop"'],
    ["an unknown name", { optimizer: "Adam" }, 'optimizer is "Adam", but must be one of "sgd", "rmsprop"'],
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
