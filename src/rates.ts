// Learning rates: a number, or one for each step.

import { quote } from "./check.js";
import type { Pieces } from "./pieces.js";

/** How long a fit is. */
export interface Extent {
  /** Steps of all epochs. */
  steps: number;
  epochs: number;
  stepsPerEpoch: number;
}

/**
 * The learning rate of a step: `step` and `epoch` count from 0 at the beginning of the fit. All rates of an epoch are asked
 * for as it begins, and all of a fit once before, so a function of one's own must not count its calls.
 */
export type Schedule = (step: number, epoch: number, fit: Extent) => number;

/** What a schedule that depends on the training sees of an epoch. */
export interface Watched {
  loss: number;
  validationLoss?: number;
}

/** What `reduceOnPlateau` returns: each fit begins it anew. */
export interface WatchingSchedule {
  /** What it needs, if it must be one of them. @internal */
  readonly monitor: keyof Watched | undefined;
  /** @internal */
  begin(): { rate: Schedule; epochEnded(entry: Watched): void };
}

/** A learning rate: a number above 0, or a schedule. */
export type LearningRate = number | Schedule | WatchingSchedule;

/** base to an integer power, the same bits in every engine: Math.pow need not be. */
export function power(base: number, exponent: number): number {
  let result = 1;
  for (let factor = base; exponent > 0; factor *= factor) {
    if (exponent % 2 === 1) result *= factor;
    exponent = Math.floor(exponent / 2);
  }
  return result;
}

/** The learning rates of a fit. */
export class Rates {
  readonly epochEnded: (entry: Watched) => void = () => {};
  readonly #rate: Schedule;
  readonly #fit: Extent;

  constructor(learningRate: LearningRate, fit: Extent) {
    this.#fit = fit;
    if (typeof learningRate === "object") {
      const begun = learningRate.begin();
      this.#rate = begun.rate;
      this.epochEnded = begun.epochEnded;
    } else {
      this.#rate = typeof learningRate === "number" ? () => learningRate : learningRate;
    }
  }

  /** Throws RangeError for a rate that is none. */
  at(step: number, epoch: number): number {
    const rate = this.#rate(step, epoch, this.#fit);
    if (typeof rate === "number" && rate >= 0 && rate < Number.POSITIVE_INFINITY) return rate;
    throw new RangeError(
      `learningRate returned ${quote(rate)} for step ${step} of epoch ${epoch}, both counted from 0, but must return a ` +
        "finite number of at least 0",
    );
  }
}

/** Steps whose rates are checked at a stretch. */
const STRETCH = 4096;

/** Checks the rates of all steps of a fit; returns the highest. */
export function* checkRates(learningRate: LearningRate, fit: Extent): Pieces<number> {
  if (typeof learningRate === "number") return learningRate;
  const rates = new Rates(learningRate, fit);
  let highest = 0;
  for (let step = 0; step < fit.steps; step++) {
    highest = Math.max(highest, rates.at(step, Math.floor(step / fit.stepsPerEpoch)));
    if (step % STRETCH === STRETCH - 1) yield;
  }
  return highest;
}
