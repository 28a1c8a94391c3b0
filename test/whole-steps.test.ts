// What is read of a network while it trains: parameters after a whole step, never half of one; and what an abort in
// the middle of a step leaves.

import { afterEach, describe, expect, test, vi } from "vitest";
import { Dense, type FitOptions, Network } from "../src/index.js";
import { type DenseNetwork, expectSameBits, parameters, randomValues } from "./helpers.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Steps of a millisecond or so, which timers fire between. */
const short = { inputs: 256, size: 256, rows: 64 * 250, batch: 64, threads: 3 };
/** Steps of some hundred milliseconds, each done in parts. */
const long = { inputs: 512, size: 512, rows: 2048 * 3, batch: 2048, threads: 1 };
const longOnThreads = { ...long, threads: 2 };
type Setting = typeof short;

function make({ inputs, size, threads }: Setting): DenseNetwork {
  const layers = [
    new Dense(size, { activation: "tanh" }),
    new Dense(size, { activation: "tanh" }),
    new Dense(3, { activation: "softmax" }),
  ];
  return new Network({ inputs, layers, seed: 3, threads });
}

function makeData({ inputs, rows, batch }: Setting) {
  const x = randomValues(rows * inputs, 1, -1, 1);
  const classes = Uint8Array.from({ length: rows }, (_, i) => (i * i) % 3);
  return {
    x,
    classes,
    probe: x.subarray(0, 5 * inputs),
    options: { batchSize: batch, epochs: 1, learningRate: 0.01 },
  };
}

/** What a network gives for the probe, as text. */
function look(network: Network, probe: Float64Array): string {
  const { loss } = network.evaluate(probe, Uint8Array.of(0, 1, 2, 0, 1));
  return `${[...network.predict(probe)]} ${loss}`;
}

/** What it gives before the first step and after each, in a training of its own. */
async function stepByStep(setting: Setting): Promise<string[]> {
  const { x, classes, probe, options } = makeData(setting);
  const network = make({ ...setting, threads: 1 });
  const looks = [look(network, probe)];
  await network.fit(x, classes, { ...options, onBatch: () => void looks.push(look(network, probe)) });
  return looks;
}

/** Trains, and looks from timers meanwhile. */
async function watch(setting: Setting, more: FitOptions = {}) {
  const { x, classes, probe, options } = makeData(setting);
  const network = make(setting);
  const seen: string[] = [];
  const timer = setInterval(() => seen.push(look(network, probe)), 1);
  const end = await network.fit(x, classes, { ...options, ...more }).then(
    () => "trained",
    (error: Error) => error.message,
  );
  clearInterval(timer);
  return { seen, network, probe, end };
}

describe.each([
  ["short steps on three threads", short],
  ["long steps on one thread", long],
  ["long steps on two threads", longOnThreads],
])("%s", (_, setting) => {
  test("predict and evaluate from a timer see whole steps", async () => {
    const steps = await stepByStep(setting);
    const { seen } = await watch(setting);
    expect(seen.length).toBeGreaterThan(2);
    const places = seen.map((outputs) => steps.indexOf(outputs));
    expect(places.filter((place) => place < 0)).toEqual([]);
    // Never an older one after a newer one.
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  test("an abort leaves the parameters of a whole step", async () => {
    const steps = await stepByStep(setting);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 60);
    const { network, probe, end } = await watch(setting, { signal: controller.signal, epochs: 100 });
    expect(end).toBe("enough");
    // More epochs than were recorded are never reached where a step takes long; short ones may be past them.
    if (setting !== short) expect(steps).toContain(look(network, probe));
    await expect(
      network.fit(makeData(setting).x, makeData(setting).classes, { batchSize: 512 }),
    ).resolves.toHaveLength(1);
  });
});

test("Steps that are done in parts leave the bits of whole ones, dense and sparse", async () => {
  const inputs = 40;
  const rows = 1500;
  const dense = randomValues(rows * inputs, 1, -1, 1);
  const sparse = dense.map((value, i) => (i % 7 === 0 ? value : 0));
  const classes = Uint8Array.from({ length: rows }, (_, i) => i % 5);
  const make = (dtype: "float64" | "float32") =>
    new Network({
      inputs,
      layers: [new Dense(33, { activation: "relu" }), new Dense(5, { activation: "softmax" })],
      seed: 1,
      dtype,
    });
  for (const dtype of ["float64", "float32"] as const) {
    for (const x of [dense, sparse]) {
      for (const batchSize of [rows, 700, 300]) {
        const whole = make(dtype);
        const cut = make(dtype);
        const options = { epochs: 3, batchSize, learningRate: 0.1 };
        await whole.fit(x, classes, options);
        // A clock by which the first steps take long, and so the next ones are cut, in more and more parts; then no more.
        let now = 0;
        let ticks = 0;
        const clock = vi.spyOn(performance, "now").mockImplementation(() => (now += ++ticks < 99 ? 50 : 0));
        await cut.fit(x, classes, options);
        clock.mockRestore();
        expectSameBits(parameters(cut), parameters(whole), `${dtype} ${batchSize}`);
      }
    }
  }
});

describe("evaluateAsync and predictAsync", () => {
  const { x, classes, options } = makeData({ ...short, rows: 3000 });

  test("give what evaluate and predict give", async () => {
    const network = make(short);
    expect(await network.evaluateAsync(x, classes)).toEqual(network.evaluate(x, classes));
    const outputs = network.predict(x);
    expect(await network.predictAsync(x)).toEqual(outputs);
    const out = new Float64Array(outputs.length);
    expect(await network.predictAsync(x, { out })).toBe(out);
    expect(out).toEqual(outputs);
  });

  test("see the network as it was when they were called, though it trains meanwhile", async () => {
    const network = make({ ...short, threads: 1 });
    const expected = { figures: network.evaluate(x, classes), outputs: network.predict(x) };
    // By this clock the event loop turns after every batch.
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 25));
    const [figures, outputs] = await Promise.all([
      network.evaluateAsync(x, classes),
      network.predictAsync(x),
      network.fit(x, classes, options),
    ]);
    expect(figures).toEqual(expected.figures);
    expect(outputs).toEqual(expected.outputs);
    expect(network.predict(x)).not.toEqual(expected.outputs);
  });

  test("can be aborted, and refuse what evaluate and predict refuse", async () => {
    const network = make(short);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(network.evaluateAsync(x, classes, { signal })).rejects.toThrow("enough");
    await expect(network.predictAsync(x, { signal })).rejects.toThrow("enough");
    const controller = new AbortController();
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 25));
    queueMicrotask(() => controller.abort(new Error("later")));
    await expect(network.predictAsync(x, { signal: controller.signal })).rejects.toThrow("later");
    await expect(network.predictAsync([1, 2])).rejects.toThrow(
      "which is not a multiple of the network's 256 inputs",
    );
    await expect(network.evaluateAsync(x, classes, { signals: 1 } as object)).rejects.toThrow(
      'evaluateAsync has no option "signals": it takes loss, labelSmoothing, sampleWeights, metrics, signal',
    );
  });
});

describe("an abort while a callback's promise is pending", () => {
  const { x, classes } = makeData({ ...short, rows: 100 });

  test.each(["onEpoch", "onBatch"] as const)("is seen at once in %s", async (name) => {
    const network = make({ ...short, threads: 1 });
    const controller = new AbortController();
    const training = network.fit(x, classes, {
      signal: controller.signal,
      [name]: () => {
        setTimeout(() => controller.abort(new Error("enough")), 1);
        return new Promise(() => {});
      },
    });
    await expect(training).rejects.toThrow("enough");
    await expect(network.fit(x, classes)).resolves.toHaveLength(1);
  });

  test("is seen where the callback itself aborts", async () => {
    const controller = new AbortController();
    const training = make({ ...short, threads: 1 }).fit(x, classes, {
      signal: controller.signal,
      onEpoch: () => {
        controller.abort(new Error("enough"));
        return new Promise(() => {});
      },
    });
    await expect(training).rejects.toThrow("enough");
  });
});

describe("what is done in the last moment of a fit", () => {
  const { x, classes, probe } = makeData({ ...short, rows: 100 });

  test("predict and evaluate find a heap in order, and leave it so", async () => {
    for (let wait = 0; wait < 8; wait++) {
      const network = make({ ...short, threads: 1 });
      network.predict(probe);
      const { top } = network.heap;
      let late: Promise<unknown> | undefined;
      await network.fit(x, classes, {
        onEpoch: () => {
          network.predict(x.subarray(0, 2 * short.inputs));
          late = (async () => {
            for (let i = 0; i < wait; i++) await null;
            network.evaluate(x, classes);
            network.predict(x.subarray(0, 3 * short.inputs));
            network.predict(x.subarray(0, 2 * short.inputs));
          })();
        },
      });
      await late;
      // A fit drops all plans that were made before.
      await network.fit(x, classes);
      network.predict(probe);
      expect(network.heap.top, `after ${wait} microtasks`).toBe(top);
    }
  });

  test("a fit that is refused leaves evaluate its loss", async () => {
    const network = make({ ...short, threads: 1 });
    const before = network.evaluate(x, classes);
    const oneHot = Float32Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    vi.spyOn(network.heap, "allocate").mockImplementation(() => {
      throw new RangeError("no memory");
    });
    await expect(network.fit(x, oneHot, { loss: "meanSquaredError" })).rejects.toThrow("no memory");
    vi.restoreAllMocks();
    expect(network.evaluate(x, classes)).toEqual(before);
  });

  test("predictAsync looks at the parameters that it uses, not at those of later", async () => {
    const network = make({ ...short, threads: 1 });
    const many = randomValues(3000 * short.inputs, 5);
    const expected = network.predict(many);
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 25));
    const { weights } = network.layers[0];
    const outputs = network.predictAsync(many);
    const [old] = weights;
    weights[0] = Number.NaN;
    expect(await outputs).toEqual(expected);
    const refused = network.predictAsync(many);
    weights[0] = old;
    await expect(refused).rejects.toThrow("layers[0].weights[0] is NaN");
  });
});
