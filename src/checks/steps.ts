// What single steps are given, checked: `trainBatch`, `gradients`, `applyGradients`.

import { checkBoolean, readOptions, wrongValue } from "../check.js";
import { type Rows, type Table, toSmallTable } from "../dataset.js";
import type { FloatArray } from "../dtype.js";
import type { SetLoss } from "../losses.js";
import {
  APPLY_GRADIENTS_OPTIONS,
  type ApplyGradientsOptions,
  type GradientsOptions,
  LOSS_OPTIONS,
  TRAIN_BATCH_OPTIONS,
  type TrainBatchOptions,
  type Weights,
} from "../options.js";
import { finish } from "../pieces.js";
import { sizeOf } from "../shape.js";
import type { Batch, Gradients } from "../steps.js";
import type { Tensor } from "../store.js";
import { checkBatches, checkData, type Facts } from "./data.js";
import { checkLoss } from "./loss.js";
import { checkOptimizer, checkShare } from "./optimizer.js";

/** Checks what `trainBatch` is given. */
export function checkTrainBatch(facts: Facts, inputs: Rows, targets: Rows, options: TrainBatchOptions) {
  const read = readOptions("trainBatch", options, TRAIN_BATCH_OPTIONS);
  if (!isToldAgain(facts, read)) {
    const told = { given: read, before: facts.loss, optimizer: checkOptimizer(facts, read) };
    facts.told = { ...told, loss: checkLoss(facts, read) };
  }
  const { optimizer, loss } = facts.told!;
  const batch = checkBatch(facts, inputs, targets, loss, read.sampleWeights);
  const { rows } = batch.inputs;
  checkBatches(facts, rows, rows);
  if (typeof optimizer.learningRate === "number") checkShare(facts, optimizer.learningRate, batch.loss, rows);
  return { batch, optimizer };
}

/** Checks what `gradients` is given. */
export function checkGradients(facts: Facts, inputs: Rows, targets: Rows, options: GradientsOptions) {
  const read = readOptions("gradients", options, [...LOSS_OPTIONS, "training"]);
  const training = checkBoolean("training", read.training ?? false);
  const batch = checkBatch(facts, inputs, targets, checkLoss(facts, read), read.sampleWeights);
  const { rows } = batch.inputs;
  if (training) checkBatches(facts, rows, rows);
  return { batch, training };
}

/** Whether a trainBatch is told the same as the one before: then its options need no check. */
function isToldAgain({ told, loss }: Facts, read: TrainBatchOptions): boolean {
  if (!told || (told.before !== loss && told.loss !== loss)) return false;
  for (const name of TRAIN_BATCH_OPTIONS) {
    if (name !== "sampleWeights" && read[name] !== told.given[name]) return false;
  }
  // What is in them may have changed.
  if (read.classWeights || typeof read.loss === "object") return false;
  const settings = told.optimizer as unknown as Record<string, unknown>;
  const now = (read.optimizer ?? {}) as unknown as Record<string, unknown>;
  if (typeof now === "object") for (const name in now) if (now[name] !== settings[name]) return false;
  return true;
}

/** Whether a loss surely takes targets: else it may, but there is more to see to. */
function takesAsTheyAre({ targets }: SetLoss, { data }: Table): boolean {
  if (targets === "any") return true;
  if (targets !== "probability") return false;
  for (let i = 0; i < data.length; i++) if (!(data[i] >= 0 && data[i] <= 1)) return false;
  return true;
}

function checkBatch(
  facts: Facts,
  inputs: Rows,
  targets: Rows,
  loss: SetLoss,
  sampleWeights: Weights | undefined,
): Batch {
  const { formats } = facts;
  const x = toSmallTable(inputs, formats.inputs);
  const t = x && !sampleWeights ? toSmallTable(targets, formats.outputs) : undefined;
  if (x && t?.rows === x.rows && takesAsTheyAre(loss, t))
    return { inputs: x, targets: t, weights: undefined, loss };
  const names = ["inputs", "targets", "sampleWeights"] as const;
  const [inputTable, targetTable, weights] = finish(
    checkData(facts, names, inputs, targets, loss, sampleWeights),
  );
  return { inputs: inputTable, targets: targetTable, weights, loss };
}

/** Checks what `applyGradients` is given; returns the gradients, one array a tensor. */
export function checkApplyGradients(
  facts: Facts,
  tensors: readonly Tensor[],
  gradients: Gradients,
  options: ApplyGradientsOptions,
) {
  const read = readOptions("applyGradients", options, APPLY_GRADIENTS_OPTIONS);
  const optimizer = checkOptimizer(facts, read);
  const arrays = new Map<Tensor, FloatArray>();
  for (const tensor of tensors.filter(({ trainable }) => trainable)) {
    const { name, shape } = tensor;
    const [, layer, own] = name.split(".");
    const label = `gradients.layers[${layer}].${own}`;
    const values: unknown = gradients?.layers?.[Number(layer)]?.[own];
    const size = sizeOf(shape);
    if (!ArrayBuffer.isView(values) || (values as FloatArray).length !== size) {
      throw wrongValue(label, values, `an array of ${size} numbers, as gradients() returns it`);
    }
    const bad = (values as FloatArray).findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw new RangeError(
        `${label}[${bad}] is ${(values as FloatArray)[bad]}, but gradients must be finite: leave this step out`,
      );
    }
    arrays.set(tensor, values as FloatArray);
  }
  return { arrays, optimizer };
}
