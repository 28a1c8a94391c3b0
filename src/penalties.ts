// What a layer may ask of a step on its weights: penalties, and a bound of their norms.

import { checkNotNegative, checkPositive } from "./check.js";
import type { TensorSpec } from "./store.js";

export interface PenaltyOptions {
  /**
   * Penalty on the weights, not the biases: l1 * sign(w) is added to the gradient of w, as by Keras's L1 regularizer.
   * Default 0. The losses that are reported are those of the data, without penalties.
   */
  l1?: number;
  /** Likewise 2 * l2 * w, as by Keras's L2 regularizer; default 0. */
  l2?: number;
  /**
   * Most that the norm of the weights of each output is after a step: where it is more, they are multiplied by
   * maxNorm / (norm + 1e-7), as by Keras's MaxNorm and PyTorch's renorm. Default undefined: any.
   */
  maxNorm?: number | undefined;
}

/** Options of a layer that has penalties. */
export const PENALTY_OPTIONS = ["l1", "l2", "maxNorm"] as const;

/** Checks penalties; returns them as a tensor has them. */
export function checkPenalties({
  l1 = 0,
  l2 = 0,
  maxNorm,
}: PenaltyOptions): Pick<TensorSpec, "l1" | "l2" | "maxNorm"> {
  checkNotNegative("l1", l1);
  checkNotNegative("l2", l2);
  if (maxNorm === undefined) return { l1, l2 };
  return { l1, l2, maxNorm: checkPositive("maxNorm", maxNorm, ", or undefined for none") };
}
