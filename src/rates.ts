// Learning rates: a number, or one for each step.

import { quote } from "./check.js";
import type { Pieces } from "./pieces.js";

/** How long a fit is. */
export interface Extent {
  /** Steps of all epochs; NaN where it is not known (batches of a stream), Infinity where there is no end (trainBatch). */
  steps: number;
  epochs: number;
  /** As steps. */
  stepsPerEpoch: number;
}

/**
 * The learning rate of a step: `step` and `epoch` count from 0 at the beginning of the fit. It may be 0 in some steps.
 *
 * All rates of a fit are asked for once before it, and refused before anything changes where one is not a finite number of
 * at least 0. Those of an epoch are asked for again as it begins, so that a function may read what `onEpoch` changes; it must
 * not count its calls. One that only then is no such number ends the fit, with the weights of the epoch before.
 */
export type Schedule = (step: number, epoch: number, fit: Extent) => number;

/** What a schedule that depends on the training sees of an epoch. */
export interface Watched {
  loss: number;
  validationLoss?: number;
}

/** What `reduceOnPlateau` returns: a schedule that looks at what comes of it. Each fit begins it anew. */
export interface WatchingSchedule {
  /** What it needs, if it must be one of them. */
  readonly monitor: keyof Watched | undefined;
  /** The rates of a fit, and what is to be told of its epochs. */
  begin(): { rate: Schedule; epochEnded(entry: Watched): void };
}

/** A learning rate: a number above 0, or a schedule. */
export type LearningRate = number | Schedule | WatchingSchedule;

/** base to the power of an integer from 0 to 2^31 - 1, the same bits in every engine: Math.pow need not be. */
export function power(base: number, exponent: number): number {
  let result = 1;
  for (let left = exponent | 0; left > 0; left >>= 1) {
    if (left & 1) result *= base;
    base *= base;
  }
  return result;
}

/** How many powers in a row are made by one multiplication each. */
const ROW = 64;

/** base^1, base^2, ...: cheap in a row, and the same bits wherever the row begins. */
export function powersOf(base: number): (exponent: number) => number {
  let last = -1;
  let value = 1;
  return (exponent) => {
    const place = exponent % ROW;
    if (place > 0 && exponent === last + 1) {
      value *= base;
    } else if (exponent !== last) {
      value = power(base, exponent - place);
      for (let i = 0; i < place; i++) value *= base;
    }
    last = exponent;
    return value;
  };
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
      `learningRate returned ${quote(rate)} for step ${step} of epoch ${epoch}, counted from 0, but must return a finite ` +
        "number of at least 0",
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
