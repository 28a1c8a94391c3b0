// What holds for every network and every data set, tried on random ones.

import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { activations } from "../src/activations.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import {
  adagrad,
  adam,
  adamW,
  BatchNormalization,
  Dense,
  Dropout,
  GaussianNoise,
  type Layer,
  LayerNormalization,
  lion,
  Network,
  type Optimizer,
  rmsprop,
  type Schedule,
  sgd,
} from "../src/index.js";

import { modelOf } from "../src/network.js";
import { namesOf } from "../src/table.js";
import { dtypes, type ExecutorOption, random, randomValues, reference } from "./helpers.js";

/** Small, for large layers of relus must not diverge. */
const learningRate = 0.01;

/** Another rate each step, the same ones in every epoch. */
const falling: Schedule = (step, _, { stepsPerEpoch }) => learningRate / (1 + (step % stepsPerEpoch));
/** All but the exponential, of which an exponential diverges at any learning rate. */
const tame = namesOf(activations).filter((name) => name !== "exponential");

/** A random network and what to train it with. */
const problems = fc.record({
  inputs: fc.integer({ min: 1, max: 70 }),
  hidden: fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 70 }),
      activation: fc.constantFrom(...tame.filter((name) => !activations[name].onlyLast)),
      useBias: fc.boolean(),
      trainable: fc.boolean(),
      behind: fc.constantFrom("nothing", "dropout", "noise", "batch", "layer"),
    }),
    { maxLength: 2 },
  ),
  outputs: fc.integer({ min: 1, max: 70 }),
  last: fc.constantFrom(...tame),
  rows: fc.integer({ min: 1, max: 70 }),
  batchSize: fc.integer({ min: 1, max: 80 }),
  shuffle: fc.boolean(),
  dtype: fc.constantFrom(...dtypes),
  seed: fc.integer({ min: 0, max: 2 ** 53 - 1 }),
  inputScale: fc.constantFrom(1, 1 / 255),
  /** Share of inputs that are not zero: below 0.4 the first layer walks only those. */
  density: fc.constantFrom(1, 0.5, 0.2, 0),
  threads: fc.integer({ min: 1, max: 8 }),
  optimizer: fc.constantFrom<(() => Optimizer)[]>(
    () => sgd({ learningRate }),
    () => sgd({ learningRate, momentum: 0.5 }),
    () => sgd({ learningRate, momentum: 0.5, nesterov: true }),
    () => sgd({ learningRate: falling, weightDecay: 0.1, clipValue: 0.01 }),
    () => rmsprop({ learningRate: 1e-3 }),
    () => rmsprop({ learningRate: 1e-3, centered: true, momentum: 0.5 }),
    () => adagrad({ learningRate }),
    () => adam({ learningRate: 1e-3 }),
    () => adam({ learningRate: falling, amsgrad: true, clipNorm: 0.1 }),
    () => adamW({ learningRate: 1e-3 }),
    () => lion({ learningRate: 1e-3, weightDecay: 0.1 }),
  ),
});
type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never;

function build(problem: Problem, executor: ExecutorOption = "wasm"): Network {
  const { rows, batchSize } = problem;
  // A batch of one row has no variance.
  const alone = rows === 1 || batchSize === 1 || rows % batchSize === 1;
  const others: Record<Problem["hidden"][0]["behind"], () => Layer[]> = {
    nothing: () => [],
    dropout: () => [new Dropout(0.3)],
    noise: () => [new GaussianNoise(0.1)],
    batch: () => (alone ? [] : [new BatchNormalization()]),
    layer: () => [new LayerNormalization()],
  };
  const hidden = problem.hidden.flatMap(({ size, behind, ...options }) => [
    new Dense(size, options),
    ...others[behind](),
  ]);
  const layers: Layer[] = [...hidden, new Dense(problem.outputs, { activation: problem.last })];
  return new Network({
    inputs: problem.inputs,
    layers,
    dtype: problem.dtype,
    seed: problem.seed,
    inputScale: problem.inputScale,
    deterministic: true,
    threads: problem.threads,
    executor,
  });
}

/** Inputs from -1 to 1; targets from 0 to 1, classes for a softmax or its logarithm. */
function makeData({ inputs, outputs, last, rows, density }: Problem) {
  const chance = random(3);
  const x = randomValues(rows * inputs, 1, -1, 1).map((value) => (chance() < density ? value : 0));
  const classes = Array.from({ length: rows }, (_, r) => (7 * r) % outputs);
  if (!activations[last].onlyLast) return { x, t: randomValues(rows * outputs, 2, 0, 1) };
  // A softmax of one output is 1 whatever its logit.
  return { x, t: outputs > 1 ? classes : new Float64Array(rows).fill(1) };
}

function train(network: Network, problem: Problem, { epochs = 2, shuffle = problem.shuffle } = {}) {
  const { x, t } = makeData(problem);
  const { batchSize } = problem;
  return network.fit(x, t, { epochs, batchSize, optimizer: problem.optimizer(), shuffle });
}

/** A copy of all tensors. */
function parameters(network: Network) {
  const { store } = modelOf(network);
  return store.tensors.map((tensor) => store.view(tensor).slice());
}

/** Parameters and predictions: what two networks share that are the same. */
function state(network: Network, problem: Problem) {
  return {
    parameters: parameters(network),
    outputs: network.predict(makeData(problem).x),
  };
}

/** 0 to `count` - 1 in a random order. */
function shuffled(count: number, next: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count; i > 1; i--) {
    const j = Math.floor(next() * i);
    [order[i - 1], order[j]] = [order[j], order[i - 1]];
  }
  return order;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("for every network and data set", () => {
  test("the parts of a phase may be done in any order, by which a missing barrier would show", async () => {
    await fc.assert(
      fc.asyncProperty(problems, fc.integer({ min: 1, max: 1000 }), async (problem, seed) => {
        const inOrder = build({ ...problem, threads: 1 }, reference);
        const anyOrder = build(problem, reference);
        await train(inOrder, problem);
        const next = random(seed);
        let orders = 0;
        const spy = vi.spyOn(ReferenceExecutor.prototype, "order").mockImplementation((parts) => {
          if (parts > 1) orders++;
          return shuffled(parts, next);
        });
        await train(anyOrder, problem);
        spy.mockRestore();
        expect(orders > 0).toBe(problem.threads > 1);
        expect(state(anyOrder, problem)).toEqual(state(inOrder, problem));
      }),
      { numRuns: 100, seed: 8 },
    );
  });

  test("both executors leave the same bits", async () => {
    await fc.assert(
      fc.asyncProperty(problems, async (problem) => {
        const wasm = build(problem, "wasm");
        const plain = build(problem, reference);
        expect(state(wasm, problem)).toEqual(state(plain, problem));
        const figures = async (network: Network) =>
          (await train(network, problem)).map(({ loss, accuracy }) => [loss, accuracy]);
        expect(await figures(wasm)).toEqual(await figures(plain));
        expect(state(wasm, problem)).toEqual(state(plain, problem));
        const { x, t } = makeData(problem);
        expect(wasm.evaluate(x, t)).toEqual(plain.evaluate(x, t));
        const [one, other] = [wasm, plain].map((network) => network.gradients(x, t));
        expect(one).toEqual(other);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test("the same seed gives the same network after the same training", async () => {
    await fc.assert(
      fc.asyncProperty(problems, async (problem) => {
        const [one, other] = [build(problem), build(problem)];
        await train(one, problem);
        await train(other, problem);
        expect(state(one, problem)).toEqual(state(other, problem));
      }),
      { numRuns: 30, seed: 2 },
    );
  });

  test("another seed gives another network", () => {
    fc.assert(
      fc.property(problems, fc.integer({ min: 1, max: 2 ** 52 }), (problem, distance) => {
        const seed = (problem.seed + distance) % 2 ** 53;
        const weights = (network: Network) => parameters(network)[0];
        expect(weights(build({ ...problem, seed }))).not.toEqual(weights(build(problem)));
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  test("another seed shuffles otherwise", async () => {
    // Rows enough that two orders agree with probability 1 / 30!.
    const sample = fc.sample(problems, { numRuns: 1, seed: 4 })[0];
    // A sigmoid learns whatever the sample is; others may be saturated.
    const problem: Problem = { ...sample, hidden: [], last: "sigmoid", density: 1 };
    const shuffled = { ...problem, rows: 30, batchSize: 1, shuffle: true };
    const one = build({ ...shuffled, seed: 1 });
    const other = build({ ...shuffled, seed: 2 });
    const { store } = modelOf(other);
    for (const [i, values] of parameters(one).entries()) store.view(store.tensors[i]).set(values);
    await train(one, shuffled);
    await train(other, shuffled);
    expect(state(other, problem)).not.toEqual(state(one, problem));
  });

  test.each([true, false])("two epochs are one epoch twice, with shuffle: %s", async (shuffle) => {
    await fc.assert(
      fc.asyncProperty(problems, async (problem) => {
        const once = build(problem);
        const twice = build(problem);
        const history = await train(once, problem, { epochs: 2, shuffle });
        const first = await train(twice, problem, { epochs: 1, shuffle });
        const second = await train(twice, problem, { epochs: 1, shuffle });
        expect(state(twice, problem)).toEqual(state(once, problem));
        expect([...first, ...second].map(({ loss }) => loss)).toEqual(history.map(({ loss }) => loss));
      }),
      { numRuns: 30, seed: 5 },
    );
  });

  test("bytes, float32 and float64 of the same values train to the same bits", async () => {
    await fc.assert(
      fc.asyncProperty(problems, async (problem) => {
        const { inputs, rows } = problem;
        const bytes = Uint8Array.from(randomValues(rows * inputs, 1, 0, 256));
        const { t } = makeData(problem);
        const states = [];
        for (const type of [Uint8Array, Float32Array, Float64Array]) {
          const network = build({ ...problem, dtype: "float64", inputScale: 1 / 255 });
          await network.fit(type.from(bytes), t, { batchSize: problem.batchSize, learningRate });
          states.push(state(network, problem));
        }
        expect(states[1]).toEqual(states[0]);
        expect(states[2]).toEqual(states[0]);
      }),
      { numRuns: 30, seed: 6 },
    );
  });

  test("targets in bytes, float32 and float64 train to the same bits", async () => {
    await fc.assert(
      fc.asyncProperty(problems, async (problem) => {
        const { outputs, rows } = problem;
        const { x } = makeData(problem);
        const oneHot = Uint8Array.from({ length: rows * outputs }, (_, i) => (i % outputs === 0 ? 1 : 0));
        const states = [];
        for (const type of [Uint8Array, Float32Array, Float64Array]) {
          const network = build(problem);
          await network.fit(x, type.from(oneHot), { batchSize: problem.batchSize, learningRate });
          states.push(state(network, problem));
        }
        expect(states[1]).toEqual(states[0]);
        expect(states[2]).toEqual(states[0]);
      }),
      { numRuns: 30, seed: 7 },
    );
  });
});
