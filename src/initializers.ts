// The initializers: how initial weights and biases are drawn, one row each.

import { checkPositive, quote, readOptions } from "./check.js";
import { type DType, type FloatArray, rounded } from "./dtype.js";
import type { Region } from "./heap.js";
import type { ProgramBuilder } from "./program/builder.js";
import { namesOf, rowsOf } from "./table.js";

/** What is drawn: a matrix of weights, or as many biases as they have columns. */
interface Drawing {
  builder: ProgramBuilder;
  region: Region;
  /** Rows of the weights. */
  inputs: number;
  /** Columns of the weights. */
  outputs: number;
  seed: number;
  stream: number;
  /** The matrix as it is then, to read and to write. */
  view(): FloatArray;
}

type Settings = Readonly<Record<string, number>>;
type FanIn = (inputs: number, outputs: number) => number;

interface InitializerRow {
  /** Settings and their defaults. @internal */
  settings?: Settings;
  /** Emits the drawing, or does it; returns what is to be done when all is drawn, if anything. @internal */
  draw(drawing: Drawing, settings: Settings): (() => void) | undefined;
}

/** Deviation of a standard normal distribution of which only the part from -2 to 2 is left. */
const TRUNCATED = 0.8796256610342398;

function normal(
  { builder, region, seed, stream }: Drawing,
  given: { mean?: number; deviation: number; truncated?: boolean },
): undefined {
  const size = region.bytes / builder.heap.elementBytes;
  builder.normal(region, undefined, 1, size, given, { seed, stream, step: builder.cell(0) });
}

/** Uniform from -b to b, b^2 = `squared`. */
const uniform = (squared: FanIn): InitializerRow => ({
  draw({ builder, region, inputs, outputs, seed, stream }) {
    const bound = Math.sqrt(squared(inputs, outputs));
    const size = region.bytes / builder.heap.elementBytes;
    builder.uniform(region, size, builder.cell(-bound), builder.cell(bound), seed, stream);
    return undefined;
  },
});

/** Normal with the variance of that, cut off at two deviations of what is cut. */
const normalLike = (squared: FanIn): InitializerRow => ({
  draw(drawing) {
    const variance = squared(drawing.inputs, drawing.outputs) / 3;
    return normal(drawing, { deviation: Math.sqrt(variance) / TRUNCATED, truncated: true });
  },
});

const filled = (value?: number): InitializerRow => ({
  draw({ view }, settings) {
    view().fill(value ?? settings.value);
    return undefined;
  },
});

const glorot: FanIn = (inputs, outputs) => 6 / (inputs + outputs);
const he: FanIn = (inputs) => 6 / inputs;
const lecun: FanIn = (inputs) => 3 / inputs;

export const initializers = /* @__PURE__ */ rowsOf<InitializerRow>()({
  glorotUniform: /* @__PURE__ */ uniform(glorot),
  glorotNormal: /* @__PURE__ */ normalLike(glorot),
  heUniform: /* @__PURE__ */ uniform(he),
  heNormal: /* @__PURE__ */ normalLike(he),
  lecunUniform: /* @__PURE__ */ uniform(lecun),
  lecunNormal: /* @__PURE__ */ normalLike(lecun),
  truncatedNormal: {
    settings: { mean: 0, stddev: 0.05 },
    draw: (drawing, { mean, stddev }) => normal(drawing, { mean, deviation: stddev, truncated: true }),
  },
  orthogonal: {
    settings: { gain: 1 },
    draw(drawing, { gain }) {
      normal(drawing, { deviation: 1 });
      return () => orthogonalize(drawing.view(), drawing.inputs, drawing.outputs, gain);
    },
  },
  zeros: /* @__PURE__ */ filled(0),
  ones: /* @__PURE__ */ filled(1),
  constant: { settings: { value: 0 }, .../* @__PURE__ */ filled() },
});

type InitializerName = keyof typeof initializers;

/**
 * How initial values are drawn. With n inputs and m outputs of the layer:
 *
 * - `"glorotUniform"`, `"glorotNormal"`: variance 2 / (n + m) (Glorot and Bengio 2010)
 * - `"heUniform"`, `"heNormal"`: variance 2 / n (He et al. 2015)
 * - `"lecunUniform"`, `"lecunNormal"`: variance 1 / n (LeCun et al. 1998)
 * - `"truncatedNormal"` or `{ truncatedNormal: { mean: 0, stddev: 0.05 } }`: a normal distribution without what is more than
 *   two standard deviations from the mean
 * - `"orthogonal"` or `{ orthogonal: { gain: 1 } }`: the rows or the columns, whichever are fewer, are of length `gain` and
 *   orthogonal to each other (Saxe et al. 2014: the Q of the QR decomposition of a normal matrix, R with a positive
 *   diagonal)
 * - `"zeros"`, `"ones"`, `{ constant: 0.1 }`
 *
 * The normal ones of a variance are truncated in the same way, and widened so that the variance is right, as in Keras.
 */
export type Initializer =
  | Exclude<InitializerName, "constant">
  | { constant: number }
  | { truncatedNormal: { mean?: number; stddev?: number } }
  | { orthogonal: { gain?: number } };

/** An initializer, checked, with all its settings. */
export interface SetInitializer {
  name: InitializerName;
  settings: Settings;
}

/** Reads the initializer that an option names. */
export function readInitializer(option: string, given: Initializer): SetInitializer {
  const [name, value] =
    typeof given === "object" && given !== null && Object.keys(given).length === 1
      ? Object.entries(given)[0]
      : [given, {}];
  const known = typeof name === "string" && Object.hasOwn(initializers, name);
  if (!known || given === ("constant" as unknown)) {
    const names = namesOf(initializers).filter((one) => one !== "constant");
    throw new RangeError(
      `${option} is ${quote(name)}, but must be one of ${names.map((one) => `"${one}"`).join(", ")}, or ` +
        "{ constant: 0.1 }, { truncatedNormal: { stddev: 0.05 } }, { orthogonal: { gain: 1 } }",
    );
  }
  const { settings: defaults = {} } = initializers[name as InitializerName];
  const path = `${option}.${name}`;
  const read =
    name === "constant"
      ? { value }
      : readOptions(path, value as Record<string, number>, Object.keys(defaults));
  const settings: Record<string, number> = {};
  for (const [key, usual] of Object.entries(defaults)) {
    const setting: unknown = (read as Record<string, unknown>)[key] ?? usual;
    const label = name === "constant" ? path : `${path}.${key}`;
    if (key === "stddev") checkPositive(label, setting);
    if (typeof setting !== "number" || !Number.isFinite(setting))
      throw new RangeError(`${label} is ${quote(setting)}, but must be a finite number`);
    settings[key] = setting;
  }
  return { name: name as InitializerName, settings };
}

/** Throws RangeError if what an initializer draws would overflow the element type. */
export function checkInitializer(option: string, { name, settings }: SetInitializer, dtype: DType): void {
  for (const [key, value] of Object.entries(settings)) {
    // Four times as much: a normal number is at most two standard deviations from the mean.
    if (Number.isFinite(rounded(dtype, 4 * value))) continue;
    throw new RangeError(
      `${option}.${name}, ${key} ${value}, overflows the network's ${dtype}: take a smaller one`,
    );
  }
}

/** Draws the initial values of a tensor: see InitializerRow.draw. */
export function drawInitial({ name, settings }: SetInitializer, drawing: Drawing): (() => void) | undefined {
  return initializers[name].draw(drawing, settings);
}

/**
 * Makes the columns of a matrix orthogonal and of length `gain`, or the rows, if those are fewer, by Gram and Schmidt, which
 * leaves the diagonal of R positive. A vector of which little is left is done twice, for it has lost digits.
 */
function orthogonalize(matrix: FloatArray, rows: number, columns: number, gain: number): void {
  const byRows = rows < columns;
  const [count, length] = byRows ? [rows, columns] : [columns, rows];
  const [stride, step] = byRows ? [columns, 1] : [1, columns];
  const vectors: Float64Array[] = [];
  for (let v = 0; v < count; v++) {
    const vector = Float64Array.from({ length }, (_, i) => matrix[v * stride + i * step]);
    let before: number;
    let now = dot(vector, vector);
    do {
      before = now;
      for (const other of vectors) {
        const share = dot(vector, other);
        for (let i = 0; i < length; i++) vector[i] -= share * other[i];
      }
      now = dot(vector, vector);
    } while (now < before / 100);
    const norm = Math.sqrt(now);
    for (let i = 0; i < length; i++) {
      vector[i] /= norm;
      matrix[v * stride + i * step] = gain * vector[i];
    }
    vectors.push(vector);
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
