// The optimizers: a factory for users and a row of the table each.

import { checkBoolean, checkNotNegative, checkPositive, checkShare, readOptions } from "./check.js";
import { Op, Rate, Variant } from "./program/builder.js";
import type { LearningRate, WatchingSchedule } from "./rates.js";
import { rowsOf } from "./table.js";

/**
 * How a network is to be trained: what a factory such as `sgd` returns. Its settings are properties that can be changed
 * from one call of `fit` to the next, which checks them again and goes on with what the network keeps of the optimizer.
 */
export interface Optimizer {
  readonly name: OptimizerName;
  /** Step size. */
  learningRate: LearningRate;
  clipNorm: number | undefined;
  clipValue: number | undefined;
}

/** An optimizer with the settings that its factory takes. */
export type OptimizerOf<Options> = Optimizer & Required<Omit<Options, keyof Optimizer>>;

interface Clipping {
  /**
   * Most that the norm of all gradients together may be: where it is more, they are multiplied by
   * clipNorm / (norm + 1e-6), as by PyTorch's clip_grad_norm_. Default undefined: any.
   */
  clipNorm?: number | undefined;
  /**
   * Most that each value of a gradient may be, to either side of 0, as with PyTorch's clip_grad_value_. With both, the
   * values are limited first, and clipNorm is for the norm of what that leaves. Default undefined: any.
   */
  clipValue?: number | undefined;
}

interface Common extends Clipping {
  /** Step size: a number, or a schedule such as `cosineDecay(0.1)`. */
  learningRate?: LearningRate;
  /** Penalty: this share of each parameter, biases included, is added to its gradient (L2). Default 0. */
  weightDecay?: number;
}

export interface SgdOptions extends Common {
  /** Share of the velocity that is left after a step: 0 (default, no velocity) up to, but not, 1. */
  momentum?: number;
  /** Whether a step looks ahead along the velocity; default false. */
  nesterov?: boolean;
}

export interface RmspropOptions extends Common {
  /** Share of the mean of squares that is left after a step; default 0.99. */
  rho?: number;
  /** What is added to the root of the mean of squares; default 1e-8. */
  epsilon?: number;
  /** Share of the velocity that is left after a step; default 0: no velocity. */
  momentum?: number;
  /** Whether to divide by the standard deviation of the gradients, not by the root of their mean square; default false. */
  centered?: boolean;
}

export interface AdagradOptions extends Common {
  /** What is added to the root of the sum of squares; default 1e-10. */
  epsilon?: number;
}

export interface AdamOptions extends Common {
  /** Share of the mean of gradients that is left after a step; default 0.9. */
  beta1?: number;
  /** Share of the mean of squares that is left after a step; default 0.999. */
  beta2?: number;
  /** What is added to the root of the mean of squares, once that is corrected; default 1e-8. */
  epsilon?: number;
  /** Whether to divide by the largest mean of squares so far; default false. */
  amsgrad?: boolean;
}

export interface AdamWOptions extends Omit<AdamOptions, "weightDecay"> {
  /** Share of each parameter, times the learning rate, that a step takes off it; default 0.01. */
  weightDecay?: number;
}

export interface LionOptions extends Clipping {
  learningRate?: LearningRate;
  /** Share of the mean of gradients in the sum whose sign a step goes by; default 0.9. */
  beta1?: number;
  /** Share of the mean of gradients that is left after a step; default 0.99. */
  beta2?: number;
  /** Share of each parameter, times the learning rate, that a step takes off it; default 0. */
  weightDecay?: number;
}

/** The settings of all optimizers: each has some of them. */
type Settings = Required<Omit<SgdOptions & RmspropOptions & AdamOptions, "clipNorm" | "clipValue">>;

/** An optimizer with all its settings, of which its row reads those that it has. */
export type SetOptimizer = Readonly<Optimizer & Settings>;

/** What a step is with some settings. */
interface Rule {
  op: Op;
  /** A sum of Variant. */
  variant: number;
  /**
   * Names of what it keeps of each parameter, at the places that the operands of Update have for them; none where the
   * settings need none.
   */
  slots: readonly (string | undefined)[];
  /** decay1, share1, decay2, share2: see Setting. */
  means: readonly number[];
}

interface OptimizerRow {
  /** Its settings, but those that all have. @internal */
  defaults: Partial<Settings> & { learningRate: number; weightDecay: number };
  /** What its settings make of it. @internal */
  rule(settings: SetOptimizer): Rule;
  /** Whether its means are corrected by the number of steps, which is counted then. @internal */
  corrected?: boolean;
  /** Whether weight decay is taken off the parameters, not added to the gradients. @internal */
  decoupled?: boolean;
}

const mean = (beta: number): [number, number] => [beta, 1 - beta];
const when = <T>(condition: unknown, value: T) => (condition ? value : undefined);

const adamRow = {
  rule: ({ amsgrad, beta1, beta2 }) => ({
    op: amsgrad ? Op.adaptive : Op.adam,
    variant: Variant.mean | (amsgrad ? Variant.maximum : 0),
    slots: ["mean", "square", when(amsgrad, "maximum")],
    means: [...mean(beta1), ...mean(beta2)],
  }),
  corrected: true,
} satisfies Omit<OptimizerRow, "defaults">;
const adamDefaults = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, amsgrad: false };

export const optimizers = /* @__PURE__ */ rowsOf<OptimizerRow>()({
  sgd: {
    defaults: { learningRate: 0.01, momentum: 0, nesterov: false, weightDecay: 0 },
    rule: ({ momentum, nesterov }) => ({
      op: Op.momentum,
      variant: nesterov ? Variant.nesterov : 0,
      slots: [when(momentum, "velocity")],
      means: [momentum],
    }),
  },
  rmsprop: {
    defaults: {
      learningRate: 0.01,
      rho: 0.99,
      epsilon: 1e-8,
      momentum: 0,
      centered: false,
      weightDecay: 0,
    },
    rule: ({ momentum, rho, centered }) => ({
      op: Op.adaptive,
      variant: (momentum ? Variant.velocity : 0) | (centered ? Variant.centered : 0),
      slots: [when(momentum, "velocity"), "square", when(centered, "mean")],
      means: [momentum, 0, ...mean(rho)],
    }),
  },
  adagrad: {
    defaults: { learningRate: 0.01, epsilon: 1e-10, weightDecay: 0 },
    rule: () => ({ op: Op.adaptive, variant: 0, slots: [undefined, "square"], means: [0, 0, 1, 1] }),
  },
  adam: { ...adamRow, defaults: { ...adamDefaults, weightDecay: 0 } },
  adamW: { ...adamRow, defaults: { ...adamDefaults, weightDecay: 0.01 }, decoupled: true },
  lion: {
    defaults: { learningRate: 1e-4, beta1: 0.9, beta2: 0.99, weightDecay: 0 },
    rule: ({ beta1, beta2 }) => ({
      op: Op.adaptive,
      variant: Variant.sign,
      slots: ["mean"],
      means: [...mean(beta1), ...mean(beta2)],
    }),
    decoupled: true,
  },
});

/** What a step of an optimizer is. */
export function ruleOf(optimizer: SetOptimizer): Rule {
  return optimizers[optimizer.name].rule(optimizer);
}

/** Name of an optimizer. */
export type OptimizerName = keyof typeof optimizers;

/** The slots of an optimizer, by the places that Update has for them. */
export function slotsOf(optimizer: SetOptimizer): (string | undefined)[] {
  const { name } = optimizer;
  return ruleOf(optimizer).slots.map((slot) => when(slot, `${name}.${slot}`));
}

/** Whether a step is w = w - learningRate * gradient: it can be folded into the operations that make the gradients then. */
export function isPlain(optimizer: SetOptimizer): boolean {
  const { name, momentum, weightDecay, clipNorm, clipValue } = optimizer;
  return name === "sgd" && !momentum && !weightDecay && clipNorm === undefined && clipValue === undefined;
}

/** Writes what all steps have alike: Setting.columns cells from the `index`th on. */
export function writeSettings(optimizer: SetOptimizer, cells: Float64Array, index: number): void {
  const { decoupled } = optimizers[optimizer.name];
  const { weightDecay, clipValue = Number.POSITIVE_INFINITY, clipNorm = 0 } = optimizer;
  const [decay1, share1 = 0, decay2 = 0, share2 = 0] = ruleOf(optimizer).means;
  cells.set([decoupled ? 0 : weightDecay, decay1, share1, decay2, share2, clipValue, clipNorm], index);
}

/**
 * Writes Rate.columns cells from the `index`th on, for the t-th step of an optimizer, counted from 1, at a learning rate.
 *
 * @param power1 beta1^t
 * @param power2 beta2^t
 */
export function writeRates(
  optimizer: SetOptimizer,
  learningRate: number,
  power1: number,
  power2: number,
  cells: Float64Array,
  index: number,
): void {
  const { corrected, decoupled } = optimizers[optimizer.name];
  const { epsilon = 0, weightDecay } = optimizer;
  // rate m / c1 / (sqrt(v) / root + epsilon), with one division for all of it
  const root = corrected ? Math.sqrt(1 - power2) : 1;
  cells[index + Rate.rate] = (-learningRate * root) / (corrected ? 1 - power1 : 1);
  cells[index + Rate.epsilon] = epsilon * root;
  cells[index + Rate.keep] = decoupled ? 1 - learningRate * weightDecay : 1;
}

function checkLimit(name: string, value: unknown): void {
  if (value !== undefined) checkPositive(name, value, ", or undefined for none");
}

function checkLearningRate(name: string, value: unknown): void {
  if (typeof value === "function" || typeof (value as WatchingSchedule)?.begin === "function") return;
  checkPositive(name, value, typeof value === "number" ? "" : ", or a schedule, e.g. cosineDecay(0.01)");
}

const checks: Readonly<Record<string, (name: string, value: unknown) => unknown>> = {
  learningRate: checkLearningRate,
  momentum: checkShare,
  rho: checkShare,
  beta1: checkShare,
  beta2: checkShare,
  epsilon: checkPositive,
  weightDecay: checkNotNegative,
  nesterov: checkBoolean,
  centered: checkBoolean,
  amsgrad: checkBoolean,
  clipNorm: checkLimit,
  clipValue: checkLimit,
};

/** Checks the settings of an optimizer, which may have been changed since it was made; returns a copy of them. */
export function checkSettings(optimizer: Optimizer): SetOptimizer {
  const settings = { ...optimizer } as SetOptimizer;
  for (const [key, value] of Object.entries(settings)) checks[key]?.(key, value);
  if (settings.nesterov && !settings.momentum) {
    throw new RangeError("nesterov is true, but needs a momentum: pass one, e.g. 0.9");
  }
  return settings;
}

const factoryMade = new WeakSet<object>();

/** Makes an optimizer of the options of its factory. */
export function makeOptimizer<O extends Common>(name: OptimizerName, options: O): OptimizerOf<O> {
  const defaults = { ...optimizers[name].defaults, clipNorm: undefined, clipValue: undefined };
  const known = Object.keys(defaults) as (keyof Common)[];
  const read = readOptions<Common>(name, options, known);
  const optimizer: Record<string, unknown> = Object.defineProperty({}, "name", {
    value: name,
    enumerable: true,
  });
  for (const key of known) optimizer[key] = read[key] === undefined ? defaults[key] : read[key];
  const made = Object.seal(optimizer) as unknown as OptimizerOf<O>;
  checkSettings(made);
  factoryMade.add(made);
  return made;
}

/** Whether a value is what a factory of this module returned. */
export function isOptimizer(value: unknown): value is Optimizer {
  return typeof value === "object" && value !== null && factoryMade.has(value);
}

/**
 * Stochastic gradient descent: w = w - learningRate * gradient. With a momentum, in PyTorch's form,
 * v = momentum * v + gradient and w = w - learningRate * v; with `nesterov`,
 * w = w - learningRate * (gradient + momentum * v). The velocity v starts at 0 and stays with the network: the next `fit`
 * with a momentum goes on with it. `learningRate` is 0.01 unless given.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function sgd(options: SgdOptions = {}): OptimizerOf<SgdOptions> {
  return makeOptimizer("sgd", options);
}

/**
 * RMSprop (Hinton, Srivastava and Swersky 2012, "Neural networks for machine learning", lecture 6e) in PyTorch's form:
 * s = rho * s + (1 - rho) * gradient^2 and w = w - learningRate * gradient / (sqrt(s) + epsilon). `centered` takes the
 * square of a mean of the gradients off s first (Graves 2013); with a momentum, v = momentum * v + gradient / (...) and
 * w = w - learningRate * v. `learningRate` is 0.01 unless given.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function rmsprop(options: RmspropOptions = {}): OptimizerOf<RmspropOptions> {
  return makeOptimizer("rmsprop", options);
}

/**
 * Adagrad (Duchi, Hazan and Singer 2011, "Adaptive subgradient methods") in PyTorch's form: s = s + gradient^2 and
 * w = w - learningRate * gradient / (sqrt(s) + epsilon). `learningRate` is 0.01 unless given.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function adagrad(options: AdagradOptions = {}): OptimizerOf<AdagradOptions> {
  return makeOptimizer("adagrad", options);
}

/**
 * Adam (Kingma and Ba 2015, "Adam: a method for stochastic optimization") in PyTorch's form: the means
 * m = beta1 * m + (1 - beta1) * gradient and v = beta2 * v + (1 - beta2) * gradient^2, which start at 0 and are corrected
 * for it, m' = m / (1 - beta1^t) and v' = v / (1 - beta2^t) in step t, and
 * w = w - learningRate * m' / (sqrt(v') + epsilon): epsilon is added after the correction (Keras's epsilon is the paper's
 * "epsilon hat", added before). With `amsgrad` (Reddi, Kale and Kumar 2018) the largest v so far takes v's place. Weight
 * decay is L2, added to the gradient; see `adamW`. `learningRate` is 0.001 unless given.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function adam(options: AdamOptions = {}): OptimizerOf<AdamOptions> {
  return makeOptimizer("adam", options);
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019) in PyTorch's form: as `adam`, but a step first multiplies
 * all parameters by 1 - learningRate * weightDecay, which is 0.01 unless given, and leaves the gradients as they are.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function adamW(options: AdamWOptions = {}): OptimizerOf<AdamWOptions> {
  return makeOptimizer("adamW", options);
}

/**
 * Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms"):
 * w = (1 - learningRate * weightDecay) * w - learningRate * sign(beta1 * m + (1 - beta1) * gradient), and then
 * m = beta2 * m + (1 - beta2) * gradient. `learningRate` is 0.0001 unless given.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function lion(options: LionOptions = {}): OptimizerOf<LionOptions> {
  return makeOptimizer("lion", options);
}
