// Callbacks: what a training calls, and what it tells them.

import { checkFunction, quote } from "../check.js";
import type { MetricFigures, ValidationFigures } from "../metrics.js";

/** What `fit` reports of one epoch. */
export interface EpochEntry extends MetricFigures, ValidationFigures {
  /** 1 for the first epoch of this call. */
  epoch: number;
  /** Mean loss over the samples, each as it was when its batch was trained; so are metrics. */
  loss: number;
  /** Share of hits, 0 to 1; only with losses that classify, or as a metric. */
  accuracy?: number;
  /** Loss over the validation data after the epoch. */
  validationLoss?: number;
  validationAccuracy?: number;
  /** The learning rate of the epoch's last step. */
  learningRate: number;
  /** Seconds spent training; validation, metrics and callbacks not counted. */
  seconds: number;
}

/** What `fit` reports of one batch. */
export interface BatchEntry {
  epoch: number;
  /** 1 for the first batch of the epoch. */
  batch: number;
  /** Batches of an epoch; undefined in the first epoch over a stream of unknown length. */
  batches: number | undefined;
  /** Mean loss over the epoch so far. */
  loss: number;
  /** Accuracy over the epoch so far; only with losses that classify. */
  accuracy?: number;
}

/** What callbacks are told of a `fit` before its first step. */
export interface Run<N = object> {
  readonly network: N;
  readonly epochs: number;
  /** Rows of a batch; undefined where they come from a stream, as are the next two then. */
  readonly batchSize: number | undefined;
  /** Batches of an epoch. */
  readonly batches: number | undefined;
  /** Rows of an epoch. */
  readonly rows: number | undefined;
  /** Names of the figures of each epoch's entry: "loss", "accuracy", "validationLoss", ... */
  readonly metrics: readonly string[];
  /** A copy of all weights, biases and other tensors of the network; in `bytes`, if given, of a copy of before. */
  snapshot(bytes?: Uint8Array): Uint8Array;
  /**
   * Puts such a copy back, to the bit. What an optimizer keeps stays as it is.
   * @throws RangeError for anything but a copy of this network; Error while a step is under way
   */
  restore(bytes: Uint8Array): void;
}

/**
 * What `fit` calls, and awaits, one callback after the other. One that returns `false`, or a promise of it, stops the
 * training; one that throws makes `fit` reject with its error.
 */
export interface Callback<N = object> {
  /**
   * Before the first step; `false`: there is none. It may return an object with the other hooks: they take the place of
   * the callback's own for this `fit`, so that a callback can have a state for each.
   */
  onBegin?(run: Run<N>): unknown;
  /** After each batch. After `false` no other follows, and an epoch that is cut short so has no entry. */
  onBatch?(entry: BatchEntry): unknown;
  /** After each epoch; the network is as it is then. */
  onEpoch?(entry: EpochEntry): unknown;
  /** At the end, also of a training that was stopped, but not of one that failed. What it returns is ignored. */
  onEnd?(history: EpochEntry[]): unknown;
}

/** A callback, or a function that is its onEpoch. */
export type CallbackOption<N = object> = Callback<N> | ((entry: EpochEntry) => unknown);

const HOOKS = ["onBegin", "onBatch", "onEpoch", "onEnd"] as const;

/** Checks the callbacks of a fit. */
export function checkCallbacks(given: unknown): Callback[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) {
    throw new TypeError(`callbacks is ${quote(given)}, but must be an array, e.g. [earlyStopping()]`);
  }
  return given.map((callback, index) => {
    const name = `callbacks[${index}]`;
    if (typeof callback === "function") return { onEpoch: callback };
    if (typeof callback !== "object" || !HOOKS.some((hook) => callback?.[hook])) {
      throw new TypeError(
        `${name} is ${quote(callback)}, but must be a function, or an object with some of ${HOOKS.join(", ")}`,
      );
    }
    for (const hook of HOOKS) checkFunction(`${name}.${hook}`, callback[hook]);
    return callback;
  });
}

/** The callbacks of one fit, while it runs. */
export class Hooks {
  /** Each before what its onBegin returned, if that has hooks. */
  readonly #hooks: Callback[][] = [];
  readonly #wait: (result: unknown) => Promise<unknown>;

  /** @param wait waits for what a callback returned, and returns that */
  constructor(callbacks: readonly Callback[], wait: (result: unknown) => Promise<unknown>) {
    this.#wait = wait;
    this.#hooks = callbacks.map((callback) => [callback]);
  }

  /** Calls each onBegin; returns whether to go on. */
  async begin(run: Run): Promise<boolean> {
    let on = true;
    for (const hooks of this.#hooks) {
      const begun = hooks[0].onBegin && (await this.#wait(hooks[0].onBegin(run)));
      if (begun === false) on = false;
      if (typeof begun === "object" && begun) hooks.unshift(begun);
    }
    return on;
  }

  /** Whether anybody wants to be called. */
  has(hook: "onBatch"): boolean {
    return this.#hooks.some((hooks) => hooks.some((callback) => callback[hook]));
  }

  /** Calls all in order; returns whether to go on. */
  async call<H extends "onBatch" | "onEpoch" | "onEnd">(
    hook: H,
    entry: Parameters<Required<Callback>[H]>[0],
  ): Promise<boolean> {
    let on = true;
    for (const hooks of this.#hooks) {
      const callback = hooks.find((other) => other[hook]) as
        | Record<H, (entry: unknown) => unknown>
        | undefined;
      if (callback && (await this.#wait(callback[hook](entry))) === false) on = false;
    }
    return on;
  }
}
