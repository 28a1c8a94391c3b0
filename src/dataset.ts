// What users pass as inputs and targets, checked and made into flat tables of a type the heap stores.

import { DataType } from "../assembly/ops.js";
import { className, count, wrongType, wrongValue } from "./check.js";
import { type DType, largestOf } from "./dtype.js";
import { byRows, type Pieces } from "./pieces.js";

/** A Float16Array, by what it has: older TypeScript and older engines do not know the class. */
export interface Float16Values {
  readonly BYTES_PER_ELEMENT: number;
  readonly length: number;
  readonly [Symbol.toStringTag]: "Float16Array";
  readonly [index: number]: number;
}

/** A typed array that holds plain numbers. */
export type NumericArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float16Values
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
  /** Whether a value is NaN: of targets, which do not count then. */
  readonly masked?: boolean;
}

/** Class indexes, one a row. */
export interface Classes {
  readonly data: Uint32Array;
  readonly rows: number;
  readonly width: number;
}

export type Targets = Table | Classes;

/** The same with data of its own. */
export function copyOf<T extends Targets>(table: T): T {
  return { ...table, data: table.data.slice() };
}

/** What the rows of a table must be like. */
export interface Format {
  /** Values in a row. */
  width: number;
  /** Vectors of the last axis in a row. */
  positions: number;
  /** What the network calls them. */
  what: "inputs" | "outputs";
  /** Whether a value may be NaN, which means that it does not count. */
  gaps?: boolean;
  /** Largest magnitude that does not overflow the network's element type. */
  largest: number;
  /** Whether the values are indices: integers from 0 to the largest. */
  indices?: boolean;
  /** What another one does, and the way out, in words. */
  overflow(): string;
  /** Whether a buffer is the network's own memory: what lies in it is copied, for the memory may move. */
  owns(buffer: ArrayBufferLike): boolean;
}

export function isClasses(targets: Targets): targets is Classes {
  return targets.data instanceof Uint32Array;
}

/**
 * Checks rows and makes a table of them.
 * Throws RangeError or TypeError for a wrong length, ragged rows, and values that are not finite numbers or overflow
 * the network's type.
 */
export function* toTable(name: string, value: Rows, format: Format): Pieces<Table> {
  const { width, what } = format;
  const data = yield* toFlat(name, value, format);
  if (data.length % width !== 0) {
    throw new RangeError(
      `${name} holds ${count(data.length, "value")}, which is not a multiple of the network's ${width} ${what}: ` +
        `pass rows x ${width} values, row after row`,
    );
  }
  const rows = data.length / width;
  if (rows === 0) {
    throw new RangeError(`${name} is empty, but at least one row of ${count(width, "value")} is needed`);
  }
  let masked = false;
  if (!(data instanceof Uint8Array) || format.largest < 255) {
    yield* byRows(rows, width, (from, to) => {
      masked = checkValues(name, data, from, to, format) || masked;
    });
  }
  return { data, dataType: dataTypeOf(data), rows, width, masked };
}

function dataTypeOf(data: Table["data"]): DataType {
  return data instanceof Uint8Array
    ? DataType.u8
    : data instanceof Float32Array
      ? DataType.f32
      : DataType.f64;
}

/**
 * As toTable(), for the few numbers of a small predict, in a fraction of the time. Undefined where they are many, or of
 * another kind, or wrong in any way: toTable() then says what is the matter.
 */
export function toSmallTable(value: Rows, format: Format): Table | undefined {
  const { width, largest, indices } = format;
  const length = value?.length;
  if (indices || !(length > 0 && length <= 2 ** 12 && length % width === 0)) return undefined;
  let data = value as Table["data"];
  if (Array.isArray(value) && typeof value[0] === "number") {
    data = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      if (typeof value[i] !== "number") return undefined;
      data[i] = value[i] as number;
    }
  } else if (!(data instanceof Float64Array || data instanceof Float32Array || data instanceof Uint8Array)) {
    return undefined;
  }
  const dataType = dataTypeOf(data);
  if (dataType !== DataType.u8 || largest < 255) {
    for (let i = 0; i < length; i++) if (!(Math.abs(data[i]) <= largest)) return undefined;
  }
  return format.owns(data.buffer) ? undefined : { data, dataType, rows: length / width, width };
}

/** A value that a message is about, and where it is. */
function found(name: string, data: Table["data"], i: number, width: number): string {
  return `${name} holds ${data[i]} in row ${Math.floor(i / width)}, column ${i % width}, `;
}

/** Returns whether there are gaps. */
function checkValues(
  name: string,
  data: Table["data"],
  from: number,
  to: number,
  { width, largest, indices, gaps, overflow }: Format,
): boolean {
  const end = to * width;
  let masked = false;
  for (let i = from * width; i < end; i++) {
    const value = data[i];
    // False for NaN too.
    if (Math.abs(value) <= largest && (!indices || (value >= 0 && Number.isInteger(value)))) continue;
    if (gaps && Number.isNaN(value)) {
      masked = true;
      continue;
    }
    const reason = Number.isFinite(value)
      ? overflow()
      : "but every value must be finite: drop such rows or fill the gaps first";
    throw new RangeError(found(name, data, i, width) + reason);
  }
  return masked;
}

/** The values in one flat array of a type that the heap stores, without a copy where they are in one. */
function* toFlat(name: string, value: Rows, format: Format): Pieces<Table["data"]> {
  if (ArrayBuffer.isView(value)) {
    const Held = HELD[className(value)];
    if (!Held) throw notNumbers(name, value);
    const { BYTES_PER_ELEMENT: bytes } = Held;
    const { buffer, byteOffset, length } = value as Int16Array<ArrayBuffer>;
    if (bytes === value.BYTES_PER_ELEMENT) {
      // Of an array whose memory is gone no view can be made; it is empty.
      const view = length > 0 ? new Held(buffer, byteOffset, length) : new Held(0);
      return format.owns(value.buffer) ? view.slice() : view;
    }
    const wide = new Held(length);
    yield* byRows(length, 1, (from, to) => wide.set((value as Int16Array).subarray(from, to), from));
    return wide;
  }
  if (!Array.isArray(value)) {
    throw wrongType(name, value, "a typed array or an array of rows");
  }
  if (value.length > 0 && typeof value[0] === "object") return yield* flatten(name, value, format);
  const numbers = value as readonly number[];
  yield* byRows(numbers.length, 1, (from, to) => {
    for (let i = from; i < to; i++) checkNumber(name, numbers, i);
  });
  const data = new Float64Array(numbers.length);
  yield* byRows(numbers.length, 1, (from, to) => data.set(numbers.slice(from, to), from));
  return data;
}

/** For each class of typed array that holds plain numbers one that the heap stores and that holds them all. */
const HELD: Readonly<
  Partial<Record<string, Uint8ArrayConstructor | Float32ArrayConstructor | Float64ArrayConstructor>>
> = {
  Uint8Array,
  Uint8ClampedArray: Uint8Array,
  Int8Array: Float32Array,
  Int16Array: Float32Array,
  Uint16Array: Float32Array,
  Float16Array: Float32Array,
  Float32Array,
  Int32Array: Float64Array,
  Uint32Array: Float64Array,
  Float64Array,
};

function notNumbers(name: string, value: unknown): TypeError {
  return new TypeError(
    `${name} is a ${className(value)}, which does not hold plain numbers: convert it, e.g. with Float64Array.from(values, Number)`,
  );
}

function* flatten(
  name: string,
  rows: readonly (readonly number[] | NumericArray)[],
  { width, what }: Format,
): Pieces<Table["data"]> {
  const classes = new Set<string>();
  /** A row, which must be `width` long: nothing is allocated before that is known of all. */
  const check = (r: number) => {
    const row = rows[r];
    const listed = Array.isArray(row);
    if (!listed && !(ArrayBuffer.isView(row) && "length" in row)) {
      throw wrongType(`${name}[${r}]`, row, `a row of ${count(width, "number")}`);
    }
    if (row.length !== width) {
      throw new RangeError(
        `${name}[${r}] has ${count(row.length, "value")}, but the network has ${width} ${what}: ` +
          `every row must have ${width}`,
      );
    }
    classes.add(listed ? "Array" : className(row));
    return row;
  };
  yield* byRows(rows.length, 64, (from, to) => {
    for (let r = from; r < to; r++) check(r);
  });
  const Held = (classes.size === 1 && HELD[[...classes][0]]) || Float64Array;
  const data = new Held(rows.length * width);
  yield* byRows(rows.length, width, (from, to) => {
    for (let r = from; r < to; r++) {
      const row = check(r);
      if (!ArrayBuffer.isView(row)) {
        const label = `${name}[${r}]`;
        for (let j = 0; j < width; j++) checkNumber(label, row, j);
      } else if (!HELD[className(row)]) throw notNumbers(`${name}[${r}]`, row);
      data.set(row as readonly number[], r * width);
    }
  });
  return data;
}

/** An element that is a number: strings and null would turn into numbers silently. */
function checkNumber(name: string, values: ArrayLike<unknown>, i: number): number {
  const value = values[i];
  if (typeof value === "number") return value;
  throw wrongType(`${name}[${i}]`, value, "a number");
}

/** Whether `value` is a flat list of numbers: a typed array, or an array that begins with a number. */
function isFlat(value: Rows): value is NumericArray | readonly number[] {
  if (ArrayBuffer.isView(value)) return "length" in value;
  return Array.isArray(value) && typeof value[0] === "number";
}

/** Checks class indexes: integers from 0 to width - 1. */
function* toClasses(name: string, value: NumericArray | readonly number[], width: number): Pieces<Targets> {
  const data = new Uint32Array(value.length);
  let masked = false;
  yield* byRows(value.length, 1, (from, to) => {
    for (let i = from; i < to; i++) {
      const index = checkNumber(name, value, i);
      masked ||= Number.isNaN(index);
      if (!Number.isNaN(index) && !(Number.isInteger(index) && index >= 0 && index < width)) {
        throw new RangeError(
          `${name}[${i}] is ${index}, but the network has ${width} outputs: class indexes are integers ` +
            `from 0 to ${width - 1}`,
        );
      }
      data[i] = index;
    }
  });
  if (masked) return yield* toOneHot(value, width);
  return { data, rows: value.length, width };
}

/** Class indices as rows, for where some are NaN, which no index can be. */
export function* toOneHot(classes: NumericArray | readonly number[], width: number): Pieces<Table> {
  const rows = classes.length;
  const data = new Float32Array(rows * width);
  yield* byRows(rows, width, (from, to) => {
    for (let r = from; r < to; r++) {
      if (Number.isNaN(classes[r])) data.fill(Number.NaN, r * width, (r + 1) * width);
      else data[r * width + classes[r]] = 1;
    }
  });
  return { data, dataType: DataType.f32, rows, width, masked: true };
}

/** What a loss asks of the targets: numbers, those from 0 to 1, rows of such that sum to 1, -1 or 1, or none below 0. */
export type TargetKind = "any" | "probability" | "distribution" | "sign" | "count";

/** Checks the targets of `rows` inputs: class indexes where the last layer is a softmax, or rows. */
export function* toTargets(
  name: string,
  value: Rows,
  rows: number,
  format: Format,
  kind: TargetKind,
): Pieces<Targets> {
  const { width, positions } = format;
  const mayBeClasses = kind === "distribution" && positions === 1 && width > 1 && isFlat(value);
  if (mayBeClasses && value.length === rows) return yield* toClasses(name, value, width);
  const wrongLength = (length: number) => {
    const classes = kind === "distribution" ? `, or one class index a row (${rows})` : "";
    return new RangeError(
      `${name} holds ${count(length, "value")} for ${count(rows, "row")} of inputs, but must hold ${rows} x ${width}${classes}`,
    );
  };
  if (mayBeClasses && value.length % width !== 0) throw wrongLength(value.length);
  const table = yield* toTable(name, value, format);
  if (table.rows !== rows) throw wrongLength(table.data.length);
  if (kind !== "any") yield* byRows(rows, width, (from, to) => checkKind(name, table, kind, from, to));
  if (kind === "distribution") {
    const last = width / positions;
    yield* byRows(rows, width, (from, to) => checkDistributions(name, table, last, from, to));
  }
  return table;
}

const probabilities = {
  fits: (value: number) => value >= 0 && value <= 1,
  wanted:
    'probabilities from 0 to 1: scale the targets, or, for other numbers, give the last layer activation "linear"',
};

/** What targets of a kind must be, NaN excepted; of a distribution each value alone. */
const KINDS = {
  probability: probabilities,
  distribution: probabilities,
  sign: { fits: (value: number) => Math.abs(value) === 1, wanted: "-1 or 1: write -1 for 0" },
  count: { fits: (value: number) => value >= 0, wanted: "counts of at least 0" },
};

function checkKind(
  name: string,
  { data, width }: Table,
  kind: keyof typeof KINDS,
  from: number,
  to: number,
): void {
  const { fits, wanted } = KINDS[kind];
  for (let i = from * width; i < to * width; i++) {
    if (fits(data[i]) || Number.isNaN(data[i])) continue;
    throw new RangeError(`${found(name, data, i, width)}but the loss takes ${wanted}`);
  }
}

/** Every `last` values, those of the last axis, must sum to 1. */
function checkDistributions(
  name: string,
  { data, width }: Table,
  last: number,
  from: number,
  to: number,
): void {
  for (let first = from * width; first < to * width; first += last) {
    let sum = 0;
    for (let j = 0; j < last; j++) sum += data[first + j];
    // Probabilities rounded to float32 or to a few decimals still pass.
    if (Math.abs(sum - 1) > 1e-3) {
      throw new RangeError(
        `${name} sums to ${sum} in row ${Math.floor(first / width)}, but the loss takes rows of probabilities that sum to 1 ` +
          "(or one class index a row)",
      );
    }
  }
}

/**
 * Weights, of samples or of classes: `rows` finite numbers of at least 0, a column of them.
 * Throws RangeError or TypeError where they are not.
 */
export function* toWeights(
  name: string,
  value: unknown,
  rows: number,
  of: string,
  dtype: DType,
): Pieces<Table> {
  const numbers = value as ArrayLike<number>;
  if (!(Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value))) {
    throw wrongType(name, value, `an array of ${count(rows, "number")}: ${of}`);
  }
  if (numbers.length !== rows) {
    throw new RangeError(`${name} holds ${count(numbers.length, "number")}, but must hold ${rows}: ${of}`);
  }
  const data = new Float64Array(rows);
  yield* byRows(rows, 1, (from, to) => {
    for (let i = from; i < to; i++) {
      const weight: unknown = numbers[i];
      if (!(typeof weight === "number" && weight >= 0 && weight <= largestOf(dtype))) {
        throw wrongValue(`${name}[${i}]`, weight, `a finite number of at least 0 in the network's ${dtype}`);
      }
      data[i] = weight;
    }
  });
  return { data, dataType: DataType.f64, rows, width: 1 };
}

/** Throws RangeError where all of the weights are 0. */
export function refuseZeros(name: string, { data, rows }: Table, of: string): void {
  if (data.some((weight) => weight > 0)) return;
  throw new RangeError(`${name} is 0 for all ${rows} ${of}: at least one must be above 0`);
}

/** How many rows of a table make a sample: of wide ones fewer. */
const sampled = ({ rows, width }: Table) => Math.min(rows, 1024, Math.ceil(2 ** 22 / width));

/**
 * Calls `work` for each row of a sample, with where it begins and ends; returns how many values there are. One of each of as
 * many stretches of the table, here and there in it by the golden ratio, so that rows in a rhythm do not show one kind only.
 */
function eachSampled(table: Table, work: (from: number, to: number) => void): number {
  const { rows, width } = table;
  const count = sampled(table);
  for (let s = 0; s < count; s++) {
    const from = Math.floor(((s + ((s * 0.6180339887498949) % 1)) * rows) / count) * width;
    work(from, from + width);
  }
  return count * width;
}

/** Least, largest, and mean of the squares of the values of a sample of rows. */
export function statisticsOf(table: Table): { low: number; high: number; meanSquare: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let squares = 0;
  const count = eachSampled(table, (from, to) => {
    for (let i = from; i < to; i++) {
      // Targets may be NaN.
      const value = table.data[i] || 0;
      low = Math.min(low, value);
      high = Math.max(high, value);
      squares += value * value;
    }
  });
  return { low, high, meanSquare: squares / count };
}

/** Share of values that are not zero, 0 to 1, of a sample. */
export function density(table: Table): number {
  const { data } = table;
  let nonZero = 0;
  const count = eachSampled(table, (from, to) => {
    let found = 0;
    for (let i = from; i < to; i++) found += Number(data[i] !== 0);
    nonZero += found;
  });
  return nonZero / count;
}

/** Rows `from` to `to` of a table or of classes, without a copy. */
export function sliceRows<T extends Targets>(table: T, from: number, to: number): T {
  const per = isClasses(table) ? 1 : table.width;
  return { ...table, data: table.data.subarray(from * per, to * per), rows: to - from };
}
