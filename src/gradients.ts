// Loss and gradients of one batch, for tests.

import type { Rows } from "./dataset.js";
import type { Network } from "./network.js";
import type { GradientsOptions } from "./options.js";

export function gradientsOf(network: Network, inputs: Rows, targets: Rows, options: GradientsOptions = {}) {
  return network.gradients(inputs, targets, options);
}
