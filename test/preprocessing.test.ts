// Rescaling and Normalization: against their formulas and scikit-learn; in the first place, where the gathering does them,
// and elsewhere; adapting; what they refuse.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  Dense,
  type DType,
  Flatten,
  type Layer,
  Network,
  Normalization,
  Rescaling,
  type Rows,
} from "../src/index.js";
import {
  dtypes,
  elements,
  executors,
  expectClose,
  expectSameBits,
  randomValues,
  reference,
} from "./helpers.js";

const golden: { columns: number; x: number[]; mean: number[]; scale: number[]; outputs: number[] } =
  JSON.parse(readFileSync(new URL("golden/normalization.json", import.meta.url), "utf8"));

const ROWS = 30;
const WIDTH = 6;
const x = randomValues(ROWS * WIDTH, 1, -3, 5);
const classes = Uint8Array.from({ length: ROWS }, (_, i) => (i * i) % 3);
/** Does nothing, but keeps what follows from the first place. */
const identity = () => new Dense(WIDTH, { activation: "linear" });

function setIdentity({ weights }: Dense): void {
  for (let j = 0; j < WIDTH; j++) for (let k = 0; k < WIDTH; k++) weights[j * WIDTH + k] = Number(j === k);
}

const settings = dtypes.flatMap((dtype) => executors.map((executor) => [dtype, executor] as const));

describe.each(settings)("on %s in the %s executor", (dtype, executor) => {
  const options = { dtype, executor, deterministic: true };
  const mean = [1, -2, 0.5, 0, 3, 1e3];
  const variance = [4, 0.3, 1, 0, 1e-4, 9];

  const preprocessing: [string, () => Layer, (value: number, j: number) => number][] = [
    ["Rescaling", () => new Rescaling(1 / 255), (value) => value / 255],
    ["Rescaling with an offset", () => new Rescaling(1 / 3, { offset: -1 }), (value) => value / 3 - 1],
    [
      "Normalization by columns",
      () => new Normalization({ mean, variance }),
      (value, j) => (value - mean[j]) / Math.sqrt(variance[j] || 1),
    ],
    [
      "Normalization of all",
      () => new Normalization({ mean: 2, variance: 3 }),
      (value) => (value - 2) / Math.sqrt(3),
    ],
  ];

  test.each(preprocessing)(
    "%s is its formula, and the same bits in the first place and behind a layer",
    (_, make, f) => {
      const first = new Network({ ...options, inputs: WIDTH, layers: [make()] });
      const behind = identity();
      const second = new Network({ ...options, inputs: WIDTH, layers: [behind, make()] });
      setIdentity(behind);
      for (const inputs of [x, Float32Array.from(x), Uint8Array.from(x, (value) => 20 * value + 60)]) {
        const outputs = first.predict(inputs);
        const expected = Float64Array.from(inputs, (value, i) => f(value, i % WIDTH));
        // Three roundings, of numbers up to a thousand before the difference.
        const epsilon = dtype === "float64" ? 2 ** -53 : 2 ** -24;
        expectClose(outputs, expected, { relative: 4 * epsilon, absolute: 4 * epsilon * 1e3 });
        expectSameBits(second.predict(inputs), outputs);
        expectSameBits(first.predict(inputs.subarray(0, WIDTH)), outputs.slice(0, WIDTH));
      }
    },
  );

  test("Rescaling in the first place is inputScale to the bit, and sparse inputs stay sparse", async () => {
    for (const inputs of [x, x.map((value, i) => (i % 4 ? 0 : value))]) {
      const dense = () => new Dense(3, { activation: "softmax" });
      const one = new Network({
        ...options,
        inputs: WIDTH,
        layers: [new Rescaling(1 / 255), dense()],
        seed: 1,
      });
      const other = new Network({
        ...options,
        inputs: WIDTH,
        layers: [dense()],
        inputScale: 1 / 255,
        seed: 1,
      });
      // Layer 1 draws other weights than layer 0.
      one.layers[1].weights.set(other.layers[0].weights);
      await one.fit(inputs, classes, { epochs: 2, learningRate: 1, shuffle: false });
      await other.fit(inputs, classes, { epochs: 2, learningRate: 1, shuffle: false });
      expectSameBits(one.layers[1].weights, other.layers[0].weights);
      expectSameBits(one.predict(inputs), other.predict(inputs));
      expect(one.summary().includes("walks only those")).toBe(inputs !== x);
    }
  });

  test("inputScale and every Rescaling in the first places are multiplied", () => {
    const layers = [
      new Rescaling(4),
      new Flatten(),
      new Rescaling(-0.5),
      new Normalization({ mean: 1, variance: 4 }),
    ];
    const network = new Network({ ...options, inputs: [2, 3], layers, inputScale: 2 });
    // Powers of two: nothing is rounded but the difference.
    expectSameBits(
      network.predict(x),
      elements(
        dtype,
        x.map((value) => -4 * value),
      ).map((value) => 0.5 * elements(dtype, [value - 1])[0]),
    );
  });

  test("Normalization takes the last axis of several, in the first place and behind it", () => {
    const make = () => new Normalization({ mean: [1, 2, 3], variance: [4, 16, 64] });
    const before = new Network({ ...options, inputs: [2, 3], layers: [make()] });
    const values = elements(dtype, x);
    const expected = values.map((value, i) => (value - (1 + (i % 3))) / 2 ** (1 + (i % 3)));
    const layers = [new Normalization({ mean: 0, variance: 1 }), make()];
    const behind = new Network({ ...options, inputs: [2, 3], layers });
    for (const network of [before, behind]) expectSameBits(network.predict(x), expected);
  });

  test.each(preprocessing)("%s behind a layer has gradients that are the slopes of the loss", (_, make) => {
    if (dtype === "float32") return;
    const layers = [
      new Dense(WIDTH, { activation: "tanh" }),
      make(),
      new Dense(3, { activation: "softmax" }),
    ] as const;
    const network = new Network({ ...options, inputs: WIDTH, layers, seed: 2 });
    // Normalization may make large numbers of small ones.
    layers[2].weights.forEach((value, i) => {
      layers[2].weights[i] = value / 100;
    });
    const { layers: gradients } = network.gradients(x, classes);
    const weights = () => layers[0].weights;
    const step = 6e-6;
    const slopes = Array.from(weights(), (value, i) => {
      const lossAt = (moved: number) => {
        weights()[i] = moved;
        return network.evaluate(x, classes).loss;
      };
      const slope = (lossAt(value + step) - lossAt(value - step)) / (2 * step);
      weights()[i] = value;
      return slope;
    });
    // As in gradients.test.ts, for slopes that the least variance multiplies by a hundred.
    expectClose(gradients[0].weights, slopes, { relative: 1e-6, absolute: 1e-7 });
    expect(slopes.some((slope) => Math.abs(slope) > 1e-6)).toBe(true);
  });

  test.each(preprocessing)(
    "%s in the first place leaves the inputs the gradients that are slopes of the loss",
    (_, make) => {
      if (dtype === "float32") return;
      const layers = [
        new Rescaling(0.25),
        make(),
        new Flatten(),
        new Dense(3, { activation: "softmax" }),
      ] as const;
      const network = new Network({ ...options, inputs: WIDTH, layers, inputScale: 2, seed: 2 });
      // Normalization may make large numbers of small ones.
      layers[3].weights.set(layers[3].weights.map((value) => value / 100));
      const [values, targets] = [x.slice(0, 2 * WIDTH), classes.slice(0, 2)];
      const { inputs } = network.gradients(values, targets);
      const step = 6e-6;
      const slopes = Array.from(values, (value, i) => {
        const lossAt = (moved: number) => network.evaluate(values.with(i, moved), targets).loss;
        return (lossAt(value + step) - lossAt(value - step)) / (2 * step);
      });
      expectClose(inputs, slopes, { relative: 1e-6, absolute: 1e-8 });
      expect(slopes.some((slope) => Math.abs(slope) > 1e-6)).toBe(true);
    },
  );

  test("training does not change a Normalization, and leaves the same bits on 1 to 5 threads", async () => {
    if (executor === reference) return;
    const results = [];
    for (const threads of [1, 2, 3, 4, 5]) {
      const normalize = new Normalization().adapt(x, { width: WIDTH });
      const layers = [
        normalize,
        new Dense(8, { activation: "tanh" }),
        new Rescaling(0.5, { offset: 1 }),
        new Dense(3, { activation: "softmax" }),
      ] as const;
      const network = new Network({ ...options, inputs: WIDTH, layers, seed: 4, threads });
      const before = [...normalize.mean, ...normalize.factor];
      await network.fit(x, classes, { epochs: 3, batchSize: 7, learningRate: 0.3 });
      expect([...normalize.mean, ...normalize.factor]).toEqual(before);
      results.push([...layers[1].weights, ...layers[3].weights, ...network.predict(x)]);
    }
    for (const result of results) expectSameBits(Float64Array.from(result), Float64Array.from(results[0]));
  });
});

describe("Normalization.adapt", () => {
  const rowsOf = (values: ArrayLike<number>, width: number) =>
    Array.from({ length: values.length / width }, (_, r) =>
      Array.from({ length: width }, (_, j) => values[r * width + j]),
    );

  test("takes scikit-learn's means and variances, a constant column's being 0", () => {
    const layer = new Normalization().adapt(rowsOf(golden.x, golden.columns));
    const network = new Network({ inputs: golden.columns, layers: [layer] });
    // Both sum 40 numbers of float64, in different orders.
    expectClose(layer.mean, golden.mean, { relative: 1e-15 });
    expectClose(
      layer.factor,
      golden.scale.map((scale) => 1 / scale),
      { relative: 1e-9 },
    );
    expectClose(network.predict(golden.x), golden.outputs, { relative: 1e-7, absolute: 1e-9 });
    // To the bit: 1 and no 0.
    expect([layer.factor[3], layer.factor[4]]).toEqual([1, 1]);
    expect(network.predict(golden.x).filter((_, i) => i % golden.columns === 3)).toEqual(
      new Float64Array(40),
    );
  });

  test("takes any rows that fit, flat ones with a width", () => {
    const expected = new Normalization().adapt(rowsOf(x, 3));
    const layers = [
      expected,
      new Normalization().adapt(x, { width: 3 }),
      new Normalization().adapt(rowsOf(x, WIDTH), { width: 3 }),
      new Normalization().adapt(rowsOf(x, 3).map((row) => Float32Array.from(row))),
      new Normalization({ mean: 7, variance: 7 }),
      new Normalization({ mean: 7, variance: 7 }),
    ];
    for (const layer of layers) new Network({ inputs: [2, 3], layers: [layer] });
    layers[4].adapt(x);
    layers[5].adapt(rowsOf(x, WIDTH));
    for (const layer of layers) {
      expect(layer.mean).toEqual(expected.mean);
      expect(layer.factor).toEqual(expected.factor);
    }
    const bytes = Uint8Array.from(x, (value) => 20 * value + 60);
    const [one, other] = [bytes, Float64Array.from(bytes)].map((data) => {
      const layer = new Normalization().adapt(data, { width: 3 });
      return new Network({ inputs: 3, layers: [layer] }).predict(x);
    });
    expect(one).toEqual(other);
  });

  test("may be called once more in a network, and predict sees it at once", () => {
    for (const dtype of dtypes) {
      const layer = new Normalization({ mean: 0, variance: 1 });
      const network = new Network({ inputs: WIDTH, layers: [layer], dtype });
      expectSameBits(network.predict(x), elements(dtype, x));
      expect(layer.adapt(x)).toBe(layer);
      const fresh = new Network({
        inputs: WIDTH,
        layers: [new Normalization().adapt(x, { width: WIDTH })],
        dtype,
      });
      expectSameBits(network.predict(x), fresh.predict(x));
    }
  });

  test("is refused while a fit is under way, and works after it", async () => {
    const layer = new Normalization({ mean: 0, variance: 1 });
    const network = new Network({ inputs: WIDTH, layers: [layer, new Dense(3, { activation: "softmax" })] });
    let refused: unknown;
    const onEpoch = () => {
      try {
        layer.adapt(x);
      } catch (error) {
        refused = error;
      }
    };
    await network.fit(x, classes, { onEpoch });
    expect(String(refused)).toContain("a Normalization cannot adapt during fit: await the fit first");
    expect([...layer.mean]).toEqual(Array(WIDTH).fill(0));
    layer.adapt(x);
    expect(layer.mean[0]).not.toBe(0);
  });

  test("scales what the training is given: the loss falls where inputs are far from 0", async () => {
    const far = x.map((value, i) => 1000 * (i % WIDTH) + value);
    const targets = Float64Array.from({ length: ROWS }, (_, r) => x[r * WIDTH] - x[r * WIDTH + 3]);
    const normalize = new Normalization().adapt(far, { width: WIDTH });
    const layers = [normalize, new Dense(1, { activation: "linear" })];
    const network = new Network({ inputs: WIDTH, layers, seed: 1 });
    const history = await network.fit(far, targets, { epochs: 200, learningRate: 0.1 });
    expect(history[199].loss).toBeLessThan(1e-6);
  });

  test.each<[string, () => unknown, string]>([
    [
      "flat data without a width",
      () => new Normalization().adapt(x),
      "adapt does not know how long a row is: pass rows",
    ],
    [
      "no data",
      () => new Normalization().adapt(undefined as never),
      "adapt does not know how long a row is: pass rows",
    ],
    ["empty data", () => new Normalization().adapt([], { width: 3 }), "data is empty"],
    ["ragged rows", () => new Normalization().adapt([[1, 2], [3]]), "data[1] has 1 value"],
    [
      "NaN",
      () =>
        new Normalization().adapt([
          [1, 2],
          [3, Number.NaN],
        ]),
      "data holds NaN in row 1, column 1",
    ],
    [
      "rows of no whole vectors",
      () => new Normalization().adapt([[1, 2, 3]], { width: 2 }),
      "adapt got rows of 3 values and width 2, but the last axis has 2",
    ],
    [
      "numbers that overflow",
      () => new Normalization().adapt([[1e308], [-1e308]]),
      "a Normalization has the mean -Infinity in column 0, which float64 does not hold: scale the data",
    ],
    ["a width of 0", () => new Normalization().adapt(x, { width: 0 }), "width is 0"],
    [
      "an option that it has not",
      () => new Normalization().adapt(x, { axis: 1 } as never),
      'adapt has no option "axis"',
    ],
  ])("refuses %s", (_, call, message) => {
    expect(call).toThrow(message);
  });

  test.each<[string, Rows, object, string]>([
    [
      "rows of another length",
      [[1, 2]],
      {},
      "adapt got rows of 2 values, but the last axis has 3: pass rows of that length, or samples",
    ],
    [
      "another width",
      [[1, 2]],
      { width: 2 },
      "adapt got rows of 2 values and width 2, but the last axis has 3",
    ],
    [
      "too few values",
      [1, 2, 3, 4],
      {},
      "data holds 4 values, which is not a multiple of the network's 6 inputs",
    ],
  ])("in a network refuses %s, and keeps what it had", (_, data, options, message) => {
    const layer = new Normalization({ mean: 1, variance: 4 });
    new Network({ inputs: [2, 3], layers: [layer] });
    expect(() => layer.adapt(data, options)).toThrow(message);
    expect([...layer.mean, ...layer.factor]).toEqual([1, 1, 1, 0.5, 0.5, 0.5]);
  });
});

describe("is refused:", () => {
  test.each<[string, () => unknown, string]>([
    [
      "a variance below 0",
      () => new Normalization({ mean: 0, variance: -1 }),
      "the variance of a Normalization is -1",
    ],
    [
      "a mean alone",
      () => new Normalization({ mean: 0 }),
      "the variance of a Normalization is undefined, but mean and variance must be finite numbers",
    ],
    [
      "a variance alone",
      () => new Normalization({ variance: [1] }),
      "the mean of a Normalization is undefined",
    ],
    [
      "a mean that is no number",
      () => new Normalization({ mean: ["1"] as never, variance: 1 }),
      "the mean of a Normalization is",
    ],
    [
      "an infinite variance",
      () => new Normalization({ mean: 0, variance: Number.POSITIVE_INFINITY }),
      "the variance of a Normalization is Infinity",
    ],
    [
      "a scale of 0",
      () => new Rescaling(0),
      "Rescaling has the scale 0 and the offset 0, but both and offset / scale must be finite in float64, and the scale not 0",
    ],
    ["a scale that is NaN", () => new Rescaling(Number.NaN), "Rescaling has the scale NaN"],
    [
      "a scale that is no number",
      () => new Rescaling("2" as never),
      'Rescaling has the scale "2" and the offset 0',
    ],
    [
      "an offset that overflows",
      () => new Rescaling(1e-200, { offset: 1e200 }),
      "both and offset / scale must be finite in float64",
    ],
    [
      "an option of Rescaling",
      () => new Rescaling(1, { shift: 2 } as never),
      'new Rescaling has no option "shift"',
    ],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(message);
  });

  test.each<[string, Layer, DType, string]>([
    [
      "a Normalization that has seen no data",
      new Normalization(),
      "float64",
      "a Normalization has no mean and variance yet: new Normalization().adapt(inputs)",
    ],
    [
      "one of other columns",
      new Normalization({ mean: [1, 2], variance: 1 }),
      "float64",
      "a Normalization of 2 columns got inputs with 4: adapt it",
    ],
    [
      "a mean that the type does not hold",
      new Normalization({ mean: 1e300, variance: 1 }),
      "float32",
      "a Normalization has the mean 1e+300 in column 0, which float32 does not hold",
    ],
    [
      "a factor that the type does not hold",
      new Normalization({ mean: 1, variance: [1, 1, 1e-200, 1] }),
      "float32",
      "a Normalization has the factor 1e+100 in column 2",
    ],
    [
      "a scale that the type does not hold",
      new Rescaling(1e-300),
      "float32",
      "Rescaling has the scale 1e-300",
    ],
  ])("by a network, %s", (_, layer, dtype, message) => {
    expect(() => new Network({ inputs: 4, layers: [layer], dtype })).toThrow(message);
  });

  test("scales whose product the type does not hold", () => {
    const layers = [new Rescaling(2 ** 100), new Rescaling(2 ** 100)];
    expect(() => new Network({ inputs: 1, layers, dtype: "float32" })).toThrow(
      "the product of inputScale and Rescaling is 1.6069380442589903e+60, which is Infinity in the network's float32",
    );
  });

  test("inputs that overflow as they are scaled", async () => {
    const network = new Network({ inputs: 2, layers: [new Rescaling(1e10), new Dense(1)], dtype: "float32" });
    const message =
      "inputs holds 1e+30 in row 0, column 1, which, multiplied by 10000000000, inputScale and Rescaling, overflows";
    expect(() => network.predict([1, 1e30])).toThrow(message);
    await expect(network.fit([1, 1e30], [0])).rejects.toThrow(message);
  });
});

test("inputs that overflow as they are normalized make a loss that fit and evaluate refuse", async () => {
  const layers = [new Normalization({ mean: 0, variance: 1e-20 }), new Dense(1, { activation: "linear" })];
  const network = new Network({ inputs: 1, layers });
  expect(() => network.evaluate([1e300], [0])).toThrow("the loss is");
  await expect(network.fit([1e300], [0])).rejects.toThrow(
    "the loss of the first batch, before any step, overflows",
  );
});

test("a mean that the type holds as 0 is 0", () => {
  const layers = [new Normalization({ mean: 1e-60, variance: 4 })];
  const network = new Network({ inputs: 1, layers, dtype: "float32" });
  expect([...network.predict([3])]).toEqual([1.5]);
});

test("a Normalization's mean and factor are among the parameters of its network", () => {
  const network = new Network({
    inputs: 4,
    layers: [new Normalization({ mean: 0, variance: 1 }), new Dense(2)],
  });
  expect(network.parameterCount).toBe(8 + 10);
  expect(network.summary()).toMatch(/Normalization +4 +8\n/);
});
