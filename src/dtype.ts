// Element types a network can work in.

/** Element type of a network: parameters, activations and gradients. */
export type DType = "float64" | "float32";

/** A view of working-type values. */
export type FloatArray = Float64Array | Float32Array;

/** Bytes of one element. */
export function bytesOf(dtype: DType): number {
  return dtype === "float64" ? 8 : 4;
}
