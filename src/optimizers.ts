// The optimizers: a factory for users and a row of the table each.

import { checkBoolean, checkPositive, quote, readOptions } from "./check.js";
import type { Region } from "./heap.js";
import type { ProgramBuilder } from "./program/builder.js";
import { rowsOf } from "./table.js";

/** How a network is to be trained: what a factory such as `sgd` returns. */
export interface Optimizer {
  readonly name: OptimizerName;
  /** Step size. */
  readonly learningRate: number;
}

/** An optimizer with all its settings, which its row knows. */
export type SetOptimizer = Optimizer & Readonly<Record<string, number | boolean | string>>;

/** What a step updates: regions that lie alike. */
export interface Update {
  parameters: Region;
  gradients: Region;
  /** What the optimizer keeps of each parameter, in the order of its names. */
  slots: readonly Region[];
  /** Elements. */
  size: number;
  /** f64 cell: -learningRate */
  rate: Region;
}

interface OptimizerRow {
  /** Names of what it keeps of each parameter: see Store.slot(). @internal */
  slots(settings: SetOptimizer): readonly string[];
  /**
   * Whether a step is w = w - learningRate * gradient: it is folded into the operations that make the gradients then, and
   * emits nothing. @internal
   */
  folds(settings: SetOptimizer): boolean;
  /** Emits a step. @internal */
  emit(builder: ProgramBuilder, update: Update, settings: SetOptimizer): void;
}

export const optimizers = /* @__PURE__ */ rowsOf<OptimizerRow>()({
  sgd: {
    slots: ({ momentum }) => (momentum ? ["sgd.velocity"] : []),
    folds: ({ momentum }) => !momentum,
    emit(builder, update, { momentum, nesterov }) {
      builder.momentum(update, update.slots[0], builder.cell(momentum as number), nesterov as boolean);
    },
  },
});

/** Name of an optimizer. */
export type OptimizerName = keyof typeof optimizers;

export interface SgdOptions {
  /** Step size; default 0.01. */
  learningRate?: number;
  /** Share of the velocity that is left after a step: 0 (default, no velocity) up to, but not, 1. */
  momentum?: number;
  /** Whether a step looks ahead along the velocity; default false. */
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent: w = w - learningRate * gradient. With a momentum, in PyTorch's form,
 * v = momentum * v + gradient and w = w - learningRate * v; with `nesterov`,
 * w = w - learningRate * (gradient + momentum * v). The velocity v starts at 0 and stays with the network: the next `fit`
 * with a momentum goes on with it.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const {
    learningRate = 0.01,
    momentum = 0,
    nesterov = false,
  } = readOptions("sgd", options, ["learningRate", "momentum", "nesterov"]);
  checkPositive("learningRate", learningRate);
  if (!(typeof momentum === "number" && momentum >= 0 && momentum < 1)) {
    throw new RangeError(`momentum is ${quote(momentum)}, but must be at least 0 and less than 1, e.g. 0.9`);
  }
  checkBoolean("nesterov", nesterov);
  if (nesterov && momentum === 0) {
    throw new RangeError(
      "nesterov is true, but without a momentum there is nothing to look ahead along: pass one, e.g. 0.9",
    );
  }
  return made({ name: "sgd", learningRate, momentum, nesterov });
}

const factoryMade = new WeakSet<object>();

function made<O extends Optimizer>(optimizer: O): O {
  factoryMade.add(optimizer);
  return Object.freeze(optimizer);
}

/** Whether a value is what a factory of this module returned. */
export function isOptimizer(value: unknown): value is SetOptimizer {
  return typeof value === "object" && value !== null && factoryMade.has(value);
}
