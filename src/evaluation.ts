// Evaluation of data that stay outside the heap: one batch at a time is copied in.

import { arrayOf, type FloatArray, smaller } from "./dtype.js";
import { adviceFor, type Figures, type SetLoss } from "./losses.js";
import type { Measures } from "./measuring.js";
import { measure } from "./metrics.js";
import type { Pacer } from "./pacing.js";
import { finish } from "./pieces.js";
import { figuresOf, type Model, NO_SUMS, placeSnapshot, Statistics, type Sums } from "./plan.js";
import { EVALUATION_BATCH, planSweep } from "./sweep.js";
import { allocateData, type Batch, copyBatch, sliceBatch } from "./upload.js";
import type { Snapshot } from "./whole-steps.js";

/** What is evaluated. */
export interface Evaluation extends Measures, Batch {
  loss: SetLoss;
}

/** Evaluates all rows at a stretch, with the parameters in the heap or with a copy. */
export function evaluate(model: Model, evaluation: Evaluation, parameters: Snapshot | undefined): Figures {
  const { rows } = evaluation.inputs;
  const predictions = roomForPredictions(model, evaluation);
  const sums = evaluateRows(model, evaluation, parameters, 0, rows, NO_SUMS, predictions);
  const figures = finiteFigures(model, sums, evaluation);
  return { ...figures, ...(predictions && finish(measureAll(evaluation, predictions))) };
}

/** The same in slices: nothing stays in the heap between two of them. */
export async function evaluateInSlices(
  model: Model,
  evaluation: Evaluation,
  parameters: Snapshot,
  pacer: Pacer,
): Promise<Figures> {
  let sums = NO_SUMS;
  const predictions = roomForPredictions(model, evaluation);
  await pacer.rows(evaluation.inputs.rows, EVALUATION_BATCH, (from, to) => {
    sums = evaluateRows(model, evaluation, parameters, from, to, sums, predictions);
  });
  const figures = finiteFigures(model, sums, evaluation);
  return { ...figures, ...(predictions && (await pacer.drive(measureAll(evaluation, predictions)))) };
}

/** Room for all outputs, if metrics are to be made of them. */
function roomForPredictions(
  { dtype, outputs }: Model,
  { inputs, metrics }: Evaluation,
): FloatArray | undefined {
  if (metrics.length === 0) return undefined;
  return new (arrayOf(dtype))(inputs.rows * outputs);
}

function measureAll({ metrics, task, inputs, targets }: Evaluation, outputs: FloatArray) {
  const read = () => ({ outputs, targets: targets.data, order: undefined });
  return measure(metrics, { ...task, rows: inputs.rows * task.positions, read });
}

function finiteFigures(model: Model, sums: Sums, { inputs, loss }: Evaluation): Figures {
  const figures = figuresOf(model, sums, inputs.rows, loss);
  if (Number.isFinite(figures.loss)) return figures;
  throw new Error(
    `the loss is ${figures.loss}: inputs or targets are so large that it overflows the network's ${model.dtype}: ` +
      adviceFor(loss) +
      smaller(model.dtype),
  );
}

/** Adds the losses and hits of the rows `from` to `to`, in batches, to `sums`; writes their outputs to `predictions`. */
function evaluateRows(
  model: Model,
  evaluation: Evaluation,
  parameters: Snapshot | undefined,
  from: number,
  to: number,
  sums: Sums,
  predictions: FloatArray | undefined,
): Sums {
  const { heap, executor, outputs } = model;
  const mark = heap.top;
  try {
    const batch = Math.min(EVALUATION_BATCH, to - from);
    const first = sliceBatch(evaluation, 0, batch);
    const placed = allocateData(heap, first, { order: undefined, batch }, predictions && outputs);
    const kept = placed.predictions;
    const statistics = new Statistics(heap);
    statistics.set(sums);
    const purpose = { kind: "evaluate", parameters: placeSnapshot(model, parameters) } as const;
    const { full, rest } = planSweep(model, placed, to - from, evaluation.loss, statistics, purpose);
    for (let start = from; start < to; start += batch) {
      const end = Math.min(to, start + batch);
      copyBatch(heap, sliceBatch(evaluation, start, end), placed);
      executor.run((end - start === batch ? full : rest)!, 0, 1);
      if (kept) predictions!.set(heap.elements(kept.offset, (end - start) * outputs), start * outputs);
    }
    return statistics.sums;
  } finally {
    heap.release(mark);
  }
}
