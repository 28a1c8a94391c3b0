// Initializers: their moments and bounds, orthogonality, both executors and element types, and what they refuse.

import { describe, expect, test } from "vitest";
import { Dense, type DenseOptions, type Initializer, Network, type NetworkOptions } from "../src/index.js";
import { initializers } from "../src/initializers.js";
import { namesOf } from "../src/table.js";
import { dtypes, expectClose, expectSameBits, momentsOf, reference } from "./helpers.js";

const [INPUTS, OUTPUTS] = [400, 250];

function draw(options: DenseOptions, more: Partial<NetworkOptions> = {}, inputs = INPUTS, outputs = OUTPUTS) {
  const layer = new Dense(outputs, { activation: "linear", ...options });
  new Network({ inputs, layers: [layer], seed: 11, ...more });
  return layer;
}

/** Every initializer that takes no settings, or its default ones. */
const named = namesOf(initializers).filter((name) => name !== "constant");
const all: Initializer[] = [...named, { constant: 0.25 }, { truncatedNormal: 0.5 }, { orthogonal: 2 }];

describe("the variance of", () => {
  test.each<[Initializer, number]>([
    ["glorotUniform", 2 / (INPUTS + OUTPUTS)],
    ["glorotNormal", 2 / (INPUTS + OUTPUTS)],
    ["heUniform", 2 / INPUTS],
    ["heNormal", 2 / INPUTS],
    ["lecunUniform", 1 / INPUTS],
    ["lecunNormal", 1 / INPUTS],
  ])("%s is that of its paper, and nothing lies beyond its bounds", (initializer, variance) => {
    for (const dtype of dtypes) {
      const found = momentsOf(draw({ initializer }, { dtype }).weights);
      // Five standard deviations of the mean and of the variance, those of a normal distribution or less.
      expect(Math.abs(found.mean)).toBeLessThan(5 * Math.sqrt(variance / found.n));
      expect(Math.abs(found.variance - variance)).toBeLessThan(5 * variance * Math.sqrt(2 / found.n));
      const cut = String(initializer).endsWith("Normal") ? 2 / 0.87962566103423978 : Math.sqrt(3);
      expect(found.most).toBeLessThanOrEqual(cut * Math.sqrt(variance) * (1 + 1e-7));
      expect(found.most).toBeGreaterThan(0.99 * cut * Math.sqrt(variance));
    }
  });

  test("truncatedNormal is that of what is left of its distribution", () => {
    for (const [initializer, stddev] of [
      ["truncatedNormal", 0.05],
      [{ truncatedNormal: 0.5 }, 0.5],
      [{ truncatedNormal: 2 }, 2],
    ] as [Initializer, number][]) {
      const found = momentsOf(draw({ initializer }).weights);
      const deviation = stddev * 0.87962566103423978;
      expect(Math.abs(found.mean)).toBeLessThan((5 * deviation) / Math.sqrt(found.n));
      expect(Math.abs(found.variance - deviation ** 2)).toBeLessThan(
        5 * deviation ** 2 * Math.sqrt(2 / found.n),
      );
    }
  });
});

test("zeros, ones and a constant fill the weights and the biases", () => {
  for (const [initializer, value] of [
    ["zeros", 0],
    ["ones", 1],
    [{ constant: -0.25 }, -0.25],
  ] as [Initializer, number][]) {
    const { weights, biases } = draw({ initializer, biasInitializer: initializer }, {}, 3, 2);
    expect([...weights, ...biases]).toEqual(Array(8).fill(value));
  }
});

describe.each(dtypes)("orthogonal in %s", (dtype) => {
  test.each([
    [1, 1],
    [1, 5],
    [5, 1],
    [7, 7],
    [30, 12],
    [12, 30],
    [64, 64],
  ])("makes the vectors of %i x %i weights orthogonal, of the length of the gain", (inputs, outputs) => {
    for (const gain of [1, 1.5]) {
      const { weights } = draw({ initializer: { orthogonal: gain } }, { dtype }, inputs, outputs);
      const [count, length] = [Math.min(inputs, outputs), Math.max(inputs, outputs)];
      const at = (v: number, i: number) => weights[inputs < outputs ? v * outputs + i : i * outputs + v];
      for (let a = 0; a < count; a++)
        for (let b = 0; b <= a; b++) {
          let sum = 0;
          for (let i = 0; i < length; i++) sum += at(a, i) * at(b, i);
          const close = { absolute: dtype === "float64" ? 1e-13 : 1e-6, label: `${a} by ${b}` };
          expectClose([sum], [a === b ? gain ** 2 : 0], close);
        }
    }
  });

  test("prefers no sign: first values of many seeds are as often positive as negative", () => {
    const positive = Array.from(
      { length: 400 },
      (_, seed) => draw({ initializer: "orthogonal" }, { dtype, seed }, 3, 3).weights[4],
    );
    // Five standard deviations of 400 tosses.
    expect(Math.abs(positive.filter((value) => value > 0).length - 200)).toBeLessThan(50);
  });
});

describe.each(all.map((initializer) => [JSON.stringify(initializer), initializer] as const))(
  "%s",
  (_, initializer) => {
    const [inputs, outputs] = [33, 17];
    const weightsOf = (more: Partial<NetworkOptions>) =>
      draw({ initializer }, more, inputs, outputs).weights.slice();

    test("gives the same weights each time, on both executors", () => {
      for (const dtype of dtypes) {
        const one = weightsOf({ dtype, deterministic: true });
        expectSameBits(weightsOf({ dtype, deterministic: true }), one);
        expectSameBits(weightsOf({ dtype, executor: reference }), one);
      }
    });

    test("gives float32 what it gives float64, rounded", () => {
      const [wide, narrow] = dtypes.map((dtype) => weightsOf({ dtype }));
      // Orthogonal vectors are made of rounded ones.
      const digits = JSON.stringify(initializer).includes("orthogonal") ? 1e-5 : 2 ** -23;
      expectClose(narrow, wide, { absolute: digits });
    });

    test("gives others for another seed or layer, unless it draws nothing", () => {
      const drawsNothing = /zeros|ones|constant/.test(JSON.stringify(initializer));
      expect(JSON.stringify(weightsOf({ seed: 12 })) === JSON.stringify(weightsOf({ seed: 11 }))).toBe(
        drawsNothing,
      );
      const layers = [1, 2].map(() => new Dense(9, { initializer }));
      new Network({ inputs: 9, layers });
      expect(JSON.stringify(layers[0].weights) === JSON.stringify(layers[1].weights)).toBe(drawsNothing);
    });
  },
);

test("without an initializer the weights are those of glorotUniform, of relus those of heUniform, and biases 0", () => {
  const usual = draw({ activation: "tanh" });
  expectSameBits(usual.weights, draw({ activation: "tanh", initializer: "glorotUniform" }).weights);
  const relu = draw({ activation: "relu" });
  expectSameBits(relu.weights, draw({ activation: "relu", initializer: "heUniform" }).weights);
  expect(usual.biases.every((value) => value === 0)).toBe(true);
});

test("biases are drawn from other numbers than weights, with the variance of the layer", () => {
  const layer = draw({ initializer: "heNormal", biasInitializer: "heNormal" }, {}, 50, 1000);
  const { variance } = momentsOf(layer.biases);
  expect(Math.abs(variance - 2 / 50)).toBeLessThan((5 * 2 * Math.sqrt(2 / 1000)) / 50);
  expect(layer.biases.slice(0, 5)).not.toEqual(layer.weights.slice(0, 5));
});

describe("a Dense layer refuses", () => {
  test.each<[string, object, string]>([
    [
      "an unknown name",
      { initializer: "xavier" },
      'initializer is "xavier", but must be one of "glorotUniform", "glorotNormal", "heUniform", "heNormal", ' +
        '"lecunUniform", "lecunNormal", "truncatedNormal", "orthogonal", "zeros", "ones", or { constant: 0.1 }',
    ],
    ["an unknown object", { initializer: { normal: 1 } }, 'initializer is "normal", but must be one of'],
    ["null", { initializer: null }, "initializer is null, but must be one of"],
    ["a constant of no value", { initializer: "constant" }, 'initializer is "constant", but must be one of'],
    [
      "one of no number",
      { initializer: { constant: "1" } },
      'initializer is { constant: "1" }, but must be one of "glorotUniform", ',
    ],
    ["a name of Object's", { initializer: "toString" }, 'initializer is "toString", but must be one of'],
    [
      "two",
      { initializer: { constant: 1, orthogonal: 1 } },
      "initializer is an object (Object), but must be",
    ],
    ["a number for zeros", { biasInitializer: { zeros: 1 } }, "biasInitializer is { zeros: 1 }, but must be"],
    [
      "a gain of infinity",
      { initializer: { orthogonal: Number.POSITIVE_INFINITY } },
      "initializer is { orthogonal: Infinity }, but must be one of",
    ],
    [
      "bounds beside an initializer",
      { initializer: "zeros", weightBounds: [-1, 1] },
      "both weightBounds and initializer are given: pass one of them",
    ],
    [
      "orthogonal biases",
      { biasInitializer: "orthogonal" },
      'biasInitializer is "orthogonal", but biases are no matrix',
    ],
    [
      "an initializer of no biases",
      { biasInitializer: "ones", useBias: false },
      "biasInitializer is given, but useBias is false: pass one of them",
    ],
    ["useBias as a number", { useBias: 0 }, "useBias is 0, but must be true or false"],
    ["trainable as a word", { trainable: "no" }, 'trainable is "no", but must be true or false'],
  ])("%s", (_, options, message) => {
    expect(() => new Dense(2, options)).toThrow(message);
  });

  test("values that overflow the network's type", () => {
    for (const options of [
      { initializer: { constant: 1e39 } },
      { biasInitializer: { truncatedNormal: 3e38 } },
    ]) {
      const layers = () => [new Dense(2, options)];
      expect(() => new Network({ inputs: 2, layers: layers(), dtype: "float32" })).toThrow(
        /nitializer is \{ \w+: [13]e\+3[89] \}, which overflows the network's float32: take a smaller number/,
      );
      expect(() => new Network({ inputs: 2, layers: layers() })).not.toThrow();
    }
  });
});
