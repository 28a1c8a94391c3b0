// Batches that come one after the other: the steps that they make, when they are read, and how they fail.

import { describe, expect, test } from "vitest";
import {
  adam,
  BatchNormalization,
  type BatchStream,
  cosineDecay,
  Dense,
  Dropout,
  type EpochEntry,
  type FitOptions,
  Network,
  type StreamBatch,
} from "../src/index.js";
import { dtypes, makeClassifier, parameters, randomValues } from "./helpers.js";

const ROWS = 40;
const BATCH = 8;
const x = randomValues(ROWS * 4, 1);
const classes = Array.from({ length: ROWS }, (_, r) => r % 3);
const optimizer = () => adam({ learningRate: 0.01 });

/** The rows from `from` to `to`, as a batch. */
const batchOf = (from: number, to: number): StreamBatch => [
  x.slice(from * 4, to * 4),
  classes.slice(from, to),
];

/** All rows in batches. */
async function* batches(size = BATCH): AsyncGenerator<StreamBatch> {
  for (let from = 0; from < ROWS; from += size) yield batchOf(from, Math.min(ROWS, from + size));
}

/** The figures of entries, without times. */
const figures = (history: EpochEntry[]) => history.map(({ seconds: _, ...entry }) => entry);

/** A network with noise: its steps must be counted alike. */
const noisy = (options = {}) =>
  new Network({
    inputs: 4,
    layers: [new Dense(6, { activation: "relu" }), new Dropout(0.3), new Dense(3, { activation: "softmax" })],
    seed: 3,
    ...options,
  });

describe("fit on batches", () => {
  test.each([
    ["a generator function", () => batches()],
    [
      "a generator function that is not async",
      function* () {
        for (let from = 0; from < ROWS; from += BATCH) yield batchOf(from, from + BATCH);
      },
    ],
    ["an iterable object", { [Symbol.asyncIterator]: () => batches() }],
    ["a function of arrays", () => Array.from({ length: 5 }, (_, b) => batchOf(b * BATCH, (b + 1) * BATCH))],
  ] satisfies [string, BatchStream][])("makes the steps of fit on the whole, from %s", async (_, stream) => {
    for (const dtype of dtypes) {
      for (const threads of [1, 2]) {
        const [one, other] = [0, 1].map(() => noisy({ dtype, threads, deterministic: true }));
        const whole = { epochs: 3, optimizer: optimizer(), metrics: ["f1"] } satisfies FitOptions;
        const expected = await one.fit(x, classes, { ...whole, batchSize: BATCH, shuffle: false });
        const history = await other.fit(stream as BatchStream, whole);
        expect(figures(history)).toEqual(figures(expected));
        expect(other.predict(x)).toEqual(one.predict(x));
      }
    }
  });

  test("takes batches of any sizes, and weights of their rows", async () => {
    const [one, other] = [makeClassifier(), makeClassifier()];
    const weights = Array.from({ length: ROWS }, (_, r) => 1 + (r % 2));
    for (const [from, to] of [
      [0, 3],
      [3, 20],
      [20, 21],
      [21, 40],
    ]) {
      const [inputs, targets] = batchOf(from, to);
      one.trainBatch(inputs, targets, {
        optimizer: optimizer(),
        sampleWeights: weights.slice(from, to),
      });
    }
    await other.fit(
      function* () {
        for (const [from, to] of [
          [0, 3],
          [3, 20],
          [20, 21],
          [21, 40],
        ]) {
          const [inputs, targets] = batchOf(from, to);
          yield [inputs, targets, weights.slice(from, to)] as const;
        }
      },
      { optimizer: optimizer() },
    );
    expect(parameters(other)).toEqual(parameters(one));
  });

  test("goes on where the last epoch ended, with stepsPerEpoch", async () => {
    const [one, other] = [makeClassifier(), makeClassifier()];
    async function* endless() {
      for (;;) yield* batches();
    }
    const rate = cosineDecay(0.1);
    const whole = await one.fit(() => batches(), { epochs: 2, optimizer: "sgd", learningRate: 0.1 });
    const parts = await other.fit(endless(), {
      epochs: 10,
      stepsPerEpoch: 1,
      optimizer: "sgd",
      learningRate: 0.1,
    });
    expect(parts).toHaveLength(10);
    expect(parameters(other)).toEqual(parameters(one));
    expect(whole).toHaveLength(2);
    const decayed = await other.fit(endless(), {
      epochs: 2,
      stepsPerEpoch: 3,
      optimizer: "sgd",
      learningRate: rate,
    });
    expect(decayed[1].learningRate).toBeLessThan(decayed[0].learningRate);
  });

  test("means over batches with and without gaps and weights what the whole has", async () => {
    const linear = () =>
      new Network({ inputs: 4, layers: [new Dense(2, { activation: "linear" })], seed: 2 });
    const targets = randomValues(ROWS * 2, 4).map((value, i) => (i % 7 === 3 && i > 40 ? Number.NaN : value));
    const weights = Array.from({ length: ROWS }, (_, r) => (r < 24 ? 1 : 1 + (r % 3)));
    const rows = (from: number, to: number) =>
      [x.slice(from * 4, to * 4), targets.slice(from * 2, to * 2), weights.slice(from, to)] as const;
    const stream = function* () {
      for (let from = 0; from < ROWS; from += BATCH)
        yield rows(from, from + BATCH).slice(0, from < 24 ? 2 : 3);
    };
    const still = { learningRate: 1e-12, batchSize: BATCH, shuffle: false };
    const [whole] = await linear().fit(x, targets, { ...still, sampleWeights: weights });
    const [streamed] = await linear().fit(stream, { learningRate: 1e-12 });
    expect(streamed.loss).toBeCloseTo(whole.loss, 10);
    const classifier = makeClassifier();
    const masked = classes.map((index, r) => (r % 5 === 4 && r > 15 ? Number.NaN : index));
    const [one] = await makeClassifier().fit(x, masked, still);
    const [other] = await classifier.fit(
      function* () {
        for (let from = 0; from < ROWS; from += BATCH) {
          yield [x.slice(from * 4, (from + BATCH) * 4), masked.slice(from, from + BATCH)];
        }
      },
      { learningRate: 1e-12 },
    );
    expect(other.loss).toBeCloseTo(one.loss, 10);
    expect(other.accuracy).toBeCloseTo(one.accuracy!, 10);
  });

  test("with stepsPerEpoch begins the stream again where it ends, if that can be", async () => {
    const [one, other] = [makeClassifier(), makeClassifier()];
    const begun: number[] = [];
    const stream = (epoch: number) => {
      begun.push(epoch);
      return batches();
    };
    const history = await one.fit(stream, { epochs: 4, stepsPerEpoch: 4, optimizer: optimizer() });
    expect(history).toHaveLength(4);
    expect(begun).toEqual([1, 2, 3, 4]);
    for (let step = 0; step < 16; step++) {
      const from = (step % 5) * BATCH;
      const [inputs, targets] = batchOf(from, from + BATCH);
      other.trainBatch(inputs, targets, { optimizer: optimizer() });
    }
    expect(parameters(other)).toEqual(parameters(one));
    await expect(one.fit(batches(), { epochs: 2, stepsPerEpoch: 4 })).rejects.toThrow(
      "the batches ended after 1 of epoch 2, but stepsPerEpoch is 4",
    );
  });

  test("reads the next batch while one trains, and may be given the same array again", async () => {
    const [one, other] = [makeClassifier(), makeClassifier()];
    const events: string[] = [];
    const inputs = new Float64Array(BATCH * 4);
    const targets = new Uint8Array(BATCH);
    await one.fit(() => batches(), { optimizer: optimizer(), metrics: ["f1"] });
    const history = await other.fit(
      async function* () {
        for (let from = 0; from < ROWS; from += BATCH) {
          events.push(`read ${from / BATCH + 1}`);
          inputs.set(x.subarray(from * 4, (from + BATCH) * 4));
          targets.set(classes.slice(from, from + BATCH));
          yield [inputs, targets] as const;
        }
      },
      {
        optimizer: optimizer(),
        metrics: ["f1"],
        onBatch: ({ batch }) => void events.push(`trained ${batch}`),
      },
    );
    expect(parameters(other)).toEqual(parameters(one));
    expect(history[0].f1).toBeGreaterThan(0);
    for (let batch = 1; batch < 5; batch++) {
      expect(events.indexOf(`read ${batch + 1}`)).toBeLessThan(events.indexOf(`trained ${batch}`));
    }
  });

  test("validates with data, and tells callbacks what is known", async () => {
    const network = makeClassifier();
    const seen: (number | undefined)[] = [];
    const history = await network.fit(() => batches(), {
      epochs: 2,
      validationData: [x, classes],
      onBatch: ({ batches }) => void seen.push(batches),
      callbacks: [
        { onBegin: ({ rows, batches }) => void expect([rows, batches]).toEqual([undefined, undefined]) },
      ],
    });
    expect(history[1].validationLoss).toBeGreaterThan(0);
    expect(seen).toEqual([undefined, undefined, undefined, undefined, undefined, 5, 5, 5, 5, 5]);
  });

  test("validates beside batches of many sizes", async () => {
    const network = makeClassifier();
    const history = await network.fit(
      function* () {
        for (let size = 2; size < 20; size++) yield batchOf(0, size);
      },
      { epochs: 2, validationData: [x, classes] },
    );
    expect(history[1].validationLoss).toBe(network.evaluate(x, classes).loss);
  });

  test("has metrics of class indexes and rows together", async () => {
    const oneHot = (from: number, to: number) =>
      classes.slice(from, to).map((index) => [0, 1, 2].map((i) => Number(i === index)));
    const stream = function* () {
      yield batchOf(0, 20);
      yield [x.slice(80), oneHot(20, 40)];
    };
    const still = { learningRate: 1e-12, metrics: ["f1", "logLoss"] } satisfies FitOptions;
    const [one] = await makeClassifier().fit(stream, still);
    const [other] = await makeClassifier().fit(x, classes, { ...still, batchSize: 20, shuffle: false });
    expect([one.f1, one.logLoss]).toEqual([other.f1, other.logLoss]);
  });

  test("counts the steps of an epoch that fails, so that noise goes on", async () => {
    const losses = [];
    for (const stop of [() => false as const, () => Promise.reject(new Error("enough"))]) {
      const network = noisy();
      await network.fit(() => batches(), { onBatch: ({ batch }) => batch < 3 || stop() }).catch(() => {});
      losses.push(network.trainBatch(x, classes));
    }
    expect(losses[1]).toBe(losses[0]);
  });

  test("stops where a callback says so, and lets the generator clean up", async () => {
    const network = makeClassifier();
    let ended = false;
    const history = await network.fit(
      async function* () {
        try {
          yield* batches();
        } finally {
          ended = true;
        }
      },
      { epochs: 5, onBatch: ({ batch }) => batch < 3 },
    );
    expect(history).toEqual([]);
    // It was already reading the next one.
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(true);
  });

  test("answers predict meanwhile, and leaves the heap as it was", async () => {
    const network = makeClassifier();
    const { top } = network.heap;
    const expected: number[] = [];
    await network.fit(() => batches(7), {
      epochs: 2,
      onBatch: () => {
        expected.push(network.predict(x)[0]);
        network.predict(x.subarray(0, 4));
      },
    });
    expect(new Set(expected).size).toBe(12);
    expect(network.heap.top).toBe(top);
  });
});

describe("a stream that fails", () => {
  const refusals: [string, BatchStream, string, FitOptions?][] = [
    [
      "throws",
      async function* () {
        yield* batches();
        throw new Error("disk gone");
      },
      "disk gone",
    ],
    [
      "throws at once",
      () => {
        throw new Error("no file");
      },
      "no file",
    ],
    [
      "yields another width",
      function* () {
        yield batchOf(0, 8);
        yield [x.slice(0, 7), [0, 1]] as never;
      },
      "inputs of batch 2 holds 7 values",
    ],
    [
      "yields no pair",
      function* () {
        yield batchOf(0, 8);
        yield x as never;
      },
      "batch 2 is",
    ],
    [
      "yields NaN",
      function* () {
        yield [[Number.NaN, 1, 1, 1], [0]] as never;
      },
      "inputs of batch 1",
    ],
    ["is empty", () => [], "there is no batch in epoch 1"],
    [
      "is gone through once",
      batches(),
      "there is no batch in epoch 2: a generator can be gone through once",
      { epochs: 2 },
    ],
    ["is no iterable", () => 5 as never, "the function of batches returned 5"],
    [
      "ends early",
      batches(),
      "the batches ended after 5 of epoch 1, but stepsPerEpoch is 9",
      { stepsPerEpoch: 9 },
    ],
  ];
  test.each(refusals)(
    "because it %s leaves the network usable, with whole steps",
    async (_, stream, message, options) => {
      const network = makeClassifier();
      const { top } = network.heap;
      await expect(network.fit(stream, options)).rejects.toThrow(message);
      expect(network.heap.top).toBe(top);
      expect([...parameters(network)].every(Number.isFinite)).toBe(true);
      await expect(network.fit(x, classes)).resolves.toHaveLength(1);
    },
  );

  test("because it is aborted while nothing comes rejects at once", async () => {
    const network = makeClassifier();
    const controller = new AbortController();
    const training = network.fit(
      async function* () {
        yield batchOf(0, 8);
        setTimeout(() => controller.abort(new Error("enough")), 5);
        await new Promise(() => {});
      },
      { signal: controller.signal },
    );
    await expect(training).rejects.toThrow("enough");
    await expect(network.fit(x, classes)).resolves.toHaveLength(1);
  });

  test("because it diverges goes back to the last good epoch", async () => {
    const network = makeClassifier({ dtype: "float32" });
    await network.fit(() => batches());
    const before = parameters(network);
    const layers = [new Dense(2, { activation: "linear" })];
    const linear = new Network({ inputs: 4, layers, seed: 1, dtype: "float32" });
    const stream = function* () {
      for (let i = 0; i < 100; i++) yield [x.slice(0, 4), [1e10, 1]] as const;
    };
    const start = parameters(linear);
    await expect(linear.fit(stream, { learningRate: 100 })).rejects.toThrow(
      /diverged in epoch 1: .* in batch \d+\. /,
    );
    expect(parameters(linear)).toEqual(start);
    expect(parameters(network)).toEqual(before);
  });
});

describe("fit on batches refuses", () => {
  test.each<[string, FitOptions, string]>([
    ["a batchSize", { batchSize: 8 }, "batchSize is given, but batches come as they are"],
    ["shuffle", { shuffle: true }, "shuffle is given"],
    [
      "a validationSplit",
      { validationSplit: 0.2 },
      "validationSplit is given, but batches come as they are: pass validationData",
    ],
    ["sampleWeights", { sampleWeights: [1] }, "give [inputs, targets, sampleWeights]"],
    [
      "a schedule that must know the steps",
      { optimizer: adam({ learningRate: cosineDecay(0.1) }) },
      "cosineDecay must know how many steps there are",
    ],
    ["unusable steps", { stepsPerEpoch: 0 }, "stepsPerEpoch is 0"],
  ])("%s", async (_, options, message) => {
    const network = makeClassifier();
    const before = parameters(network);
    await expect(network.fit(() => batches(), options)).rejects.toThrow(message);
    expect(parameters(network)).toEqual(before);
  });

  test("targets besides, and stepsPerEpoch without batches", async () => {
    const network = makeClassifier();
    const call = network.fit as (...values: unknown[]) => Promise<unknown>;
    await expect(call.call(network, () => batches(), classes, {})).rejects.toThrow(
      "there are no targets besides",
    );
    await expect(network.fit(x, classes, { stepsPerEpoch: 2 })).rejects.toThrow(
      "goes with batches that come",
    );
  });

  test("a batch of one row where a BatchNormalization needs more", async () => {
    const layers = [new Dense(4), new BatchNormalization(), new Dense(3, { activation: "softmax" })];
    const network = new Network({ inputs: 4, layers, seed: 1 });
    await expect(network.fit(() => batches(13))).rejects.toThrow("BatchNormalization needs at least 2");
    await expect(network.fit(() => batches(20))).resolves.toHaveLength(1);
  });
});
