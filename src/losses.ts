// The losses: one row each. The type Loss is this table's keys.

import type { Activation } from "./activations.js";
import { type LossOp, Op } from "./program.js";
import { rowsOf } from "./table.js";

interface LossRow {
  /** @internal */
  op: LossOp;
  /** Activation of the last layer that the loss is fused with, and needs. @internal */
  fused?: Activation;
  /** The loss counts each element (and is a mean over elements), or each row. @internal */
  per: "element" | "row";
  /** Factor of the gradient before the mean is taken. @internal */
  factor: number;
}

export const losses = /* @__PURE__ */ rowsOf<LossRow>()({
  /** mean over all elements of (y - t)^2 */
  meanSquaredError: { op: Op.meanSquaredError, per: "element", factor: 2 },
  /** mean over all elements of -(t log y + (1 - t) log(1 - y)), y a sigmoid */
  binaryCrossEntropy: { op: Op.binaryCrossEntropy, fused: "sigmoid", per: "element", factor: 1 },
  /** mean over rows of -sum over j of t[j] log y[j], y a softmax */
  crossEntropy: { op: Op.crossEntropy, fused: "softmax", per: "row", factor: 1 },
});

/** Name of a loss function. */
export type Loss = keyof typeof losses;

/** Those that classify: accuracy means something. */
const classifying = ["binaryCrossEntropy", "crossEntropy"] as const satisfies Loss[];

/** Name of a loss function that has an accuracy. */
export type ClassifyingLoss = (typeof classifying)[number];

export function classifies(loss: Loss): loss is ClassifyingLoss {
  return (classifying as readonly Loss[]).includes(loss);
}

/** The loss that fits the last activation. */
export function defaultLoss(last: Activation): Loss {
  if (last === "softmax") return "crossEntropy";
  return last === "sigmoid" ? "binaryCrossEntropy" : "meanSquaredError";
}

/** Mean loss a row, and the share of hits, 0 to 1, where the loss is one of classification. */
export interface Figures {
  loss: number;
  accuracy?: number;
}

/** Figures of a loss that classifies. */
export interface ClassifierFigures extends Figures {
  accuracy: number;
}
