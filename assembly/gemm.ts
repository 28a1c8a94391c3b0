// Matrix product: output (m, n) = start + A (m, k) B (k, n), row-major.
//
// One register tile, 4 rows by 2 vectors of columns, does all the work: 8 accumulators, so that V8 keeps
// everything in its 16 registers. SIMD lanes lie across columns, which are independent outputs, and every
// sum runs over k in ascending order; a tile therefore leaves the same bits however the outputs are split
// into tiles or threads.
//
// Contract of tile(): any m, n, k and alignment; the output must not overlap A or B. Rows past the edge
// read the last row again, columns past it read the memory that follows; neither is stored.

import { lanes, madd, splat, storePartial } from "./lanes";
import { Start, SUM_BLOCK } from "./ops";

// @ts-ignore: decorator
@inline const TILE_ROWS: usize = 4;

/** Stores one row of a tile: `columns` values from the vectors x0, x1. */
// @ts-ignore: decorator
@inline function storeRow<T>(output: usize, x0: v128, x1: v128, columns: usize, add: bool): void {
  if (add) {
    x0 = v128.add<T>(v128.load(output), x0);
    if (columns > lanes<T>()) x1 = v128.add<T>(v128.load(output, 16), x1);
  }
  if (columns >= lanes<T>()) {
    v128.store(output, x0);
    if (columns == lanes<T>() * 2) v128.store(output, x1, 16);
    else if (columns > lanes<T>()) storePartial<T>(output + 16, x1, columns - lanes<T>());
  } else {
    storePartial<T>(output, x0, columns);
  }
}

/**
 * One tile. A's element (i, p) lies at left + i * leftRow + p * leftStep, B's row p at right + p *
 * rightStep. The sums start at row i of `initial` (initialRow bytes apart; 0: the same row for all), or
 * at zero where `initial` is 0; `add` adds them to the output in the end.
 */
function tile<T>(
  output: usize, outputRow: usize,
  left: usize, leftRow: usize, leftStep: usize,
  right: usize, rightStep: usize,
  k: usize, initial: usize, initialRow: usize, add: bool,
  rows: usize, columns: usize,
): void {
  let c00 = splat<T>(0);
  let c01 = splat<T>(0);
  let c10 = splat<T>(0);
  let c11 = splat<T>(0);
  let c20 = splat<T>(0);
  let c21 = splat<T>(0);
  let c30 = splat<T>(0);
  let c31 = splat<T>(0);
  if (initial) {
    c00 = v128.load(initial);
    c01 = v128.load(initial, 16);
    if (rows > 1) initial += initialRow;
    c10 = v128.load(initial);
    c11 = v128.load(initial, 16);
    if (rows > 2) initial += initialRow;
    c20 = v128.load(initial);
    c21 = v128.load(initial, 16);
    if (rows > 3) initial += initialRow;
    c30 = v128.load(initial);
    c31 = v128.load(initial, 16);
  }
  let a0 = left;
  let a1 = rows > 1 ? a0 + leftRow : a0;
  let a2 = rows > 2 ? a1 + leftRow : a1;
  let a3 = rows > 3 ? a2 + leftRow : a2;
  for (let p = k; p; p--) {
    const b0 = v128.load(right);
    const b1 = v128.load(right, 16);
    const x0 = v128.load_splat<T>(a0);
    c00 = madd<T>(x0, b0, c00);
    c01 = madd<T>(x0, b1, c01);
    const x1 = v128.load_splat<T>(a1);
    c10 = madd<T>(x1, b0, c10);
    c11 = madd<T>(x1, b1, c11);
    const x2 = v128.load_splat<T>(a2);
    c20 = madd<T>(x2, b0, c20);
    c21 = madd<T>(x2, b1, c21);
    const x3 = v128.load_splat<T>(a3);
    c30 = madd<T>(x3, b0, c30);
    c31 = madd<T>(x3, b1, c31);
    a0 += leftStep;
    a1 += leftStep;
    a2 += leftStep;
    a3 += leftStep;
    right += rightStep;
  }
  storeRow<T>(output, c00, c01, columns, add);
  if (rows > 1) storeRow<T>(output + outputRow, c10, c11, columns, add);
  if (rows > 2) storeRow<T>(output + 2 * outputRow, c20, c21, columns, add);
  if (rows > 3) storeRow<T>(output + 3 * outputRow, c30, c31, columns, add);
}

/**
 * output = start + A B, all strides in bytes. A's element (i, p) lies at left + i * leftRow + p * leftStep.
 */
export function product<T>(
  output: usize, outputRow: usize,
  left: usize, leftRow: usize, leftStep: usize,
  right: usize, rightStep: usize,
  m: usize, n: usize, k: usize, start: Start, bias: usize,
): void {
  const add = start == Start.add;
  const width: usize = lanes<T>() * 2;
  // Where the sums continue block by block the order stays that of one long sum.
  for (let block: usize = 0; block < k || block == 0; block += SUM_BLOCK) {
    const terms = min<usize>(k - block, SUM_BLOCK);
    for (let j: usize = 0; j < n; j += width) {
      const columns = min<usize>(n - j, width);
      const b = right + block * rightStep + j * sizeof<T>();
      for (let i: usize = 0; i < m; i += TILE_ROWS) {
        const c = output + i * outputRow + j * sizeof<T>();
        let initial: usize = 0;
        let initialRow: usize = 0;
        if (!add) {
          if (block) {
            initial = c;
            initialRow = outputRow;
          } else if (start == Start.bias) {
            initial = bias + j * sizeof<T>();
          }
        }
        tile<T>(
          c, outputRow, left + i * leftRow + block * leftStep, leftRow, leftStep, b, rightStep,
          terms, initial, initialRow, add, min<usize>(m - i, TILE_ROWS), columns,
        );
      }
    }
  }
}
