// What callbacks that watch a figure have in common.

import { oneOf, quote, text } from "../check.js";
import { falls } from "../metrics.js";
import type { EpochEntry, Run } from "./callback.js";

/** Which figure of an epoch to watch, and which way it is better. */
export interface MonitorOptions {
  /** A figure of the entries, e.g. "validationF1"; default "validationLoss", without validation data "loss". */
  monitor?: string;
  /** Whether less is better ("min") or more ("max"); "auto" (default) knows it of every loss and metric. */
  mode?: "auto" | "min" | "max";
}

/** The settings of MonitorOptions: see readSettings(). */
export const MONITOR = {
  monitor: [/* @__PURE__ */ text('the name of a figure, e.g. "validationLoss"')],
  mode: [/* @__PURE__ */ oneOf("auto", "min", "max"), "auto"],
} as const;

/** How to read the figure that is watched so that more is better. Throws RangeError if this fit has none of the name. */
export function watch(
  run: Run,
  { monitor, mode }: Partial<Record<keyof MonitorOptions, string | undefined>>,
) {
  const { metrics } = run;
  const name = monitor ?? (metrics.includes("validationLoss") ? "validationLoss" : "loss");
  if (!metrics.includes(name)) {
    throw new RangeError(
      `monitor is ${quote(name)}, but this fit has ${metrics.join(", ")}: take one of them, or give fit the metrics or ` +
        "the validation data for it",
    );
  }
  const sign = mode === "min" || (mode === "auto" && falls(name)) ? -1 : 1;
  return { sign, value: (entry: EpochEntry) => sign * (entry as unknown as Record<string, number>)[name] };
}
