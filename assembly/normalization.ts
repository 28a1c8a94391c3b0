// Normalization by columns (of a batch) and by rows: means, variances, and their way back. All sums are of sumOf().

import { horizontalSum, lanes, lanesBelow, madd, splat, storePartial } from "./lanes";
import { Start } from "./ops";

/** What is summed: x, (x - center)^2, x y, or x y z. */
const enum Term { value, square, product, triple }

// @ts-ignore: decorator
@inline function termOf<T>(term: Term, x: usize, y: usize, z: usize, center: v128): v128 {
  let value = v128.load(x);
  if (term == Term.square) {
    value = v128.sub<T>(value, center);
    return v128.mul<T>(value, value);
  }
  if (term >= Term.product) value = v128.mul<T>(value, v128.load(y));
  if (term == Term.triple) value = v128.mul<T>(value, v128.load(z));
  return value;
}

/** Sum of n vectors of terms, `stride` bytes apart, and of the first `tail` lanes of one more. */
function sumOf<T>(term: Term, x: usize, y: usize, z: usize, center: v128, n: usize, stride: usize, tail: usize): v128 {
  let sum = splat<T>(0);
  for (; n; n--) {
    sum = v128.add<T>(sum, termOf<T>(term, x, y, z, center));
    x += stride;
    y += stride;
    z += stride;
  }
  if (tail) sum = v128.add<T>(sum, v128.and(termOf<T>(term, x, y, z, center), lanesBelow<T>(tail)));
  return sum;
}

/** Mean of a row of terms, in every lane. */
function rowMean<T>(term: Term, x: usize, y: usize, z: usize, center: v128, width: usize): v128 {
  const sum = sumOf<T>(term, x, y, z, center, width / lanes<T>(), 16, width & (lanes<T>() - 1));
  return v128.div<T>(horizontalSum<T>(sum), splat<T>(<f64>width));
}

function putPart<T>(pointer: usize, value: v128, left: usize): void {
  storePartial<T>(pointer, value, left);
}

/** Stores a vector, or as much of it as is left. */
// @ts-ignore: decorator
@inline function put<T>(pointer: usize, value: v128, left: usize): void {
  if (left < lanes<T>()) putPart<T>(pointer, value, left);
  else v128.store(pointer, value);
}

// @ts-ignore: decorator
@inline function inverseOf<T>(variance: v128, epsilon: f64): v128 {
  return v128.div<T>(splat<T>(1), v128.sqrt<T>(v128.add<T>(variance, splat<T>(epsilon))));
}

/** How far the next vector is, where `left` elements are left. */
// @ts-ignore: decorator
@inline function advance<T>(left: usize): usize {
  return min<usize>(left, lanes<T>());
}

/** See ColumnMoments in ops.ts; rows are `stride` bytes apart. */
export function columnMoments<T>(
  mean: usize, inverse: usize, runningMean: usize, runningVariance: usize, x: usize, rows: usize, columns: usize,
  stride: usize, momentum: f64, epsilon: f64,
): void {
  const all = splat<T>(<f64>rows);
  const fresh = splat<T>(momentum);
  const kept = splat<T>(1 - momentum);
  for (let left = columns; left; left -= advance<T>(left)) {
    let m = v128.load(runningMean);
    let variance = v128.load(runningVariance);
    if (rows) {
      const oldMean = v128.mul<T>(kept, m);
      const oldVariance = v128.mul<T>(kept, variance);
      m = v128.div<T>(sumOf<T>(Term.value, x, x, x, all, rows, stride, 0), all);
      const squares = sumOf<T>(Term.square, x, x, x, m, rows, stride, 0);
      variance = v128.div<T>(squares, all);
      const unbiased = v128.div<T>(squares, splat<T>(<f64>rows - 1));
      put<T>(runningMean, madd<T>(fresh, m, oldMean), left);
      put<T>(runningVariance, madd<T>(fresh, unbiased, oldVariance), left);
    }
    put<T>(mean, m, left);
    put<T>(inverse, inverseOf<T>(variance, epsilon), left);
    mean += 16;
    inverse += 16;
    runningMean += 16;
    runningVariance += 16;
    x += 16;
  }
}

/** See Normalize in ops.ts. */
export function normalize<T>(
  y: usize, normalized: usize, x: usize, rows: usize, width: usize, scale: usize, shift: usize, mean: usize,
  inverse: usize, rowInverse: usize, epsilon: f64,
): void {
  const keeps = normalized != 0;
  let m = splat<T>(0);
  let i = m;
  for (; rows; rows--) {
    if (!mean) {
      m = rowMean<T>(Term.value, x, x, x, m, width);
      i = inverseOf<T>(rowMean<T>(Term.square, x, x, x, m, width), epsilon);
      if (rowInverse) {
        put<T>(rowInverse, i, 1);
        rowInverse += sizeof<T>();
      }
    }
    let at: usize = 0;
    for (let left = width; left; ) {
      if (mean) {
        m = v128.load(mean + at);
        i = v128.load(inverse + at);
      }
      const value = v128.mul<T>(v128.sub<T>(v128.load(x), m), i);
      if (keeps) put<T>(normalized, value, left);
      put<T>(y, madd<T>(value, v128.load(scale + at), v128.load(shift + at)), left);
      const bytes = advance<T>(left) * sizeof<T>();
      left -= advance<T>(left);
      at += bytes;
      x += bytes;
      y += bytes;
      normalized += bytes;
    }
  }
}

/** See NormalizeBackward in ops.ts. */
export function normalizeBackward<T>(
  dx: usize, dy: usize, normalized: usize, rows: usize, width: usize, scale: usize, inverse: usize, rowInverse: usize,
  sums: usize, products: usize, terms: usize,
): void {
  let s = splat<T>(0);
  let p = s;
  let i = s;
  for (; rows; rows--) {
    if (rowInverse) {
      i = splat<T>(<f64>load<T>(rowInverse));
      rowInverse += sizeof<T>();
      s = rowMean<T>(Term.product, dy, scale, scale, s, width);
      p = rowMean<T>(Term.triple, dy, scale, normalized, s, width);
    }
    let at: usize = 0;
    for (let left = width; left; ) {
      const g = v128.load(scale + at);
      if (!rowInverse) {
        i = v128.load(inverse + at);
        if (sums) {
          const share = v128.div<T>(g, splat<T>(<f64>terms));
          s = v128.mul<T>(share, v128.load(sums + at));
          p = v128.mul<T>(share, v128.load(products + at));
        }
      }
      const rest = madd<T>(v128.load(normalized), p, s);
      put<T>(dx, v128.mul<T>(v128.sub<T>(v128.mul<T>(v128.load(dy), g), rest), i), left);
      const bytes = advance<T>(left) * sizeof<T>();
      left -= advance<T>(left);
      at += bytes;
      dx += bytes;
      dy += bytes;
      normalized += bytes;
    }
  }
}

/** output[j] = sum over r of a[r, j] b[r, j] for `columns` columns, each row `stride` bytes apart; or added to it. */
export function columnProducts<T>(
  output: usize, a: usize, b: usize, rows: usize, columns: usize, stride: usize, start: Start,
): void {
  for (let left = columns; left; left -= advance<T>(left)) {
    let sum = sumOf<T>(Term.product, a, b, b, splat<T>(0), rows, stride, 0);
    if (start == Start.add) sum = v128.add<T>(v128.load(output), sum);
    put<T>(output, sum, left);
    output += 16;
    a += 16;
    b += 16;
  }
}
