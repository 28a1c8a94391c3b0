// The first layer on inputs that are mostly zeros: only the non-zero ones are walked.
//
// A batch is held twice: by rows (for the forward product) and by columns (for the weight gradient). Skipping
// a zero leaves every sum as it is, and the terms keep their order, so the bits are those of the dense product.

import { bytesOf, convertValues, sampleAt } from "./batches";
import { lanes, madd, splat, storePartial } from "./lanes";
import { DataType, Start, SUM_BLOCK } from "./ops";

/** Reads every cache line of `bytes` at `x`, only to have it in the cache: no compiler drops what could trap. */
// @ts-ignore: decorator
@inline function touch(x: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 64) load<u8>(x + at);
}

/**
 * Reads what a sparse data set holds of `rows` samples. They lie anywhere, and are too short for the processor to see
 * what comes next: all of them are asked for before any is waited for. It halves the time of what follows.
 */
function touchSamples(
  starts: usize, columns: usize, values: usize, dataType: DataType, order: usize, position: usize, rows: usize,
): void {
  const end = position + rows;
  for (let at = position; at < end; at++) touch(starts + sampleAt(order, at) * 4, 4);
  for (let at = position; at < end; at++) {
    const sample = sampleAt(order, at);
    const first = <usize>load<u32>(starts + sample * 4);
    const count = <usize>load<u32>(starts + sample * 4, 4) - first;
    touch(columns + first * 4, count * 4);
    touch(values + first * bytesOf(dataType), count * bytesOf(dataType));
  }
}

/**
 * Copies the rows `from` to `to` of a batch out of a sparse data set: row r's columns and values begin at
 * r * capacity, and counts[r] says how many there are.
 */
export function gatherSparse<T>(
  counts: usize, columns: usize, values: usize, capacity: usize, starts: usize, dataColumns: usize,
  dataValues: usize, dataType: DataType, order: usize, position: usize, from: usize, to: usize, scale: f64,
): void {
  const factor = splat<T>(scale);
  touchSamples(starts, dataColumns, dataValues, dataType, order, position + from, to - from);
  for (let r = from; r < to; r++) {
    const sample = sampleAt(order, position + r);
    const first = <usize>load<u32>(starts + sample * 4);
    const count = <usize>load<u32>(starts + sample * 4, 4) - first;
    store<u32>(counts + r * 4, <u32>count);
    memory.copy(columns + r * capacity * 4, dataColumns + first * 4, count * 4);
    convertValues<T>(
      dataType, values + r * capacity * sizeof<T>(), dataValues + first * bytesOf(dataType), count, factor,
    );
  }
}

/** Makes a batch by rows of the dense rows `from` to `to` of x (rows, capacity). */
export function compress<T>(
  counts: usize, columns: usize, values: usize, capacity: usize, x: usize, from: usize, to: usize,
): void {
  for (let r = from; r < to; r++) {
    const row = x + r * capacity * sizeof<T>();
    const list = columns + r * capacity * 4;
    const target = values + r * capacity * sizeof<T>();
    let count: usize = 0;
    for (let j: usize = 0; j < capacity; j++) {
      // Written always, kept where it is not zero: no branch to mispredict.
      const value = load<T>(row + j * sizeof<T>());
      store<u32>(list + count * 4, <u32>j);
      store<T>(target + count * sizeof<T>(), value);
      count += usize(value != 0);
    }
    store<u32>(counts + r * 4, <u32>count);
  }
}

/** Place among the `count` ascending columns of a row of the first that is not less than `column`. */
function firstFrom(columns: usize, count: usize, column: usize): usize {
  // All of the row lies on one side: so it is where one thread sorts every column.
  if (!count || <usize>load<u32>(columns) >= column) return 0;
  if (<usize>load<u32>(columns + (count - 1) * 4) < column) return count;
  let low: usize = 1;
  // No branch to mispredict: at every turn, half of the places that are left drop out.
  for (let left = count - 1; left; ) {
    const half = (left + 1) >>> 1;
    const middle = low + half;
    low = select<usize>(middle, low, <usize>load<u32>(columns + (middle - 1) * 4) < column);
    left -= half;
  }
  return low;
}

/** Puts the entries of a row, whose values are of type V, where those of their columns are to be. */
// @ts-ignore: decorator
@inline function scatterRow<T, V>(
  starts: usize, rowsOf: usize, valuesOf: usize, row: usize, columns: usize, end: usize, values: usize, factor: T,
): void {
  while (columns < end) {
    const slot = starts + <usize>load<u32>(columns) * 4;
    const place = <usize>load<u32>(slot, 4);
    store<u32>(slot, <u32>place + 1, 4);
    store<u32>(rowsOf + place * 4, <u32>row);
    store<T>(valuesOf + place * sizeof<T>(), <T>load<V>(values) * factor);
    columns += 4;
    values += sizeof<V>();
  }
}

/**
 * Sorts a batch out of a sparse data set by columns, for the columns `from` to `to`: starts[p] to starts[p + 1] are
 * the entries of column p, each its row and its value, rows ascending. The entries of a range begin where
 * those of all columns before it end, so that ranges can be sorted side by side. It reads the data set and not the
 * batch by rows, of which the other threads have just written their rows: that is slow to read.
 * `ranges` is room for two numbers a row: where its entries of these columns begin and end in the data set.
 *
 * The work is counting the entries and then placing them, row by row: this does the `part`th of `parts` parts of it,
 * for one thread that does all of them in order.
 */
export function sortByColumn<T>(
  starts: usize, ranges: usize, rowsOf: usize, valuesOf: usize, dataStarts: usize, dataColumns: usize,
  dataValues: usize, dataType: DataType, order: usize, position: usize, rows: usize, from: usize, to: usize,
  scale: f64, part: usize, parts: usize,
): void {
  if (from >= to) return;
  // Rows to count and rows to place: in one part all, else the first half of the parts counts, and the second places.
  const counting = parts >>> 1;
  const counts = parts == 1 || part < counting;
  const places = parts == 1 || !counts;
  let first: usize = 0;
  let last = rows;
  if (parts > 1) {
    const turn = counts ? part : part - counting;
    const turns = counts ? counting : parts - counting;
    first = <usize>((<u64>rows * turn) / turns);
    last = <usize>((<u64>rows * (turn + 1)) / turns);
  }
  if (part == 0) memory.fill(starts + from * 4, 0, (to - from + 1) * 4);
  if (counts) {
    countEntries(
      starts, ranges, dataStarts, dataColumns, dataValues, dataType, order, position, first, last, from, to,
    );
    if (last == rows) beginColumns(starts, from, to);
  }
  if (places) {
    placeEntries<T>(starts, ranges, rowsOf, valuesOf, dataColumns, dataValues, dataType, first, last, scale);
  }
}

/**
 * Adds the entries of the rows `first` to `last` to the counts of their columns, starts[p + 1] for column p, and those of
 * the columns before `from` to starts[from].
 */
function countEntries(
  starts: usize, ranges: usize, dataStarts: usize, dataColumns: usize, dataValues: usize, dataType: DataType,
  order: usize, position: usize, first: usize, last: usize, from: usize, to: usize,
): void {
  touchSamples(dataStarts, dataColumns, dataValues, dataType, order, position + first, last - first);
  let before = <usize>load<u32>(starts + from * 4);
  for (let r = first; r < last; r++) {
    const sample = sampleAt(order, position + r);
    const begin = <usize>load<u32>(dataStarts + sample * 4);
    const count = <usize>load<u32>(dataStarts + sample * 4, 4) - begin;
    const list = dataColumns + begin * 4;
    const low = firstFrom(list, count, from);
    const high = low + firstFrom(list + low * 4, count - low, to);
    store<u32>(ranges + r * 8, <u32>(begin + low));
    store<u32>(ranges + r * 8, <u32>(begin + high), 4);
    before += low;
    const end = list + high * 4;
    for (let entry = list + low * 4; entry < end; entry += 4) {
      const slot = starts + <usize>load<u32>(entry) * 4;
      store<u32>(slot, load<u32>(slot, 4) + 1, 4);
    }
  }
  store<u32>(starts + from * 4, <u32>before);
}

/** Turns counts into where each column begins: kept one place too far to the right while the entries are placed. */
function beginColumns(starts: usize, from: usize, to: usize): void {
  let before = <usize>load<u32>(starts + from * 4);
  for (let p = from; p < to; p++) {
    const slot = starts + (p + 1) * 4;
    const count = load<u32>(slot);
    store<u32>(slot, <u32>before);
    before += count;
  }
}

function placeEntries<T>(
  starts: usize, ranges: usize, rowsOf: usize, valuesOf: usize, dataColumns: usize, dataValues: usize,
  dataType: DataType, first: usize, last: usize, scale: f64,
): void {
  const factor = <T>scale;
  for (let r = first; r < last; r++) {
    const begin = <usize>load<u32>(ranges + r * 8);
    const columns = dataColumns + begin * 4;
    const end = dataColumns + <usize>load<u32>(ranges + r * 8, 4) * 4;
    const values = dataValues + begin * bytesOf(dataType);
    switch (dataType) {
      case DataType.u8: scatterRow<T, u8>(starts, rowsOf, valuesOf, r, columns, end, values, factor); break;
      case DataType.f32: scatterRow<T, f32>(starts, rowsOf, valuesOf, r, columns, end, values, factor); break;
      default: scatterRow<T, f64>(starts, rowsOf, valuesOf, r, columns, end, values, factor); break;
    }
  }
}

/** The column at which `part` of `parts` begins, if each is to have as many entries of a sorted batch. */
export function columnOfPart(starts: usize, width: usize, part: usize, parts: usize): usize {
  if (part == 0) return 0;
  if (part == parts) return width;
  const entry = (<u64>load<u32>(starts + width * 4) * part) / parts;
  let low: usize = 0;
  for (let high = width; low < high; ) {
    const middle = (low + high) >>> 1;
    if (<u64>load<u32>(starts + middle * 4) < entry) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The vector of y at `at`, plus x0 w0 + x1 w1 + x2 w2 + x3 w3, the first `height` of them, in this order. */
// @ts-ignore: decorator
@inline function sumVector<T>(
  height: usize, at: usize, y: usize, x0: v128, w0: usize, x1: v128, w1: usize, x2: v128, w2: usize, x3: v128,
  w3: usize,
): v128 {
  let sum = madd<T>(x0, v128.load(w0 + at), v128.load(y + at));
  if (height > 1) sum = madd<T>(x1, v128.load(w1 + at), sum);
  if (height > 2) sum = madd<T>(x2, v128.load(w2 + at), sum);
  if (height > 3) sum = madd<T>(x3, v128.load(w3 + at), sum);
  return sum;
}

/** Four vectors of y from `at` on. Each is stored as soon as it is made, and so needs the fewest registers. */
// @ts-ignore: decorator
@inline function addFourVectors<T>(
  height: usize, at: usize, y: usize, x0: v128, w0: usize, x1: v128, w1: usize, x2: v128, w2: usize, x3: v128,
  w3: usize,
): void {
  v128.store(y + at, sumVector<T>(height, at, y, x0, w0, x1, w1, x2, w2, x3, w3));
  v128.store(y + (at + 16), sumVector<T>(height, at + 16, y, x0, w0, x1, w1, x2, w2, x3, w3));
  v128.store(y + (at + 32), sumVector<T>(height, at + 32, y, x0, w0, x1, w1, x2, w2, x3, w3));
  v128.store(y + (at + 48), sumVector<T>(height, at + 48, y, x0, w0, x1, w1, x2, w2, x3, w3));
}

/**
 * The pointers of addSome lie this far before what they point to. Without it some of its offsets would be 64, and
 * the compiler would not put it into the instructions: to it, x + 64 is best written x - -64.
 */
// @ts-ignore: decorator
@inline const SKEW: usize = 8;

/** y += value[i] * row[index[i]] for the first `height` <= 4 entries, over `columns` columns. */
// @ts-ignore: decorator
@inline function addSome<T>(
  height: usize, y: usize, columns: usize, index: usize, value: usize, rows: usize, stride: usize,
): void {
  y -= SKEW;
  rows -= SKEW;
  const x0 = v128.load_splat<T>(value);
  let w0 = rows + <usize>load<u32>(index) * stride;
  let x1 = x0;
  let w1: usize = 0;
  let x2 = x0;
  let w2: usize = 0;
  let x3 = x0;
  let w3: usize = 0;
  if (height > 1) {
    x1 = v128.load_splat<T>(value, sizeof<T>());
    w1 = rows + <usize>load<u32>(index, 4) * stride;
  }
  if (height > 2) {
    x2 = v128.load_splat<T>(value, 2 * sizeof<T>());
    w2 = rows + <usize>load<u32>(index, 8) * stride;
  }
  if (height > 3) {
    x3 = v128.load_splat<T>(value, 3 * sizeof<T>());
    w3 = rows + <usize>load<u32>(index, 12) * stride;
  }
  // Long strides for the one that does most of the work.
  const bytes: usize = height > 3 ? 256 : 64;
  let left = columns;
  while (left >= bytes / sizeof<T>()) {
    addFourVectors<T>(height, SKEW, y, x0, w0, x1, w1, x2, w2, x3, w3);
    if (height > 3) {
      addFourVectors<T>(height, SKEW + 64, y, x0, w0, x1, w1, x2, w2, x3, w3);
      addFourVectors<T>(height, SKEW + 128, y, x0, w0, x1, w1, x2, w2, x3, w3);
      addFourVectors<T>(height, SKEW + 192, y, x0, w0, x1, w1, x2, w2, x3, w3);
    }
    y += bytes;
    w0 += bytes;
    if (height > 1) w1 += bytes;
    if (height > 2) w2 += bytes;
    if (height > 3) w3 += bytes;
    left -= bytes / sizeof<T>();
  }
  while (left) {
    const sum = sumVector<T>(height, SKEW, y, x0, w0, x1, w1, x2, w2, x3, w3);
    if (left < lanes<T>()) {
      storePartial<T>(y + SKEW, sum, left);
      return;
    }
    v128.store(y + SKEW, sum);
    y += 16;
    w0 += 16;
    if (height > 1) w1 += 16;
    if (height > 2) w2 += 16;
    if (height > 3) w3 += 16;
    left -= lanes<T>();
  }
}

function addOne<T>(y: usize, columns: usize, index: usize, value: usize, rows: usize, stride: usize): void {
  addSome<T>(1, y, columns, index, value, rows, stride);
}

function addTwo<T>(y: usize, columns: usize, index: usize, value: usize, rows: usize, stride: usize): void {
  addSome<T>(2, y, columns, index, value, rows, stride);
}

function addThree<T>(y: usize, columns: usize, index: usize, value: usize, rows: usize, stride: usize): void {
  addSome<T>(3, y, columns, index, value, rows, stride);
}

function addFour<T>(y: usize, columns: usize, index: usize, value: usize, rows: usize, stride: usize): void {
  addSome<T>(4, y, columns, index, value, rows, stride);
}

/** y += x over `columns` columns. */
function addRow<T>(y: usize, columns: usize, x: usize): void {
  for (let left = columns; left; left -= lanes<T>()) {
    const sum = v128.add<T>(v128.load(y), v128.load(x));
    if (left < lanes<T>()) {
      storePartial<T>(y, sum, left);
      return;
    }
    v128.store(y, sum);
    y += 16;
    x += 16;
  }
}

/** y += sum over `count` entries of value * row[index], four rows at a time, over `columns` columns. */
// @ts-ignore: decorator
@inline function addRows<T>(
  y: usize, columns: usize, index: usize, value: usize, count: usize, rows: usize, stride: usize,
): void {
  let left = count;
  while (left >= 4) {
    addFour<T>(y, columns, index, value, rows, stride);
    index += 16;
    value += 4 * sizeof<T>();
    left -= 4;
  }
  if (left == 1) addOne<T>(y, columns, index, value, rows, stride);
  else if (left == 2) addTwo<T>(y, columns, index, value, rows, stride);
  else if (left == 3) addThree<T>(y, columns, index, value, rows, stride);
}

/**
 * output (rows, columns) = start + X W for a batch X by rows: each output row takes four rows of W at a time,
 * whole, so that W streams through the cache.
 */
export function sparseProduct<T>(
  output: usize, counts: usize, indexes: usize, values: usize, capacity: usize, right: usize, rows: usize,
  columns: usize, start: Start, bias: usize,
): void {
  const stride = columns * sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    const y = output + r * stride;
    if (start == Start.bias) memory.copy(y, bias, stride);
    else memory.fill(y, 0, stride);
    addRows<T>(
      y, columns, indexes + r * capacity * 4, values + r * capacity * sizeof<T>(),
      <usize>load<u32>(counts + r * 4), right, stride,
    );
  }
}

/** End of the entries from `entry` on whose rows lie in the same block of SUM_BLOCK as the first one's. */
function blockEnd(rowsOf: usize, entry: usize, end: usize): usize {
  const block = load<u32>(rowsOf + entry * 4) / <u32>SUM_BLOCK;
  while (entry < end && load<u32>(rowsOf + entry * 4) / <u32>SUM_BLOCK == block) entry++;
  return entry;
}

/**
 * output (inputs, columns) = X' D, or += with Start.add, for a batch X by columns of `batch` rows: the rows
 * `inputFrom` to `inputTo` of the output.
 *
 * Sums are made in registers, a block of columns at a time; with `sums`, a row of scratch, in memory, whole
 * rows of D at a time: wide rows a power of two apart would drive each other's blocks out of the cache.
 */
export function sparseGradient<T>(
  output: usize, starts: usize, rowsOf: usize, values: usize, gradient: usize, inputFrom: usize, inputTo: usize,
  columns: usize, batch: usize, start: Start, sums: usize,
): void {
  const stride = columns * sizeof<T>();
  const blocked = start == Start.add && batch > <usize>SUM_BLOCK;
  for (let p = inputFrom; p < inputTo; p++) {
    const y = output + p * stride;
    const first = <usize>load<u32>(starts + p * 4);
    const last = <usize>load<u32>(starts + p * 4, 4);
    if (start == Start.zero) memory.fill(y, 0, stride);
    for (let from = first; from < last; ) {
      const to = blocked ? blockEnd(rowsOf, from, last) : last;
      if (sums) {
        memory.fill(sums, 0, stride);
        addRows<T>(
          sums, columns, rowsOf + from * 4, values + from * sizeof<T>(), to - from, gradient, stride,
        );
        addRow<T>(y, columns, sums);
      } else {
        addOuterProducts<T>(y, rowsOf, values, gradient, stride, columns, from, to);
      }
      from = to;
    }
  }
}

/** y += sum over the entries `from` to `to` of value * D[row]. */
function addOuterProducts<T>(
  y: usize, rowsOf: usize, values: usize, gradient: usize, stride: usize, columns: usize, from: usize, to: usize,
): void {
  const firstRow = rowsOf + from * 4;
  const lastRow = rowsOf + to * 4;
  const firstValue = values + from * sizeof<T>();
  let left = columns;
  while (left >= 8 * lanes<T>()) {
    let c0 = splat<T>(0);
    let c1 = splat<T>(0);
    let c2 = splat<T>(0);
    let c3 = splat<T>(0);
    let c4 = splat<T>(0);
    let c5 = splat<T>(0);
    let c6 = splat<T>(0);
    let c7 = splat<T>(0);
    let value = firstValue;
    for (let row = firstRow; row < lastRow; row += 4) {
      const x = v128.load_splat<T>(value);
      const d = gradient + <usize>load<u32>(row) * stride;
      c0 = madd<T>(x, v128.load(d), c0);
      c1 = madd<T>(x, v128.load(d, 16), c1);
      c2 = madd<T>(x, v128.load(d, 32), c2);
      c3 = madd<T>(x, v128.load(d, 48), c3);
      c4 = madd<T>(x, v128.load(d, 64), c4);
      c5 = madd<T>(x, v128.load(d, 80), c5);
      c6 = madd<T>(x, v128.load(d, 96), c6);
      c7 = madd<T>(x, v128.load(d, 112), c7);
      value += sizeof<T>();
    }
    v128.store(y, v128.add<T>(v128.load(y), c0));
    v128.store(y, v128.add<T>(v128.load(y, 16), c1), 16);
    v128.store(y, v128.add<T>(v128.load(y, 32), c2), 32);
    v128.store(y, v128.add<T>(v128.load(y, 48), c3), 48);
    v128.store(y, v128.add<T>(v128.load(y, 64), c4), 64);
    v128.store(y, v128.add<T>(v128.load(y, 80), c5), 80);
    v128.store(y, v128.add<T>(v128.load(y, 96), c6), 96);
    v128.store(y, v128.add<T>(v128.load(y, 112), c7), 112);
    y += 128;
    gradient += 128;
    left -= 8 * lanes<T>();
  }
  while (left) {
    const width = min<usize>(left, lanes<T>());
    let sum = splat<T>(0);
    let value = firstValue;
    for (let row = firstRow; row < lastRow; row += 4) {
      sum = madd<T>(v128.load_splat<T>(value), v128.load(gradient + <usize>load<u32>(row) * stride), sum);
      value += sizeof<T>();
    }
    sum = v128.add<T>(v128.load(y), sum);
    if (width == lanes<T>()) v128.store(y, sum);
    else storePartial<T>(y, sum, width);
    y += 16;
    gradient += 16;
    left -= width;
  }
}
