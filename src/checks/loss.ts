// What is measured, checked: the loss, what is given with it, metrics.

import { checkChoice, quote, wrongValue } from "../check.js";
import { type Rows, refuseZeros, toWeights } from "../dataset.js";
import type { Evaluation } from "../evaluation.js";
import {
  defaultLoss,
  type Loss,
  type LossRow,
  type LossSettings,
  losses,
  rowAfter,
  type SetLoss,
  setLoss,
  settingsOf,
  smooths,
} from "../losses.js";
import { taskOf } from "../measuring.js";
import { checkMetrics } from "../metrics.js";
import type { EvaluateOptions, FitOptions } from "../options.js";
import { finish, type Pieces } from "../pieces.js";
import { ClassWeights } from "../program/builder.js";
import { namesOf } from "../table.js";
import { checkData, type Facts, refuseNothing } from "./data.js";

/** Checks that a loss is known, that it fits the last activation, and that what is given with it fits it. */
export function checkLoss(
  { activation: last, loss: before, outputShape, dtype }: Facts,
  { loss, labelSmoothing, classWeights }: Pick<FitOptions, "loss" | "labelSmoothing" | "classWeights">,
): SetLoss {
  const given = typeof loss === "object" && loss !== null ? (loss as Partial<LossSettings>) : { name: loss };
  const { name, ...parameters } = given;
  const chosen = loss === undefined ? before.name : checkChoice("loss", name ?? loss, losses);
  const row = rowAfter(chosen, last);
  if (!row) {
    const { fused, otherwise } = losses[chosen];
    const needed = otherwise ? `${fused} or ${otherwise.fused}` : fused;
    throw new RangeError(
      `loss is "${chosen}", which is computed together with ${needed}, but the last layer's activation is ` +
        `${last ? quote(last) : "none"}: give the last layer activation "${fused}", or choose loss "${defaultLoss(last)}"`,
    );
  }
  const smoothing = labelSmoothing ?? (loss === undefined ? before.labelSmoothing : 0);
  if (!(typeof smoothing === "number" && smoothing >= 0 && smoothing < 1)) {
    throw wrongValue("labelSmoothing", smoothing, "at least 0 and less than 1, e.g. 0.1");
  }
  if (smoothing > 0 && !smooths(row)) throw unfit("labelSmoothing", chosen, smooths);
  let weights: number[] | undefined;
  if (classWeights !== undefined) {
    if (!row.classes) throw unfit("classWeights", chosen, ({ classes }) => classes);
    const sides = row.classes === ClassWeights.ofSides;
    const classes = sides ? 2 : outputShape[outputShape.length - 1];
    const of = sides ? "of the lower target and of the upper one" : "one for each class";
    const table = finish(toWeights("classWeights", classWeights, classes, of, dtype));
    refuseZeros("classWeights", table, "classes");
    weights = [...table.data];
  }
  return loss === undefined
    ? { ...before, labelSmoothing: smoothing, classWeights: weights }
    : setLoss(row, settingsOf(chosen, parameters), smoothing, weights);
}

/** The error for an option that a loss does not take. */
function unfit(option: string, loss: Loss, takes: (row: LossRow) => unknown): Error {
  const others = namesOf(losses).filter((name) => takes(losses[name]));
  return new RangeError(
    `${option} is given, but the loss "${loss}" takes none: leave it out, or choose ${others.join(", ")}`,
  );
}

/** Checks the metrics that a call is asked for. */
export function checkMeasures({ activation, outputShape }: Facts, loss: SetLoss, metrics: unknown) {
  const task = taskOf(loss, activation, outputShape);
  return { task, metrics: checkMetrics(metrics, task, loss.name) };
}

/** Checks what `evaluate` is given. */
export function* checkEvaluation(
  facts: Facts,
  inputs: Rows,
  targets: Rows,
  options: EvaluateOptions,
): Pieces<Evaluation> {
  const loss = checkLoss(facts, options);
  const measures = checkMeasures(facts, loss, options.metrics);
  const names = ["inputs", "targets", "sampleWeights"] as const;
  const all = yield* checkData(facts, names, inputs, targets, loss, options.sampleWeights);
  refuseNothing(all);
  return { inputs: all[0], targets: all[1], weights: all[2], loss, ...measures };
}
