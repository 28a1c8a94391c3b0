// The losses: one row each. The type Loss is this table's keys.

import type { Activation } from "./activations.js";
import type { TargetKind } from "./dataset.js";
import type { MetricFigures } from "./metrics.js";
import { Op } from "./program/builder.js";
import { positionsOf, type Shape, sizeOf } from "./shape.js";
import { namesOf } from "./table.js";

interface LossRow<C extends boolean = boolean, F extends Activation | undefined = Activation | undefined> {
  /** @internal */
  op: Op;
  /** Activation of the last layer that the loss is fused with, and needs. */
  fused: F;
  /** Whether it classifies: an accuracy means something. */
  classifies: C;
  /** What its targets must be. @internal */
  targets: TargetKind;
  /** What it has one value of and is the mean over: each element, or each row of the last axis. @internal */
  per: "element" | "row";
  /** Factor of the gradient before the mean is taken: an integer. @internal */
  factor: number;
}

/** A table of losses, of whose rows the type says what the types of figures need. */
const lossesOf = <const T extends Record<string, LossRow>>(
  rows: T,
): { readonly [K in keyof T]: LossRow<T[K]["classifies"], T[K]["fused"]> } => rows;

export const losses = /* @__PURE__ */ lossesOf({
  /** mean over all elements of (y - t)^2 */
  meanSquaredError: {
    op: Op.meanSquaredError,
    fused: undefined,
    classifies: false,
    targets: "any",
    per: "element",
    factor: 2,
  },
  /** mean over all elements of -(t log y + (1 - t) log(1 - y)), y a sigmoid */
  binaryCrossEntropy: {
    op: Op.binaryCrossEntropy,
    fused: "sigmoid",
    classifies: true,
    targets: "probability",
    per: "element",
    factor: 1,
  },
  /** mean over rows of -sum over j of t[j] log y[j], y a softmax */
  crossEntropy: {
    op: Op.crossEntropy,
    fused: "softmax",
    classifies: true,
    targets: "distribution",
    per: "row",
    factor: 1,
  },
});

/** Name of a loss function. */
export type Loss = keyof typeof losses;

/** Name of a loss function that has an accuracy. */
export type ClassifyingLoss = {
  [L in Loss]: (typeof losses)[L] extends LossRow<true> ? L : never;
}[Loss];

/** An activation whose loss, unless another is asked for, has an accuracy. */
export type ClassifyingActivation = NonNullable<(typeof losses)[ClassifyingLoss]["fused"]>;

export function classifies(loss: Loss): loss is ClassifyingLoss {
  return losses[loss].classifies;
}

/** The loss that fits the last activation: the one that is fused with it. */
export function defaultLoss(last: Activation | undefined): Loss {
  return namesOf(losses).find((loss) => losses[loss].fused === (last ?? "")) ?? "meanSquaredError";
}

/** Values of a loss over `rows` rows of outputs of a shape: see LossRow.per. */
export function termsOf(loss: Loss, rows: number, shape: Shape): number {
  return rows * (losses[loss].per === "row" ? positionsOf(shape) : sizeOf(shape));
}

/** Mean loss a row, the share of hits, 0 to 1, where the loss is one of classification, and metrics that were asked for. */
export interface Figures extends MetricFigures {
  loss: number;
  accuracy?: number;
}

/** Figures of a loss that classifies. */
export interface ClassifierFigures extends Figures {
  accuracy: number;
}
