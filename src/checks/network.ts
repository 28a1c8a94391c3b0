// What a network is made of, checked: shapes, layers, threads, and what they need.

import { MOST_THREADS } from "../../assembly/ops.js";
import { activations } from "../activations.js";
import { checkInteger, wrongType, wrongValue } from "../check.js";
import { bytesOf, type DType } from "../dtype.js";
import { availableThreads } from "../executors/environment.js";
import type { ExecutorKind } from "../executors/executor.js";
import { COPY, type Description, LAYER, type Layer } from "../layers/layer.js";
import { type Shape, shapeText, sizeOf } from "../shape.js";
import type { TensorSpec } from "../store.js";

/** Checks the shape of inputs; a number is that of a row of so many. */
export function checkShape(name: string, shape: number | Shape): Shape {
  if (!Array.isArray(shape)) return Object.freeze([checkInteger(name, shape, 1)]);
  if (shape.length === 0) {
    throw new RangeError(`${name} is [], but a shape has at least one length, e.g. [28, 28, 1]`);
  }
  for (const [axis, length] of shape.entries()) checkInteger(`${name}[${axis}]`, length, 1);
  checkInteger(`the product of ${name}`, sizeOf(shape), 1);
  return Object.freeze([...shape]);
}

/** Room for tensors, with alignment and the program that draws them. */
export function tensorBytes(descriptions: readonly Description[], dtype: DType): number {
  const specs = descriptions.flatMap(({ tensors }) => Object.values<TensorSpec>(tensors));
  return specs.reduce((bytes, { shape }) => bytes + sizeOf(shape) * bytesOf(dtype) + 512, 0);
}

/** "784-128-10" */
export function widthsText(input: Shape, descriptions: readonly Description[]): string {
  return [input, ...descriptions.map(({ output }) => output)].map(shapeText).join("-");
}

export function checkThreads(threads: unknown): number {
  if (threads === "auto") return availableThreads();
  if (typeof threads === "number") return checkInteger("threads", threads, 1, MOST_THREADS);
  throw wrongType("threads", threads, `an integer from 1 to ${MOST_THREADS}, or "auto"`);
}

/** What makes the executor of a network that is not to have the WASM executor. */
export function checkExecutor(executor: unknown): ExecutorKind | undefined {
  if (executor === "wasm") return undefined;
  const kind = executor as Partial<ExecutorKind> | null;
  if (kind?.name === "reference" && typeof kind.make === "function") return kind as ExecutorKind;
  throw wrongValue(
    "executor",
    executor,
    '"wasm", or, after import { reference } from "wasmgrad/reference", reference',
  );
}

/** What helps where the parameters alone need too much memory: with float32 they need half. */
export function smallerNetwork(input: Shape, descriptions: readonly Description[], dtype: DType): string {
  const widths = widthsText(input, descriptions);
  return `Make the layers of ${widths} smaller${dtype === "float64" ? ', or use dtype "float32"' : ""}`;
}

/** Checks the layers of a network; returns a frozen copy of the list. */
export function checkLayers<L extends readonly Layer[]>(layers: L, dtype: DType): L {
  if (!Array.isArray(layers)) {
    throw wrongType("layers", layers, "an array of layers, e.g. [new Dense(10)]");
  }
  if (layers.length === 0) {
    throw new RangeError("layers is empty, but a network needs at least one layer, e.g. [new Dense(10)]");
  }
  for (const [index, layer] of (layers as readonly Layer[]).entries()) {
    const copy = (layer as Partial<Layer> | undefined | null)?.[LAYER];
    if (copy !== COPY) {
      if (copy) {
        throw new TypeError(
          `layers[${index}] is of another copy of wasmgrad than this Network: there are two, e.g. one by import and one by ` +
            "require, or two versions. Take layers and Network from the same one",
        );
      }
      throw wrongType(`layers[${index}]`, layer, "a layer, e.g. new Dense(10)");
    }
    if (layer.isAttached || layers.indexOf(layer) !== index) {
      throw new Error(
        `layers[${index}] is already part of a network: a layer owns its weights, so make a new one, ${layer.expression}`,
      );
    }
    layer.checkType(dtype);
  }
  return Object.freeze([...layers]) as readonly Layer[] as L;
}

/** Index of the last layer but those behind it that leave every value as it is, e.g. a Flatten; checks what must be the last. */
export function lastLayer(layers: readonly Layer[], descriptions: readonly Description[]): number {
  const last = descriptions.findLastIndex(({ folds }) => folds?.scale !== 1 || folds.columns);
  const rowOf = (index: number) => descriptions[index].output.slice(-1)[0];
  for (const [index, { activation }] of layers.entries()) {
    if (!activation || !activations[activation].onlyLast) continue;
    const problem =
      index < last
        ? "is not the last layer"
        : rowOf(index) !== rowOf(layers.length - 1) &&
          `the layers behind it make its rows of ${rowOf(index)} values rows of ${rowOf(layers.length - 1)}`;
    if (problem) {
      throw new RangeError(
        `layers[${index}] has activation "${activation}" but ${problem}: ${activation} makes the outputs ` +
          "of a layer compete to sum to 1, which belongs at the end of a classifier; " +
          'use another inside, e.g. "relu"',
      );
    }
  }
  return last;
}

/** What each layer does with the output of the one before. */
export function describeLayers(layers: readonly Layer[], input: Shape): Description[] {
  const descriptions: Description[] = [];
  let shape = input;
  for (const layer of layers) {
    const description = layer.describe(shape);
    descriptions.push(description);
    shape = description.output;
  }
  return descriptions;
}
