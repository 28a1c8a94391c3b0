// Inputs, targets and weights, checked; and what the checks need to know of a network.

import type { ActivationName } from "../activations.js";
import {
  type Format,
  isClasses,
  type Rows,
  refuseZeros,
  type Table,
  type Targets,
  toTable,
  toTargets,
  toWeights,
} from "../dataset.js";
import { type DType, largestOf, rounded, smaller } from "../dtype.js";
import type { Entrance } from "../entrance.js";
import type { SetLoss } from "../losses.js";
import type { SetOptimizer } from "../optimizers.js";
import type { TrainBatchOptions, Weights } from "../options.js";
import type { Pieces } from "../pieces.js";
import { positionsOf, type Shape, sizeOf } from "../shape.js";

export type Data = [inputs: Table, targets: Targets, weights?: Table];

/** What the checks need to know of a network. */
export interface Facts {
  inputShape: Shape;
  outputShape: Shape;
  /** Whether it takes inputs without their zeros. */
  takesSparse: boolean;
  /** Fewest rows of a batch that its layers can be trained on. */
  minimumRows(): number;
  dtype: DType;
  inputScale: number;
  entrance: Entrance;
  /** Whether a buffer is its memory, or was. */
  owns(buffer: ArrayBufferLike): boolean;
  /** Of the last layer. */
  activation: ActivationName | undefined;
  /** The loss that a call without one takes. */
  loss: SetLoss;
  /** What inputs and targets must be like. */
  formats: { inputs: Format; outputs: Format };
  /** What the last trainBatch was told, checked: most often the next one is told the same. */
  told?: Told | undefined;
}

/** Options of a trainBatch, checked. */
interface Told {
  given: TrainBatchOptions;
  /** The loss before it. */
  before: SetLoss;
  optimizer: SetOptimizer;
  loss: SetLoss;
}

type FormatFacts = Omit<Facts, "formats">;

/** What inputs and targets must be like. */
export function formatsOf(facts: FormatFacts): Facts["formats"] {
  return { inputs: inputFormat(facts), outputs: outputFormat(facts) };
}

function inputFormat({ inputShape, dtype, inputScale, entrance, owns }: FormatFacts): Format {
  const { scale, indices } = entrance;
  if (indices !== undefined) {
    return {
      ...extentOf(inputShape),
      what: "inputs",
      largest: indices - 1,
      indices: true,
      overflow: () =>
        `but an Embedding of a vocabulary of ${indices} takes integers from 0 to ${indices - 1}: number the words anew, or ` +
        "give it a larger vocabulary",
      owns,
    };
  }
  const factor = Math.max(1, Math.abs(scale));
  const by = scale === inputScale ? `the inputScale ${scale}` : `${scale}, inputScale and Rescaling`;
  const scaled = () => (factor > 1 ? `, multiplied by ${by},` : "");
  return {
    ...extentOf(inputShape),
    what: "inputs",
    // A little less than what just does not overflow: the value, the factor and their product are rounded.
    largest: factor > 1 ? (largestOf(dtype) / factor) * (1 - 2 ** -20) : largestOf(dtype),
    overflow: () => `which${scaled()} overflows the network's ${dtype}: ${smaller(dtype)}`,
    owns,
  };
}

function outputFormat({ outputShape, dtype, owns }: FormatFacts): Format {
  return {
    ...extentOf(outputShape),
    what: "outputs",
    largest: largestOf(dtype),
    overflow: () => `which overflows the network's ${dtype}: ${smaller(dtype)}`,
    owns,
    gaps: true,
  };
}

function extentOf(shape: Shape) {
  return { width: sizeOf(shape), positions: positionsOf(shape) };
}

/** Checks that a finite number other than 0 is one in the element type too. */
export function checkRounded(name: string, value: number, dtype: DType): number {
  const held = rounded(dtype, value);
  if (Number.isFinite(held) && held !== 0) return value;
  throw new RangeError(
    `${name} is ${value}, which is ${held} in the network's ${dtype}: take one that ${dtype} holds, or use dtype: "float64"`,
  );
}

/** Checks inputs and targets for a loss, and weights of the rows, if there are any. */
export function* checkData(
  facts: Facts,
  names: readonly [inputs: string, targets: string, weights?: string],
  inputs: Rows,
  targets: Rows,
  loss: SetLoss,
  sampleWeights?: Weights,
): Pieces<Data> {
  const { formats, dtype } = facts;
  const x = yield* toTable(names[0], inputs, formats.inputs);
  const t = yield* toTargets(names[1], targets, x.rows, formats.outputs, loss.targets);
  if (sampleWeights === undefined) return [x, t];
  return [x, t, yield* toWeights(names[2]!, sampleWeights, x.rows, "one for each row of inputs", dtype)];
}

/** Checks that each batch, also the last, has as many rows as its layers need. */
export function checkBatches(facts: Facts, rows: number, batchSize: number): void {
  const least = facts.minimumRows();
  const smallest = (size: number) => rows % size || size;
  if (smallest(batchSize) >= least) return;
  const needs = `but a BatchNormalization needs at least ${least}`;
  if (rows < least)
    throw new RangeError(`there is ${rows} row to train on, ${needs} for its variance: take more rows`);
  let better = batchSize + 1;
  while (smallest(better) < least) better++;
  throw new RangeError(
    `batchSize is ${batchSize}, which makes a batch of ${smallest(batchSize)} of the ${rows} rows, ${needs} in each, ` +
      `also in the last, for its variance: take another batchSize, e.g. ${better}`,
  );
}

/** Refuses data of which nothing counts. */
export function refuseNothing([, targets, weights]: Data): void {
  if (weights) refuseZeros("sampleWeights", weights, "rows");
  if (isClasses(targets) || !targets.masked || !targets.data.every(Number.isNaN)) return;
  throw new RangeError("targets is NaN everywhere, which means that nothing counts: give numbers for some");
}
