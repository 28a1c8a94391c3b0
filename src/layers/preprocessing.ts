// Preprocessing that belongs to the model: Rescaling and Normalization. As first layers they are done while a batch is
// gathered: see src/entrance.ts.

import { checkInteger, quote, readOptions } from "../check.js";
import { type Rows, toTable } from "../dataset.js";
import { type DType, type FloatArray, rounded } from "../dtype.js";
import type { Region } from "../heap.js";
import { finish } from "../pieces.js";
import type { Columns, Matrix } from "../program/samples.js";
import type { Shape } from "../shape.js";
import { BaseLayer } from "./base.js";
import type { Description, Emitted, Pass } from "./layer.js";

/** A layer that makes (x - mean[j]) * factor[j] of a vector's element j. */
abstract class ColumnLayer extends BaseLayer {
  /** @internal */
  abstract columns(pass: Pass): Columns;

  /** @internal */
  emit(pass: Pass, input: Matrix): Emitted {
    const { builder, rows } = pass;
    const width = this.place.size;
    const columns = this.columns(pass);
    const output = builder.matrix(rows, width);
    builder.standardize(output, input as Region, rows, width, columns);
    const backward = (d: Region, inputWanted: boolean): Region | undefined => {
      if (!inputWanted) return undefined;
      builder.standardizeBackward(d, rows, width, columns);
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
    this.checkType("float64");
  }

  /** @internal */
  get kind(): string {
    return "Rescaling";
  }

  /** @internal */
  override get expression(): string {
    const { scale, offset } = this;
    return `new Rescaling(${scale}${offset === 0 ? "" : `, { offset: ${offset} }`})`;
  }

  /** @internal */
  override checkType(dtype: DType): void {
    const { scale, offset } = this;
    if (isFactor(dtype, scale) && Number.isFinite(offset) && isFactor(dtype, offset / scale, true)) return;
    throw new RangeError(
      `Rescaling has the scale ${quote(scale)} and the offset ${quote(offset)}, but ${dtype} must hold both and ` +
        "offset / scale as finite numbers, and the scale not as 0",
    );
  }

  /** @internal */
  override describe(input: Shape): Description {
    const { scale, offset } = this;
    const folds = offset === 0 ? { scale } : { scale: 1, columns: true };
    return { ...super.describe(input), folds };
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
    const place = this.isAttached ? this.place : undefined;
    if (place?.store.training)
      throw new Error("a Normalization cannot adapt during fit: await the fit first");
    const row = (data as ArrayLike<unknown>)?.[0] as ArrayLike<number> | undefined;
    const rowLength = typeof row === "object" ? row?.length : (place?.size ?? width);
    const columns = place?.width ?? width ?? rowLength;
    if (!rowLength || !columns) {
      throw new TypeError("adapt does not know how long a row is: pass rows, or adapt(data, { width: 13 })");
    }
    const fits = place && rowLength !== columns ? rowLength === place.size : rowLength % columns === 0;
    if (!fits || (width ?? columns) !== columns) {
      throw new RangeError(
        `adapt got rows of ${rowLength} values${width ? ` and width ${width}` : ""}, but the last axis has ${columns}: rows ` +
          "have that length, or a sample's",
      );
    }
    const table = finish(
      toTable("data", data, {
        width: rowLength,
        positions: rowLength / columns,
        what: "inputs",
        largest: Number.MAX_VALUE,
        overflow: String,
        owns: () => false,
      }),
    );
    this.#take(...momentsOf(table.data, columns));
    return this;
  }

  /** Live view of the means, shape (columns): as Dense.weights. */
  get mean(): FloatArray {
    return this.view("mean");
  }

  /** Live view of the factors, 1 / sqrt(variance), shape (columns). */
  get factor(): FloatArray {
    return this.view("factor");
  }

  /** @internal */
  get kind(): string {
    return "Normalization";
  }

  /** @internal */
  override checkType(dtype: DType): void {
    if (this.#values) checkValues(this.#values, dtype);
  }

  /** @internal */
  override describe(input: Shape): Description {
    const columns = input[input.length - 1];
    if (!this.#values) {
      throw new Error(
        "a Normalization has no mean and variance: give them, or data, new Normalization().adapt(inputs)",
      );
    }
    for (const { length } of Object.values(this.#values)) {
      if (length === 1 || length === columns) continue;
      throw new RangeError(
        `a Normalization of ${length} columns got inputs whose last axis has ${columns}: adapt it to data of that width`,
      );
    }
    const tensor = { shape: [columns], trainable: false };
    const folds = { scale: 1, columns: true };
    return { ...super.describe(input), tensors: { mean: tensor, factor: tensor }, folds };
  }

  /** @internal */
  override initialize(): void {
    const { store, tensors } = this.place;
    for (const [name, values] of Object.entries(this.#values!)) {
      const view = store.view(tensors[name]);
      view.set(values.length === 1 ? view.map(() => values[0]) : values);
    }
  }

  /** @internal */
  columns(pass: Pass): Columns {
    const { mean, factor } = this.place.tensors;
    return { mean: pass.parameter(mean), factor: pass.parameter(factor), length: mean.shape[0] };
  }

  /** Takes means and variances, once they are known to be usable. */
  #take(mean: readonly number[], variance: readonly number[]): void {
    const values = { mean, factor: variance.map((square) => (square === 0 ? 1 : 1 / Math.sqrt(square))) };
    checkValues(values, this.isAttached ? this.place.store.heap.dtype : "float64");
    this.#values = values;
    if (this.isAttached) this.initialize();
  }
}

/** Whether it is a finite number in the type, too, and not 0 there, unless it may be. */
function isFactor(dtype: DType, value: number, mayBeZero = false): boolean {
  const held = rounded(dtype, value);
  return Number.isFinite(value) && Number.isFinite(held) && (held !== 0 || mayBeZero);
}

function checkValues(values: Values, dtype: DType): void {
  for (const [name, list] of Object.entries(values)) {
    // A mean may be 0 in the type.
    const j = list.findIndex((value: number) => !isFactor(dtype, value, name === "mean"));
    if (j < 0) continue;
    throw new RangeError(
      `a Normalization has the ${name} ${list[j]} in column ${j}, which ${dtype} does not hold: scale the data`,
    );
  }
}

function toNumbers(name: string, value: PerColumn | undefined): readonly number[] {
  const numbers = typeof value === "number" ? [value] : Array.from(value ?? []);
  const lowest = name === "mean" ? Number.NEGATIVE_INFINITY : 0;
  if (numbers.length > 0 && numbers.every((number) => Number.isFinite(number) && number >= lowest))
    return numbers;
  throw new RangeError(
    `the ${name} of a Normalization is ${quote(value)}, but mean and variance must be finite numbers, or one for each ` +
      "column, the variance from 0 on; or give neither, and adapt(data)",
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
