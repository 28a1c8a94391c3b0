// Element types a network can work in.

/** Element type of a network: parameters, activations and gradients. */
export type DType = "float64" | "float32";

/** A view of working-type values. */
export type FloatArray = Float64Array | Float32Array;

/** The class of arrays of an element type. */
export type ArrayOf<D extends DType> = D extends "float32" ? Float32Array : Float64Array;

export function arrayOf(dtype: DType): Float64ArrayConstructor | Float32ArrayConstructor {
  return dtype === "float64" ? Float64Array : Float32Array;
}

/** Bytes of one element. */
export function bytesOf(dtype: DType): number {
  return dtype === "float64" ? 8 : 4;
}

/** `value` as the element type holds it. */
export function rounded(dtype: DType, value: number): number {
  return dtype === "float64" ? value : Math.fround(value);
}

/** Largest finite value of an element type. */
export function largestOf(dtype: DType): number {
  return dtype === "float64" ? Number.MAX_VALUE : 2 ** 128 - 2 ** 104;
}

/** The way out for values that are too large. */
export function smaller(dtype: DType): string {
  return dtype === "float64" ? "scale the values down" : 'scale the values down, or use dtype: "float64"';
}
