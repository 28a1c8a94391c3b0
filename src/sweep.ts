// A pass over a whole data set in batches.

import type { Program } from "./executors/executor.js";
import type { SetLoss } from "./losses.js";
import type { Pacer } from "./pacing.js";
import { type Manner, type Model, type Purpose, planStep, type Statistics } from "./plan.js";
import type { PlacedData } from "./upload.js";

/** Rows of a batch in evaluation: large enough for the products, small enough for the cache. */
export const EVALUATION_BATCH = 256;

/** One program for the full batches, one for the rest. */
export interface Sweep {
  rows: number;
  steps: number;
  full: Program | undefined;
  fullSteps: number;
  rest: Program | undefined;
}

export function planSweep(
  model: Model,
  data: PlacedData,
  rows: number,
  loss: SetLoss,
  statistics: Statistics,
  purpose: Purpose,
  manner?: Manner,
): Sweep {
  const { batch } = data.visit;
  const plan = (size: number) =>
    size > 0 ? planStep(model, loss, data, size, statistics.region, purpose, manner).program : undefined;
  const fullSteps = Math.floor(rows / batch);
  return {
    rows,
    steps: Math.ceil(rows / batch),
    full: plan(fullSteps > 0 ? batch : 0),
    fullSteps,
    rest: plan(rows % batch),
  };
}

/** Runs all batches; `stop` is asked after each slice whether to leave the rest. */
export async function runSweep(sweep: Sweep, pacer: Pacer, stop?: () => boolean): Promise<void> {
  if (sweep.full) await pacer.run(sweep.full, 0, sweep.fullSteps, stop);
  if (sweep.rest && !stop?.()) await pacer.run(sweep.rest, sweep.fullSteps, sweep.steps, stop);
}
