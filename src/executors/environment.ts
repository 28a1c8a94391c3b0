// What the process or page offers: cores, and memory that threads can share.

import { MOST_THREADS } from "../../assembly/ops.js";

/** A module of Node, without an import that browsers and bundlers would trip over; undefined elsewhere. */
export function nodeModule<M>(name: string): M | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => M | undefined } };
  return process?.getBuiltinModule?.(name);
}

/** One a core. */
export function availableThreads(): number {
  const os = nodeModule<{ availableParallelism(): number }>("node:os");
  const cores = os?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.min(cores, MOST_THREADS);
}

let warned = false;

/** Whether threads can share memory here; if not, says why, once a process. */
export function canShareMemory(warn: (message: string) => void): boolean {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (typeof SharedArrayBuffer !== "undefined" && crossOriginIsolated !== false) return true;
  if (!warned) {
    warned = true;
    warn(
      "wasmgrad: this page cannot share memory between threads, so networks train on one, with the same results. " +
        "Serve the page with the headers Cross-Origin-Opener-Policy: same-origin and " +
        "Cross-Origin-Embedder-Policy: require-corp, or pass threads: 1",
    );
  }
  return false;
}
