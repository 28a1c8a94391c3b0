// Loss and gradients of one batch: for tests, until there is a public form. No entry imports it.

import type { Rows } from "./dataset.js";
import type { FloatArray } from "./dtype.js";
import type { Loss } from "./losses.js";
import { modelOf, type Network } from "./network.js";
import { checkData, checkLoss } from "./options.js";
import { finish } from "./pieces.js";
import { figuresOf, placeSnapshot, planLoss, Statistics } from "./plan.js";
import { allocateData, upload } from "./upload.js";

/** The loss of a network on one batch, and its gradients, laid out as the parameters are. */
export function gradientsOf(
  network: Network,
  inputs: Rows,
  targets: Rows,
  { loss = network.shape.loss }: { loss?: Loss } = {},
) {
  const model = modelOf(network);
  const known = checkLoss(network.shape, loss);
  const [x, t] = finish(checkData(network.shape, ["inputs", "targets"], inputs, targets, known));
  const { heap, store, executor } = model;
  const mark = heap.top;
  try {
    const output = heap.allocate(store.bytes);
    const statistics = new Statistics(heap);
    const data = { inputs: x, targets: t, density: 1 };
    const placed = allocateData(heap, data, 0, x.rows);
    finish(upload(heap, data, placed));
    const parameters = placeSnapshot(model, model.wholeSteps?.read());
    const purpose = { kind: "gradients", parameters, output } as const;
    executor.run(
      planLoss(model, known, placed.inputs, placed.targets, x.rows, statistics.offset, purpose),
      0,
      1,
    );
    const of = (view: FloatArray) =>
      heap.elements(output + view.byteOffset - store.begin, view.length).slice();
    const layers = network.layers.map(({ weights, biases }) => ({
      weights: of(weights),
      biases: of(biases),
    }));
    return { ...figuresOf(model, statistics.sums, x.rows, known), layers };
  } finally {
    heap.release(mark);
  }
}
