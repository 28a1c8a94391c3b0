// One source for both element types: every intermediate result goes through `round`, which is the identity
// for float64 and Math.fround for float32. Stores into a Float32Array round by themselves.

import type { DType } from "../../dtype.js";

export type Round = (x: number) => number;

const exact: Round = (x) => x;

/** The rounding of an element type. */
export function roundOf(dtype: DType): Round {
  return dtype === "float64" ? exact : Math.fround;
}
