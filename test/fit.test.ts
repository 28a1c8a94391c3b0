// Training as a user sees it: what fit reports, what it calls, and what may happen meanwhile.

import { describe, expect, test } from "vitest";
import { type BatchEntry, Dense, type EpochEntry, Network } from "../src/index.js";
import {
  expectClose,
  makeClassifier as make,
  parameters,
  randomValues,
  setParameters,
  withoutSeconds,
} from "./helpers.js";

const ROWS = 23;
const INPUTS = 4;
const x = randomValues(ROWS * INPUTS, 1);
const classes = Array.from({ length: ROWS }, (_, r) => r % 3);

/** Lets the event loop turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("the history", () => {
  test("has one entry an epoch with its number, loss, accuracy, learning rate and seconds", async () => {
    const history = await make().fit(x, classes, { epochs: 3, batchSize: 10 });
    expect(history).toEqual(
      [1, 2, 3].map((epoch) => ({
        epoch,
        loss: expect.any(Number),
        accuracy: expect.any(Number),
        learningRate: 0.01,
        seconds: expect.any(Number),
      })),
    );
    expect(history.every(({ seconds }) => seconds >= 0 && seconds < 60)).toBe(true);
  });

  test("has no accuracy for meanSquaredError", async () => {
    const network = new Network({
      inputs: INPUTS,
      layers: [new Dense(1, { activation: "linear" })],
      seed: 1,
    });
    const [entry] = await network.fit(x, classes);
    expect(Object.keys(entry)).toEqual(["epoch", "loss", "learningRate", "seconds"]);
  });

  test("has the loss and the accuracy before the step where an epoch is one step", async () => {
    const network = make();
    const before = network.evaluate(x, classes);
    const [entry] = await network.fit(x, classes, { batchSize: ROWS, shuffle: false });
    expect(entry).toMatchObject(before);
  });

  test("counts epochs from 1 in each call", async () => {
    const network = make();
    await network.fit(x, classes, { epochs: 2 });
    expect((await network.fit(x, classes, { epochs: 2 })).map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  test("has a falling loss", async () => {
    const history = await make().fit(x, classes, { epochs: 50, learningRate: 0.1, batchSize: 8 });
    expect(history[49].loss).toBeLessThan(history[0].loss);
  });
});

describe("a batch", () => {
  test("is a step of w - learningRate gradient, the last and smaller one of the epoch too", async () => {
    const network = make();
    const twin = make();
    const learningRate = 0.3;
    const losses: number[] = [];
    for (let from = 0; from < ROWS; from += 10) {
      const to = Math.min(ROWS, from + 10);
      const batch = x.subarray(from * INPUTS, to * INPUTS);
      const { loss, layers } = twin.gradients(batch, classes.slice(from, to));
      losses.push(loss * (to - from));
      for (const [i, layer] of twin.layers.entries()) {
        for (const name of ["weights", "biases"] as const) {
          layer[name].set(layer[name].map((value, at) => value - learningRate * layers[i][name][at]));
        }
      }
    }
    const [entry] = await network.fit(x, classes, { batchSize: 10, learningRate, shuffle: false });
    // The rate is folded into the gradient's sums: other roundings, of values of about 1, in three steps.
    const tolerance = { relative: 1e-13, absolute: 1e-14 };
    for (const [i, { weights, biases }] of network.layers.entries()) {
      expectClose(weights, twin.layers[i].weights, tolerance);
      expectClose(biases, twin.layers[i].biases, tolerance);
    }
    // Every row counts alike, though the last batch has 3 only.
    expectClose([entry.loss], [losses.reduce((sum, loss) => sum + loss, 0) / ROWS], tolerance);
  });

  test("larger than the data is all of them", async () => {
    const larger = make();
    const exact = make();
    await larger.fit(x, classes, { epochs: 3, batchSize: 1000 });
    await exact.fit(x, classes, { epochs: 3, batchSize: ROWS });
    expect(parameters(larger)).toEqual(parameters(exact));
  });

  test("has 32 rows unless told otherwise, at a rate of 0.01, shuffled", async () => {
    const many = randomValues(100 * INPUTS, 3);
    const labels = Array.from({ length: 100 }, (_, r) => r % 3);
    const implicit = make();
    const explicit = make();
    await implicit.fit(many, labels);
    await explicit.fit(many, labels, { epochs: 1, batchSize: 32, learningRate: 0.01, shuffle: true });
    expect(parameters(implicit)).toEqual(parameters(explicit));
  });

  test("takes every row once an epoch in an order that shuffling changes from epoch to epoch", async () => {
    // Each row has a weight of its own, which leaves 0 as the row is visited.
    const layer = new Dense(1, { activation: "linear", weightBounds: [0, 0] });
    const network = new Network({ inputs: 6, layers: [layer], seed: 5 });
    const identity = Array.from({ length: 6 }, (_, r) => Array(6).fill(0).with(r, 1));
    const orders: string[] = [];
    for (let epoch = 0; epoch < 4; epoch++) {
      layer.weights.fill(0);
      layer.biases.fill(0);
      const order: number[] = [];
      const before = new Set<number>();
      await network.fit(identity, Array(6).fill(1), {
        batchSize: 1,
        learningRate: 1e-3,
        onBatch: () => {
          const moved = [...layer.weights.keys()].filter((r) => layer.weights[r] !== 0 && !before.has(r));
          for (const r of moved) before.add(r);
          order.push(...moved);
        },
      });
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4, 5]);
      orders.push(order.join());
    }
    expect(new Set(orders).size).toBeGreaterThan(1);
  });
});

describe("validation", () => {
  const held = randomValues(11 * INPUTS, 2);
  const heldClasses = Array.from({ length: 11 }, (_, r) => (r + 1) % 3);

  test("with validationData gives what evaluate gives at the end of each epoch", async () => {
    const network = make();
    const evaluated: object[] = [];
    const history = await network.fit(x, classes, {
      epochs: 3,
      learningRate: 0.5,
      validationData: [held, heldClasses],
      onEpoch: () => {
        const { loss, accuracy } = network.evaluate(held, heldClasses);
        evaluated.push({ validationLoss: loss, validationAccuracy: accuracy });
      },
    });
    expect(history).toMatchObject(evaluated);
    expect(new Set(history.map(({ validationLoss }) => validationLoss)).size).toBe(3);
  });

  test("has no accuracy for meanSquaredError", async () => {
    const network = new Network({
      inputs: INPUTS,
      layers: [new Dense(1, { activation: "linear" })],
      seed: 1,
    });
    const [entry] = await network.fit(x, classes, { validationSplit: 0.5 });
    expect(Object.keys(entry).sort()).toEqual(["epoch", "learningRate", "loss", "seconds", "validationLoss"]);
  });

  test("changes no bit of the training", async () => {
    const plain = make();
    const validated = make();
    await plain.fit(x, classes, { epochs: 3 });
    await validated.fit(x, classes, { epochs: 3, validationData: [held, heldClasses] });
    expect(parameters(validated)).toEqual(parameters(plain));
  });

  test("with validationSplit keeps the last rows and trains with the others", async () => {
    const split = make();
    const apart = make();
    // 0.25 of 23 rows, rounded: 6.
    const kept = 17;
    const history = await split.fit(x, classes, { epochs: 3, batchSize: 5, validationSplit: 0.25 });
    const expected = await apart.fit(x.subarray(0, kept * INPUTS), classes.slice(0, kept), {
      epochs: 3,
      batchSize: 5,
      validationData: [x.subarray(kept * INPUTS), classes.slice(kept)],
    });
    expect(withoutSeconds(history)).toEqual(withoutSeconds(expected));
    expect(parameters(split)).toEqual(parameters(apart));
  });

  test("takes more rows than one of its batches", async () => {
    const network = make();
    const many = randomValues(600 * INPUTS, 2);
    const labels = Array.from({ length: 600 }, (_, r) => r % 3);
    const [entry] = await network.fit(x, classes, { validationData: [many, labels] });
    const { loss, accuracy } = network.evaluate(many, labels);
    expect(entry.validationAccuracy).toBe(accuracy);
    // Sums of 600 terms of about 1 in another order.
    expectClose([entry.validationLoss!], [loss], { relative: 1e-13 });
  });
});

describe("callbacks", () => {
  test("onEpoch gets each entry of the history", async () => {
    const entries: EpochEntry[] = [];
    const history = await make().fit(x, classes, {
      epochs: 3,
      validationSplit: 0.2,
      onEpoch: (entry) => entries.push(entry),
    });
    expect(entries).toEqual(history);
  });

  test("onBatch gets the numbers of epoch and batch, and the means over the epoch so far", async () => {
    const entries: BatchEntry[] = [];
    const history = await make().fit(x, classes, {
      epochs: 2,
      batchSize: 10,
      onBatch: (entry) => entries.push(entry),
    });
    expect(entries.map(({ epoch, batch, batches }) => [epoch, batch, batches])).toEqual([
      [1, 1, 3],
      [1, 2, 3],
      [1, 3, 3],
      [2, 1, 3],
      [2, 2, 3],
      [2, 3, 3],
    ]);
    for (const [i, { loss, accuracy }] of history.entries()) {
      expect(entries[3 * i + 2]).toMatchObject({ loss, accuracy });
    }
    expect(entries[0].loss).not.toBe(entries[1].loss);
  });

  test("onBatch changes no bit of the training", async () => {
    const plain = make();
    const watched = make();
    const history = await plain.fit(x, classes, { epochs: 3, batchSize: 4 });
    const watchedHistory = await watched.fit(x, classes, { epochs: 3, batchSize: 4, onBatch: () => {} });
    expect(withoutSeconds(watchedHistory)).toEqual(withoutSeconds(history));
    expect(parameters(watched)).toEqual(parameters(plain));
  });

  test("are awaited: nothing goes on before they end", async () => {
    const events: string[] = [];
    let running = 0;
    const callback = (name: string) => async () => {
      events.push(name);
      expect(running++).toBe(0);
      await turn();
      await turn();
      running--;
    };
    await make().fit(x, classes, {
      epochs: 2,
      batchSize: 12,
      onBatch: callback("batch"),
      onEpoch: callback("epoch"),
    });
    expect(running).toBe(0);
    expect(events).toEqual(["batch", "batch", "epoch", "batch", "batch", "epoch"]);
  });

  test.each(["onEpoch", "onBatch"] as const)(
    "%s that throws makes fit reject with its error",
    async (name) => {
      const network = make();
      const error = new Error("stop");
      const callback = () => {
        throw error;
      };
      await expect(network.fit(x, classes, { [name]: callback })).rejects.toBe(error);
      await expect(network.fit(x, classes)).resolves.toHaveLength(1);
    },
  );

  test("that reject make fit reject with their error", async () => {
    const network = make();
    const error = new Error("stop");
    await expect(network.fit(x, classes, { onEpoch: () => Promise.reject(error) })).rejects.toBe(error);
    await expect(network.fit(x, classes)).resolves.toHaveLength(1);
  });
});

describe("during a fit", () => {
  test.each(["onEpoch", "onBatch"] as const)("predict and evaluate in %s do not disturb it", async (name) => {
    const plain = make();
    const used = make();
    const options = { epochs: 3, batchSize: 8, validationSplit: 0.2 };
    const history = await plain.fit(x, classes, options);
    const many = randomValues(20_000 * INPUTS, 3);
    const labels = Array.from({ length: 20_000 }, (_, r) => r % 3);
    const usedHistory = await used.fit(x, classes, {
      ...options,
      [name]: async () => {
        used.predict(x);
        // Far more rows than the fit has: the memory grows.
        used.predict(many);
        used.evaluate(many, labels);
        used.gradients(many, labels);
        await turn();
        used.predict(x);
      },
    });
    expect(withoutSeconds(usedHistory)).toEqual(withoutSeconds(history));
    expect(parameters(used)).toEqual(parameters(plain));
  });

  test("predict in between, and after, gives what the parameters at that time give", async () => {
    const network = make();
    const outputs: [Float64Array, Float64Array][] = [];
    await network.fit(x, classes, {
      epochs: 3,
      onEpoch: () => {
        const copy = make();
        setParameters(copy, parameters(network));
        outputs.push([network.predict(x) as Float64Array, copy.predict(x) as Float64Array]);
      },
    });
    expect(outputs).toHaveLength(3);
    for (const [actual, expected] of outputs) expect(actual).toEqual(expected);
    expect(network.predict(x)).toEqual(outputs[2][0]);
  });

  test("a second fit is refused, and the first goes on", async () => {
    const network = make();
    const alone = make();
    const history = await alone.fit(x, classes, { epochs: 2 });
    const first = network.fit(x, classes, { epochs: 2, onBatch: turn });
    await expect(network.fit(x, classes)).rejects.toThrow(
      "this network is already in fit: await the first call before the next",
    );
    expect(withoutSeconds(await first)).toEqual(withoutSeconds(history));
    expect(parameters(network)).toEqual(parameters(alone));
  });

  test("two networks can train side by side", async () => {
    const alone = make();
    await alone.fit(x, classes, { epochs: 3 });
    const networks = [make(), make()];
    await Promise.all(networks.map((network) => network.fit(x, classes, { epochs: 3, onBatch: turn })));
    for (const network of networks) expect(parameters(network)).toEqual(parameters(alone));
  });

  test("timers fire between epochs, and one can end the training", async () => {
    const network = make();
    const controller = new AbortController();
    let fired = 0;
    const timer = setInterval(() => {
      if (++fired === 10) controller.abort(new Error("enough"));
    }, 1);
    // Some seconds of work if nothing ends it.
    const training = network.fit(x, classes, { epochs: 200_000, batchSize: ROWS, signal: controller.signal });
    await expect(training).rejects.toThrow("enough");
    clearInterval(timer);
    expect(fired).toBe(10);
  });

  test("timers fire inside an epoch, and one can end it", async () => {
    const network = new Network({ inputs: 1, layers: [new Dense(8), new Dense(1)], seed: 1 });
    const rows = 1_000_000;
    const controller = new AbortController();
    let fired = 0;
    const timer = setInterval(() => {
      if (++fired === 3) controller.abort(new Error("enough"));
    }, 1);
    const epochs: number[] = [];
    const training = network.fit(new Uint8Array(rows), new Uint8Array(rows), {
      batchSize: 1,
      shuffle: false,
      signal: controller.signal,
      onEpoch: ({ epoch }) => epochs.push(epoch),
    });
    await expect(training).rejects.toThrow("enough");
    clearInterval(timer);
    expect(epochs).toEqual([]);
  });
});

describe("a signal", () => {
  test("aborted before the start rejects with its reason and changes nothing", async () => {
    const network = make();
    const before = parameters(network);
    const signal = AbortSignal.abort(new Error("never mind"));
    await expect(network.fit(x, classes, { signal })).rejects.toThrow("never mind");
    expect(parameters(network)).toEqual(before);
  });

  test("without a reason rejects with an AbortError", async () => {
    const training = make().fit(x, classes, { signal: AbortSignal.abort() });
    await expect(training).rejects.toMatchObject({ name: "AbortError" });
  });

  test("aborted after an epoch leaves the weights of that epoch, to go on from", async () => {
    const aborted = make();
    const whole = make();
    const controller = new AbortController();
    const options = { batchSize: 8, learningRate: 0.1 };
    const training = aborted.fit(x, classes, {
      ...options,
      epochs: 5,
      signal: controller.signal,
      onEpoch: ({ epoch }) => {
        if (epoch === 2) controller.abort();
      },
    });
    await expect(training).rejects.toMatchObject({ name: "AbortError" });
    await aborted.fit(x, classes, { ...options, epochs: 3 });
    await whole.fit(x, classes, { ...options, epochs: 5 });
    expect(parameters(aborted)).toEqual(parameters(whole));
  });

  test("aborted in onBatch ends the training there", async () => {
    const network = make();
    const controller = new AbortController();
    const batches: number[] = [];
    let weights = parameters(network);
    const training = network.fit(x, classes, {
      batchSize: 4,
      signal: controller.signal,
      onBatch: ({ batch }) => {
        batches.push(batch);
        weights = parameters(network);
        if (batch === 2) controller.abort();
      },
    });
    await expect(training).rejects.toMatchObject({ name: "AbortError" });
    expect(batches).toEqual([1, 2]);
    expect(parameters(network)).toEqual(weights);
    await expect(network.fit(x, classes)).resolves.toHaveLength(1);
  });
});

describe("the next fit", () => {
  test("keeps going from where the network stands, with other data, batches, rates and losses", async () => {
    const network = make();
    await network.fit(x, classes, { epochs: 2, batchSize: 8 });
    const between = parameters(network);
    const other = randomValues(7 * INPUTS, 9);
    const targets = randomValues(7 * 3, 10, 0, 1);
    const options = { batchSize: 3, learningRate: 0.2, loss: "meanSquaredError", shuffle: false } as const;
    await network.fit(other, targets, options);

    const copy = make();
    setParameters(copy, between);
    await copy.fit(other, targets, options);
    expect(parameters(network)).toEqual(parameters(copy));
    expect(parameters(network)).not.toEqual(between);
  });

  test("leaves no memory behind", async () => {
    const network = make();
    const top = network.heap.top;
    await network.fit(x, classes, { epochs: 2, validationSplit: 0.2 });
    expect(network.heap.top).toBe(top);
    network.evaluate(x, classes);
    expect(network.heap.top).toBe(top);
    // Its plan stays for the next call, but not for long.
    network.gradients(x, classes);
    await network.fit(x, classes);
    expect(network.heap.top).toBe(top);
  });

  test("leaves no memory behind of a predict called meanwhile", async () => {
    const network = make();
    const top = network.heap.top;
    await network.fit(x, classes, { onEpoch: () => network.predict(x) });
    expect(network.heap.top).toBe(top);
    network.evaluate(x, classes);
    expect(network.heap.top).toBe(top);
  });

  test("sees what was written into the data meanwhile, but a running one does not", async () => {
    const data = x.slice();
    const running = make();
    const still = make();
    await running.fit(data, classes, { epochs: 3, onEpoch: () => data.fill(0) });
    await still.fit(x, classes, { epochs: 3 });
    expect(parameters(running)).toEqual(parameters(still));
  });
});
