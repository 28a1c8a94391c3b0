// Preprocessing that belongs to the model: Rescaling and Normalization. As first layers they are done while a batch is
// gathered: see src/entrance.ts.

import { checkInteger, quote, readOptions } from "../check.js";
import { type Rows, toTable } from "../dataset.js";
import { type DType, type FloatArray, rounded } from "../dtype.js";
import type { Region } from "../heap.js";
import { finish } from "../pieces.js";
import type { Columns, Matrix } from "../program/samples.js";
import { type Shape, sizeOf } from "../shape.js";
import { BaseLayer, type Description, type Emitted, type Pass } from "./layer.js";

/** A layer that makes (x - mean[j]) * factor[j] of a vector's element j. */
abstract class ColumnLayer extends BaseLayer {
  /** @internal */
  abstract columns(pass: Pass): Columns;

  /** @internal */
  emit(pass: Pass, input: Matrix): Emitted {
    const { builder, rows } = pass;
    const width = sizeOf(this.placed().input);
    const columns = this.columns(pass);
    const output = builder.matrix(rows, width);
    builder.standardize(output, input as Region, rows, width, columns);
    const backward = (d: Region, inputWanted: boolean): Region | undefined => {
      if (!inputWanted) return undefined;
      builder.standardize(d, d, rows, width, { ...columns, mean: builder.constants(columns.length, 0) });
      return d;
    };
    return { output, backward };
  }
}

export interface RescalingOptions {
  /** What is added behind the factor; default 0. */
  offset?: number;
}

/**
 * Scales the inputs: `y = x * scale + offset`, computed as `(x + offset / scale) * scale`. `new Rescaling(1 / 255)` makes
 * 0 .. 1 of 8-bit pixels, `new Rescaling(1 / 127.5, { offset: -1 })` makes -1 .. 1. Outputs have the inputs' shape.
 *
 * As the first layer it is done while a batch is gathered: without an offset it is the network's `inputScale`, to the
 * bit (both are multiplied where both are given), and inputs that are mostly zeros stay so.
 */
export class Rescaling extends ColumnLayer {
  readonly scale: number;
  readonly offset: number;

  /** @throws RangeError unless the scale is a finite number other than 0, and the offset finite, also divided by it */
  constructor(scale: number, options: RescalingOptions = {}) {
    super();
    const { offset = 0 } = readOptions("new Rescaling", options, ["offset"]);
    this.scale = scale;
    this.offset = offset;
    if (typeof scale === "number" && typeof offset === "number") this.checkType("float64");
    else
      throw new TypeError(`new Rescaling takes numbers, but got ${quote(scale)} and offset ${quote(offset)}`);
  }

  /** @internal */
  get kind(): string {
    return "Rescaling";
  }

  /** @internal */
  get expression(): string {
    const { scale, offset } = this;
    return `new Rescaling(${scale}${offset === 0 ? "" : `, { offset: ${offset} }`})`;
  }

  /** @internal */
  override checkType(dtype: DType): void {
    const { scale, offset } = this;
    if (isFactor(dtype, scale) && Number.isFinite(rounded(dtype, offset / scale))) return;
    throw new RangeError(
      `Rescaling has the scale ${scale} and the offset ${offset}, but in ${dtype} both and offset / scale must be finite, ` +
        "and the scale not 0",
    );
  }

  /** @internal */
  describe(input: Shape): Description {
    const { scale, offset } = this;
    const folds = offset === 0 ? { scale } : { scale: 1, columns: true };
    return { output: input, tensors: {}, work: 0, takesSparse: false, folds };
  }

  /** @internal */
  columns({ builder }: Pass): Columns {
    const mean = builder.constants(1, 0 - this.offset / this.scale);
    return { mean, factor: builder.constants(1, this.scale), length: 1 };
  }
}

/** A number for all columns, or one for each. */
type PerColumn = number | readonly number[] | FloatArray;

export interface NormalizationOptions {
  /** Mean of every column, or of all; with `variance` in place of `adapt`. */
  mean?: PerColumn;
  /** Variance of every column, or of all, from 0 on. */
  variance?: PerColumn;
}

/** Means and factors: one for all columns, or one for each. */
interface Values {
  mean: readonly number[];
  factor: readonly number[];
}

/**
 * Brings every column to mean 0 and variance 1: `y[..., j] = (x[..., j] - mean[j]) / sqrt(variance[j])`, j along the last
 * axis; where the variance is 0, it only subtracts the mean (as scikit-learn's StandardScaler). Outputs have the inputs'
 * shape. Mean and variance are given, or taken from data:
 *
 * ```ts
 * new Network({ inputs: 13, layers: [new Normalization().adapt(x), new Dense(1)] });
 * ```
 *
 * The network holds `mean` and `factor`, 1 / sqrt(variance), among its parameters; training does not change them. As the
 * first layer it is done while a batch is gathered, and costs nothing. Its results may overflow where inputs are far
 * beyond the data that it is adapted to: `fit` and `evaluate` then refuse the loss.
 */
export class Normalization extends ColumnLayer {
  #values: Values | undefined;

  /** @throws RangeError or TypeError for a variance below 0, numbers that are not finite, or one of both alone */
  constructor(options: NormalizationOptions = {}) {
    super();
    const { mean, variance } = readOptions("new Normalization", options, ["mean", "variance"]);
    if (mean === undefined && variance === undefined) return;
    this.#take(toNumbers("mean", mean), toNumbers("variance", variance));
  }

  /**
   * Takes mean and variance of every column from data; returns the layer. Before it is part of a network, or after that
   * while no `fit` is under way. It reads the data twice, in one fixed order of sums in float64, and keeps the event loop
   * waiting meanwhile. A column that is constant, but for rounding, has variance 0.
   *
   * @param data rows, each of one or more vectors of the last axis, or all values in one flat array
   * @param options `width`: length of the last axis; default that of a row, or, in a network, that of its inputs
   * @throws RangeError or TypeError, before anything changes, for unusable data
   */
  adapt(data: Rows, options: { width?: number } = {}): this {
    const { width } = readOptions("adapt", options, ["width"]);
    if (width !== undefined) checkInteger("width", width, 1);
    const place = this.isAttached ? this.placed() : undefined;
    if (place?.store.training) {
      throw new Error("the network of this Normalization is in fit: adapt it before, or await the fit first");
    }
    const row = (data as ArrayLike<unknown>)?.[0] as ArrayLike<number> | undefined;
    const inputs = place && sizeOf(place.input);
    const rowLength = typeof row === "object" ? row?.length : (inputs ?? width);
    const columns = place ? place.input[place.input.length - 1] : (width ?? rowLength);
    if (!rowLength || !columns) {
      throw new TypeError(
        "adapt does not know how long the last axis is of what it is given: pass rows, or the length, adapt(data, { width: 13 })",
      );
    }
    if (
      rowLength % columns !== 0 ||
      (inputs && rowLength !== columns && rowLength !== inputs) ||
      (width ?? columns) !== columns
    ) {
      throw new RangeError(
        `adapt is given rows of ${rowLength} values${width ? ` and width ${width}` : ""}, but the last axis has ${columns}: ` +
          `a row must have ${inputs && inputs > columns ? `${columns} or ${inputs}` : `a multiple of ${columns}`}`,
      );
    }
    const table = finish(
      toTable("data", data, {
        width: rowLength,
        positions: rowLength / columns,
        what: "inputs",
        largest: Number.MAX_VALUE,
        overflow: () => "",
        owns: () => false,
      }),
    );
    this.#take(...momentsOf(table.data, columns));
    return this;
  }

  /** Live view of the means, shape (columns): as Dense.weights. */
  get mean(): FloatArray {
    const { store, tensors } = this.placed();
    return store.lend(tensors.mean);
  }

  /** Live view of the factors, 1 / sqrt(variance), shape (columns). */
  get factor(): FloatArray {
    const { store, tensors } = this.placed();
    return store.lend(tensors.factor);
  }

  /** @internal */
  get kind(): string {
    return "Normalization";
  }

  /** @internal */
  get expression(): string {
    return "new Normalization()";
  }

  /** @internal */
  override checkType(dtype: DType): void {
    if (this.#values) checkValues(this.#values, dtype);
  }

  /** @internal */
  describe(input: Shape): Description {
    const columns = input[input.length - 1];
    if (!this.#values) {
      throw new Error(
        "a Normalization has neither mean nor variance: give it data first, new Normalization().adapt(inputs), or both, " +
          "new Normalization({ mean, variance })",
      );
    }
    for (const { length } of [this.#values.mean, this.#values.factor]) {
      if (length === 1 || length === columns) continue;
      throw new RangeError(
        `a Normalization has means and variances for ${length} columns, but the last axis of its inputs has ${columns}: adapt ` +
          "it to such data, or say adapt's width",
      );
    }
    const tensor = { shape: [columns], trainable: false };
    return {
      output: input,
      tensors: { mean: tensor, factor: tensor },
      work: 0,
      takesSparse: false,
      folds: { scale: 1, columns: true },
    };
  }

  /** @internal */
  override initialize(): void {
    const { store, tensors } = this.placed();
    const { mean, factor } = this.#values!;
    for (const [tensor, values] of [
      [tensors.mean, mean],
      [tensors.factor, factor],
    ] as const) {
      const view = store.view(tensor);
      for (let j = 0; j < view.length; j++) view[j] = values[values.length === 1 ? 0 : j];
    }
  }

  /** @internal */
  columns(pass: Pass): Columns {
    const { mean, factor } = this.placed().tensors;
    return { mean: pass.parameter(mean), factor: pass.parameter(factor), length: mean.shape[0] };
  }

  /** Takes means and variances, once they are known to be usable. */
  #take(mean: readonly number[], variance: readonly number[]): void {
    const values = { mean, factor: variance.map((square) => (square === 0 ? 1 : 1 / Math.sqrt(square))) };
    checkValues(values, this.isAttached ? this.placed().store.heap.dtype : "float64");
    this.#values = values;
    if (this.isAttached) this.initialize();
  }
}

/** Whether the type holds a number, and not as 0. */
function isFactor(dtype: DType, value: number): boolean {
  const held = rounded(dtype, value);
  return Number.isFinite(held) && held !== 0;
}

function checkValues({ mean, factor }: Values, dtype: DType): void {
  const j = mean.findIndex((value) => !Number.isFinite(rounded(dtype, value)));
  const k = factor.findIndex((value) => !isFactor(dtype, value));
  if (j < 0 && k < 0) return;
  throw new RangeError(
    `a Normalization has ${j < 0 ? `the factor ${factor[k]} in column ${k}` : `the mean ${mean[j]} in column ${j}`}, ` +
      `but ${dtype} must hold means, variances and 1 / sqrt(variance), and no variance may be below 0: scale the data to about -1 .. 1`,
  );
}

function toNumbers(name: string, value: PerColumn | undefined): readonly number[] {
  const numbers = typeof value === "number" ? [value] : Array.from(value ?? []);
  if (
    numbers.length > 0 &&
    numbers.every((number) => Number.isFinite(number) && (number >= 0 || name === "mean"))
  ) {
    return numbers;
  }
  throw new RangeError(
    `the ${name} of a Normalization is ${quote(value)}, but must be a finite number${name === "mean" ? "" : " from 0 on"}, or ` +
      "one for each column; both mean and variance are needed, or neither, and then adapt(data)",
  );
}

/** Mean and variance (that of all values, divided by their number) of every column, each summed in the order of the rows. */
function momentsOf(values: ArrayLike<number>, columns: number): [mean: number[], variance: number[]] {
  const rows = values.length / columns;
  // Summed as distances from the first row: a constant column has exactly its value as its mean, and variance 0.
  const first = Array.from({ length: columns }, (_, j) => values[j]);
  const sums = new Float64Array(columns);
  const squares = new Float64Array(columns);
  for (let i = 0; i < values.length; ) for (let j = 0; j < columns; j++, i++) sums[j] += values[i] - first[j];
  const mean = first.map((value, j) => value + sums[j] / rows);
  for (let i = 0; i < values.length; ) {
    for (let j = 0; j < columns; j++, i++) squares[j] += (values[i] - mean[j]) ** 2;
  }
  const variance = mean.map((value, j) => {
    const square = squares[j] / rows;
    // Of rounding alone: the bound is scikit-learn's.
    const noise = rows * Number.EPSILON * square + (rows * value * Number.EPSILON) ** 2;
    return square <= noise ? 0 : square;
  });
  return [mean, variance];
}
