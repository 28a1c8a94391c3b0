// Saves the network now and then while it trains.

import { checkBoolean, checkFunction, checkInteger, quote, readOptions } from "../check.js";
import type { Callback, EpochEntry, Run } from "./callback.js";
import { checkMonitor, type MonitorOptions, watch } from "./monitor.js";

export interface CheckpointOptions extends MonitorOptions {
  /** Whether to save only after an epoch that is the best so far; default true. */
  bestOnly?: boolean;
  /** After which epochs to save: every so many; default 1. */
  every?: number;
}

/**
 * A callback that calls `save(network, entry)`, and awaits it, after each epoch that is better than all that were saved
 * before, or, with `bestOnly: false`, after every epoch. What `save` throws makes `fit` reject.
 *
 * @throws RangeError or TypeError for unusable options; `fit` rejects with a RangeError before its first step if it has no
 *   such figure
 */
export function checkpoint<N extends object>(
  save: (network: N, entry: EpochEntry) => unknown,
  options: CheckpointOptions = {},
): Callback<N> {
  const read = readOptions<CheckpointOptions>("checkpoint", options, [
    "monitor",
    "mode",
    "bestOnly",
    "every",
  ]);
  const { bestOnly = true, every = 1 } = read;
  if (!checkFunction("save", save)) throw new TypeError(`save is ${quote(save)}, but must be a function`);
  checkMonitor(read);
  checkBoolean("bestOnly", bestOnly);
  checkInteger("every", every, 1);
  return {
    onBegin(run: Run<N>) {
      const { value } = watch(run, read);
      let best = Number.NEGATIVE_INFINITY;
      return {
        async onEpoch(entry) {
          if (entry.epoch % every !== 0) return;
          const now = value(entry);
          if (bestOnly && !(now > best)) return;
          await save(run.network, entry);
          best = now;
        },
      } satisfies Callback;
    },
  };
}
