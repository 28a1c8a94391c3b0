// The instruction set of a network's program: the one file that AssemblyScript and TypeScript share.
//
// A program is a list of records of RECORD_WORDS 32-bit words. Word 0 is the opcode, word 1 says whether
// all threads meet at a barrier after the operation (see Word), the rest are operands at the positions named
// by the operation's own enum below. An operand is a heap offset in bytes, a size, or a code; real numbers (a
// learning rate, a scale) stand in f64 cells of the heap, so that they can change between steps without
// touching the program.
//
// Letters: T is the network's element type (f64 or f32), rows the batch, step the number of the batch in
// the epoch. Every matrix is row-major.

/** Words in a record: 64 bytes, one cache line. */
export const RECORD_WORDS = 16;

/**
 * A product that adds to its output sums at most this many terms before it adds: both executors block
 * the sum alike, so the bits agree, and a block of both factors fits the cache.
 */
export const SUM_BLOCK = 256;

/** Most terms of a packed block where the blocks are free, that is, unless a product adds to its output. */
export const LONGEST_BLOCK = 320;

/** Rows of the register tile of a product, and of the taller one for fused multiply-adds. */
export const TILE_ROWS = 4;
export const TALL_ROWS = 6;

/** Most bytes of a packed term of a tile: each of its values stands in a whole vector, ready to multiply. */
export const PACKED_TERM_BYTES = 96;

/** Bytes of a row of a packed panel: two vectors of columns. */
export const PANEL_ROW_BYTES = 32;

/** Bytes between packed panels, so that their rows do not all fall on the same cache sets. */
export const PANEL_PADDING = 64;

/** Columns of a packed block of a product's right factor, in bytes: LONGEST_BLOCK rows of it are 320 KiB. */
export const COLUMN_BLOCK_BYTES = 1024;

/**
 * The control block of a memory that threads share, in i32 cells, at the first 64-byte boundary past the
 * binary's own data. The arrivals and what sleepers watch lie on cache lines of their own.
 */
export const enum Control {
  arrived = 0,
  generation = 16,
  sleepers = 32,
  /** Not 0: a thread has died, or the run was aborted: all must leave. */
  abandoned = 33,
  /** Turns that threads spin before they sleep: see threads.ts. */
  patience = 34,
  /** Parts taken so far from each thread's queue, QUEUE_CELLS apart. */
  queues = 48,
}

/** Cells of a queue: a cache line. */
export const QUEUE_CELLS = 16;

/** Most threads of a program. */
export const MOST_THREADS = 64;

/** Cells of the control block. */
export const CONTROL_CELLS = Control.queues + QUEUE_CELLS * MOST_THREADS;

/** Bounds of the patience of threads that wait, in turns of a loop, each about a nanosecond. */
export const SHORTEST_SPIN = 1 << 8;
export const LONGEST_SPIN = 1 << 21;

/** Cells (f64) of the statistics block that report adds to. */
export const enum Stat {
  lossSum = 0,
  hits = 1,
  /** First step whose loss is not finite, or -1. */
  badStep = 2,
  cells = 8,
}

export const enum Op {
  gather,
  oneHot,
  product,
  columnSums,
  transpose,
  sigmoid,
  relu,
  tanh,
  exp,
  log,
  sigmoidBackward,
  reluBackward,
  tanhBackward,
  softmax,
  softmaxBackward,
  meanSquaredError,
  binaryCrossEntropy,
  crossEntropy,
  report,
  uniform,
  shuffle,
  gatherSparse,
  compress,
  sortByColumn,
  sparseProduct,
  sparseGradient,
}

/** Operand positions that every record has. */
export const enum Word {
  opcode = 0,
  /**
   * 0, or all threads meet after this operation, and with it a phase ends: the operations since the last
   * barrier. The threads share a phase in as many parts as this number says; a part is a share of each of its
   * operations, done one after the other by the same thread.
   */
  barrier = 1,
}

/** Element type of a data set as it lies in the heap. */
export const enum DataType {
  u8 = 0,
  f32 = 1,
  f64 = 2,
}

/**
 * Copies one batch out of a data set: output[r] = T(data[index]) * scale, where index is
 * order[step * batch + r], or step * batch + r itself where order is 0.
 */
export const enum Gather {
  /** T (rows, width) */
  output = 2,
  /** dataType (samples, width) */
  data,
  /** u32 (samples), or 0 */
  order,
  width,
  rows,
  /** Rows of a full batch: the stride of a step in `order`. */
  batch,
  dataType,
  /** f64 cell */
  scale,
}

/** As gather, for class indexes: output[r] is 1 at column data[index] and 0 elsewhere. */
export const enum OneHot {
  /** T (rows, width) */
  output = 2,
  /** u32 (samples) */
  data,
  order,
  width,
  rows,
  batch,
}

/** How the sums of a product start and end. */
export const enum Start {
  /** output = A B */
  zero = 0,
  /** output = bias + A B, the sum beginning at the bias */
  bias = 1,
  /** output = output + A B, the sums of SUM_BLOCK terms each beginning at zero */
  add = 2,
}

/** How a product's factors lie, and how threads share its output: a sum of these. */
export const enum Layout {
  /** The left factor lies in memory as (k, m). */
  transposed = 1,
  /** The right factor lies in memory as (n, k); only with scratch. */
  rightTransposed = 2,
  /** Threads share the rows of the output, as those of a batch; else its columns. */
  byRows = 4,
  /** One thread does the parts in order: each is a range of the terms, in whole blocks of SUM_BLOCK; only with Start.add. */
  byTerms = 8,
}

/**
 * output = start + A B with A (m, k), B (k, n), output (m, n), the factors laid out as `layout` says. An epilogue then runs over the output in place: a forward activation, or a backward
 * one, which also reads `saved` (m, n), the output of its forward.
 */
export const enum Product {
  output = 2,
  left,
  right,
  m,
  n,
  k,
  /** Layout */
  layout,
  start,
  /** T (n), where start is bias */
  bias,
  /** NO_EPILOGUE or an opcode from sigmoid to tanhBackward */
  epilogue,
  saved,
  /** Room to pack the factors, one piece for each thread, or 0: not to pack. */
  scratch,
  /** Bytes of a thread's piece. */
  scratchBytes,
}

export const NO_EPILOGUE = 0xffffffff;

/** output[j] = sum over r of input[r, j], added to output[j] where start is Start.add. */
export const enum ColumnSums {
  /** T (width) */
  output = 2,
  /** T (rows, width) */
  input,
  rows,
  width,
  start,
}

/** output (width, rows) = transpose of input (rows, width). */
export const enum Transpose {
  output = 2,
  input,
  rows,
  width,
}

/** sigmoid, relu, tanh, exp, log: output[i] = f(input[i]); in place allowed. */
export const enum Elementwise {
  output = 2,
  input,
  size,
  /** Rows of a batch that these are the elements of, shared as such by threads, or 0: shared as elements. */
  rows,
}

/**
 * sigmoidBackward, reluBackward, tanhBackward: output[i] = gradient[i] * f'(x[i]), from the OUTPUT of the
 * forward, saved[i] = f(x[i]); in place allowed.
 */
export const enum Backward {
  output = 2,
  gradient,
  saved,
  size,
  /** As in Elementwise. */
  rows,
}

/** softmax of every row; in place allowed. */
export const enum Softmax {
  output = 2,
  input,
  rows,
  width,
}

/** output = saved * (gradient - sum of gradient * saved) row by row, saved being softmax's output. */
export const enum SoftmaxBackward {
  output = 2,
  gradient,
  saved,
  rows,
  width,
}

/**
 * The three losses. Each writes the prediction's gradient times the f64 cell `scale`, one loss for each
 * element (crossEntropy: for each row) and one 1 or 0 for a hit or a miss.
 *
 * meanSquaredError reads `prediction` and writes d loss / d prediction. binaryCrossEntropy and
 * crossEntropy are fused with sigmoid and softmax: they read `logits`, write `prediction`, and their
 * gradient is that of the logits, prediction - target.
 */
export const enum Loss {
  /** T (rows, width) */
  gradient = 2,
  /** T (rows * width), crossEntropy: (rows) */
  losses,
  /** T, as losses */
  hits,
  /** T (rows, width) */
  prediction,
  /** T (rows, width); unused by meanSquaredError */
  logits,
  /** T (rows, width) */
  target,
  rows,
  width,
  /** f64 cell */
  scale,
}

/** Adds sum(losses) * weight and sum(hits) to the statistics and marks the first loss that is not finite. */
export const enum Report {
  /** f64 (Stat.cells) */
  statistics = 2,
  losses,
  hits,
  size,
  /** f64 cell */
  weight,
}

/** output[i] = low + (high - low) * u[i], u uniform in [0, 1) from Philox(seed, stream, i). */
export const enum Uniform {
  /** T (size) */
  output = 2,
  size,
  /** f64 cell */
  low,
  /** f64 cell */
  high,
  seedLow,
  seedHigh,
  stream,
}

/** order = a random permutation of 0 .. size - 1 (Fisher-Yates) from Philox(seed, stream, .). */
export const enum Shuffle {
  /** u32 (size) */
  order = 2,
  size,
  seedLow,
  seedHigh,
  stream,
}

// Sparse batches: rows whose zeros are left out. By rows, row r's entries begin at r * capacity and there are
// counts[r] of them, columns ascending; by columns, column p's entries run from starts[p] to starts[p + 1],
// rows ascending.
//
// A batch by columns is made in pieces, one for each thread: the columns are cut among them. Every piece has `starts`
// of its own, `startsBytes` apart, of which those of its columns are filled in.

/** What gatherSparse and sortByColumn both read, a batch's samples in a sparse data set: words 6 to 13 of either. */
export const enum SparseSamples {
  /** u32 (samples + 1): where each sample's entries begin */
  starts = 6,
  /** u32 (entries) */
  columns,
  /** dataType (entries) */
  values,
  dataType,
  order,
  rows,
  batch,
  /** f64 cell */
  scale,
}

/** As gather, from a sparse data set into a batch by rows; see also SparseSamples. */
export const enum GatherSparse {
  /** u32 (rows) */
  counts = 2,
  /** u32 (rows, capacity) */
  columns,
  /** T (rows, capacity) */
  values,
  capacity,
}

/** Makes a batch by rows of a dense matrix. */
export const enum Compress {
  counts = 2,
  columns,
  values,
  /** T (rows, capacity) */
  input,
  rows,
  capacity,
}

/** As gatherSparse, but into a batch by columns; see also SparseSamples. */
export const enum SortByColumn {
  /** u32 (width + 1), for each piece, and behind them two for each row, to work with */
  starts = 2,
  startsBytes,
  /** u32 (entries) */
  rowsOf,
  /** T (entries) */
  valuesOf,
  width = 14,
  pieces,
}

/** output (rows, width) = start + X W for a batch X by rows; epilogue as in product. Never Start.add. */
export const enum SparseProduct {
  output = 2,
  counts,
  columns,
  values,
  capacity,
  /** T (inputs, width) */
  right,
  rows,
  width,
  start,
  bias,
  epilogue,
  saved,
}

/** output (inputs, width) = start + X' D for a batch X by columns. Never Start.bias. */
export const enum SparseGradient {
  output = 2,
  starts,
  startsBytes,
  rowsOf,
  valuesOf,
  /** T (rows, width) */
  gradient,
  inputs,
  width,
  rows,
  start,
  /** Room for one row of sums for each thread, or 0: sums stay in registers. */
  scratch,
  /** Pieces of the batch by columns. A phase has as many parts, or several in each piece. */
  pieces,
}
