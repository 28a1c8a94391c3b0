// Gradients against central differences of the loss: every hidden activation under every last activation
// with every loss that goes with it.

import { describe, expect, test } from "vitest";
import { activations } from "../src/activations.js";
import {
  type ActivationName as Activation,
  Dense,
  type FloatArray,
  type Loss,
  Network,
} from "../src/index.js";
import { losses, rowAfter, setLoss } from "../src/losses.js";
import { namesOf } from "../src/table.js";
import {
  type DenseNetwork,
  type ExecutorOption,
  executors,
  expectClose,
  parameters,
  random,
  randomValues,
} from "./helpers.js";

const INPUTS = 4;
const HIDDEN = 5;
const OUTPUTS = 3;
const ROWS = 6;

/** Step of the differences: the cube root of the float64 epsilon balances truncation and rounding. */
const STEP = 6e-6;
// Truncation, STEP^2 / 6 times a third derivative of about 1, and rounding, 1e-16 / STEP, are about 1e-11.
const tolerance = { relative: 1e-8, absolute: 1e-8 };
/** Where activations have kinks: relu and its kind, hardSigmoid and hardSwish, relu6. */
const KINKS = [0, -3, 3, 6];
/** No pre-activation may come closer to a kink than this: a step moves one by some STEPs at most. */
const DISTANCE = 1e-3;

const hidden = namesOf(activations).filter((name) => !activations[name].onlyLast);
/** Every last activation with every loss that goes with it. */
const lasts = namesOf(activations).flatMap((last) =>
  namesOf(losses)
    // Logarithms of probabilities are no means of counts.
    .filter((loss) => rowAfter(loss, last) && !(loss === "poisson" && String(last) === "logSoftmax"))
    .map((loss): [Activation, Loss] => [last, loss]),
);

/** The losses, each under one activation that goes with it. */
const ends = namesOf(losses).map((loss): [Activation, Loss] => [losses[loss].fused ?? "sigmoid", loss]);

/** Whether every pre-activation stays on one side of the kinks. */
function isSmooth(network: DenseNetwork, x: number[][]): boolean {
  return network.layers.every((_, index) => {
    const layers = network.layers
      .slice(0, index + 1)
      .map(({ size, activation }, i) => new Dense(size, { activation: i < index ? activation : "linear" }));
    const upTo = new Network({ inputs: INPUTS, layers });
    for (const [i, { weights, biases }] of layers.entries()) {
      weights.set(network.layers[i].weights);
      biases.set(network.layers[i].biases);
    }
    return upTo.predict(x).every((value) => KINKS.every((kink) => Math.abs(value - kink) > DISTANCE));
  });
}

function rowsOf(values: Float64Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, r) => [
    ...values.subarray(r * width, (r + 1) * width),
  ]);
}

/** Random probabilities, whose rows sum to 1 if the loss asks for that, or signs. */
function makeTargets(loss: Loss, last?: Activation): number[][] {
  const rows = rowsOf(randomValues(ROWS * OUTPUTS, 2, 0, 1), OUTPUTS);
  const { targets } = setLoss(rowAfter(loss, last) ?? losses[loss], { name: loss });
  if (targets === "sign") return rows.map((row) => row.map((value) => (value < 0.5 ? -1 : 1)));
  if (targets !== "distribution") return rows;
  return rows.map((row) => row.map((value) => value / row.reduce((sum, other) => sum + other, 0)));
}

/** The first network from seed 0 on whose pre-activations are all away from 0. */
function makeSmooth(
  activations: Activation[],
  executor: ExecutorOption,
  x: number[][],
  loss: Loss,
): DenseNetwork {
  for (let seed = 0; seed < 2000; seed++) {
    const layers = activations.map(
      (activation, i) =>
        new Dense(i < activations.length - 1 ? HIDDEN : OUTPUTS, {
          activation,
          // The exponential of an exponential must stay of moderate size.
          weightBounds: activation === "exponential" ? [-0.2, 0.2] : undefined,
        }),
    );
    const network = new Network({ inputs: INPUTS, layers, seed, executor });
    const next = random(seed);
    for (const { biases } of layers)
      biases.forEach((_, j) => {
        // So that the outputs of poisson are above 0.
        biases[j] = loss === "poisson" ? 2 * next() : next() - 0.5;
      });
    if (takesOutputs(network, x, loss) && isSmooth(network, x)) return network;
  }
  throw new Error("every network has a pre-activation at a kink");
}

/** No output may come closer to a kink of its loss. */
const NEAR = 1e-3;

/**
 * Whether a loss has outputs that it takes: poisson those above 0, where its logarithm is and its derivatives are of about 1,
 * and others are not at a kink of theirs.
 */
function takesOutputs(network: Network, x: number[][], loss: Loss): boolean {
  const outputs = rowsOf(Float64Array.from(network.predict(x)), OUTPUTS);
  if (loss === "poisson") return outputs.flat().every((value) => value > 0.2);
  const targets = makeTargets(loss, network.layers[network.layers.length - 1].activation);
  return outputs.every((row, r) => {
    const target = targets[r];
    if (loss === "categoricalHinge") {
      const rivals = row.map((value, j) => (1 - target[j]) * value).sort((a, b) => b - a);
      const own = row.reduce((sum, value, j) => sum + target[j] * value, 0);
      return rivals[0] - rivals[1] > NEAR && Math.abs(1 + rivals[0] - own) > NEAR;
    }
    return row.every((value, j) => {
      const distance = Math.abs(value - target[j]);
      if (loss === "meanAbsoluteError") return distance > NEAR;
      if (loss === "huber") return Math.abs(distance - 1) > NEAR;
      return !(loss === "hinge" || loss === "squaredHinge") || Math.abs(1 - target[j] * value) > NEAR;
    });
  });
}

/** (loss(w + STEP) - loss(w - STEP)) / (2 STEP) for every parameter in turn. */
function differences(network: DenseNetwork, x: number[][], targets: number[][], loss: Loss) {
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
  return network.layers.map((layer) => {
    const names = ["weights", "biases", ...(layer.activation === "prelu" ? ["slope"] : [])];
    return Object.fromEntries(names.map((name) => [name, slope(() => layer.tensor(name))]));
  });
}

function checkGradients(activations: Activation[], loss: Loss): void {
  const x = rowsOf(randomValues(ROWS * INPUTS, 1, -1, 1), INPUTS);
  const targets = makeTargets(loss, activations[activations.length - 1]);
  for (const executor of executors) {
    const network = makeSmooth(activations, executor, x, loss);
    const expected = differences(network, x, targets, loss);
    const { layers } = network.gradients(x, targets, { loss });
    for (const [i, gradients] of layers.entries()) {
      expect(Object.keys(gradients)).toEqual(Object.keys(expected[i]));
      for (const [name, gradient] of Object.entries(gradients)) {
        expectClose(gradient, expected[i][name], {
          ...tolerance,
          label: `${executor}, ${name} of layer ${i}`,
        });
      }
    }
    // A gradient of nothing would agree with itself.
    expect(layers[0].weights.some((value) => Math.abs(value) > 1e-4)).toBe(true);
  }
}

describe.each(ends)("the gradient under %s with %s is the slope of the loss", (last, loss) => {
  test.each(hidden)("of two %s layers", (activation) => checkGradients([activation, activation, last], loss));
});

describe.each(lasts)("the gradient of %s with %s is the slope of the loss", (last, loss) => {
  test("under a hidden layer", () => checkGradients(["tanh", last], loss));

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
    const whole = network.gradients(x, targets).layers;
    const rows = x.map((row, r) => network.gradients([row], [targets[r]]).layers);
    for (const [i, { weights }] of whole.entries()) {
      const mean = weights.map((_, at) => rows.reduce((sum, row) => sum + row[i].weights[at], 0) / ROWS);
      // Sums of six terms of about 1 in another order.
      expectClose(weights, mean, { absolute: 1e-14 });
    }
  });

  test("a network leave its parameters as they are", () => {
    const network = make();
    const before = parameters(network);
    network.gradients(x, makeTargets("meanSquaredError"));
    expect(parameters(network)).toEqual(before);
  });
});
