// Stops a training that does not get better any more.

import { checkBoolean, checkInteger, quote, readOptions } from "../check.js";
import type { Callback, Run } from "./callback.js";
import { checkMonitor, type MonitorOptions, watch } from "./monitor.js";

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without an improvement after which the training stops; default 0: after the first. */
  patience?: number;
  /** What is less than this does not count as an improvement; default 0. */
  minDelta?: number;
  /** What the figure must be better than: until it is, no improvement makes the patience new. */
  baseline?: number;
  /** So many epochs are not watched; default 0. */
  startFrom?: number;
  /** Whether the network gets the tensors of the best epoch back, to the bit, when the training ends; default false. */
  restoreBestWeights?: boolean;
}

/**
 * A callback that stops the training when a figure has not become better for `patience` epochs, as Keras does. With
 * `restoreBestWeights` all tensors of the network (not what the optimizer keeps) are put back to those of the best epoch
 * at the end, whether the training was stopped or all epochs were done; not where `fit` fails or is aborted.
 *
 * @throws RangeError or TypeError for unusable options; `fit` rejects with a RangeError before its first step if it has no
 *   such figure
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const read = readOptions<EarlyStoppingOptions>("earlyStopping", options, [
    "monitor",
    "mode",
    "patience",
    "minDelta",
    "baseline",
    "startFrom",
    "restoreBestWeights",
  ]);
  const { patience = 0, minDelta = 0, baseline, startFrom = 0, restoreBestWeights = false } = read;
  checkMonitor(read);
  checkInteger("patience", patience, 0);
  checkInteger("startFrom", startFrom, 0);
  checkBoolean("restoreBestWeights", restoreBestWeights);
  if (!(Number.isFinite(minDelta) && minDelta >= 0)) {
    throw new RangeError(`minDelta is ${quote(minDelta)}, but must be a finite number of at least 0`);
  }
  if (baseline !== undefined && !Number.isFinite(baseline)) {
    throw new RangeError(`baseline is ${quote(baseline)}, but must be a finite number`);
  }
  return {
    onBegin(run: Run) {
      const { value, sign } = watch(run, read);
      let best = Number.NEGATIVE_INFINITY;
      let weights: Uint8Array | undefined;
      let waited = 0;
      return {
        onEpoch(entry) {
          if (entry.epoch <= startFrom) return true;
          const now = value(entry);
          const better = now - minDelta > best;
          waited++;
          if (better) {
            best = now;
            if (baseline === undefined || now - minDelta > sign * baseline) waited = 0;
          }
          // The first are the best until others are.
          if (restoreBestWeights && (better || !weights)) weights = run.snapshot(weights);
          return better || waited < patience || entry.epoch === 1;
        },
        onEnd() {
          if (weights) run.restore(weights);
        },
      } satisfies Callback;
    },
  };
}
