// Batches out of a data set, which lies in the heap in its own element type.

import { lanes, splat, storePartial } from "./lanes";
import { DataType } from "./ops";

/** One vector of T from data of the given type at `x`. */
// @ts-ignore: decorator
@inline function convert<T>(dataType: DataType, x: usize): v128 {
  if (dataType == DataType.u8) {
    const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(x));
    const words = i32x4.extend_low_i16x8_u(bytes);
    return sizeof<T>() == 8 ? f64x2.convert_low_i32x4_u(words) : f32x4.convert_i32x4_u(words);
  }
  if (dataType == DataType.f32) {
    return sizeof<T>() == 8 ? f64x2.promote_low_f32x4(v128.load64_zero(x)) : v128.load(x);
  }
  if (sizeof<T>() == 8) return v128.load(x);
  const low = f32x4.demote_f64x2_zero(v128.load(x));
  const high = f32x4.demote_f64x2_zero(v128.load(x, 16));
  return v128.shuffle<u32>(low, high, 0, 1, 4, 5);
}

/** Bytes of a value of a data set. */
// @ts-ignore: decorator
@inline export function bytesOf(dataType: DataType): usize {
  return dataType == DataType.u8 ? 1 : dataType == DataType.f32 ? 4 : 8;
}

// @ts-ignore: decorator
@inline function convertRow<T>(dataType: DataType, y: usize, x: usize, width: usize, scale: v128): void {
  const tail = width & (lanes<T>() - 1);
  const end = y + (width - tail) * sizeof<T>();
  while (y < end) {
    v128.store(y, v128.mul<T>(convert<T>(dataType, x), scale));
    x += lanes<T>() * bytesOf(dataType);
    y += 16;
  }
  if (tail) storePartial<T>(y, v128.mul<T>(convert<T>(dataType, x), scale), tail);
}

/** y[i] = T(x[i]) * scale for `count` values of a data set; x may be read up to a vector past its end. */
export function convertValues<T>(dataType: DataType, y: usize, x: usize, count: usize, scale: v128): void {
  switch (dataType) {
    case DataType.u8: convertRow<T>(DataType.u8, y, x, count, scale); break;
    case DataType.f32: convertRow<T>(DataType.f32, y, x, count, scale); break;
    default: convertRow<T>(DataType.f64, y, x, count, scale); break;
  }
}

/** Index of the sample at `position`, through the order if there is one. */
// @ts-ignore: decorator
@inline export function sampleAt(order: usize, position: usize): usize {
  return order ? <usize>load<u32>(order + position * 4) : position;
}

/** y[r] = T(data[sample at position + r]) scale for every row of the batch. */
export function gather<T>(
  y: usize, data: usize, order: usize, position: usize, rows: usize, width: usize, dataType: DataType, scale: f64,
): void {
  const factor = splat<T>(scale);
  const bytes = width * bytesOf(dataType);
  for (let r: usize = 0; r < rows; r++) {
    const x = data + sampleAt(order, position + r) * bytes;
    convertValues<T>(dataType, y, x, width, factor);
    y += width * sizeof<T>();
  }
}

/** y[r] = one-hot row of the class index data[sample at position + r]. */
export function oneHot<T>(
  y: usize, data: usize, order: usize, position: usize, rows: usize, width: usize,
): void {
  const stride = width * sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    memory.fill(y, 0, stride);
    const index = <usize>load<u32>(data + sampleAt(order, position + r) * 4);
    store<T>(y + index * sizeof<T>(), <T>1);
    y += stride;
  }
}
