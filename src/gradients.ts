// Loss and gradients of one batch: for tests, until there is a public form. No entry imports it.

import type { Rows } from "./dataset.js";
import type { FloatArray } from "./dtype.js";
import { modelOf, type Network } from "./network.js";
import { checkData, checkLoss, type FitOptions } from "./options.js";
import { finish } from "./pieces.js";
import { figuresOf, placeSnapshot, planLoss, Statistics } from "./plan.js";
import { sizeOf } from "./shape.js";
import { allocateData, upload } from "./upload.js";

/** The loss of a network on one batch, and its gradients, laid out as the parameters are. */
export function gradientsOf(
  network: Network,
  inputs: Rows,
  targets: Rows,
  options: Pick<FitOptions, "loss" | "labelSmoothing" | "classWeights" | "sampleWeights"> = {},
) {
  const model = modelOf(network);
  const loss = checkLoss(network.facts, options);
  const names = ["inputs", "targets", "sampleWeights"] as const;
  const { sampleWeights } = options;
  const [x, t, w] = finish(checkData(network.facts, names, inputs, targets, loss, sampleWeights));
  const { heap, store, executor } = model;
  const mark = heap.top;
  try {
    const gradients = heap.region(store.region.bytes);
    const statistics = new Statistics(heap);
    const data = { inputs: x, targets: t, weights: w, density: 1 };
    const placed = allocateData(heap, data, { order: undefined, batch: x.rows });
    finish(upload(heap, data, placed));
    const parameters = placeSnapshot(model, model.wholeSteps?.read());
    const purpose = { kind: "gradients", parameters, gradients } as const;
    executor.run(planLoss(model, loss, placed, x.rows, statistics.region, purpose), 0, 1);
    const layers: Record<string, FloatArray>[] = network.layers.map(() => ({}));
    for (const { name, shape, region } of store.tensors) {
      const [, layer, tensor] = name.split(".");
      const { offset } = store.within(gradients, region);
      layers[Number(layer)][tensor] = heap.elements(offset, sizeOf(shape)).slice();
    }
    return { ...figuresOf(model, statistics.sums, x.rows, loss), layers };
  } finally {
    heap.release(mark);
  }
}
