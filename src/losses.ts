// The losses: one row each. The type Loss is this table's keys.

import type { Activation } from "./activations.js";
import { type LossOp, Op } from "./program.js";

interface LossRow {
  op: LossOp;
  /** Activation of the last layer that the loss is fused with, and needs. */
  fused?: Activation;
  /** The loss counts each element (and is a mean over elements), or each row. */
  per: "element" | "row";
  /** Factor of the gradient before the mean is taken. */
  factor: number;
  /** Whether accuracy means something. */
  classifies: boolean;
}

export const losses = {
  /** mean over all elements of (y - t)^2 */
  meanSquaredError: { op: Op.meanSquaredError, per: "element", factor: 2, classifies: false },
  /** mean over all elements of -(t log y + (1 - t) log(1 - y)), y a sigmoid */
  binaryCrossEntropy: {
    op: Op.binaryCrossEntropy,
    fused: "sigmoid",
    per: "element",
    factor: 1,
    classifies: true,
  },
  /** mean over rows of -sum over j of t[j] log y[j], y a softmax */
  crossEntropy: { op: Op.crossEntropy, fused: "softmax", per: "row", factor: 1, classifies: true },
} as const satisfies Record<string, LossRow>;

/** Name of a loss function. */
export type Loss = keyof typeof losses;

/** Name of a loss function that has an accuracy. */
export type ClassifyingLoss = {
  [K in Loss]: (typeof losses)[K]["classifies"] extends true ? K : never;
}[Loss];

/** A row of the table, without the narrowness of its literals. */
export function lossRow(loss: Loss): LossRow {
  return losses[loss];
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
