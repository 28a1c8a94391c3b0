// Bad input: every error gives the value, what was expected and the way out, and changes nothing.

import { describe, expect, test, vi } from "vitest";
import { activations } from "../src/activations.js";
import { Dense, type FitOptions, Network, type Rows } from "../src/index.js";
import { losses } from "../src/losses.js";
import { type DenseNetwork, parameters } from "./helpers.js";

/** The names of a table as messages list them. */
const quoted = (table: object) =>
  Object.keys(table)
    .map((name) => JSON.stringify(name))
    .join(", ");

/** Rows of three values. */
function rows(count: number): number[][] {
  return Array.from({ length: count }, (_, i) => [i / count, 1 - i / count, 0.5]);
}

/** Class indexes of ten classes. */
function labels(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i % 10);
}

/** A classifier of 3 values into 10 classes. */
function classifier(): Network {
  return new Network({
    inputs: 3,
    layers: [new Dense(4, { activation: "tanh" }), new Dense(10, { activation: "softmax" })],
    seed: 1,
  });
}

/** A network of 3 values with one output. */
function regressor(activation: "linear" | "sigmoid" = "linear"): Network {
  return new Network({ inputs: 3, layers: [new Dense(4), new Dense(1, { activation })], seed: 1 });
}

/** An error of exactly this message. */
function saying(message: string) {
  return expect.objectContaining({ message });
}

/** Everything a failed call must leave as it was. */
function state(network: Network) {
  // predict keeps its plan on the heap until the next call: the top is compared with it there.
  const outputs = network.predict([0.1, 0.2, 0.3]);
  return { parameters: parameters(network), outputs, top: network.heap.top };
}

/** Checks that `call` fails with the message, and that the network is then as before and can be trained. */
async function expectHarmless(network: Network, call: () => unknown, message: string): Promise<void> {
  const before = state(network);
  await expect((async () => call())()).rejects.toThrow(saying(message));
  expect(state(network)).toEqual(before);
  const targets = network.outputs === 1 ? rows(20).map(() => 0.5) : labels(20);
  await expect(network.fit(rows(20), targets)).resolves.toHaveLength(1);
}

describe("fit refuses inputs:", () => {
  const big = new BigInt64Array(3) as unknown as Rows;
  test.each<[string, unknown, string]>([
    [
      "rows of another width",
      [[1, 2]],
      "inputs[0] has 2 values, but the network has 3 inputs: every row must have 3",
    ],
    [
      "ragged rows",
      [[1, 2, 3], [1]],
      "inputs[1] has 1 value, but the network has 3 inputs: every row must have 3",
    ],
    [
      "a flat array that ends inside a row",
      new Float32Array(4),
      "inputs holds 4 values, which is not a multiple of the network's 3 inputs: pass rows x 3 values, row after row",
    ],
    [
      "NaN",
      [
        [1, 2, 3],
        [1, Number.NaN, 3],
      ],
      "inputs holds NaN in row 1, column 1, but every value must be finite: drop such rows or fill the gaps first",
    ],
    [
      "infinity",
      Float64Array.of(1, 2, Number.NEGATIVE_INFINITY),
      "inputs holds -Infinity in row 0, column 2, but every value must be finite: drop such rows or fill the gaps first",
    ],
    ["no rows", [], "inputs is empty, but at least one row of 3 values is needed"],
    ["no bytes", new Uint8Array(0), "inputs is empty, but at least one row of 3 values is needed"],
    ["text", [["1", 2, 3]], 'inputs[0][0] is "1", but must be a number'],
    ["flat text", [1, "2", 3], 'inputs[1] is "2", but must be a number'],
    ["gaps", [[1, undefined, 3]], "inputs[0][1] is undefined, but must be a number"],
    ["a BigInt", [[1, 2n, 3]], "inputs[0][1] is 2n, but must be a number"],
    [
      "a BigInt array",
      big,
      "inputs is a BigInt64Array, which does not hold plain numbers: convert it, " +
        "e.g. with Float64Array.from(values, Number)",
    ],
    [
      "rows of BigInt arrays",
      [big],
      "inputs[0] is a BigInt64Array, which does not hold plain numbers: convert it, " +
        "e.g. with Float64Array.from(values, Number)",
    ],
    ["a number among the rows", [[1, 2, 3], 4], "inputs[1] is 4, but must be a row of 3 numbers"],
    ["null", null, "inputs is null, but must be a typed array or an array of rows"],
    ["a Set", new Set([1]), "inputs is an object (Set), but must be a typed array or an array of rows"],
  ])("%s", async (_, inputs, message) => {
    const network = classifier();
    await expectHarmless(network, () => network.fit(inputs as Rows, [0]), message);
  });
});

describe("fit refuses targets:", () => {
  const unlabelled = (position: number, label: unknown) =>
    (labels(20) as unknown[]).with(position, label) as Rows;
  test.each<[string, Rows, string]>([
    [
      "a class that is none",
      unlabelled(17, 12),
      "targets[17] is 12, but the network has 10 outputs: class indexes are integers from 0 to 9",
    ],
    [
      "a negative class",
      unlabelled(3, -1),
      "targets[3] is -1, but the network has 10 outputs: class indexes are integers from 0 to 9",
    ],
    [
      "half a class",
      unlabelled(0, 0.5),
      "targets[0] is 0.5, but the network has 10 outputs: class indexes are integers from 0 to 9",
    ],
    ["text", unlabelled(19, "3"), 'targets[19] is "3", but must be a number'],
    [
      "too few rows",
      Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      "targets holds 10 values for 20 rows of inputs, but must hold 20 x 10, " +
        "or one class index a row (20)",
    ],
    [
      "rows that are no distributions",
      rows(20).map(() => [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
      "targets sums to 2 in row 0, but the loss takes rows of probabilities that sum to 1 " +
        "(or one class index a row)",
    ],
    [
      "values that are no probabilities",
      rows(20).map(() => [2, -1, 0, 0, 0, 0, 0, 0, 0, 0]),
      "targets holds 2 in row 0, column 0, but the loss takes probabilities from 0 to 1: scale the targets, " +
        'or, for other numbers, give the last layer activation "linear"',
    ],
  ])("%s", async (_, targets, message) => {
    const network = classifier();
    await expectHarmless(network, () => network.fit(rows(20), targets), message);
  });

  test("of another number of rows than the inputs", async () => {
    const network = regressor();
    await expectHarmless(
      network,
      () => network.fit(rows(20), [1, 2, 3]),
      "targets holds 3 values for 20 rows of inputs, but must hold 20 x 1",
    );
  });

  test("below 0 for a sigmoid", async () => {
    const network = regressor("sigmoid");
    await expectHarmless(
      network,
      () => network.fit(rows(2), [0.5, -0.5]),
      "targets holds -0.5 in row 1, column 0, but the loss takes probabilities from 0 to 1: scale the targets, " +
        'or, for other numbers, give the last layer activation "linear"',
    );
  });
});

describe("fit refuses options:", () => {
  const split = "it must be a share between 0 and 1 that leaves rows on both sides";
  test.each<[string, unknown, string]>([
    ["no epochs", { epochs: 0 }, "epochs is 0, but must be an integer of at least 1"],
    ["half an epoch", { epochs: 1.5 }, "epochs is 1.5, but must be an integer of at least 1"],
    ["an empty batch", { batchSize: 0 }, "batchSize is 0, but must be an integer of at least 1"],
    ["text for a number", { batchSize: "8" }, 'batchSize is "8", but must be an integer of at least 1'],
    ["a negative rate", { learningRate: -1 }, "learningRate is -1, but must be a finite number above 0"],
    ["no rate", { learningRate: 0 }, "learningRate is 0, but must be a finite number above 0"],
    [
      "a rate of NaN",
      { learningRate: Number.NaN },
      "learningRate is NaN, but must be a finite number above 0",
    ],
    ["a number for a switch", { shuffle: 1 }, "shuffle is 1, but must be true or false"],
    ["an unknown loss", { loss: "mse" }, `loss is "mse", but must be one of ${quoted(losses)}`],
    [
      "the loss of another activation",
      { loss: "binaryCrossEntropy" },
      'loss is "binaryCrossEntropy", which is computed together with sigmoid, but the last layer\'s activation is ' +
        '"softmax": give the last layer activation "sigmoid", or choose loss "crossEntropy"',
    ],
    [
      "an unknown name",
      { learningrate: 1 },
      'fit has no option "learningrate": it takes epochs, batchSize, learningRate, optimizer, shuffle, loss, labelSmoothing, ' +
        "classWeights, sampleWeights, validationData, validationSplit, metrics, onEpoch, onBatch, callbacks, signal, stepsPerEpoch",
    ],
    ["null", null, "fit takes an options object, but got null"],
    ["a number of epochs alone", 5, "fit takes an options object, but got 5"],
    [
      "a split that keeps nothing",
      { validationSplit: 0 },
      `validationSplit is 0, which leaves 20 of 20 rows for training and 0 for validation: ${split}`,
    ],
    [
      "a split that keeps everything",
      { validationSplit: 1 },
      `validationSplit is 1, which leaves 0 of 20 rows for training and 20 for validation: ${split}`,
    ],
    [
      "both kinds of validation",
      { validationSplit: 0.5, validationData: [rows(1), [0]] },
      "both validationData and validationSplit are given: pass one of them",
    ],
    [
      "validation inputs alone",
      { validationData: [rows(1)] },
      "validationData is [[[0, 1, 0.5]]], but must be [inputs, targets]",
    ],
    [
      "validation data of another width",
      { validationData: [[[1]], [0]] },
      "validationData[0][0] has 1 value, but the network has 3 inputs: every row must have 3",
    ],
    [
      "validation classes that are none",
      { validationData: [rows(2), [0, 10]] },
      "validationData[1][1] is 10, but the network has 10 outputs: class indexes are integers from 0 to 9",
    ],
    ["a callback that is none", { onEpoch: 1 }, "onEpoch is 1, but must be a function"],
    ["text for a callback", { onBatch: "log" }, 'onBatch is "log", but must be a function'],
    [
      "the controller for its signal",
      { signal: new AbortController() },
      "signal is an object (AbortController), but must be an AbortSignal, e.g. new AbortController().signal",
    ],
  ])("%s", async (_, options, message) => {
    const network = classifier();
    await expectHarmless(network, () => network.fit(rows(20), labels(20), options as FitOptions), message);
  });

  test("crossEntropy without a softmax", async () => {
    const network = regressor();
    await expectHarmless(
      network,
      () => network.fit(rows(20), labels(20), { loss: "crossEntropy" }),
      'loss is "crossEntropy", which is computed together with softmax, but the last layer\'s activation is "linear": ' +
        'give the last layer activation "softmax", or choose loss "meanSquaredError"',
    );
  });
});

describe("predict and evaluate refuse", () => {
  const width = "inputs[0] has 2 values, but the network has 3 inputs: every row must have 3";
  test.each<[string, (network: Network) => unknown, string]>([
    ["rows of another width", (network) => network.predict([[1, 2]]), width],
    ["rows of another width", (network) => network.evaluate([[1, 2]], [0]), width],
    [
      "a row too short",
      (network) => network.predict([1, 2]),
      "inputs holds 2 values, which is not a multiple of the network's 3 inputs: pass rows x 3 values, row after row",
    ],
    [
      "no rows",
      (network) => network.predict([]),
      "inputs is empty, but at least one row of 3 values is needed",
    ],
    [
      "classes that are none",
      (network) => network.evaluate(rows(1), [10]),
      "targets[0] is 10, but the network has 10 outputs: class indexes are integers from 0 to 9",
    ],
    [
      "an option of fit",
      (network) => network.evaluate(rows(1), [0], { batchSize: 1 } as object),
      'evaluate has no option "batchSize": it takes loss, labelSmoothing, sampleWeights, metrics',
    ],
  ])("%s", async (_, call, message) => {
    const network = classifier();
    await expectHarmless(network, () => call(network), message);
  });
});

describe("new Dense refuses", () => {
  test.each<[string, unknown[], string]>([
    ["no outputs", [0], "the size of a Dense layer is 0, but must be an integer of at least 1"],
    ["half an output", [1.5], "the size of a Dense layer is 1.5, but must be an integer of at least 1"],
    ["text", ["8"], 'the size of a Dense layer is "8", but must be an integer of at least 1'],
    [
      "an unknown activation",
      [2, { activation: "Relu" }],
      `activation is "Relu", but must be one of ${quoted(activations)}`,
    ],
    [
      "an unknown name",
      [2, { units: 3 }],
      'new Dense has no option "units": it takes activation, weightBounds, initializer, biasInitializer, useBias, ' +
        "trainable, l1, l2, maxNorm",
    ],
    ["the activation alone", [2, "relu"], 'new Dense takes an options object, but got "relu"'],
    ["null", [2, null], "new Dense takes an options object, but got null"],
    [
      "bounds the wrong way round",
      [2, { weightBounds: [1, 0] }],
      "weightBounds is [1, 0], but must be two finite numbers [low, high], low <= high, e.g. [-1, 1]",
    ],
  ])("%s", (_, parameters, message) => {
    expect(() => Reflect.construct(Dense, parameters)).toThrow(saying(message));
  });
});

const EXECUTORS = 'but must be "wasm", or, after import { reference } from "wasmgrad/reference", reference';

describe("new Network refuses, and leaves its layers to another network:", () => {
  test.each<[string, object, string]>([
    ["no inputs", { inputs: 0 }, "inputs is 0, but must be an integer of at least 1"],
    ["half an input", { inputs: 2.5 }, "inputs is 2.5, but must be an integer of at least 1"],
    ["an unknown dtype", { dtype: "f64" }, 'dtype is "f64", but must be one of "float64", "float32"'],
    ["an unknown executor", { executor: "gpu" }, `executor is "gpu", ${EXECUTORS}`],
    [
      "the reference executor by its name",
      { executor: "reference" },
      `executor is "reference", ${EXECUTORS}`,
    ],
    [
      "an executor that is none",
      { executor: { name: "reference" } },
      `executor is an object (Object), ${EXECUTORS}`,
    ],
    [
      "an executor that makes none",
      { executor: { make() {} } },
      `executor is an object (Object), ${EXECUTORS}`,
    ],
    ["null as an executor", { executor: null }, `executor is null, ${EXECUTORS}`],
    ["a negative seed", { seed: -1 }, "seed is -1, but must be an integer of at least 0"],
    [
      "a seed past the integers",
      { seed: 2 ** 53 },
      "seed is 9007199254740992, but must be an integer from 0 to 9007199254740991",
    ],
    [
      "more inputs than any memory holds",
      { inputs: 50_000 ** 2 },
      "the network's memory would have to grow to 38147 MiB (38147 MiB of it for the last region), which the engine does not " +
        "grant; the limit is 4096 MiB. " +
        'Make the layers of 2500000000-2-1 smaller, or use dtype "float32"',
    ],
    [
      "more inputs than can be counted",
      { inputs: Number.MAX_SAFE_INTEGER, dtype: "float32" },
      "the network's memory would have to grow to more than a million GiB (more than a million GiB of it for the last " +
        "region), which the engine does not grant; the limit is 4096 MiB. " +
        "Make the layers of 9007199254740991-2-1 smaller",
    ],
    [
      "a text of a million characters",
      { dtype: "x".repeat(1e6) },
      `dtype is "${"x".repeat(60)}...", but must be one of "float64", "float32"`,
    ],
    ["a scale of 0", { inputScale: 0 }, "inputScale is 0, but must be a finite number other than 0"],
    [
      "a scale of NaN",
      { inputScale: Number.NaN },
      "inputScale is NaN, but must be a finite number other than 0",
    ],
    [
      "an unknown name",
      { name: "x" },
      'new Network has no option "name": it takes inputs, layers, seed, dtype, threads, onWarning, inputScale, ' +
        "deterministic, executor",
    ],
    ["no threads", { threads: 0 }, "threads is 0, but must be an integer from 1 to 64"],
    ["half a thread", { threads: 1.5 }, "threads is 1.5, but must be an integer from 1 to 64"],
    ["too many threads", { threads: 65 }, "threads is 65, but must be an integer from 1 to 64"],
    [
      "text for threads",
      { threads: "all" },
      'threads is "all", but must be an integer from 1 to 64, or "auto"',
    ],
    ["a number for a switch", { deterministic: 1 }, "deterministic is 1, but must be true or false"],
    ["a callback that is none", { onWarning: "log" }, 'onWarning is "log", but must be a function'],
  ])("%s", (_, options, message) => {
    const layers = [new Dense(2), new Dense(1)];
    expect(() => new Network({ inputs: 3, layers, ...options })).toThrow(saying(message));
    expect(new Network({ inputs: 3, layers }).parameterCount).toBe(3 * 2 + 2 + 2 + 1);
  });

  test("a softmax that is not the last layer", () => {
    const inside = new Dense(2, { activation: "softmax" });
    const last = new Dense(1);
    expect(() => new Network({ inputs: 3, layers: [inside, last] })).toThrow(
      'layers[0] has activation "softmax" but is not the last layer: softmax makes the outputs of a layer compete ' +
        'to sum to 1, which belongs at the end of a classifier; use another inside, e.g. "relu"',
    );
    expect(new Network({ inputs: 3, layers: [last] }).outputs).toBe(1);
    expect(new Network({ inputs: 3, layers: [inside] }).outputs).toBe(2);
  });

  test("a layer twice", () => {
    const layer = new Dense(2);
    expect(() => new Network({ inputs: 2, layers: [layer, layer] })).toThrow(
      "layers[1] is already part of a network: a layer owns its weights, so make a new one, " +
        'new Dense(2, { activation: "sigmoid" })',
    );
    expect(new Network({ inputs: 2, layers: [layer] }).outputs).toBe(2);
  });

  test("a layer of another network, which it does not disturb", () => {
    const layer = new Dense(2, { activation: "relu" });
    const network = new Network({ inputs: 2, layers: [layer] });
    const before = layer.weights.slice();
    const fresh = new Dense(3);
    expect(() => new Network({ inputs: 2, layers: [fresh, layer] })).toThrow(
      "layers[1] is already part of a network: a layer owns its weights, so make a new one, " +
        'new Dense(2, { activation: "relu" })',
    );
    expect(network.layers[0].weights).toEqual(before);
    expect(new Network({ inputs: 2, layers: [fresh] }).outputs).toBe(3);
  });

  test("more parameters than any memory holds", () => {
    const layers = [new Dense(2 ** 20)];
    expect(() => new Network({ inputs: 2 ** 20, layers })).toThrow(
      /would have to grow to 8,193 GiB .* Make the layers of 1048576-1048576 smaller, or use dtype "float32"/,
    );
    expect(new Network({ inputs: 1, layers }).parameterCount).toBe(2 ** 21);
  });

  test.each<[string, unknown, string]>([
    ["no layers", [], "layers is empty, but a network needs at least one layer, e.g. [new Dense(10)]"],
    [
      "layers left out",
      undefined,
      "layers is undefined, but must be an array of layers, e.g. [new Dense(10)]",
    ],
    ["sizes for layers", [3], "layers[0] is 3, but must be a layer, e.g. new Dense(10)"],
  ])("%s", (_, layers, message) => {
    expect(() => new Network({ inputs: 2, layers: layers as Dense[] })).toThrow(saying(message));
  });

  test("to be made of nothing", () => {
    expect(() => Reflect.construct(Network, [])).toThrow(
      "new Network takes an options object, but got undefined",
    );
  });
});

test("a layer that is part of no network says so when asked for its weights", () => {
  expect(() => new Dense(3).weights).toThrow(
    "this Dense has no parameters yet: give it to a network first, new Network({ inputs, layers: [layer] })",
  );
});

describe("a training that diverges", () => {
  const advice = (rate: number) =>
    `The likely cause is a learningRate (${rate}) too high for these data: lower it, e.g. to ${rate / 10}, or scale ` +
    "the inputs to about -1 .. 1.";

  /** Linear regression, whose weights grow without bound when the rate is too high. */
  function linear(): DenseNetwork {
    // It warns of the losses that explode before they are infinite.
    const onWarning = () => {};
    return new Network({ inputs: 3, layers: [new Dense(1, { activation: "linear" })], seed: 1, onWarning });
  }

  const targets = rows(20).map(([x]) => 3 * x);

  // One way runs many batches between two looks at the loss, the other looks after each.
  test.each([
    ["", {}],
    [" with onBatch", { onBatch: () => {} }],
  ])("in its first epoch leaves the weights as they were before fit%s", async (_, options) => {
    const network = linear();
    // Each row multiplies the error by about 1e30: its square is past 1e308 in batch 7.
    await expectHarmless(
      network,
      () => network.fit(rows(20), targets, { learningRate: 1e30, batchSize: 1, shuffle: false, ...options }),
      "training diverged in epoch 1: the loss was no longer finite in batch 7 of 20. " +
        `${advice(1e30)} The weights are those of before this call of fit`,
    );
  });

  test.each([
    ["", {}],
    [" with onBatch", { onBatch: () => {} }],
  ])("in a later epoch leaves the weights of the last good epoch's end%s", async (_, options) => {
    const network = linear();
    let good = 0;
    let weights = network.layers[0].weights.slice();
    const training = network.fit(rows(20), targets, {
      learningRate: 1e6,
      epochs: 100,
      batchSize: 4,
      onEpoch: ({ epoch }) => {
        good = epoch;
        weights = network.layers[0].weights.slice();
      },
      ...options,
    });
    await expect(training).rejects.toThrow(
      /^training diverged in epoch \d+: the loss was no longer finite in batch/,
    );
    await expect(training).rejects.toThrow(`training diverged in epoch ${good + 1}: `);
    await expect(training).rejects.toThrow(
      `${advice(1e6)} The weights are those of the end of epoch ${good}`,
    );
    expect(good).toBeGreaterThan(1);
    expect(network.layers[0].weights).toEqual(weights);
    expect(network.predict(rows(1)).every(Number.isFinite)).toBe(true);
  });

  test("in its very last step is noticed, though every loss was finite", async () => {
    const network = linear();
    await expectHarmless(
      network,
      () => network.fit([[1e5, 0, 0]], [1e5], { learningRate: 1e300 }),
      "training diverged in epoch 1: a parameter was no longer finite after batch 1 of 1. " +
        `${advice(1e300)} The weights are those of before this call of fit`,
    );
  });
});

describe("what is quoted in an error", () => {
  const refusal = (value: unknown) => {
    try {
      new Dense(value as number);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  const rest = "but must be an integer of at least 1";

  test("of an array that holds itself ends", () => {
    const cyclic: unknown[] = [1];
    cyclic.push(cyclic);
    expect(refusal(cyclic)).toBe(`the size of a Dense layer is [1, [1, [1, [...]]]], ${rest}`);
  });

  test.each<[string, unknown, string]>([
    ["a long array", Array(100).fill(7), "[7, 7, 7, 7, 7, 7, ...]"],
    ["a long text in an array", ["y".repeat(1000)], `["${"y".repeat(60)}..."]`],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a bigint", 4n, "4n"],
    ["an object without a prototype", Object.create(null), "an object (Object)"],
    ["a DataView", new DataView(new ArrayBuffer(3)), "DataView(3 bytes)"],
  ])("is a line for %s", (_, value, text) => {
    expect(refusal(value)).toBe(`the size of a Dense layer is ${text}, ${rest}`);
  });
});

describe("data that are wrong from the start are refused before anything is allocated for them:", () => {
  const wide = new Network({ inputs: 20_000, layers: [new Dense(1, { activation: "linear" })], seed: 1 });

  test("two million rows of three values for 20,000 inputs", () => {
    const rows = Array(2_000_000).fill([1, 2, 3]);
    expect(() => wide.predict(rows)).toThrow(
      "inputs[0] has 3 values, but the network has 20000 inputs: every row must have 20000",
    );
  });

  test("an array of 2^32 - 1 places with one row in it", () => {
    const holes = Array(2 ** 32 - 1);
    holes[0] = [1, 2, 3];
    expect(() => classifier().predict(holes)).toThrow(
      "inputs[1] is undefined, but must be a row of 3 numbers",
    );
  });

  test("an array of 2^32 - 1 places with one number in it", () => {
    const holes = Array(2 ** 32 - 1);
    holes[0] = 1;
    expect(() => classifier().predict(holes)).toThrow("inputs[1] is undefined, but must be a number");
  });

  test("a DataView for targets", () => {
    const view = new DataView(new ArrayBuffer(8)) as unknown as Rows;
    const message = "targets is a DataView, which does not hold plain numbers: convert it, e.g. with";
    expect(() => classifier().evaluate(rows(1), view)).toThrow(message);
    expect(() => regressor().evaluate(rows(1), view)).toThrow(message);
  });
});

describe("predict refuses options:", () => {
  test.each<[unknown, string]>([
    [null, "predict takes an options object, but got null"],
    [{ Out: new Float64Array(10) }, 'predict has no option "Out": it takes out'],
    [new Float64Array(10), 'predict has no option "0": it takes out'],
    [[1], "predict takes an options object, but got [1]"],
    [{ out: null }, "out is null, but must be a Float64Array of 1 x 10 elements"],
    [{ out: [1] }, "out is [1], but must be a Float64Array of 1 x 10 elements"],
  ])("%o", async (options, message) => {
    const network = classifier();
    await expectHarmless(network, () => network.predict([1, 2, 3], options as object), message);
  });
});

describe("options that act as they are read", () => {
  test.each(["epochs", "learningRate", "validationData", "signal"] as const)(
    "cannot train in the middle of fit from %s",
    async (name) => {
      const network = classifier();
      const twin = classifier();
      const value = { epochs: 2, learningRate: 0.1, validationData: undefined, signal: undefined }[name];
      const plain = { epochs: 2, learningRate: 0.1 };
      let inner: Promise<unknown> | undefined;
      const options = {
        ...plain,
        get [name]() {
          inner = network.fit(rows(7), labels(7), { epochs: 1 });
          return value;
        },
      };
      const outer = network.fit(rows(20), labels(20), options);
      // The inner one came first: the outer one is refused, and has not touched its data.
      await expect(outer).rejects.toThrow(
        "this network is already in fit: await the first call before the next",
      );
      await inner;
      await twin.fit(rows(7), labels(7), { epochs: 1 });
      expect(parameters(network)).toEqual(parameters(twin));
    },
  );

  test("cannot train in the middle of fit from rows", async () => {
    const network = classifier();
    const twin = classifier();
    let inner: Promise<unknown> | undefined;
    const inputs = rows(20);
    Object.defineProperty(inputs, 5, {
      get() {
        inner ??= network.fit(rows(7), labels(7)).catch((error: Error) => error.message);
        return rows(20)[5];
      },
    });
    await network.fit(inputs, labels(20));
    expect(await inner).toBe("this network is already in fit: await the first call before the next");
    await twin.fit(rows(20), labels(20));
    expect(parameters(network)).toEqual(parameters(twin));
  });

  test("are read once by new Network", () => {
    const reads: string[] = [];
    const options = new Proxy(
      { inputs: 3, layers: [new Dense(1)], threads: "auto" as const, seed: 1 },
      {
        get(target, name) {
          reads.push(String(name));
          return Reflect.get(target, name);
        },
      },
    );
    new Network(options);
    expect(reads).toEqual([...new Set(reads)]);
    expect(reads).toContain("threads");
  });
});

test("a layer of another copy of the library says that there are two", async () => {
  vi.resetModules();
  const other = (await import("../src/index.js")) as { Dense: typeof Dense };
  expect(other.Dense).not.toBe(Dense);
  expect(() => new Network({ inputs: 2, layers: [new other.Dense(1)] })).toThrow(
    /^layers\[0\] is of another copy of wasmgrad than this Network: there are two, e\.g\./,
  );
});
