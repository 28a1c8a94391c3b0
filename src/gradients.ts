// Loss and gradients of one batch, for tests.

import type { Rows } from "./dataset.js";
import type { Loss } from "./losses.js";
import type { Network } from "./network.js";

export function gradientsOf(network: Network, inputs: Rows, targets: Rows, options: { loss?: Loss } = {}) {
  return network.gradients(inputs, targets, options);
}
