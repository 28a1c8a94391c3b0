// Stops a training that does not get better any more.

import { checkBoolean, checkNotNegative, checkNumber, from, readSettings } from "../check.js";
import type { Callback, Run } from "./callback.js";
import { MONITOR, type MonitorOptions, watch } from "./monitor.js";

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
  const read = readSettings("earlyStopping", options, {
    ...MONITOR,
    patience: [from(0), 0],
    minDelta: [checkNotNegative, 0],
    baseline: [(name, value) => checkNumber(name, value, "a finite number")],
    startFrom: [from(0), 0],
    restoreBestWeights: [checkBoolean, false],
  });
  const { patience, minDelta, baseline, startFrom, restoreBestWeights } = read;
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
