// Optimizers and learning rates, checked.

import { checkChoice, wrongType } from "../check.js";
import { rounded } from "../dtype.js";
import { type SetLoss, termsOf } from "../losses.js";
import { checkSettings, isOptimizer, makeOptimizer, optimizers, type SetOptimizer } from "../optimizers.js";
import type { FitOptions } from "../options.js";
import { namesOf } from "../table.js";
import { checkRounded, type Facts } from "./data.js";

/** The optimizer of a fit, with its settings as they are now. */
export function checkOptimizer(
  { dtype }: Facts,
  { optimizer = "sgd", learningRate }: FitOptions,
): SetOptimizer {
  let chosen: unknown = optimizer;
  if (typeof optimizer === "string") {
    chosen = makeOptimizer(checkChoice("optimizer", optimizer, optimizers), { learningRate });
  } else if (learningRate !== undefined) {
    throw new TypeError("both optimizer and learningRate are given: pass the learningRate to the optimizer");
  }
  if (!isOptimizer(chosen)) {
    const names = namesOf(optimizers).map((name) => `"${name}"`);
    throw wrongType(
      "optimizer",
      chosen,
      `one of ${names.join(", ")}, or what a factory returns, e.g. adam()`,
    );
  }
  const settings = checkSettings(chosen);
  for (const name of ["epsilon", "clipValue"] as const)
    if (settings[name] !== undefined) checkRounded(name, settings[name], dtype);
  return settings;
}

/** Checks that a schedule has what it watches. */
export function checkMonitored({ learningRate }: SetOptimizer, validated: boolean): void {
  if (typeof learningRate === "object" && learningRate.monitor === "validationLoss" && !validated) {
    throw new TypeError(
      'reduceOnPlateau monitors "validationLoss", but there are no validation data: pass validationData or ' +
        'validationSplit, or monitor "loss"',
    );
  }
}

/** Checks that a step is not 0 for every row of a batch. */
export function checkShare({ dtype, outputShape }: Facts, rate: number, loss: SetLoss, rows: number): void {
  checkRounded("learningRate", rate, dtype);
  if (rounded(dtype, (rate * loss.factor) / termsOf(loss, rows, outputShape)) !== 0) return;
  throw new RangeError(
    `learningRate is ${rate}, of which a row's share in a batch of ${rows} is 0 in the network's ${dtype}: ` +
      "take a larger learningRate or a smaller batchSize",
  );
}
