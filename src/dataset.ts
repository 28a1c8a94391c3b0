// What users pass as inputs and targets, checked and made into flat tables of a type the heap stores.

import { quote } from "./check.js";
import { DataType } from "./program.js";

/** Values of a typed array that holds plain numbers. */
export type NumericArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/**
 * Rows of numbers: a flat typed array (or array) of rows x width values, or an array of rows. Uint8Array,
 * Float32Array and Float64Array are kept in their own type, the others are widened.
 */
export type Rows = NumericArray | readonly number[] | readonly (readonly number[] | NumericArray)[];

/** A matrix (rows, width) in a type that the heap stores. */
export interface Table {
  readonly data: Uint8Array | Float32Array | Float64Array;
  readonly dataType: DataType;
  readonly rows: number;
  readonly width: number;
}

/** Class indexes, one a row. */
export interface Classes {
  readonly data: Uint32Array;
  readonly rows: number;
  readonly width: number;
}

export type Targets = Table | Classes;

export function isClasses(targets: Targets): targets is Classes {
  return targets.data instanceof Uint32Array;
}

/**
 * Checks rows of `width` values each.
 * Throws RangeError or TypeError for a wrong length, ragged rows, and values that are not finite numbers.
 */
export function toTable(name: string, value: Rows, width: number, what: string): Table {
  const data = toFlat(name, value, width, what);
  if (data.length % width !== 0) {
    throw new RangeError(
      `${name} holds ${data.length} values, which is not a multiple of the network's ${width} ${what}: ` +
        `pass rows x ${width} values, row after row`,
    );
  }
  if (data.length === 0) {
    throw new RangeError(`${name} is empty, but at least one row of ${width} values is needed`);
  }
  const dataType =
    data instanceof Uint8Array ? DataType.u8 : data instanceof Float32Array ? DataType.f32 : DataType.f64;
  if (!(data instanceof Uint8Array)) checkFinite(name, data, width);
  return { data, dataType, rows: data.length / width, width };
}

function checkFinite(name: string, data: Float32Array | Float64Array, width: number): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    // x - x is NaN where x is not finite.
    if (value - value !== 0) {
      throw new RangeError(
        `${name} holds ${value} in row ${Math.floor(i / width)}, column ${i % width}, but every value ` +
          "must be finite: drop such rows or fill the gaps first",
      );
    }
  }
}

/** The values in one flat array of a type that the heap stores, without a copy where they are in one. */
function toFlat(name: string, value: Rows, width: number, what: string): Table["data"] {
  if (ArrayBuffer.isView(value)) return widen(name, value as NumericArray);
  if (!Array.isArray(value)) {
    throw new TypeError(`${name} is ${quote(value)}, but must be a typed array or an array of rows`);
  }
  if (value.length === 0 || typeof value[0] !== "object") return Float64Array.from(numbers(name, value));
  return flatten(name, value, width, what);
}

function widen(name: string, value: NumericArray): Table["data"] {
  if (value instanceof Uint8Array || value instanceof Float32Array || value instanceof Float64Array)
    return value;
  if (value instanceof Uint8ClampedArray) return new Uint8Array(value.buffer, value.byteOffset, value.length);
  // Every value of these types is a float32, resp. a float64.
  if (value instanceof Int8Array || value instanceof Int16Array || value instanceof Uint16Array) {
    return Float32Array.from(value);
  }
  if (value instanceof Int32Array || value instanceof Uint32Array) return Float64Array.from(value);
  throw new TypeError(
    `${name} is a ${(value as object).constructor.name}, which does not hold plain numbers: convert it ` +
      "first, e.g. with Float64Array.from(values, Number)",
  );
}

function flatten(
  name: string,
  rows: readonly (readonly number[] | NumericArray)[],
  width: number,
  what: string,
) {
  const types = new Set(rows.map((row) => row?.constructor));
  const only = types.size === 1 ? [...types][0] : undefined;
  const size = rows.length * width;
  const data =
    only === Uint8Array || only === Uint8ClampedArray
      ? new Uint8Array(size)
      : only === Float32Array
        ? new Float32Array(size)
        : new Float64Array(size);
  for (const [r, row] of rows.entries()) {
    const listed = Array.isArray(row);
    if (!listed && !(ArrayBuffer.isView(row) && "length" in row)) {
      throw new TypeError(`${name}[${r}] is ${quote(row)}, but must be a row of ${width} numbers`);
    }
    if (row.length !== width) {
      throw new RangeError(
        `${name}[${r}] has ${row.length} values, but the network has ${width} ${what}: ` +
          `every row must have ${width}`,
      );
    }
    data.set(listed ? numbers(`${name}[${r}]`, row) : widen(`${name}[${r}]`, row as NumericArray), r * width);
  }
  return data;
}

/** Every element a number: strings and null would turn into numbers silently. */
function numbers(name: string, values: readonly unknown[]): readonly number[] {
  for (let i = 0; i < values.length; i++) {
    if (typeof values[i] !== "number") {
      throw new TypeError(`${name}[${i}] is ${quote(values[i])}, but must be a number`);
    }
  }
  return values as readonly number[];
}

/** Whether `value` reads as one class index a row for a network of `width` > 1 outputs. */
function readsAsClasses(value: Rows, rows: number, width: number): value is NumericArray | number[] {
  const flat = ArrayBuffer.isView(value) || (Array.isArray(value) && typeof value[0] === "number");
  return flat && width > 1 && value.length === rows;
}

/** Checks class indexes: integers from 0 to width - 1. */
function toClasses(name: string, value: NumericArray | readonly number[], width: number): Classes {
  const data = new Uint32Array(value.length);
  for (let i = 0; i < data.length; i++) {
    const index = value[i];
    if (typeof index !== "number") {
      throw new TypeError(`${name}[${i}] is ${quote(index)}, but must be a number`);
    }
    if (!(Number.isInteger(index) && index >= 0 && index < width)) {
      throw new RangeError(
        `${name}[${i}] is ${index}, but the network has ${width} outputs: class indexes are integers ` +
          `from 0 to ${width - 1}`,
      );
    }
    data[i] = index;
  }
  return { data, rows: value.length, width };
}

/** What the loss asks of the targets. */
export type TargetKind = "any" | "probability" | "distribution";

/** Checks the targets of `rows` inputs: class indexes where the last layer is a softmax, or rows. */
export function toTargets(name: string, value: Rows, rows: number, width: number, kind: TargetKind): Targets {
  if (kind === "distribution" && readsAsClasses(value, rows, width)) return toClasses(name, value, width);
  const flat = ArrayBuffer.isView(value) || (Array.isArray(value) && typeof value[0] === "number");
  if (kind === "distribution" && flat && width > 1 && value.length % width !== 0) {
    throw new RangeError(
      `${name} holds ${value.length} values for ${rows} rows of inputs, but must hold one class index a row ` +
        `(${rows}), or a row of ${width} probabilities (${rows * width})`,
    );
  }
  const table = toTable(name, value, width, "outputs");
  if (table.rows !== rows) {
    const classes = kind === "distribution" ? `, or one class index a row (${rows})` : "";
    throw new RangeError(
      `${name} holds ${table.data.length} values (${table.rows} rows of ${width}) for ${rows} rows of inputs: ` +
        `${rows * width} values are needed${classes}`,
    );
  }
  if (kind !== "any") checkProbabilities(name, table);
  if (kind === "distribution") checkDistributions(name, table);
  return table;
}

function checkProbabilities(name: string, { data, width }: Table): void {
  for (let i = 0; i < data.length; i++) {
    if (data[i] < 0 || data[i] > 1) {
      throw new RangeError(
        `${name} holds ${data[i]} in row ${Math.floor(i / width)}, column ${i % width}, but the loss takes ` +
          'probabilities from 0 to 1: scale the targets, or choose loss: "meanSquaredError"',
      );
    }
  }
}

function checkDistributions(name: string, { data, rows, width }: Table): void {
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += data[r * width + j];
    // Probabilities rounded to float32 or to a few decimals still pass.
    if (Math.abs(sum - 1) > 1e-3) {
      throw new RangeError(
        `${name} sums to ${sum} in row ${r}, but crossEntropy takes rows of probabilities that sum to 1 ` +
          "(or one class index a row)",
      );
    }
  }
}

/** Share of values that are not zero, 0 to 1, from up to 1024 rows spread evenly. */
export function density({ data, rows, width }: Table): number {
  const sampled = Math.min(rows, 1024);
  let count = 0;
  for (let s = 0; s < sampled; s++) {
    const first = Math.floor((s * rows) / sampled) * width;
    for (let i = first; i < first + width; i++) if (data[i] !== 0) count++;
  }
  return count / (sampled * width);
}

/** Rows `from` to `to` of a table or of classes, without a copy. */
export function sliceRows<T extends Targets>(table: T, from: number, to: number): T {
  const per = isClasses(table) ? 1 : table.width;
  return { ...table, data: table.data.subarray(from * per, to * per), rows: to - from };
}
