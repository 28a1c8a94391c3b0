// Gradients against central differences of the loss: every hidden activation under every last activation
// with every loss that goes with it.

import { describe, expect, test } from "vitest";
import { gradientsOf } from "../src/gradients.js";
import { type Activation, Dense, type FloatArray, type Loss, Network } from "../src/index.js";
import { executorNames, expectClose, parameters, random, randomValues } from "./helpers.js";

const INPUTS = 4;
const HIDDEN = 5;
const OUTPUTS = 3;
const ROWS = 6;

/** Step of the differences: the cube root of the float64 epsilon balances truncation and rounding. */
const STEP = 6e-6;
// Truncation, STEP^2 / 6 times a third derivative of about 1, and rounding, 1e-16 / STEP, are about 1e-11.
const tolerance = { relative: 1e-8, absolute: 1e-8 };
/** No relu may come closer to its kink than this: a step moves a pre-activation by some STEPs at most. */
const KINK = 1e-3;

const hidden: Activation[] = ["sigmoid", "relu", "tanh", "linear"];
const lasts: [Activation, Loss][] = [
  ["sigmoid", "meanSquaredError"],
  ["relu", "meanSquaredError"],
  ["tanh", "meanSquaredError"],
  ["softmax", "meanSquaredError"],
  ["linear", "meanSquaredError"],
  ["sigmoid", "binaryCrossEntropy"],
  ["softmax", "crossEntropy"],
];

/** Smallest distance of a layer's pre-activations from 0, and its outputs. */
function forward({ weights, biases, activation }: Dense, x: number[][]) {
  const z = x.map((row) =>
    Array.from(biases, (bias, j) =>
      row.reduce((sum, value, i) => sum + value * weights[i * biases.length + j], bias),
    ),
  );
  const functions: Partial<Record<Activation, (value: number) => number>> = {
    sigmoid: (value) => 1 / (1 + Math.exp(-value)),
    relu: (value) => Math.max(value, 0),
    tanh: Math.tanh,
  };
  const y = z.map((row) => row.map(functions[activation] ?? ((value) => value)));
  return { y, distance: Math.min(...z.flat().map(Math.abs)) };
}

/** Whether every relu stays on one side of its kink. */
function isSmooth(network: Network, x: number[][]): boolean {
  let rows = x;
  return network.layers.every((layer) => {
    const { y, distance } = forward(layer, rows);
    rows = y;
    return layer.activation !== "relu" || distance > KINK;
  });
}

function rowsOf(values: Float64Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, r) => [
    ...values.subarray(r * width, (r + 1) * width),
  ]);
}

/** Random probabilities; for crossEntropy each row sums to 1. */
function makeTargets(loss: Loss): number[][] {
  const rows = rowsOf(randomValues(ROWS * OUTPUTS, 2, 0, 1), OUTPUTS);
  if (loss !== "crossEntropy") return rows;
  return rows.map((row) => row.map((value) => value / row.reduce((sum, other) => sum + other, 0)));
}

/** The first network from seed 0 on whose relus are all away from their kinks. */
function makeSmooth(activations: Activation[], executor: Network["executor"], x: number[][]): Network {
  for (let seed = 0; seed < 1000; seed++) {
    const layers = activations.map(
      (activation, i) => new Dense(i < activations.length - 1 ? HIDDEN : OUTPUTS, { activation }),
    );
    const network = new Network({ inputs: INPUTS, layers, seed, executor });
    const next = random(seed);
    for (const { biases } of layers)
      biases.forEach((_, j) => {
        biases[j] = next() - 0.5;
      });
    if (isSmooth(network, x)) return network;
  }
  throw new Error("every network has a relu at its kink");
}

/** (loss(w + STEP) - loss(w - STEP)) / (2 STEP) for every parameter in turn. */
function differences(network: Network, x: number[][], targets: number[][], loss: Loss) {
  const slope = (view: () => FloatArray) =>
    Array.from(view(), (value, i) => {
      const lossAt = (moved: number) => {
        view()[i] = moved;
        return network.evaluate(x, targets, { loss }).loss;
      };
      const difference = lossAt(value + STEP) - lossAt(value - STEP);
      view()[i] = value;
      return difference / (2 * STEP);
    });
  return network.layers.map((layer) => ({
    weights: slope(() => layer.weights),
    biases: slope(() => layer.biases),
  }));
}

function checkGradients(activations: Activation[], loss: Loss): void {
  const x = rowsOf(randomValues(ROWS * INPUTS, 1, -1, 1), INPUTS);
  const targets = makeTargets(loss);
  for (const executor of executorNames) {
    const network = makeSmooth(activations, executor, x);
    const expected = differences(network, x, targets, loss);
    const { layers } = gradientsOf(network, x, targets, { loss });
    for (const [i, { weights, biases }] of layers.entries()) {
      expectClose(weights, expected[i].weights, {
        ...tolerance,
        label: `${executor}, weights of layer ${i}`,
      });
      expectClose(biases, expected[i].biases, { ...tolerance, label: `${executor}, biases of layer ${i}` });
    }
    // A gradient of nothing would agree with itself.
    expect(layers[0].weights.some((value) => Math.abs(value) > 1e-4)).toBe(true);
  }
}

describe.each(lasts)("the gradient of %s with %s is the slope of the loss", (last, loss) => {
  test.each(hidden)("under two %s layers", (activation) =>
    checkGradients([activation, activation, last], loss),
  );

  test("of its own weights alone", () => checkGradients([last], loss));
});

describe("the gradients of", () => {
  const x = rowsOf(randomValues(ROWS * INPUTS, 1, -1, 1), INPUTS);
  const make = () =>
    new Network({
      inputs: INPUTS,
      layers: [new Dense(HIDDEN), new Dense(OUTPUTS, { activation: "linear" })],
      seed: 1,
    });

  test("a batch are the mean of its rows' gradients", () => {
    const targets = makeTargets("meanSquaredError");
    const network = make();
    const whole = gradientsOf(network, x, targets).layers;
    const rows = x.map((row, r) => gradientsOf(network, [row], [targets[r]]).layers);
    for (const [i, { weights }] of whole.entries()) {
      const mean = weights.map((_, at) => rows.reduce((sum, row) => sum + row[i].weights[at], 0) / ROWS);
      // Sums of six terms of about 1 in another order.
      expectClose(weights, mean, { absolute: 1e-14 });
    }
  });

  test("a network leave its parameters as they are", () => {
    const network = make();
    const before = parameters(network);
    gradientsOf(network, x, makeTargets("meanSquaredError"));
    expect(parameters(network)).toEqual(before);
  });
});
