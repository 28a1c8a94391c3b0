// Metrics of a data set in the heap.

import type { ActivationName } from "./activations.js";
import type { TargetKind } from "./dataset.js";
import { type Metric, type MetricFigures, measure } from "./metrics.js";
import type { Pieces } from "./pieces.js";
import type { Model } from "./plan.js";
import type { Task } from "./scores.js";
import { positionsOf, type Shape, sizeOf } from "./shape.js";
import { type DataSet, type PlacedData, regionOf } from "./upload.js";

/** The metrics that a call is asked for, and what they are of. */
export interface Measures {
  readonly metrics: readonly Metric[];
  readonly task: Task;
}

/** What a loss and the last activation make of outputs of a shape. */
export function taskOf(
  { classifies, targets }: { classifies: boolean; targets: TargetKind },
  last: ActivationName | undefined,
  shape: Shape,
): Task {
  const positions = positionsOf(shape);
  const classes = targets === "distribution" || last === "softmax";
  return {
    classes,
    labels: !classes && (classifies || last === "sigmoid"),
    numbers: !classifies && targets !== "distribution",
    hits: classifies,
    probabilities: last === "softmax" || last === "sigmoid",
    // Of hinge losses a yes is above 0: from the smallest such number on.
    threshold: classifies && targets !== "probability" ? 2 ** -1074 : 0.5,
    width: sizeOf(shape) / positions,
    positions,
  };
}

/** The metrics of the predictions that a pass over placed data has kept. */
export function measurePlaced(
  { heap, outputs }: Model,
  { metrics, task }: Measures,
  { inputs: { rows }, targets: { data } }: Pick<DataSet, "inputs" | "targets">,
  { targets, visit: { order }, predictions }: PlacedData,
): Pieces<MetricFigures> {
  const read = () => {
    return {
      outputs: heap.elements(predictions!.offset, rows * outputs),
      targets: heap.like(data, regionOf(targets)),
      order: order && heap.u32.subarray(order.offset / 4, order.offset / 4 + rows),
    };
  };
  return measure(metrics, { ...task, rows: rows * task.positions, read });
}
