// Schedules: learning rates that change from step to step. Each is a function that is imported by who uses it.

import {
  checkBoolean,
  checkInteger,
  checkNotNegative,
  checkNumber,
  checkPositive,
  from,
  oneOf,
  readSettings,
} from "./check.js";
import { type Extent, power, type Schedule, type Watched, type WatchingSchedule } from "./rates.js";

/** The same learning rate for all steps, as a number is. */
export function constant(learningRate: number): Schedule {
  checkPositive("learningRate", learningRate);
  return () => learningRate;
}

export interface StepDecayOptions {
  /** Epochs between two changes. */
  every: number;
  /** What the rate is multiplied by; default 0.1. */
  factor?: number;
}

/**
 * learningRate * factor^floor(epoch / every), the epoch counted from 0 in each fit: PyTorch's StepLR.
 *
 * @throws RangeError or TypeError for unusable options, as all schedules
 */
export function stepDecay(learningRate: number, options: StepDecayOptions): Schedule {
  const { every, factor } = readSettings("stepDecay", options, {
    every: [from(1)],
    factor: [checkPositive, 0.1],
  });
  checkPositive("learningRate", learningRate);
  checkInteger("every", every, 1);
  return (_, epoch) => learningRate * power(factor, Math.floor(epoch / every));
}

export interface ExponentialDecayOptions {
  /** What the rate is multiplied by. */
  factor: number;
  /** How often: "epoch" (default) or "step". */
  per?: "epoch" | "step";
}

/** learningRate * factor^epoch, or factor^step, counted from 0 in each fit: PyTorch's ExponentialLR. */
export function exponentialDecay(learningRate: number, options: ExponentialDecayOptions): Schedule {
  const { factor, per } = readSettings("exponentialDecay", options, {
    factor: [checkPositive],
    per: [oneOf("epoch", "step"), "epoch"],
  });
  checkPositive("learningRate", learningRate);
  checkPositive("factor", factor);
  return (step, epoch) => learningRate * power(factor, per === "step" ? step : epoch);
}

export interface CosineDecayOptions {
  /** Steps until the minimum is reached, the warm-up included; default: all of the fit. */
  steps?: number;
  /** Steps in which the rate first rises from 0 in a line; default 0. */
  warmup?: number;
  /** Rate at the end, which stays; default 0. */
  minimum?: number;
  /**
   * Begins again at the full rate after `period` steps, then after multiplier (default 1) times as many, and so on,
   * in place of `steps`.
   */
  restarts?: { period: number; multiplier?: number };
}

/**
 * Half a cosine from the learning rate down to the minimum (Loshchilov and Hutter 2017, "SGDR"):
 * minimum + (learningRate - minimum) * (1 + cos(pi * t / T)) / 2 in step t of T after the warm-up. PyTorch's
 * CosineAnnealingLR in its first half period, and with `restarts` CosineAnnealingWarmRestarts.
 */
export function cosineDecay(learningRate: number, options: CosineDecayOptions = {}): Schedule {
  const { steps, warmup, minimum, restarts } = readSettings("cosineDecay", options, {
    steps: [from(1)],
    warmup: [from(0), 0],
    minimum: [checkNotNegative, 0],
    restarts: [Object],
  });
  checkPositive("learningRate", learningRate);
  if (steps !== undefined) {
    if (restarts) throw new TypeError("both steps and restarts are given: pass one of them");
    checkInteger("steps", steps, warmup + 1);
  }
  const { period = 0, multiplier = 1 } =
    restarts !== undefined
      ? readSettings("restarts", restarts, { period: [from(1), 0], multiplier: [from(1), 1] })
      : {};
  if (restarts !== undefined) checkInteger("period", period, 1);
  return (step, _, fit) => {
    const all = restarts ? 0 : lengthOf("cosineDecay", steps, fit);
    if (step < warmup) return (learningRate * step) / warmup;
    let t = step - warmup;
    let length = period;
    if (!restarts) {
      length = all - warmup;
      t = Math.min(t, length);
    } else if (multiplier === 1) {
      t %= period;
    } else {
      for (; t >= length; length *= multiplier) t -= length;
    }
    return cosine(learningRate, minimum, t / length);
  };
}

/** The steps of a schedule: those that it was given, or all of the fit, if that knows them. */
function lengthOf(name: string, steps: number | undefined, fit: Extent): number {
  const length = steps ?? fit.steps;
  if (Number.isFinite(length)) return length;
  throw new RangeError(
    `${name} must know how many steps there are: give it steps, e.g. { steps: 1000 }, or, to a fit on batches that come ` +
      "one after the other, a stepsPerEpoch",
  );
}

/**
 * From one value to another along half a cosine: (1 + cos(pi * share)) / 2 is cos(pi / 2 * share)^2, and its second half
 * mirrors the first. The series is summed here because Math.cos may differ from engine to engine, in the last bit.
 */
function cosine(from: number, to: number, share: number): number {
  const x = (Math.PI / 2) * Math.min(share, 1 - share);
  let cos = 1;
  for (let n = 18; n > 0; n -= 2) cos = 1 - ((x * x) / (n * (n - 1))) * cos;
  return to + (from - to) * (share > 0.5 ? 1 - cos * cos : cos * cos);
}

export interface OneCycleOptions {
  /** Steps of the cycle; the rate stays at its end after them. Default: all of the fit. */
  steps?: number;
  /** Share of the steps in which the rate rises; default 0.3. */
  pctStart?: number;
  /** Along half a cosine, "cos" (default), or in a line, "linear". */
  annealStrategy?: "cos" | "linear";
  /** The rate begins at maximum / divFactor; default 25. */
  divFactor?: number;
  /** It ends at maximum / divFactor / finalDivFactor; default 1e4. */
  finalDivFactor?: number;
  /** Whether it falls to where it began first, in as many steps as it rose, and then to its end; default false. */
  threePhase?: boolean;
}

/**
 * The rate rises to a maximum and falls far below where it began (Smith and Topin 2018, "Super-convergence"): PyTorch's
 * OneCycleLR, with its defaults, of the learning rate alone (cycle_momentum=False).
 */
export function oneCycle(maximum: number, options: OneCycleOptions = {}): Schedule {
  const { steps, pctStart, annealStrategy, divFactor, finalDivFactor, threePhase } = readSettings(
    "oneCycle",
    options,
    {
      steps: [from(1)],
      pctStart: [checkPositive, 0.3],
      annealStrategy: [oneOf("cos", "linear"), "cos"],
      divFactor: [checkPositive, 25],
      finalDivFactor: [checkPositive, 1e4],
      threePhase: [checkBoolean, false],
    },
  );
  checkPositive("maximum", maximum);
  const most = threePhase ? 0.5 : 1;
  checkNumber(
    "pctStart",
    pctStart,
    `below ${most}${threePhase ? " with threePhase" : ""}`,
    (share) => share < most,
  );
  const initial = maximum / divFactor;
  const final = initial / finalDivFactor;
  return (step, _, fit) => {
    const last = lengthOf("oneCycle", steps, fit) - 1;
    const top = pctStart * (last + 1) - 1;
    // Ends of the phases, and the rates there.
    const phases: [number, number][] = [
      [top, maximum],
      ...(threePhase ? [[2 * top, initial] as [number, number]] : []),
      [last, final],
    ];
    let [begin, from] = [0, initial];
    for (const [end, to] of phases) {
      if (step <= end || end === last) {
        const share = end > begin ? Math.min(1, (step - begin) / (end - begin)) : 1;
        return annealStrategy === "cos" ? cosine(from, to, share) : from + (to - from) * share;
      }
      [begin, from] = [end, to];
    }
    return final;
  };
}

export interface ReduceOnPlateauOptions {
  /** What the rate is multiplied by, below 1; default 0.1. */
  factor?: number;
  /** Epochs without an improvement that are let pass; default 10. */
  patience?: number;
  /** Share of the best value so far by which a better one must be lower; default 1e-4. */
  threshold?: number;
  /** By how much it must be lower instead, not as a share. */
  minDelta?: number;
  /** Epochs after a reduction that do not count; default 0. */
  cooldown?: number;
  /** Lowest rate; default 0. */
  minimum?: number;
  /** "loss" or "validationLoss"; default: the latter where there are validation data. */
  monitor?: "loss" | "validationLoss";
}

/** A reduction smaller than this is none, as in PyTorch. */
const LEAST_CHANGE = 1e-8;

/**
 * Multiplies the rate by `factor` when the loss has not improved for more than `patience` epochs: PyTorch's
 * ReduceLROnPlateau. Each fit begins anew, at the learning rate.
 */
export function reduceOnPlateau(
  learningRate: number,
  options: ReduceOnPlateauOptions = {},
): WatchingSchedule {
  const { factor, patience, threshold, minDelta, cooldown, minimum, monitor } = readSettings(
    "reduceOnPlateau",
    options,
    {
      factor: [checkPositive, 0.1],
      patience: [from(0), 10],
      threshold: [checkNotNegative, 1e-4],
      minDelta: [checkNotNegative],
      cooldown: [from(0), 0],
      minimum: [checkNotNegative, 0],
      monitor: [oneOf("loss", "validationLoss")],
    },
  );
  checkPositive("learningRate", learningRate);
  checkNumber("factor", factor, "below 1, e.g. 0.1", (number) => number < 1);
  const begin = () => {
    let rate = learningRate;
    let best = Number.POSITIVE_INFINITY;
    let bad = 0;
    let cooling = 0;
    const epochEnded = (entry: Watched) => {
      const value = (monitor ? entry[monitor] : entry.validationLoss) ?? entry.loss;
      if (value < (minDelta === undefined ? best * (1 - threshold) : best - minDelta)) {
        best = value;
        bad = 0;
      } else bad++;
      if (cooling > 0) {
        cooling--;
        bad = 0;
      }
      if (bad <= patience) return;
      const reduced = Math.max(rate * factor, minimum);
      if (rate - reduced > LEAST_CHANGE) rate = reduced;
      cooling = cooldown;
      bad = 0;
    };
    return { rate: () => rate, epochEnded };
  };
  return { monitor, begin };
}
