// The activations: one row each. The type Activation is this table's keys; there is no second list. Some have a factory
// besides, for the parameter that their row names.

import { checkChoice, checkPositive, quote, readOptions } from "./check.js";
import { Curve, Op } from "./program/builder.js";
import type { Store, Tensor, TensorSpec } from "./store.js";
import { rowsOf } from "./table.js";

interface ActivationRow {
  /** f, where it does anything and `curve` does not say it. @internal */
  forward?: Op;
  /** A gradient times f', likewise. @internal */
  backward?: Op;
  /** f and f' of the activations that share one operation. @internal */
  curve?: Curve;
  /** What the derivative reads: the input of f, or its output, which then may take the input's place. @internal */
  reads?: "input" | "output";
  /** Bound of the uniform distribution that initializes the weights before it. @internal */
  initialBound(inputs: number, outputs: number): number;
  /** Whether it belongs at the end of a network only. @internal */
  onlyLast?: boolean;
  /** Its parameter, unless it is set otherwise. @internal */
  parameter?: number;
  /** Name of its parameter, where it can be set. @internal */
  option?: "negativeSlope" | "alpha";
  /** Initial value of the tensor `slope`, where it learns its parameter: one for each value of the last axis. @internal */
  learned?: number;
}

/** Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks". */
const glorot = (inputs: number, outputs: number) => Math.sqrt(6 / (inputs + outputs));
/** He et al. 2015, "Delving Deep into Rectifiers". */
const he = (inputs: number) => Math.sqrt(6 / inputs);
/** LeCun et al. 1998, "Efficient BackProp". */
const lecun = (inputs: number) => Math.sqrt(3 / inputs);

export const activations = /* @__PURE__ */ rowsOf<ActivationRow>()({
  /** f(z) = 1 / (1 + exp(-z)) */
  sigmoid: { forward: Op.sigmoid, backward: Op.sigmoidBackward, reads: "output", initialBound: glorot },
  /** f(z) = max(z, 0) */
  relu: { forward: Op.relu, backward: Op.reluBackward, reads: "output", initialBound: he },
  /** f(z) = tanh(z) */
  tanh: { forward: Op.tanh, backward: Op.tanhBackward, reads: "output", initialBound: glorot },
  /** f(z)[j] = exp(z[j]) / sum over i of exp(z[i]), row by row */
  softmax: {
    forward: Op.softmax,
    backward: Op.softmaxBackward,
    reads: "output",
    initialBound: glorot,
    onlyLast: true,
  },
  /** f(z) = z */
  linear: { initialBound: glorot },
  /** f(z) = z above 0, else negativeSlope z: see `leakyRelu` */
  leakyRelu: {
    curve: Curve.leakyRelu,
    reads: "output",
    initialBound: he,
    parameter: 0.01,
    option: "negativeSlope",
  },
  /**
   * f(z) = z above 0, else slope z: the layer's tensor `slope`, one for each value of the last axis, is trained from 0.25 on.
   * He et al. 2015, "Delving Deep into Rectifiers".
   */
  prelu: { curve: Curve.prelu, reads: "input", initialBound: he, learned: 0.25 },
  /** f(z) = z above 0, else alpha (exp(z) - 1): see `elu` */
  elu: { curve: Curve.elu, reads: "input", initialBound: he, parameter: 1, option: "alpha" },
  /**
   * f(z) = 1.0507 times elu of alpha 1.6733, whose outputs keep a mean of 0 and a variance of 1: Klambauer et al. 2017,
   * "Self-Normalizing Neural Networks".
   */
  selu: { curve: Curve.selu, reads: "input", initialBound: lecun, parameter: 1.6732632423543772 },
  /** f(z) = z above 0, else alpha (exp(z / alpha) - 1): see `celu` */
  celu: { curve: Curve.celu, reads: "input", initialBound: he, parameter: 1, option: "alpha" },
  /** f(z) = z (1 + erf(z / sqrt(2))) / 2: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units" */
  gelu: { curve: Curve.gelu, reads: "input", initialBound: he },
  /** f(z) = z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2, which is near gelu */
  geluTanh: { curve: Curve.geluTanh, reads: "input", initialBound: he },
  /** f(z) = z / (1 + exp(-z)), also called swish */
  silu: { curve: Curve.silu, reads: "input", initialBound: he },
  /** f(z) = z tanh(log(1 + exp(z))): Misra 2019, "Mish" */
  mish: { curve: Curve.mish, reads: "input", initialBound: he },
  /** f(z) = log(1 + exp(z)), for every z: PyTorch's returns z itself above 20 */
  softplus: { curve: Curve.softplus, reads: "input", initialBound: glorot },
  /** f(z) = z / (1 + |z|) */
  softsign: { curve: Curve.softsign, reads: "input", initialBound: glorot },
  /** f(z) = min(max(z + 3, 0), 6) / 6, as in PyTorch */
  hardSigmoid: { curve: Curve.hardSigmoid, reads: "input", initialBound: glorot },
  /** f(z) = z min(max(z + 3, 0), 6) / 6: Howard et al. 2019, "Searching for MobileNetV3" */
  hardSwish: { curve: Curve.hardSwish, reads: "input", initialBound: he },
  /** f(z) = min(max(z, 0), 6) */
  relu6: { curve: Curve.relu6, reads: "output", initialBound: he },
  /** f(z)[j] = z[j] - log(sum over i of exp(z[i])), row by row */
  logSoftmax: { curve: Curve.logSoftmax, reads: "output", initialBound: glorot, onlyLast: true },
  /** f(z) = exp(z) */
  exponential: { forward: Op.exp, curve: Curve.exponential, reads: "output", initialBound: glorot },
});

/** Name of an activation function. */
export type Activation = keyof typeof activations;

/** An activation with its parameter: what a factory such as `elu` returns. */
export interface SetActivation<A extends Activation = Activation> {
  readonly name: A;
  /** Of leakyRelu. */
  readonly negativeSlope?: number;
  /** Of elu and celu. */
  readonly alpha?: number;
}

const factoryMade = /* @__PURE__ */ new WeakSet<object>();

function set<A extends Activation>(name: A, options: Omit<SetActivation, "name">): SetActivation<A> {
  const { option, parameter } = activations[name];
  const { [option!]: value = parameter } = readOptions<typeof options>(name, options, [option!]);
  checkPositive(option!, value);
  const made = Object.freeze({ name, [option!]: value });
  factoryMade.add(made);
  return made;
}

/**
 * `f(z) = z` above 0, else `negativeSlope * z`: an `activation` for layers. "leakyRelu" is the same with the default 0.01,
 * that of PyTorch. Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
 *
 * @throws RangeError unless negativeSlope is above 0
 */
export const leakyRelu = (options: { negativeSlope?: number } = {}): SetActivation<"leakyRelu"> =>
  set("leakyRelu", options);

/**
 * `f(z) = z` above 0, else `alpha * (exp(z) - 1)`: an `activation` for layers. "elu" is the same with the default 1.
 * Clevert et al. 2015, "Fast and Accurate Deep Network Learning by Exponential Linear Units".
 *
 * @throws RangeError unless alpha is above 0
 */
export const elu = (options: { alpha?: number } = {}): SetActivation<"elu"> => set("elu", options);

/**
 * `f(z) = z` above 0, else `alpha * (exp(z / alpha) - 1)`: an `activation` for layers. "celu" is the same with the default
 * 1. Barron 2017, "Continuously Differentiable Exponential Linear Units".
 *
 * @throws RangeError unless alpha is above 0
 */
export const celu = (options: { alpha?: number } = {}): SetActivation<"celu"> => set("celu", options);

/** What a layer was given as its activation, checked. */
export function checkActivation<A extends Activation>(given: A | SetActivation<A>): SetActivation<A> {
  if (factoryMade.has(given as object)) return given as SetActivation<A>;
  return { name: checkChoice("activation", given, activations) as A };
}

/** How to write it: "relu" in quotes, or elu({ alpha: 0.5 }). */
export function activationText(activation: SetActivation): string {
  const { name } = activation;
  const { option } = activations[name];
  const value = option && activation[option];
  return value === undefined ? quote(name) : `${name}({ ${option}: ${value} })`;
}

/** The value of its parameter, if it has one. */
export function parameterOf(activation: SetActivation): number | undefined {
  const { option, parameter } = activations[activation.name];
  return (option && activation[option]) ?? parameter;
}

/** The tensors that it learns, over a last axis of so many values: of prelu a slope for each. */
export function tensorsOf({ name }: SetActivation, width: number): Record<string, TensorSpec> {
  return activations[name].learned === undefined ? {} : { slope: { shape: [width] } };
}

/** Sets them to their initial values. */
export function fillTensors(
  { name }: SetActivation,
  store: Store,
  { slope }: Readonly<Record<string, Tensor>>,
): void {
  if (slope) store.view(slope).fill(activations[name].learned!);
}
