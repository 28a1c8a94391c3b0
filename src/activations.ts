// The activations: one row each. The type ActivationName is this table's keys; there is no second list. Some have a factory
// besides, for the parameter that their row names.

import { checkChoice, checkPositive, quote, readOptions } from "./check.js";
import type { InitializerName } from "./initializers.js";
import { Curve, Op } from "./program/builder.js";
import type { TensorSpec } from "./store.js";
import { rowsOf } from "./table.js";

interface ActivationRow {
  /** f, where it does anything and `curve` does not say it. @internal */
  forward?: Op;
  /** A gradient times f', likewise. @internal */
  backward?: Op;
  /** f and f' of the activations that share one operation. @internal */
  curve?: Curve;
  /** Whether the derivative reads the output of f, which then may take the place of its input; default: it reads that. @internal */
  readsOutput?: boolean;
  /** How the weights before it are initialized; default "heUniform". @internal */
  initial?: InitializerName;
  /** Whether it belongs at the end of a network only. @internal */
  onlyLast?: boolean;
  /** Its parameter, unless it is set otherwise. @internal */
  parameter?: number;
  /** Name of its parameter, where it can be set. @internal */
  option?: "negativeSlope" | "alpha";
  /** Initial value of the tensor `slope`, where it learns its parameter: one for each value of the last axis. @internal */
  learned?: number;
}

export const activations = /* @__PURE__ */ rowsOf<ActivationRow>()({
  /** f(z) = 1 / (1 + exp(-z)) */
  sigmoid: { forward: Op.sigmoid, backward: Op.sigmoidBackward, readsOutput: true, initial: "glorotUniform" },
  /** f(z) = max(z, 0) */
  relu: { forward: Op.relu, backward: Op.reluBackward, readsOutput: true },
  /** f(z) = tanh(z) */
  tanh: { forward: Op.tanh, backward: Op.tanhBackward, readsOutput: true, initial: "glorotUniform" },
  /** f(z)[j] = exp(z[j]) / sum over i of exp(z[i]), row by row */
  softmax: {
    forward: Op.softmax,
    backward: Op.softmaxBackward,
    readsOutput: true,
    initial: "glorotUniform",
    onlyLast: true,
  },
  /** f(z) = z */
  linear: { initial: "glorotUniform" },
  /** f(z) = z above 0, else negativeSlope z: see `leakyRelu` */
  leakyRelu: {
    curve: Curve.leakyRelu,
    readsOutput: true,
    parameter: 0.01,
    option: "negativeSlope",
  },
  /**
   * f(z) = z above 0, else slope z: the layer's tensor `slope`, one for each value of the last axis, is trained from 0.25 on.
   * He et al. 2015, "Delving Deep into Rectifiers".
   */
  prelu: { curve: Curve.prelu, learned: 0.25 },
  /** f(z) = z above 0, else alpha (exp(z) - 1): see `elu` */
  elu: { curve: Curve.elu, parameter: 1, option: "alpha" },
  /**
   * f(z) = 1.0507 times elu of alpha 1.6733, whose outputs keep a mean of 0 and a variance of 1: Klambauer et al. 2017,
   * "Self-Normalizing Neural Networks".
   */
  selu: { curve: Curve.selu, initial: "lecunUniform", parameter: 1.6732632423543772 },
  /** f(z) = z above 0, else alpha (exp(z / alpha) - 1): see `celu` */
  celu: { curve: Curve.celu, parameter: 1, option: "alpha" },
  /** f(z) = z (1 + erf(z / sqrt(2))) / 2: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units" */
  gelu: { curve: Curve.gelu },
  /** f(z) = z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2, which is near gelu */
  geluTanh: { curve: Curve.geluTanh },
  /** f(z) = z / (1 + exp(-z)), also called swish */
  silu: { curve: Curve.silu },
  /** f(z) = z tanh(log(1 + exp(z))): Misra 2019, "Mish" */
  mish: { curve: Curve.mish },
  /** f(z) = log(1 + exp(z)), for every z: PyTorch's returns z itself above 20 */
  softplus: { curve: Curve.softplus, initial: "glorotUniform" },
  /** f(z) = z / (1 + |z|) */
  softsign: { curve: Curve.softsign, initial: "glorotUniform" },
  /** f(z) = min(max(z + 3, 0), 6) / 6, as in PyTorch */
  hardSigmoid: { curve: Curve.hardSigmoid, initial: "glorotUniform" },
  /** f(z) = z min(max(z + 3, 0), 6) / 6: Howard et al. 2019, "Searching for MobileNetV3" */
  hardSwish: { curve: Curve.hardSwish },
  /** f(z) = min(max(z, 0), 6) */
  relu6: { curve: Curve.relu6, readsOutput: true },
  /** f(z)[j] = z[j] - log(sum over i of exp(z[i])), row by row */
  logSoftmax: { curve: Curve.logSoftmax, readsOutput: true, initial: "glorotUniform", onlyLast: true },
  /** f(z) = exp(z) */
  exponential: { forward: Op.exp, curve: Curve.exponential, readsOutput: true, initial: "glorotUniform" },
});

/** Name of an activation function. */
export type ActivationName = keyof typeof activations;

/** An activation with its parameter: what a factory such as `elu` returns. */
export interface SetActivation<A extends ActivationName = ActivationName> {
  readonly name: A;
  /** Of leakyRelu. */
  readonly negativeSlope?: number;
  /** Of elu and celu. */
  readonly alpha?: number;
}

/** An activation with its option, if it is given one and has it, checked. */
function set<A extends ActivationName>(name: A, options: Omit<SetActivation, "name">): SetActivation<A> {
  const { option } = activations[name];
  const read = readOptions(name, options, option ? [option] : []);
  const value = option && read[option];
  return Object.freeze(value === undefined ? { name } : { name, [option!]: checkPositive(option!, value) });
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
export function checkActivation<A extends ActivationName>(given: A | SetActivation<A>): SetActivation<A> {
  const { name, ...options } = typeof given === "object" && given ? given : { name: given };
  return set(checkChoice("activation", name, activations) as A, options);
}

/** How to write it: "relu" in quotes, or elu({ alpha: 0.5 }). */
export function activationText({ name, ...options }: SetActivation): string {
  const [setting] = Object.entries(options);
  return setting ? `${name}({ ${setting.join(": ")} })` : quote(name);
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
