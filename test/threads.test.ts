// Threads: the same bits whatever their number, a free event loop, and nothing that hangs or stays behind.

import { describe, expect, test, vi } from "vitest";
import { canShareMemory } from "../src/executors/environment.js";
import { pool } from "../src/executors/wasm/pool.js";
import { Dense, Network, type NetworkOptions } from "../src/index.js";
import { dtypes, expectSameBits, parameters, randomValues, reference } from "./helpers.js";
import { runProcess } from "./process.js";

const SAMPLES = 101;
const INPUTS = 37;
const CLASSES = 5;

function make(options: Partial<NetworkOptions> = {}): Network {
  const layers = [
    new Dense(50, { activation: "relu" }),
    new Dense(33, { activation: "tanh" }),
    new Dense(CLASSES, { activation: "softmax" }),
  ];
  return new Network({ inputs: INPUTS, layers, seed: 7, ...options });
}

const dense = randomValues(SAMPLES * INPUTS, 1, -1, 1);
const sparse = dense.map((value, i) => (i % 5 === 0 ? value : 0));
const classes = Uint8Array.from({ length: SAMPLES }, (_, i) => (i * i) % CLASSES);

describe.each(dtypes)("training on %s", (dtype) => {
  test.each([
    ["dense", dense],
    ["sparse", sparse],
  ])("%s inputs leaves the same bits on 1, 2, 3, 5 and 8 threads", async (_, inputs) => {
    let expected: { history: object[]; parameters: Float64Array } | undefined;
    for (const threads of [1, 2, 3, 5, 8]) {
      const network = make({ dtype, threads });
      const history = await network.fit(inputs, classes, {
        epochs: 3,
        // The last batch is of one row.
        batchSize: 20,
        learningRate: 0.1,
        validationData: [inputs, classes],
      });
      const figures = history.map((entry) => ({ ...entry, seconds: 0 }));
      expected ??= { history: figures, parameters: parameters(network) };
      expect(figures).toEqual(expected.history);
      expectSameBits(parameters(network), expected.parameters, `${threads} threads`);
    }
  });
});

test("The reference executor leaves the bits of eight threads in deterministic mode", async () => {
  for (const inputs of [dense, sparse]) {
    const networks = [make({ threads: 8, deterministic: true }), make({ executor: reference })];
    const options = { epochs: 2, batchSize: 20, learningRate: 0.1 };
    for (const network of networks) await network.fit(inputs, classes, options);
    expectSameBits(parameters(networks[0]), parameters(networks[1]));
  }
});

test("The event loop turns while workers train", async () => {
  const network = make({ threads: 2 });
  const controller = new AbortController();
  let turns = 0;
  const interval = setInterval(() => ++turns === 6 && controller.abort(), 1);
  const training = network.fit(dense, classes, { epochs: 2000, signal: controller.signal });
  await expect(training).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
  clearInterval(interval);
});

test("predict and evaluate in onEpoch see the weights between two epochs", async () => {
  const seen: Record<string, number[]> = {};
  for (const threads of [1, 3]) {
    const network = make({ threads });
    seen[threads] = [];
    await network.fit(dense, classes, {
      epochs: 3,
      onEpoch: () => seen[threads].push(network.evaluate(dense, classes).loss, ...network.predict(dense)),
    });
  }
  expect(seen[3]).toEqual(seen[1]);
});

test("Many networks train at once on one pool, each as if it were alone", async () => {
  const alone = make();
  await alone.fit(dense, classes, { epochs: 5 });
  const networks = Array.from({ length: 12 }, (_, i) => make({ threads: 1 + (i % 4) }));
  await Promise.all(networks.map((network) => network.fit(dense, classes, { epochs: 5 })));
  for (const network of networks) expectSameBits(parameters(network), parameters(alone));
});

test("A second fit on a network that is in fit is refused", async () => {
  const network = make({ threads: 2 });
  const first = network.fit(dense, classes, { epochs: 3 });
  await expect(network.fit(dense, classes)).rejects.toThrow(
    "this network is already in fit: await the first call",
  );
  await expect(first).resolves.toHaveLength(3);
});

test("A worker that dies fails the fit, restores the last good epoch, and the network goes on", async () => {
  const network = make({ threads: 3 });
  const good: Float64Array[] = [];
  // Long enough that a worker is at work whenever the timer fires after the second epoch.
  const many = randomValues(60_000 * INPUTS, 1, -1, 1);
  const labels = Uint8Array.from({ length: 60_000 }, (_, i) => i % CLASSES);
  const training = network.fit(many, labels, {
    epochs: 1000,
    learningRate: 0.01,
    onEpoch({ epoch }) {
      good[epoch] = parameters(network);
      if (epoch === 2) setTimeout(() => pool.killOne(), 1);
    },
  });
  await expect(training).rejects.toThrow(
    /^a worker thread died in the middle of training: it exited with code 1\. The weights are those of the end of epoch \d+$/,
  );
  expectSameBits(parameters(network), good.at(-1)!);
  await expect(network.fit(dense, classes, { epochs: 2 })).resolves.toHaveLength(2);
});

test("Those who work on while a worker dies do not wait for it", async () => {
  const size = 1024;
  const wide = new Network({ inputs: size, layers: [new Dense(size), new Dense(size)], threads: 2, seed: 1 });
  const rows = randomValues(size * size, 1, -1, 1);
  const training = wide.fit(rows, rows, {
    epochs: 1000,
    batchSize: size,
    loss: "meanSquaredError",
    learningRate: 0.001,
    // Every operation takes long, so that the other one is in the middle of one when the death is known.
    onEpoch: ({ epoch }) => void (epoch === 1 && setTimeout(() => pool.killOne(), 20)),
  });
  await expect(training).rejects.toThrow(/^a worker thread died in the middle of training/);
});

test('threads: "auto" takes no more threads than cores, and trains to the same bits', async () => {
  const network = make({ threads: "auto" });
  const one = make();
  expect(network.threads).toBeGreaterThanOrEqual(1);
  for (const each of [network, one]) await each.fit(dense, classes, { epochs: 2 });
  expectSameBits(parameters(network), parameters(one));
});

test("Without shared memory the warning comes once, and one thread does the work", () => {
  vi.stubGlobal("crossOriginIsolated", false);
  try {
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const networks = [make({ threads: 4, onWarning }), make({ threads: 4, onWarning })];
    expect(networks.map(({ threads }) => threads)).toEqual([1, 1]);
    expect(warnings).toEqual([expect.stringMatching(/cannot share memory.*Cross-Origin-Opener-Policy/s)]);
    expect(canShareMemory(onWarning)).toBe(false);
    expect(warnings).toHaveLength(1);
  } finally {
    vi.unstubAllGlobals();
  }
});

describe("a process", () => {
  const training = `
    const network = new Network({ inputs: 2, layers: [new Dense(8), new Dense(1)], threads: 2, seed: 1 });
    const fit = (epochs) => network.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], { epochs });`;

  test("ends by itself after a training on threads", async () => {
    const { status, stdout } = await runProcess(`${training} await fit(5); console.log("done");`);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "done\n" });
  });

  test("stays alive while threads train, with nothing else to wait for", async () => {
    const { status, stdout } = await runProcess(
      `${training} fit(2000).then((history) => console.log(history.length));`,
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: "2000\n" });
  });

  test("that exits in the middle of a training exits", async () => {
    const { status } = await runProcess(`${training} setTimeout(() => process.exit(3), 50); await fit(1e6);`);
    expect(status).toBe(3);
  });
});
