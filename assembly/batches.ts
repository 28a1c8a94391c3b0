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

/** `vector`, which has `length` values, repeated to `width` in `room`; as it is if that is its length. */
export function repeated<T>(room: usize, vector: usize, length: usize, width: usize): usize {
  if (length == width) return vector;
  for (let j: usize = 0; j < width; j++) {
    store<T>(room + j * sizeof<T>(), load<T>(j < length ? vector + j * sizeof<T>() : room + (j - length) * sizeof<T>()));
  }
  return room;
}

/** y = (x - mean) * factor for every row, mean and factor being rows; y may be x. */
export function standardize<T>(y: usize, x: usize, rows: usize, width: usize, mean: usize, factor: usize): void {
  const end = width * sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    for (let at: usize = 0; at < end; at += 16) {
      const value = v128.mul<T>(v128.sub<T>(v128.load(x + at), v128.load(mean + at)), v128.load(factor + at));
      if (at + 16 > end) storePartial<T>(y + at, value, (end - at) / sizeof<T>());
      else v128.store(y + at, value);
    }
    y += end;
    x += end;
  }
}

/**
 * y[r] = T(data[sample at position + r]) scale for every row of the batch, and where there is a mean,
 * (y[r] - mean) * factor of that.
 */
export function gather<T>(
  y: usize, data: usize, order: usize, position: usize, rows: usize, width: usize, dataType: DataType, scale: f64,
  mean: usize, columnFactor: usize,
): void {
  const factor = splat<T>(scale);
  const bytes = width * bytesOf(dataType);
  for (let r: usize = 0; r < rows; r++) {
    const x = data + sampleAt(order, position + r) * bytes;
    convertValues<T>(dataType, y, x, width, factor);
    if (mean) standardize<T>(y, y, 1, width, mean, columnFactor);
    y += width * sizeof<T>();
  }
}

/** y[i] = index i of the batch, for `from` <= i < `to`: index i modulo length of its row i / length; at most `last`. */
export function indices(
  y: usize, data: usize, order: usize, position: usize, from: usize, to: usize, length: usize, dataType: DataType,
  last: u32,
): void {
  let row = from / length;
  let j = from % length;
  for (let i = from; i < to; i++) {
    const at = sampleAt(order, position + row) * length + j;
    let index: u32;
    switch (dataType) {
      case DataType.u8: index = load<u8>(data + at); break;
      // These conversions saturate, and NaN becomes 0.
      case DataType.f32: index = <u32>load<f32>(data + at * 4); break;
      default: index = <u32>load<f64>(data + at * 8); break;
    }
    store<u32>(y + i * 4, min<u32>(index, last));
    if (++j == length) {
      j = 0;
      row++;
    }
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
