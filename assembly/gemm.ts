// Matrix product: output (m, n) = start + A (m, k) B (k, n), row-major.
//
// One register tile, 4 rows by 2 vectors of columns, does all the work: 8 accumulators, so that V8 keeps
// everything in its 16 registers; with fused multiply-adds 6 by 2, for a tile has the fewer instructions a
// multiplication the larger it is. SIMD lanes lie across columns, which are independent outputs, and every
// sum runs over k in ascending order; a tile therefore leaves the same bits however the outputs are split
// into tiles, blocks or threads, and whether the factors are packed or not.
//
//              B: k x n, packed block by block             packed B: panels of 2 vectors of columns,
//             +---+---+---+---+---+                        each SUM_BLOCK rows after the other
//             |   |   |   |   |   |  SUM_BLOCK terms        +---+ +---+ +---+
//             +---+---+---+---+---+                        |   | |   | |   |
//    A: m x k  COLUMN_BLOCK columns                         +---+ +---+ +---+
//   +------+
//   | 4 or 6 rows: one tile of A, packed so that the values of a term lie side by side
//   +------+
//
// A block of B (SUM_BLOCK x COLUMN_BLOCK) stays in the second-level cache while all rows of A pass by; a
// tile of A stays in the first while all panels of the block pass by. Packing also removes
// the cache conflicts of power-of-two widths. Small products are not worth it: they run on A and B as they
// lie (scratch = 0; the program builder decides).

import { FUSED, lanes, madd, splat, storePartial } from "./lanes";
import {
  COLUMN_BLOCK_BYTES, LONGEST_BLOCK, PACKED_TERM_BYTES, PANEL_PADDING, PANEL_ROW_BYTES, Start, SUM_BLOCK,
  TALL_ROWS, TILE_ROWS,
} from "./ops";

/** Stores one row of a tile: `columns` values from the vectors x0, x1. */
// @ts-ignore: decorator
@inline function storeRow<T>(output: usize, x0: v128, x1: v128, columns: usize, add: bool): void {
  if (columns == lanes<T>() * 2) {
    if (add) {
      x0 = v128.add<T>(v128.load(output), x0);
      x1 = v128.add<T>(v128.load(output, 16), x1);
    }
    v128.store(output, x0);
    v128.store(output, x1, 16);
    return;
  }
  if (add) x0 = v128.add<T>(v128.load(output), x0);
  if (columns < lanes<T>()) {
    storePartial<T>(output, x0, columns);
    return;
  }
  v128.store(output, x0);
  if (columns > lanes<T>()) {
    if (add) x1 = v128.add<T>(v128.load(output, 16), x1);
    storePartial<T>(output + 16, x1, columns - lanes<T>());
  }
}

/**
 * One tile of A and B as they lie: `rows` <= 4 rows, `columns` <= 2 vectors.
 *
 * A's element (i, p) lies at left + i * leftRow + p * leftStep, B's row p at right + p * rightStep. The
 * sums start at row i of `initial` (initialRow bytes apart; 0: one row for all), or at zero where `initial`
 * is 0; `add` adds them to the output in the end. Rows past the edge repeat the last one, columns past it
 * are computed from whatever follows; neither is stored.
 */
function tile<T>(
  output: usize, outputRow: usize, left: usize, leftRow: usize, leftStep: usize, right: usize,
  rightStep: usize, k: usize, initial: usize, initialRow: usize, add: bool, rows: usize, columns: usize,
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
  let a1 = rows > 1 ? left + leftRow : left;
  let a2 = rows > 2 ? a1 + leftRow : a1;
  let a3 = rows > 3 ? a2 + leftRow : a2;
  for (let p = k; p; p--) {
    const b0 = v128.load(right);
    const b1 = v128.load(right, 16);
    const x0 = v128.load_splat<T>(left);
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
    left += leftStep;
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

/** Where the sums of a packed tile start, and whether they are added to the output in the end. */
export const enum SumStart {
  zero,
  bias,
  output,
  zeroThenAdd,
}

/** Stores the two vectors of a row of a panel, or adds them to it. */
// @ts-ignore: decorator
@inline function storeWholeRow<T>(row: usize, x0: v128, x1: v128, add: bool): void {
  if (add) {
    x0 = v128.add<T>(v128.load(row), x0);
    x1 = v128.add<T>(v128.load(row, 16), x1);
  }
  v128.store(row, x0);
  v128.store(row, x1, 16);
}

/**
 * `height` (four or six) whole rows of the output, panel by panel: `bytes` of each row, a multiple of a panel's.
 * The tile of A lies packed at `left`, the panels of B, `panel` bytes each, from `right` on.
 */
// @ts-ignore: decorator
@inline function packedRows<T>(
  height: usize, from: SumStart, output: usize, outputRow: usize, bytes: usize, left: usize, right: usize,
  panel: usize, k: usize, bias: usize,
): void {
  const end = left + k * height * 16;
  const last = output + bytes;
  while (output < last) {
    let c00 = splat<T>(0);
    let c01 = splat<T>(0);
    let c10 = splat<T>(0);
    let c11 = splat<T>(0);
    let c20 = splat<T>(0);
    let c21 = splat<T>(0);
    let c30 = splat<T>(0);
    let c31 = splat<T>(0);
    let c40 = splat<T>(0);
    let c41 = splat<T>(0);
    let c50 = splat<T>(0);
    let c51 = splat<T>(0);
    if (from == SumStart.bias) {
      c00 = v128.load(bias);
      c01 = v128.load(bias, 16);
      c10 = c00;
      c11 = c01;
      c20 = c00;
      c21 = c01;
      c30 = c00;
      c31 = c01;
      if (height == TALL_ROWS) {
        c40 = c00;
        c41 = c01;
        c50 = c00;
        c51 = c01;
      }
      bias += PANEL_ROW_BYTES;
    }
    if (from == SumStart.output) {
      let row = output;
      c00 = v128.load(row);
      c01 = v128.load(row, 16);
      row += outputRow;
      c10 = v128.load(row);
      c11 = v128.load(row, 16);
      row += outputRow;
      c20 = v128.load(row);
      c21 = v128.load(row, 16);
      row += outputRow;
      c30 = v128.load(row);
      c31 = v128.load(row, 16);
      if (height == TALL_ROWS) {
        row += outputRow;
        c40 = v128.load(row);
        c41 = v128.load(row, 16);
        row += outputRow;
        c50 = v128.load(row);
        c51 = v128.load(row, 16);
      }
    }
    let b = right;
    for (let a = left; a < end; a += height * 16) {
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      const x0 = v128.load(a);
      c00 = madd<T>(x0, b0, c00);
      c01 = madd<T>(x0, b1, c01);
      const x1 = v128.load(a, 16);
      c10 = madd<T>(x1, b0, c10);
      c11 = madd<T>(x1, b1, c11);
      const x2 = v128.load(a, 32);
      c20 = madd<T>(x2, b0, c20);
      c21 = madd<T>(x2, b1, c21);
      const x3 = v128.load(a, 48);
      c30 = madd<T>(x3, b0, c30);
      c31 = madd<T>(x3, b1, c31);
      if (height == TALL_ROWS) {
        const x4 = v128.load(a, 64);
        c40 = madd<T>(x4, b0, c40);
        c41 = madd<T>(x4, b1, c41);
        const x5 = v128.load(a, 80);
        c50 = madd<T>(x5, b0, c50);
        c51 = madd<T>(x5, b1, c51);
      }
      b += PANEL_ROW_BYTES;
    }
    const add = from == SumStart.zeroThenAdd;
    let row = output;
    storeWholeRow<T>(row, c00, c01, add);
    row += outputRow;
    storeWholeRow<T>(row, c10, c11, add);
    row += outputRow;
    storeWholeRow<T>(row, c20, c21, add);
    row += outputRow;
    storeWholeRow<T>(row, c30, c31, add);
    if (height == TALL_ROWS) {
      row += outputRow;
      storeWholeRow<T>(row, c40, c41, add);
      row += outputRow;
      storeWholeRow<T>(row, c50, c51, add);
    }
    output += PANEL_ROW_BYTES;
    right += panel;
  }
}

export function packedRows4<T>(
  from: SumStart, output: usize, outputRow: usize, bytes: usize, left: usize, right: usize, panel: usize, k: usize,
  bias: usize,
): void {
  packedRows<T>(TILE_ROWS, from, output, outputRow, bytes, left, right, panel, k, bias);
}

/**
 * A tenth fewer instructions for each multiplication, but 12 accumulators leave no register for the products of
 * separate multiplications and additions: for fused ones only.
 */
export function packedRows6<T>(
  from: SumStart, output: usize, outputRow: usize, bytes: usize, left: usize, right: usize, panel: usize, k: usize,
  bias: usize,
): void {
  packedRows<T>(TALL_ROWS, from, output, outputRow, bytes, left, right, panel, k, bias);
}

/**
 * Packs `rows` <= `height` rows of A, `k` terms: term after term, a vector for each of `height` values; missing
 * rows repeat the last one.
 */
// @ts-ignore: decorator
@inline function packTile<T>(
  target: usize, left: usize, leftRow: usize, leftStep: usize, k: usize, rows: usize, height: usize,
): void {
  const a1 = rows > 1 ? leftRow : 0;
  const a2 = rows > 2 ? a1 + leftRow : a1;
  const a3 = rows > 3 ? a2 + leftRow : a2;
  const a4 = a3 + leftRow;
  const a5 = a4 + leftRow;
  for (let p: usize = 0; p < k; p++) {
    v128.store(target, v128.load_splat<T>(left));
    v128.store(target, v128.load_splat<T>(left + a1), 16);
    v128.store(target, v128.load_splat<T>(left + a2), 32);
    v128.store(target, v128.load_splat<T>(left + a3), 48);
    if (height == TALL_ROWS) {
      v128.store(target, v128.load_splat<T>(left + a4), 64);
      v128.store(target, v128.load_splat<T>(left + a5), 80);
    }
    left += leftStep;
    target += height * 16;
  }
}

/**
 * Packs k rows of B, `bytes` of each, into panels of `panel` bytes. Reads up to a panel's row past the last
 * column.
 */
function packPanels<T>(
  target: usize, right: usize, rightStep: usize, k: usize, bytes: usize, panel: usize,
): void {
  for (let p: usize = 0; p < k; p++) {
    let to = target;
    for (let j: usize = 0; j < bytes; j += PANEL_ROW_BYTES) {
      v128.store(to, v128.load(right + j));
      v128.store(to, v128.load(right + j, 16), 16);
      to += panel;
    }
    target += PANEL_ROW_BYTES;
    right += rightStep;
  }
}

/**
 * As packPanels, of a right factor that lies transposed: column j of B is the row of `rightRow` bytes at
 * right + j * rightRow. The last panel repeats its last column.
 */
function packTransposed<T>(
  target: usize, right: usize, rightRow: usize, k: usize, columns: usize, panel: usize,
): void {
  const width: usize = PANEL_ROW_BYTES / sizeof<T>();
  for (let j: usize = 0; j < columns; j += width) {
    for (let half: usize = 0; half < 2; half++) {
      // Four columns (f32), or two (f64), make one vector of a panel's row.
      const first = j + half * lanes<T>();
      const last = columns - 1;
      const w0 = right + min<usize>(first, last) * rightRow;
      const w1 = right + min<usize>(first + 1, last) * rightRow;
      const w2 = right + min<usize>(first + 2, last) * rightRow;
      const w3 = right + min<usize>(first + 3, last) * rightRow;
      let to = target + half * 16;
      let p: usize = 0;
      for (; p + lanes<T>() <= k; p += lanes<T>()) {
        const at = p * sizeof<T>();
        const x0 = v128.load(w0 + at);
        const x1 = v128.load(w1 + at);
        if (sizeof<T>() == 8) {
          v128.store(to, v128.shuffle<u64>(x0, x1, 0, 2));
          v128.store(to + PANEL_ROW_BYTES, v128.shuffle<u64>(x0, x1, 1, 3));
        } else {
          const x2 = v128.load(w2 + at);
          const x3 = v128.load(w3 + at);
          const low01 = v128.shuffle<u32>(x0, x1, 0, 4, 1, 5);
          const low23 = v128.shuffle<u32>(x2, x3, 0, 4, 1, 5);
          const high01 = v128.shuffle<u32>(x0, x1, 2, 6, 3, 7);
          const high23 = v128.shuffle<u32>(x2, x3, 2, 6, 3, 7);
          v128.store(to, v128.shuffle<u64>(low01, low23, 0, 2));
          v128.store(to + PANEL_ROW_BYTES, v128.shuffle<u64>(low01, low23, 1, 3));
          v128.store(to + 2 * PANEL_ROW_BYTES, v128.shuffle<u64>(high01, high23, 0, 2));
          v128.store(to + 3 * PANEL_ROW_BYTES, v128.shuffle<u64>(high01, high23, 1, 3));
        }
        to += lanes<T>() * PANEL_ROW_BYTES;
      }
      for (; p < k; p++) {
        const at = p * sizeof<T>();
        store<T>(to, load<T>(w0 + at));
        store<T>(to + sizeof<T>(), load<T>(w1 + at));
        if (sizeof<T>() == 4) {
          store<T>(to + 2 * sizeof<T>(), load<T>(w2 + at));
          store<T>(to + 3 * sizeof<T>(), load<T>(w3 + at));
        }
        to += PANEL_ROW_BYTES;
      }
    }
    target += panel;
  }
}

/** The product block by block, both factors packed into `scratch`. */
function packedProduct<T>(
  output: usize, outputRow: usize, left: usize, leftRow: usize, leftStep: usize, right: usize, rightStep: usize,
  m: usize, n: usize, k: usize, start: Start, bias: usize, scratch: usize, rightTransposed: bool,
): void {
  const columnBlock: usize = COLUMN_BLOCK_BYTES / sizeof<T>();
  const panels = scratch + LONGEST_BLOCK * PACKED_TERM_BYTES;
  // Start.add asks for blocks of SUM_BLOCK terms; else any blocks leave the same bits, and even ones are best.
  const length: usize = start == Start.add ? <usize>SUM_BLOCK : evenBlock(k);
  for (let block: usize = 0; block < k; block += length) {
    const terms = min<usize>(k - block, length);
    const panel = terms * PANEL_ROW_BYTES + PANEL_PADDING;
    for (let side: usize = 0; side < n; side += columnBlock) {
      const bytes = min<usize>(n - side, columnBlock) * sizeof<T>();
      const wholeBytes = bytes & ~(PANEL_ROW_BYTES - 1);
      const startRow = bias + side * sizeof<T>();
      if (rightTransposed) {
        const b = right + block * sizeof<T>() + side * rightStep;
        packTransposed<T>(panels, b, rightStep, terms, bytes / sizeof<T>(), panel);
      } else {
        packPanels<T>(panels, right + block * rightStep + side * sizeof<T>(), rightStep, terms, bytes, panel);
      }
      let from = SumStart.zero;
      if (start == Start.add) from = SumStart.zeroThenAdd;
      else if (block) from = SumStart.output;
      else if (start == Start.bias) from = SumStart.bias;
      for (let i: usize = 0; i < m; ) {
        const rows = tileRows(m - i, terms);
        const c = output + i * outputRow + side * sizeof<T>();
        const a = left + i * leftRow + block * leftStep;
        i += rows;
        let termBytes: usize = TILE_ROWS * 16;
        if (FUSED && rows == TALL_ROWS) {
          termBytes = TALL_ROWS * 16;
          packTile<T>(scratch, a, leftRow, leftStep, terms, rows, TALL_ROWS);
          packedRows6<T>(from, c, outputRow, wholeBytes, scratch, panels, panel, terms, startRow);
        } else {
          packTile<T>(scratch, a, leftRow, leftStep, terms, rows, TILE_ROWS);
          if (rows == TILE_ROWS) {
            packedRows4<T>(from, c, outputRow, wholeBytes, scratch, panels, panel, terms, startRow);
          }
        }
        // What is no whole panel, or no whole tile.
        for (let done: usize = rows < <usize>TILE_ROWS ? 0 : wholeBytes; done < bytes; done += PANEL_ROW_BYTES) {
          const columns = min<usize>((bytes - done) / sizeof<T>(), PANEL_ROW_BYTES / sizeof<T>());
          const b = panels + (done / PANEL_ROW_BYTES) * panel;
          for (let row: usize = 0; row < rows; row += TILE_ROWS) {
            const target = c + row * outputRow + done;
            let initial: usize = 0;
            if (from == SumStart.output) initial = target;
            if (from == SumStart.bias) initial = startRow + done;
            tile<T>(
              target, outputRow, scratch + row * 16, 16, termBytes, b, PANEL_ROW_BYTES, terms, initial,
              from == SumStart.output ? outputRow : 0, from == SumStart.zeroThenAdd,
              min<usize>(rows - row, TILE_ROWS), columns,
            );
          }
        }
      }
    }
  }
}

/** With fewer terms a tall tile takes longer to start and to store than it saves, where the core is its own. */
// @ts-ignore: decorator
@inline const TALL_TERMS: usize = 64;

/** Rows of the next tile when `left` are left: no tile of less than four, if it can be had. */
// @ts-ignore: decorator
@inline function tileRows(left: usize, terms: usize): usize {
  if (FUSED && terms >= TALL_TERMS && left >= <usize>TALL_ROWS && left != <usize>(2 * TILE_ROWS)) return TALL_ROWS;
  return min<usize>(left, TILE_ROWS);
}

/** Length of the blocks when k terms are cut into even ones of at most LONGEST_BLOCK. */
function evenBlock(k: usize): usize {
  const blocks = (k + LONGEST_BLOCK - 1) / LONGEST_BLOCK;
  return (k + blocks - 1) / blocks;
}

/** The product of factors as they lie. */
// @ts-ignore: decorator
@inline function stridedProduct<T>(
  output: usize, outputRow: usize, left: usize, leftRow: usize, leftStep: usize, right: usize, rightStep: usize,
  m: usize, n: usize, k: usize, start: Start, bias: usize,
): void {
  const add = start == Start.add;
  const width: usize = PANEL_ROW_BYTES / sizeof<T>();
  const length: usize = add ? <usize>SUM_BLOCK : k;
  for (let block: usize = 0; block < k || block == 0; block += length) {
    const terms = min<usize>(k - block, length);
    for (let j: usize = 0; j < n; j += width) {
      const columns = min<usize>(n - j, width);
      const b = right + block * rightStep + j * sizeof<T>();
      const initial = start == Start.bias ? bias + j * sizeof<T>() : 0;
      for (let i: usize = 0; i < m; i += TILE_ROWS) {
        tile<T>(
          output + i * outputRow + j * sizeof<T>(), outputRow, left + i * leftRow + block * leftStep, leftRow,
          leftStep, b, rightStep, terms, initial, 0, add, min<usize>(m - i, TILE_ROWS), columns,
        );
      }
    }
    if (!length) return;
  }
}

/**
 * output = start + A B, all strides in bytes. A's element (i, p) lies at left + i * leftRow + p * leftStep; B's
 * row p at right + p * rightStep, or, transposed, its column j at right + j * rightStep.
 * `scratch` is this thread's room for a packed tile of A and a packed block of B, or 0: not to pack, which a
 * transposed B needs.
 */
// @ts-ignore: decorator
@inline export function product<T>(
  output: usize, outputRow: usize, left: usize, leftRow: usize, leftStep: usize, right: usize, rightStep: usize,
  m: usize, n: usize, k: usize, start: Start, bias: usize, scratch: usize, rightTransposed: bool,
): void {
  if (scratch) {
    packedProduct<T>(
      output, outputRow, left, leftRow, leftStep, right, rightStep, m, n, k, start, bias, scratch,
      rightTransposed,
    );
  } else {
    stridedProduct<T>(output, outputRow, left, leftRow, leftStep, right, rightStep, m, n, k, start, bias);
  }
}
