// Saves the network now and then while it trains.

import { checkBoolean, from, readSettings, wrongType } from "../check.js";
import type { Callback, EpochEntry, Run } from "./callback.js";
import { MONITOR, type MonitorOptions, watch } from "./monitor.js";

export interface CheckpointOptions extends MonitorOptions {
  /** Whether to save only after an epoch that is the best so far; default true. */
  bestOnly?: boolean;
  /** After which epochs to save: every so many; default 1. */
  every?: number;
}

const CHECKPOINT = {
  ...MONITOR,
  bestOnly: [checkBoolean, true],
  every: [/* @__PURE__ */ from(1), 1],
} as const;

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
  const read = readSettings<CheckpointOptions, typeof CHECKPOINT>("checkpoint", options, CHECKPOINT);
  const { bestOnly, every } = read;
  if (typeof save !== "function") throw wrongType("save", save, "a function");
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
