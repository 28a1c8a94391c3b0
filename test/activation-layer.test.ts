// Activations in networks: with a parameter, with a slope that is learned, and as a layer of their own.

import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { activations } from "../src/activations.js";
import {
  Activation,
  type ActivationName,
  celu,
  Dense,
  elu,
  leakyRelu,
  Network,
  type SetActivation,
} from "../src/index.js";
import { namesOf } from "../src/table.js";
import { type ExecutorOption, executors, expectClose, randomValues, reference } from "./helpers.js";

const INPUTS = 4;
const ROWS = 23;
const x = randomValues(ROWS * INPUTS, 1);
const linear = { activation: "linear" } as const;

/** A network with an activation in a dense layer, or in a layer behind it. */
function make<A extends ActivationName>(
  activation: A | SetActivation<A>,
  where: "inside" | "behind",
  options: { executor?: ExecutorOption; threads?: number } = {},
) {
  const last = activations[typeof activation === "string" ? activation : activation.name].onlyLast;
  const layers =
    where === "inside"
      ? [new Dense(7, { activation })]
      : ([new Dense(7, linear), new Activation(activation)] as const);
  return new Network({
    inputs: INPUTS,
    layers: [...layers, ...(last ? [] : [new Dense(3, linear)])],
    seed: 5,
    deterministic: true,
    ...options,
  });
}

/** The layer that has the activation. */
const activated = (network: ReturnType<typeof make>) =>
  network.layers.find((layer) => layer.activation !== "linear")!;

/** Gives a network the parameters of another that has its layers in other places. */
function copyParameters(to: ReturnType<typeof make>, from: ReturnType<typeof make>): void {
  const dense = (network: typeof to) => network.layers.filter((layer) => layer instanceof Dense);
  for (const [i, layer] of dense(to).entries()) {
    layer.weights.set(dense(from)[i].weights);
    layer.biases.set(dense(from)[i].biases);
  }
}

describe.each(executors)("in the %s executor", (executor) => {
  test.each(namesOf(activations))(
    "%s as a layer gives the bits that it gives inside of a dense layer",
    (name) => {
      const inside = make(name, "inside", { executor });
      const behind = make(name, "behind", { executor });
      copyParameters(behind, inside);
      expect(behind.predict(x)).toEqual(inside.predict(x));
      const targets = randomValues(ROWS * inside.outputs, 2, 0, 1);
      const classes = Array.from({ length: ROWS }, (_, r) => r % 3);
      const t = activations[name].onlyLast ? classes : targets;
      const expected = inside.gradients(x, t);
      const actual = behind.gradients(x, t);
      expect(actual.loss).toBe(expected.loss);
      const gradients = ({ layers }: typeof expected, tensor: string) =>
        layers.flatMap((layer) => (layer[tensor] ? [layer[tensor]] : []));
      for (const tensor of ["weights", "biases", "slope"])
        expect(gradients(actual, tensor), tensor).toEqual(gradients(expected, tensor));
    },
  );

  test("a layer of prelu alone, before any other, trains its slopes alone", async () => {
    const layer = new Activation("prelu");
    const network = new Network({ inputs: [3, INPUTS], layers: [layer], executor, seed: 0 });
    expect([layer.parameterCount, network.parameterCount, [...layer.tensor("slope")]]).toEqual([
      INPUTS,
      INPUTS,
      Array(INPUTS).fill(0.25),
    ]);
    const rows = Array.from({ length: 50 }, (_, r) => randomValues(3 * INPUTS, r));
    const targets = rows.map((row) => row.map((value, i) => (value > 0 ? value : value * (i % INPUTS))));
    await network.fit(rows, targets, { epochs: 100, learningRate: 1, batchSize: 8 });
    // It is linear in them: plain gradient descent gets there.
    expectClose(layer.tensor("slope"), [0, 1, 2, 3], { absolute: 1e-6 });
  });

  test("a step of plain SGD changes slopes by their gradient", async () => {
    const network = make("prelu", "inside", { executor });
    const targets = randomValues(ROWS * 3, 2);
    const layer = activated(network);
    const before = layer.tensor("slope").slice();
    const gradient = network.gradients(x, targets).layers[0].slope;
    expect(gradient.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    await network.fit(x, targets, { batchSize: ROWS, learningRate: 0.1, shuffle: false });
    // The rate is multiplied into the loss's gradient: another order of roundings.
    expectClose(
      layer.tensor("slope"),
      before.map((slope, i) => slope - 0.1 * gradient[i]),
      { absolute: 1e-15 },
    );
  });

  test.each<[SetActivation, (z: number) => number]>([
    [leakyRelu({ negativeSlope: 0.3 }), (z) => Math.max(z, 0.3 * z)],
    [elu({ alpha: 0.5 }), (z) => (z > 0 ? z : 0.5 * Math.expm1(z))],
    [celu({ alpha: 0.5 }), (z) => (z > 0 ? z : 0.5 * Math.expm1(z / 0.5))],
  ])("%o has its parameter", (activation, formula) => {
    const layer = new Activation(activation);
    expect(layer.activation).toBe(activation.name);
    const network = new Network({ inputs: INPUTS, layers: [layer], executor });
    expectClose(network.predict(x), x.map(formula), { relative: 1e-14 });
  });

  test.each<[SetActivation]>([
    [leakyRelu({ negativeSlope: 0.3 })],
    [elu({ alpha: 0.5 })],
    [celu({ alpha: 2 })],
  ])("the gradient of %o is the slope of the loss", (activation) => {
    const network = make(activation, "inside", { executor });
    const targets = randomValues(ROWS * 3, 2);
    const { biases } = network.gradients(x, targets).layers[0];
    const layer = network.layers[0] as Dense;
    const step = 6e-6;
    const differences = biases.map((_, i) => {
      const lossAt = (moved: number) => {
        layer.biases[i] = moved;
        return network.evaluate(x, targets).loss;
      };
      const difference = (lossAt(step) - lossAt(-step)) / (2 * step);
      layer.biases[i] = 0;
      return difference;
    });
    expectClose(biases, differences, { relative: 1e-7, absolute: 1e-8 });
  });
});

test("a factory's default is what the name means", () => {
  for (const activation of [leakyRelu(), elu(), celu()])
    expect(make(activation, "inside").predict(x)).toEqual(make(activation.name, "inside").predict(x));
});

test("threads and executors leave the same bits when slopes are trained", async () => {
  const states: unknown[] = [];
  for (const options of [{ executor: reference }, { threads: 1 }, { threads: 3 }] as const) {
    for (const where of ["inside", "behind"] as const) {
      const network = make("prelu", where, options);
      if (where === "behind") copyParameters(network, make("prelu", "inside"));
      await network.fit(x, randomValues(ROWS * 3, 2), {
        epochs: 3,
        batchSize: 6,
        learningRate: 0.1,
        shuffle: false,
      });
      states.push([[...activated(network).tensor("slope")], [...network.predict(x)]]);
    }
  }
  for (const state of states) expect(state).toEqual(states[0]);
});

test("a layer of softmax classifies, and its loss is the cross-entropy", async () => {
  const layers = [new Dense(2, linear), new Activation("softmax")] as const;
  const network = new Network({ inputs: 1, layers, seed: 0 });
  const rows = [[-2], [-1], [1], [2]];
  const history = await network.fit(rows, [0, 0, 1, 1], { epochs: 200, learningRate: 0.5 });
  expect(history[199].loss).toBeLessThan(0.1);
  expect(network.evaluate(rows, [0, 0, 1, 1]).accuracy).toBe(1);
});

test("an activation shows itself, with its parameter, and in the summary", () => {
  expect(inspect(new Activation("relu"))).toBe("Activation relu");
  expect(new Activation(elu({ alpha: 0.5 })).expression).toBe("new Activation(elu({ alpha: 0.5 }))");
  expect(new Dense(2, { activation: leakyRelu() }).expression).toBe(
    'new Dense(2, { activation: "leakyRelu" })',
  );
  expect(new Dense(2, { activation: "gelu" }).expression).toBe('new Dense(2, { activation: "gelu" })');
  expect(make("prelu", "behind").summary()).toMatch(/Activation +prelu +7 +7\n/);
});

test("initial weights are of He for relu and its kind, of LeCun for selu, else of Glorot", () => {
  const bounds = namesOf(activations).map((name) => {
    const size = Math.max(
      ...new Network({
        inputs: 50,
        layers: [new Dense(200, { activation: name })],
        seed: 1,
      }).layers[0].weights.map(Math.abs),
    );
    const near = (bound: number) => size <= bound && size > 0.999 * bound;
    return [
      name,
      near(Math.sqrt(6 / 50))
        ? "he"
        : near(Math.sqrt(3 / 50))
          ? "lecun"
          : near(Math.sqrt(6 / 250))
            ? "glorot"
            : size,
    ];
  });
  const of = (kind: string) => bounds.filter(([, bound]) => bound === kind).map(([name]) => name);
  expect(of("he")).toEqual([
    "relu",
    "leakyRelu",
    "prelu",
    "elu",
    "celu",
    "gelu",
    "geluTanh",
    "silu",
    "mish",
    "hardSwish",
    "relu6",
  ]);
  expect(of("lecun")).toEqual(["selu"]);
  expect(of("glorot").length).toBe(bounds.length - 12);
});

describe("there is an error for", () => {
  const names = namesOf(activations)
    .map((name) => JSON.stringify(name))
    .join(", ");
  test.each<[string, () => unknown, string]>([
    [
      "an unknown activation",
      () => new Activation("swish" as "silu"),
      `activation is "swish", but must be one of ${names}`,
    ],
    [
      "none",
      () => new Activation(undefined as unknown as "relu"),
      `activation is undefined, but must be one of ${names}`,
    ],
    [
      "an alpha of no factory",
      () => new Dense(1, { activation: { name: "elu", alpha: -1 } }),
      "alpha is -1, but must be a finite number above 0",
    ],
    [
      "an option that the activation does not have",
      () => new Activation({ name: "gelu", alpha: 1 }),
      'gelu has no option "alpha": it takes none',
    ],
    [
      "an object without a name",
      () => new Activation({} as SetActivation<"relu">),
      `activation is undefined, but must be one of ${names}`,
    ],
    ["an alpha of 0", () => elu({ alpha: 0 }), "alpha is 0, but must be a finite number above 0"],
    [
      "an alpha in words",
      () => celu({ alpha: "1" as unknown as number }),
      'alpha is "1", but must be a finite number above 0',
    ],
    [
      "a slope below 0",
      () => leakyRelu({ negativeSlope: -1 }),
      "negativeSlope is -1, but must be a finite number above 0",
    ],
    [
      "another's option",
      () => leakyRelu({ alpha: 1 } as object),
      'leakyRelu has no option "alpha": it takes negativeSlope',
    ],
    ["a number for options", () => elu(1 as unknown as object), "elu takes an options object, but got 1"],
    [
      "a tensor that is not there",
      () => make("elu", "inside").layers[0].tensor("slope"),
      'the layer has no tensor "slope": it has weights, biases',
    ],
    [
      "a tensor of a layer without any",
      () => make("elu", "behind").layers[1].tensor("slope"),
      'the layer has no tensor "slope": it has none',
    ],
    [
      "a layer of no network",
      () => new Activation("prelu").tensor("slope"),
      "this Activation has no parameters yet: give it to a network first, new Network({ inputs, layers: [layer] })",
    ],
    [
      "logSoftmax inside of a network",
      () => new Network({ inputs: 1, layers: [new Activation("logSoftmax"), new Dense(1)] }),
      'layers[0] has activation "logSoftmax" but is not the last layer: logSoftmax makes the outputs of a layer compete ' +
        'to sum to 1, which belongs at the end of a classifier; use another inside, e.g. "relu"',
    ],
    [
      "a layer that is in a network",
      () => {
        const layer = new Activation(elu({ alpha: 2 }));
        return [new Network({ inputs: 1, layers: [layer] }), new Network({ inputs: 1, layers: [layer] })];
      },
      "layers[0] is already part of a network: a layer owns its weights, so make a new one, new Activation(elu({ alpha: 2 }))",
    ],
    [
      "a proxy of a layer",
      () => new Proxy(new Activation("relu"), {}).tensor("slope"),
      "this is not a Activation, but perhaps a Proxy of one",
    ],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(message);
  });
});
