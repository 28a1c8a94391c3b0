// The instruction set of a network's program: the one file that AssemblyScript and TypeScript share.
//
// A program is a list of records of RECORD_WORDS 32-bit words. Every record begins with the words of Word: what is to be
// done, and how its output is cut into parts. Behind them stand the operands, which the operation's own enum below names.
// A member of such an enum is all that is known of an operand: its position in the record, and its role, from which the
// compiler of programs (src/program/) finds where threads must wait for each other and which memory is free again.
//
// An operand is a heap offset in bytes, a size, or a code; real numbers (a learning rate, a scale) stand in f64 cells
// of the heap, so that they can change between steps without touching the program.
//
// Letters: T is the network's element type (f64 or f32), count and width the words of the header, step the number of
// the batch in the epoch. Every matrix is row-major.

/** Words in a record: two cache lines. */
export const RECORD_WORDS = 32;

/** The header, which every record has. */
export const enum Word {
  opcode = 0,
  /**
   * 0, or all threads meet after this operation, and with it a phase ends: the operations since the last
   * barrier. The threads share a phase in as many parts as this number says; a part is a share of each of its
   * operations, done one after the other by the same thread.
   */
  parts = 1,
  /** Cut */
  cut = 2,
  /** What is cut, and of which a part does a share: so many rows, columns, elements or terms. */
  count = 3,
  /** Elements in each of them. */
  width = 4,
  /** Room to work in, one piece for each thread, or 0: none needed. */
  scratch = 5,
  /** Bytes of a thread's piece. */
  scratchBytes = 6,
}

/** How an operation is cut into parts. */
export const enum Cut {
  /** Not at all: the first part is all of it. */
  whole,
  /** By rows, which are those of a batch: all operations on a batch are cut alike, so its rows stay with their thread. */
  batch,
  /** By rows of the output, which are not those of a batch. */
  rows,
  /** By columns. */
  columns,
  /** By elements. */
  elements,
  /** By terms of its sums, in whole blocks of SUM_BLOCK: for one thread, which does the parts in order. */
  terms,
  /** The operation knows how. */
  own,
}

/** What an operation does with an operand: the upper bits of the members of the enums below. */
export const enum Role {
  /** A size or a code. */
  value = 0,
  /** Memory that every part reads as it likes. */
  read = 32,
  /** Memory of which a part reads its own rows, where the operation is cut by those of a batch. */
  readOwn = 32 | 64,
  /** Memory that every part writes to as it likes. */
  write = 32 | 128,
  /** Memory of which a part writes (and reads) its own rows, where the operation is cut by those of a batch. */
  writeOwn = 32 | 64 | 128,
}

/** What to take of an operand's enum member. */
export const enum Operand {
  /** Its position in the record. */
  position = 31,
  /** Whether it is memory. */
  memory = 32,
  /** Whether a part touches its own rows of it alone. */
  own = 64,
  /** Whether it is written to. */
  written = 128,
}

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
  /** Sum of the weights, and the number of those that are not 0: see Weigh. */
  weightSum = 3,
  counted = 4,
  cells = 8,
}

export const enum Op {
  // Elementwise, from an input: a product may do them to its output, as its epilogue.
  sigmoid,
  relu,
  tanh,
  exp,
  log,
  // Elementwise, a gradient times a derivative: likewise.
  sigmoidBackward,
  reluBackward,
  tanhBackward,
  // Row by row.
  softmax,
  softmaxBackward,
  // Losses of elements.
  meanSquaredError,
  binaryCrossEntropy,
  meanAbsoluteError,
  huber,
  logCosh,
  hinge,
  squaredHinge,
  poisson,
  binaryFocal,
  // Losses of rows.
  crossEntropy,
  focal,
  klDivergence,
  categoricalHinge,
  cosineSimilarity,
  // What goes with losses.
  prepareTargets,
  weigh,
  report,
  // Batches.
  gather,
  oneHot,
  gatherSparse,
  compress,
  sortByColumn,
  shuffle,
  // Products and sums.
  product,
  columnSums,
  transpose,
  sparseProduct,
  sparseGradient,
  // Parameters.
  uniform,
  momentum,
}

/** The first of the derivatives, and the first operation that is not elementwise: see Op. */
export const FIRST_DERIVATIVE = Op.sigmoidBackward;
export const FIRST_BY_ROWS = Op.softmax;

/** The first loss that has one value a row: see Op. */
export const FIRST_ROW_LOSS = Op.crossEntropy;

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
  /** T (count, width) */
  output = Role.writeOwn | 8,
  /** dataType (samples, width) */
  data = Role.read | 9,
  /** u32 (samples), or 0 */
  order = Role.read | 10,
  /** Rows of a full batch: the stride of a step in `order`. */
  batch = 11,
  dataType = 12,
  /** f64 cell */
  scale = Role.read | 13,
}

/** As gather, for class indexes: output[r] is 1 at column data[index] and 0 elsewhere. */
export const enum OneHot {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  /** u32 (samples) */
  data = Role.read | 9,
  order = Role.read | 10,
  batch = 11,
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

/** What operations that make sums have besides: product, columnSums, sparseProduct, sparseGradient. */
export const enum Sum {
  /** Start */
  start = 27,
  /** T (columns of the output), where start is Start.bias */
  bias = Role.read | 28,
}

/**
 * The epilogue, which product and sparseProduct run over their output in place: a forward activation, or a backward
 * one, which also reads `saved`.
 */
export const enum Epilogue {
  /** NO_EPILOGUE or an elementwise opcode. */
  op = 29,
  /** As in Backward, of the output's shape. */
  saved = Role.readOwn | 30,
}

export const NO_EPILOGUE = 0xffffffff;

/** How a product's factors lie: a sum of these. */
export const enum Layout {
  /** The left factor lies in memory as (k, m). */
  transposed = 1,
  /** The right factor lies in memory as (n, k); only with scratch. */
  rightTransposed = 2,
}

/**
 * output (m, n) = start + A B with A (m, k), B (k, n), the factors laid out as `layout` says; it is cut by any of the
 * three. See also Sum and Epilogue. In the scratch it packs the factors; without one it does not.
 */
export const enum Product {
  output = Role.writeOwn | 8,
  left = Role.readOwn | 9,
  right = Role.read | 10,
  m = 11,
  n = 12,
  k = 13,
  /** Layout */
  layout = 14,
}

/** output[j] = sum over r of input[r, j], added to output[j] where start is Start.add. See also Sum. */
export const enum ColumnSums {
  /** T (count) */
  output = Role.write | 8,
  /** T (rows, count) */
  input = Role.read | 9,
  rows = 10,
}

/** output (count, rows) = transpose of input (rows, count). */
export const enum Transpose {
  output = Role.write | 8,
  input = Role.read | 9,
  rows = 10,
}

/** Activations: output = f(input), element by element, softmax row by row; in place allowed. */
export const enum Forward {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  input = Role.readOwn | 9,
}

/**
 * Their derivatives: output = gradient * f'(x), in place allowed. Each reads either the output of its forward or its
 * input, as the table in src/activations.ts says: that is `saved`.
 */
export const enum Backward {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  gradient = Role.readOwn | 9,
  saved = Role.readOwn | 10,
}

/**
 * The losses. Each writes the gradient, one loss for each of its terms and one 1 or 0 for a hit or a miss. The terms
 * are the elements, or the rows from FIRST_ROW_LOSS on. The gradient is multiplied by rate * factor / terms.
 *
 * binaryCrossEntropy and binaryFocal are fused with sigmoid, crossEntropy, focal and klDivergence with softmax: they read
 * `logits`, write `prediction`, and their gradient is that of the logits. The others read `prediction` and write the
 * gradient of it; of squares without the 2, which is in the factor.
 */
export const enum Loss {
  /** T (count, width) */
  gradient = Role.writeOwn | 8,
  /** T (terms) */
  losses = Role.writeOwn | 9,
  /** T (terms) */
  hits = Role.writeOwn | 10,
  /** T (count, width) */
  prediction = Role.writeOwn | 11,
  /** T (count, width); unused where no activation is fused */
  logits = Role.readOwn | 12,
  /** T (count, width) */
  target = Role.readOwn | 13,
  /** f64 cell: 1, or where the gradients are added to the parameters -learningRate */
  rate = Role.read | 14,
  factor = 15,
  terms = 16,
  /** f64 (2): the delta of huber; gamma and alpha of focal and binaryFocal */
  parameters = Role.read | 17,
}

/** How class weights count. */
export const enum ClassWeights {
  none,
  /** There are two: of targets below 1/2, and of the others. */
  ofSides,
  /** One a column: a row's loss is multiplied by the mean of them, by its targets. */
  ofRows,
  /** One a column: each target of a row is multiplied by its own. */
  ofTargets,
}

/**
 * What comes before a loss whose terms do not all count alike: labels are smoothed, target = target * keep + add, and each
 * term gets a weight, by which its loss is multiplied, and a share, which is its part of what the sum is divided by: that
 * of its sample times that of its class, 0 where a target is NaN. Such targets become 0.
 */
export const enum PrepareTargets {
  /** T (count, width), in place */
  target = Role.writeOwn | 8,
  /** T (terms) */
  weights = Role.writeOwn | 9,
  /** T (terms) */
  shares = Role.writeOwn | 10,
  /** T (count), or 0 */
  sampleWeights = Role.readOwn | 11,
  /** f64: keep, add, and the weights of the classes */
  settings = Role.read | 12,
  /** ClassWeights */
  classes = 13,
  /** Elements in a term. */
  termWidth = 14,
}

/**
 * What comes behind such a loss: losses[i] is multiplied by weights[i], the gradient of the term by weights[i] /
 * sum(shares), and a hit counts where shares[i] is not 0. What has the weight 0 becomes 0, whatever it was. It adds
 * sum(shares), and how many of them are not 0, to the statistics.
 */
export const enum Weigh {
  /** T (count, width) */
  gradient = Role.writeOwn | 8,
  /** T (terms) */
  losses = Role.writeOwn | 9,
  /** T (terms) */
  hits = Role.writeOwn | 10,
  /** T (terms) */
  weights = Role.readOwn | 11,
  /** T (terms), all of them */
  shares = Role.read | 12,
  /** f64 (Stat.cells) */
  statistics = Role.write | 13,
  /** As in PrepareTargets, at the same place. */
  termWidth = 14,
}

/** Adds sum(losses) * weight and sum(hits) to the statistics and marks the first loss that is not finite. */
export const enum Report {
  /** f64 (Stat.cells) */
  statistics = Role.write | 8,
  /** T (count) */
  losses = Role.read | 9,
  /** T (count) */
  hits = Role.read | 10,
  /** f64 cell */
  weight = Role.read | 11,
}

/** output[i] = low + (high - low) * u[i], u uniform in [0, 1) from Philox(seed, stream, i). */
export const enum Uniform {
  /** T (count) */
  output = Role.write | 8,
  /** f64 cell */
  low = Role.read | 9,
  /** f64 cell */
  high = Role.read | 10,
  seedLow = 11,
  seedHigh = 12,
  stream = 13,
}

/** order = a random permutation of 0 .. count - 1 (Fisher-Yates) from Philox(seed, stream + epoch, .). */
export const enum Shuffle {
  /** u32 (count) */
  order = Role.write | 8,
  seedLow = 9,
  seedHigh = 10,
  stream = 11,
  /** f64 cell */
  epoch = Role.read | 12,
}

/**
 * A step of gradient descent with momentum, in PyTorch's form: velocity = momentum * velocity + gradient, and
 * parameters = parameters + rate * velocity, or, by Nesterov, + rate * (gradient + momentum * velocity).
 */
export const enum Momentum {
  /** T (count) */
  parameters = Role.write | 8,
  /** T (count) */
  gradients = Role.read | 9,
  /** T (count) */
  velocity = Role.write | 10,
  /** f64 cell: -learningRate */
  rate = Role.read | 11,
  /** f64 cell */
  momentum = Role.read | 12,
  /** 1: Nesterov's form. */
  nesterov = 13,
}

// Sparse batches: rows whose zeros are left out. By rows, row r's entries begin at r * capacity and there are
// counts[r] of them, columns ascending; by columns, column p's entries run from starts[p] to starts[p + 1],
// rows ascending.
//
// A batch by columns is made in pieces, one for each thread: the columns are cut among them. Every piece has `starts`
// of its own, `startsBytes` apart, of which those of its columns are filled in.

/** What gatherSparse and sortByColumn both read besides: a batch's samples in a sparse data set. */
export const enum SparseSamples {
  /** u32 (samples + 1): where each sample's entries begin */
  starts = Role.read | 16,
  /** u32 (entries) */
  columns = Role.read | 17,
  /** dataType (entries) */
  values = Role.read | 18,
  dataType = 19,
  order = Role.read | 20,
  batch = 21,
  /** f64 cell */
  scale = Role.read | 22,
}

/** As gather, from a sparse data set into a batch by rows; see also SparseSamples. */
export const enum GatherSparse {
  /** u32 (count) */
  counts = Role.writeOwn | 8,
  /** u32 (count, capacity) */
  columns = Role.writeOwn | 9,
  /** T (count, capacity) */
  values = Role.writeOwn | 10,
  capacity = 11,
}

/** Makes a batch by rows of a dense matrix; its capacity is the width. */
export const enum Compress {
  counts = Role.writeOwn | 8,
  columns = Role.writeOwn | 9,
  values = Role.writeOwn | 10,
  /** T (count, width) */
  input = Role.readOwn | 11,
}

/** As gatherSparse, but into a batch by columns, of count rows; see also SparseSamples. */
export const enum SortByColumn {
  /** u32 (width + 1), for each piece, and behind them two for each row, to work with */
  starts = Role.write | 8,
  startsBytes = 9,
  /** u32 (entries) */
  rowsOf = Role.write | 10,
  /** T (entries) */
  valuesOf = Role.write | 11,
  pieces = 12,
}

/** output (count, width) = start + X W for a batch X by rows; see also Sum and Epilogue. Never Start.add. */
export const enum SparseProduct {
  output = Role.writeOwn | 8,
  counts = Role.readOwn | 9,
  columns = Role.readOwn | 10,
  values = Role.readOwn | 11,
  capacity = 12,
  /** T (inputs, width) */
  right = Role.read | 13,
}

/**
 * output (count, width) = start + X' D for a batch X by columns; see also Sum. Never Start.bias. In the scratch it makes
 * a row of sums; without one they stay in registers.
 */
export const enum SparseGradient {
  output = Role.write | 8,
  starts = Role.read | 9,
  startsBytes = 10,
  rowsOf = Role.read | 11,
  valuesOf = Role.read | 12,
  /** T (batch, width) */
  gradient = Role.read | 13,
  /** Rows of the batch. */
  batch = 14,
  /** Pieces of the batch by columns. A phase has as many parts, or several in each piece. */
  pieces = 15,
}
