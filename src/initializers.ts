// The initializers: how initial weights and biases are drawn, one row each.

import { quote, wrongValue } from "./check.js";
import { type DType, type FloatArray, rounded } from "./dtype.js";
import type { ProgramBuilder } from "./program/builder.js";
import type { Store, Tensor } from "./store.js";
import { namesOf, rowsOf } from "./table.js";

/** What is drawn: a matrix of weights, or as many biases as they have columns. */
interface Drawing {
  builder: ProgramBuilder;
  store: Store;
  tensor: Tensor;
  /** Rows of the weights. */
  inputs: number;
  /** Columns of the weights. */
  outputs: number;
  seed: number;
  stream: number;
}

/** What is left to do when all is drawn, if anything. */
type Rest = (() => void) | undefined;

type FanIn = (inputs: number, outputs: number) => number;

interface InitializerRow {
  /** The number that it takes, where it is given without one. @internal */
  usual?: number;
  /** Emits the drawing, or does it; returns what is to be done when all is drawn, if anything. @internal */
  draw(drawing: Drawing, value: number): Rest;
}

/** Deviation of a standard normal distribution of which only the part from -2 to 2 is left. */
const TRUNCATED = 0.8796256610342398;

function normal(
  { builder, tensor: { region }, seed, stream }: Drawing,
  given: { deviation: number; truncated?: boolean },
): undefined {
  const size = region.bytes / builder.heap.elementBytes;
  builder.normal(region, undefined, 1, size, given, { seed, stream, step: builder.cell(0) });
}

function drawWithin(
  { builder, tensor: { region }, seed, stream }: Drawing,
  low: number,
  high: number,
): undefined {
  const size = region.bytes / builder.heap.elementBytes;
  builder.uniform(region, size, builder.cell(low), builder.cell(high), seed, stream);
}

/** Uniform from -b to b, b^2 = `squared`. */
const uniform = (squared: FanIn): InitializerRow => ({
  draw(drawing) {
    const bound = Math.sqrt(squared(drawing.inputs, drawing.outputs));
    return drawWithin(drawing, -bound, bound);
  },
});

/** Normal with the variance of that, cut off at two deviations of what is cut. */
const normalLike = (squared: FanIn): InitializerRow => ({
  draw(drawing) {
    const variance = squared(drawing.inputs, drawing.outputs) / 3;
    return normal(drawing, { deviation: Math.sqrt(variance) / TRUNCATED, truncated: true });
  },
});

const filled: InitializerRow["draw"] = ({ store, tensor }, value): undefined => {
  store.view(tensor).fill(value);
};

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
    usual: 0.05,
    draw: (drawing, deviation) => normal(drawing, { deviation, truncated: true }),
  },
  orthogonal: {
    usual: 1,
    draw(drawing, gain) {
      normal(drawing, { deviation: 1 });
      return () => orthogonalize(drawing, gain);
    },
  },
  zeros: { draw: (drawing) => filled(drawing, 0) },
  ones: { draw: (drawing) => filled(drawing, 1) },
  constant: { usual: Number.NaN, draw: filled },
});

export type InitializerName = keyof typeof initializers;

/**
 * How initial values are drawn. With n inputs and m outputs of the layer:
 *
 * - `"glorotUniform"`, `"glorotNormal"`: variance 2 / (n + m) (Glorot and Bengio 2010)
 * - `"heUniform"`, `"heNormal"`: variance 2 / n (He et al. 2015)
 * - `"lecunUniform"`, `"lecunNormal"`: variance 1 / n (LeCun et al. 1998)
 * - `"truncatedNormal"` or `{ truncatedNormal: 0.05 }`: a normal distribution of that standard deviation around 0, without what
 *   is more than two of them away
 * - `"orthogonal"` or `{ orthogonal: 1 }`: the rows or the columns, whichever are fewer, are of that length and
 *   orthogonal to each other (Saxe et al. 2014: the Q of the QR decomposition of a normal matrix, R with a positive
 *   diagonal)
 * - `"zeros"`, `"ones"`, `{ constant: 0.1 }`
 *
 * The normal ones of a variance are truncated in the same way, and widened so that the variance is right, as in Keras.
 */
export type Initializer =
  | Exclude<InitializerName, "constant">
  | { constant: number }
  | { truncatedNormal: number }
  | { orthogonal: number };

/** An initializer, checked. */
export interface SetInitializer {
  readonly name: InitializerName | undefined;
  /** Throws RangeError if what it draws would overflow the element type. */
  checkType(dtype: DType): void;
  /** Emits the drawing of a tensor, or does it; returns what is left to do when all is drawn. */
  draw(drawing: Drawing): Rest;
}

/** The initializer of a name with its number; `option`: what the user calls it. */
export function initializerOf(
  name: InitializerName,
  value = initializers[name].usual ?? 0,
  option = "",
): SetInitializer {
  return {
    name,
    checkType(dtype) {
      // Twice as much: a truncated normal number is at most two standard deviations from 0.
      if (Number.isFinite(rounded(dtype, 2 * value))) return;
      throw new RangeError(
        `${option} is { ${name}: ${value} }, which overflows the network's ${dtype}: take a smaller number`,
      );
    },
    draw: (drawing) => initializers[name].draw(drawing, value),
  };
}

/** Reads the initializer that an option names. */
export function readInitializer(option: string, given: Initializer): SetInitializer {
  const entries = typeof given === "object" && given !== null ? Object.entries(given) : [];
  const [name, value] = entries.length === 1 ? entries[0] : [given];
  const row = Object.hasOwn(initializers, name as string) ? initializers[name as InitializerName] : undefined;
  const number: unknown = value ?? row?.usual ?? 0;
  if (row && Number.isFinite(number) && (value === undefined || row.usual !== undefined))
    return initializerOf(name as InitializerName, number as number, option);
  throw new RangeError(
    `${option} is ${row && value !== undefined ? `{ ${name}: ${quote(value)} }` : quote(name)}, but must be one of ` +
      `"${namesOf(initializers).slice(0, -1).join('", "')}", or { constant: 0.1 }, { truncatedNormal: 0.05 } or ` +
      "{ orthogonal: 1 } with a finite number",
  );
}

/** Draws uniformly from [low, high], which are checked. */
export function uniformIn(bounds: readonly [number, number]): SetInitializer {
  if (
    !(Array.isArray(bounds) && bounds.length === 2 && bounds.every(Number.isFinite) && bounds[0] <= bounds[1])
  )
    throw wrongValue("weightBounds", bounds, "two finite numbers [low, high], low <= high, e.g. [-1, 1]");
  const [low, high] = bounds;
  return {
    name: undefined,
    checkType(dtype) {
      if (Number.isFinite(rounded(dtype, rounded(dtype, high) - rounded(dtype, low)))) return;
      throw new RangeError(
        `weightBounds is ${quote([low, high])}, whose width overflows the network's ${dtype}: take bounds closer to 0`,
      );
    },
    draw: (drawing) => drawWithin(drawing, low, high),
  };
}

/** Reads how the weights of a layer are to be drawn, if it is said. */
export function readInitial({
  weightBounds,
  initializer,
}: {
  weightBounds?: readonly [number, number];
  initializer?: Initializer;
}): SetInitializer | undefined {
  if (weightBounds === undefined)
    return initializer === undefined ? undefined : readInitializer("initializer", initializer);
  if (initializer !== undefined)
    throw new TypeError("both weightBounds and initializer are given: pass one of them");
  return uniformIn(weightBounds);
}

/**
 * Makes the columns of a matrix orthogonal and of length `gain`, or the rows, if those are fewer, by Gram and Schmidt, which
 * leaves the diagonal of R positive. A vector of which little is left is done twice, for it has lost digits.
 */
function orthogonalize({ store, tensor, inputs: rows, outputs: columns }: Drawing, gain: number): void {
  const matrix: FloatArray = store.view(tensor);
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
