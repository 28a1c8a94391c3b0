// The event loop: no call that can be awaited keeps it waiting for long. Counted are its turns, by a clock that lets
// every piece of work take long: what does not ask the clock does not turn.

import { afterEach, describe, expect, test, vi } from "vitest";
import { Dense, Network, type Rows } from "../src/index.js";
import { type DenseNetwork, randomValues } from "./helpers.js";

const ROWS = 4000;
const INPUTS = 200;
const dense = randomValues(ROWS * INPUTS, 1, -1, 1);
const sparse = dense.map((value, i) => (i % 7 === 0 ? value : 0));
const classes = Uint8Array.from({ length: ROWS }, (_, i) => i % 10);
const oneHot = Float32Array.from({ length: ROWS * 10 }, (_, i) =>
  i % 10 === Math.floor(i / 10) % 10 ? 1 : 0,
);
/** Pieces of 2^18 values that the data have. */
const PIECES = Math.ceil(dense.length / 2 ** 18);

function make(threads = 1): DenseNetwork {
  const layers = [new Dense(64, { activation: "relu" }), new Dense(10, { activation: "softmax" })];
  return new Network({ inputs: INPUTS, layers, seed: 1, threads });
}

/** A clock that goes on by 25 ms, more than a slice, each time it is asked. */
function slowClock(): void {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (now += 25));
}

let counter: NodeJS.Immediate;

/** Counts the turns of the event loop from now to the end of the test. */
function countTurns(): () => number {
  let turns = 0;
  const count = () => {
    turns++;
    counter = setImmediate(count);
  };
  counter = setImmediate(count);
  return () => turns;
}

afterEach(() => {
  clearImmediate(counter);
  vi.restoreAllMocks();
});

describe("before its first step, fit lets the event loop turn while it", () => {
  const list = (data: Float64Array) =>
    Array.from({ length: ROWS }, (_, r) => [...data.subarray(r * INPUTS, (r + 1) * INPUTS)]);

  test.each<[string, Rows, Rows, number]>([
    // Each piece is checked, and copied in pieces of 2^18 bytes.
    ["checks and copies dense inputs", dense, classes, 7 * PIECES],
    // Checked, counted, copied.
    ["checks, counts and copies sparse inputs", sparse, classes, 3 * (PIECES - 1)],
    // Lists: their lengths and then their values.
    ["reads lists", list(dense), classes, 7 * PIECES + 3],
    ["reads a flat list", [...dense.subarray(0, 2000 * INPUTS)], classes.subarray(0, 2000), 4 * PIECES],
    ["checks probabilities", dense, oneHot, 7 * PIECES],
    ["widens integers", Int16Array.from(dense, (value) => 100 * value + 1), classes, 4 * PIECES],
  ])("%s", async (_, inputs, targets, pieces) => {
    const network = make();
    slowClock();
    const turns = countTurns();
    let before = 0;
    const controller = new AbortController();
    const training = network.fit(inputs, targets, {
      signal: controller.signal,
      onBatch: () => {
        before = turns();
        controller.abort(new Error("enough"));
      },
    });
    await expect(training).rejects.toThrow("enough");
    expect(before).toBeGreaterThanOrEqual(pieces);
  });
});

test("an abort while fit reads its data is seen, and nothing has changed", async () => {
  const network = make();
  const before = network.layers[0].weights.slice();
  slowClock();
  const controller = new AbortController();
  setImmediate(() => controller.abort(new Error("enough")));
  await expect(network.fit(dense, classes, { signal: controller.signal })).rejects.toThrow("enough");
  expect(network.layers[0].weights).toEqual(before);
  vi.restoreAllMocks();
  await expect(network.fit(dense, classes)).resolves.toHaveLength(1);
});

test("data that change while fit reads them are refused, and nothing is written beside their place", async () => {
  for (const change of ["fill", "clear"]) {
    const network = make();
    const data = sparse.slice();
    slowClock();
    // In the middle of the copying: after the check and the count.
    let turns = 0;
    const spoil = () => {
      if (++turns === 2 * PIECES - 1) data.fill(change === "fill" ? 1 : 0);
      else setImmediate(spoil);
    };
    setImmediate(spoil);
    await expect(network.fit(data, classes)).rejects.toThrow("the data changed while fit was reading them");
    vi.restoreAllMocks();
    await expect(network.fit(sparse, classes)).resolves.toHaveLength(1);
  }
});

test("predict and evaluate may be called while fit reads its data, which they do not disturb", async () => {
  const plain = make();
  const disturbed = make();
  await plain.fit(sparse, classes, { epochs: 2 });
  slowClock();
  let calls = 0;
  let reading = true;
  const disturb = () => {
    if (!reading) return;
    calls++;
    disturbed.predict(dense.subarray(0, INPUTS * (1 + (calls % 300))));
    disturbed.evaluate(dense.subarray(0, INPUTS * 20), classes.subarray(0, 20));
    setImmediate(disturb);
  };
  setImmediate(disturb);
  const onBatch = () => {
    reading = false;
  };
  await disturbed.fit(sparse, classes, { epochs: 2, onBatch });
  expect(calls).toBeGreaterThan(2 * PIECES);
  expect(disturbed.layers[0].weights).toEqual(plain.layers[0].weights);
});

test.each(["evaluateAsync", "predictAsync"] as const)("%s lets it turn after every slice", async (name) => {
  const network = make();
  slowClock();
  const turns = countTurns();
  if (name === "evaluateAsync") await network.evaluateAsync(dense, classes);
  else await network.predictAsync(dense);
  // By this clock a slice is a batch of 256 rows.
  expect(turns()).toBeGreaterThanOrEqual(Math.floor(ROWS / 256));
});

test("a step that takes long is done in parts, between which it turns", async () => {
  const network = make();
  const options = { batchSize: ROWS, epochs: 3 };
  await network.fit(dense, classes, options);
  let now = 0;
  // By this clock a step, and later a part, takes 50 ms: the second step is done in 3 parts of its 2 phases, and so the
  // third, for it seems to take 300, in 15 of each.
  vi.spyOn(performance, "now").mockImplementation(() => (now += 50));
  const turns: number[] = [];
  const count = countTurns();
  await network.fit(dense, classes, { ...options, onBatch: () => void turns.push(count()) });
  expect(turns).toHaveLength(3);
  expect(turns[1] - turns[0]).toBeGreaterThanOrEqual(2 * 3);
  expect(turns[2] - turns[1]).toBeGreaterThanOrEqual(2 * 15);
});
