// Arrays from elsewhere: of another realm, of types that are new, views of the network's own memory, and arrays that
// overlap.

import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { parseIdx } from "../src/data/index.js";
import { Dense, Network, type Rows } from "../src/index.js";
import { dtypes, expectSameBits, makeClassifier, parameters, randomValues } from "./helpers.js";

const values = [1, 2, 3, 4, 100, 0, 7, 50];
const types = [
  "Uint8Array",
  "Uint8ClampedArray",
  "Int8Array",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
];

describe("arrays of another realm", () => {
  const make = (expression: string) => runInNewContext(expression, { values });

  test.each(types)("%s are inputs and rows of them", (type) => {
    const network = makeClassifier();
    const expected = network.predict(values);
    const foreign = make(`${type}.from(values)`);
    expect(foreign).not.toBeInstanceOf(Object);
    expectSameBits(network.predict(foreign), expected);
    expectSameBits(
      network.predict(make(`[${type}.from(values.slice(0, 4)), ${type}.from(values.slice(4))]`)),
      expected,
    );
  });

  test("are lists, class indexes and targets", async () => {
    const network = makeClassifier();
    const twin = makeClassifier();
    await network.fit(make("[[1, 2, 3, 4], [100, 0, 7, 50]]"), make("Uint8Array.of(1, 2)"), {
      validationData: make("[[[1, 2, 3, 4]], new Float32Array([0, 1, 0])]"),
    });
    await twin.fit([values.slice(0, 4), values.slice(4)], [1, 2]);
    expectSameBits(parameters(network), parameters(twin));
  });

  test("are an out", () => {
    const network = makeClassifier();
    const out = make("new Float64Array(6)");
    expect(network.predict(values, { out })).toBe(out);
    expect([...out]).toEqual([...network.predict(values)]);
  });

  test("are IDX files", () => {
    expect(parseIdx(make("Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 5, 6)")).data).toEqual(Uint8Array.of(5, 6));
  });
});

test("Float16Array is taken where the engine has it", () => {
  const { Float16Array } = globalThis as { Float16Array?: { from(values: number[]): Rows } };
  const network = makeClassifier();
  // Engines without it: an array that says that it is one.
  class Half extends Float32Array {
    override get [Symbol.toStringTag]() {
      return "Float16Array" as never;
    }
  }
  const half = Float16Array ? Float16Array.from(values) : Half.from(values);
  expectSameBits(network.predict(half), network.predict(values));
});

describe.each(dtypes)("live views of a network of %s", (dtype) => {
  const WIDTH = 150;
  /** Its own weights are rows of inputs for it, so many that its memory must grow to take them. */
  const make = () =>
    new Network({ inputs: WIDTH, layers: [new Dense(WIDTH, { activation: "tanh" })], seed: 1, dtype });

  test.each<[string, (network: Network, rows: Rows) => unknown]>([
    ["predict", (network, rows) => network.predict(rows)],
    ["evaluate", (network, rows) => network.evaluate(rows, rows)],
    ["fit", (network, rows) => network.fit(rows, rows, { epochs: 2 })],
  ])("are data for %s, though its memory grows for them", async (_, call) => {
    const network = make();
    const twin = make();
    const { byteLength } = network.heap.memory;
    const expected = await call(twin, twin.layers[0].weights.slice());
    const actual = await call(network, network.layers[0].weights);
    expect(network.heap.memory.byteLength).toBeGreaterThan(byteLength);
    if (!Array.isArray(actual)) expect(actual).toEqual(expected);
    expectSameBits(parameters(network), parameters(twin));
  });

  test("are an out, which is written when all outputs are there", () => {
    const network = make();
    const x = randomValues(WIDTH * WIDTH, 1, -1, 1);
    const expected = make().predict(x);
    const result = network.predict(x, { out: network.layers[0].weights as never });
    expectSameBits(result, expected);
    expectSameBits(network.layers[0].weights, expected);
  });
});

describe("an out that overlaps the inputs", () => {
  const rows = 700;
  const make = () => new Network({ inputs: 3, layers: [new Dense(3, { activation: "tanh" })], seed: 1 });

  test.each([0, 1, 3, 5])("by all but %d elements gets what apart it would", (shift) => {
    const network = make();
    const x = randomValues(rows * 3, 1, -1, 1);
    const expected = network.predict(x);
    for (const [from, to] of [
      [0, shift],
      [shift, 0],
    ]) {
      const buffer = new Float64Array(rows * 3 + shift);
      const inputs = buffer.subarray(from, from + rows * 3);
      inputs.set(x);
      const out = buffer.subarray(to, to + rows * 3);
      expect(network.predict(inputs, { out })).toBe(out);
      expectSameBits(out, expected, `${from} to ${to}`);
    }
  });

  test("of another type of the same bytes too", () => {
    const network = new Network({ inputs: 8, layers: [new Dense(1)], seed: 1 });
    const buffer = new ArrayBuffer(8 * rows);
    const bytes = new Uint8Array(buffer).map((_, i) => i % 251);
    const expected = network.predict(bytes);
    const inPlace = new Uint8Array(buffer);
    inPlace.set(bytes);
    expectSameBits(network.predict(inPlace, { out: new Float64Array(buffer) }), expected);
  });
});

test("an out that is an older view of weights that threads share is written at the end as well", () => {
  const make = () =>
    new Network({ inputs: 512, layers: [new Dense(1, { activation: "linear" })], seed: 1, threads: 2 });
  const network = make();
  const old = network.layers[0].weights;
  network.heap.reserve(20 * 2 ** 20);
  expect(network.layers[0].weights.buffer).not.toBe(old.buffer);
  const x = randomValues(512 * 512, 1);
  expectSameBits(network.predict(x, { out: old as Float64Array }), make().predict(x));
});

describe("arrays that are none any more, or none at all,", () => {
  const network = makeClassifier();

  test("are refused in words", () => {
    const detached = Float64Array.of(1, 2, 3, 4);
    structuredClone(detached, { transfer: [detached.buffer] });
    expect(() => network.predict(detached)).toThrow(
      "inputs is empty, but at least one row of 4 values is needed",
    );
    for (const value of [undefined, null]) {
      expect(() => network.predict(value as unknown as Rows)).toThrow(
        `inputs is ${value}, but must be a typed array or an array of rows`,
      );
    }
    const wide = new Network({ inputs: 1, layers: [new Dense(300_000)], seed: 1 });
    expect(() => wide.predict(new Uint8Array(100_000))).toThrow(
      "100000 x 300000 outputs do not fit into an array: predict fewer rows at a time",
    );
  });
});
