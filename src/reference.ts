// Public entry `wasmgrad/reference`: the executor for where WebAssembly is blocked. An entry of its own, so that only
// who imports it downloads it.

import type { ExecutorKind } from "./executors/executor.js";
import { ReferenceExecutor } from "./executors/reference/executor.js";

/**
 * The executor in plain TypeScript, many times slower than the compiled one, which needs no WebAssembly. Where a
 * network is `deterministic`, both leave the same bits.
 *
 * ```ts
 * import { Dense, Network } from "wasmgrad";
 * import { reference } from "wasmgrad/reference";
 *
 * const network = new Network({ inputs: 2, layers: [new Dense(1)], executor: reference });
 * ```
 */
export const reference: ExecutorKind = /* @__PURE__ */ Object.freeze({
  name: "reference",
  make: (options) => new ReferenceExecutor(options),
} satisfies ExecutorKind);
