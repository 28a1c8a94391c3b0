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
  /** A gradient times what is saved, the factors of a dropout. */
  multiply,
  // Row by row.
  softmax,
  softmaxBackward,
  // All rarer activations, both ways: see Curve. They are no epilogues.
  curve,
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
  keep,
  gatherSparse,
  compress,
  sortByColumn,
  shuffle,
  standardize,
  indices,
  // Noise.
  dropout,
  normal,
  // Normalization.
  columnMoments,
  normalize,
  normalizeBackward,
  columnProducts,
  // Products and sums.
  product,
  columnSums,
  transpose,
  sparseProduct,
  sparseGradient,
  // Parameters.
  uniform,
  momentum,
  adam,
  adaptive,
  // Gradients, and what bounds parameters.
  adjust,
  squares,
  clipFactor,
  maxNorm,
  count,
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
 * order[step * batch + r], or step * batch + r itself where order is 0. See also Columns.
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

/**
 * A mean and a factor for each column: what normalize applies, and gather too, to what it has scaled, where mean is not 0.
 * Column j has those at j modulo length. Where length is not the width, they are repeated to it in the scratch.
 */
export const enum Columns {
  /** T (length) */
  mean = Role.read | 14,
  /** T (length) */
  factor = Role.read | 15,
  length = 16,
}

/** output[r, j] = (input[r, j] - mean[j]) * factor[j], in place allowed. See also Columns. */
export const enum Standardize {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  input = Role.readOwn | 9,
}

/**
 * As gather, for rows of `length` indices: output[r * length + j] = data[index][j]. count is that of the indices, rows x
 * length. What is not an integer from 0 to `last` becomes one, for it is used as an address.
 */
export const enum Indices {
  /** u32 (count) */
  output = Role.writeOwn | 8,
  /** dataType (samples, length) */
  data = Role.read | 9,
  order = Role.read | 10,
  batch = 11,
  dataType = 12,
  length = 13,
  last = 14,
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

/** Copies the rows of a batch to where they belong among those of all batches: output[step * batch + r] = input[r]. */
export const enum Keep {
  /** T (samples, width) */
  output = Role.writeOwn | 8,
  /** T (count, width) */
  input = Role.readOwn | 9,
  /** Rows of a full batch. */
  batch = 10,
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
 * An activation, which `kind` says: output = f(input); where there is a gradient, output = gradient * f'(input), or, as the
 * table in src/activations.ts says, f' as the output of f tells it. In place allowed.
 */
export const enum CurveOf {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  /** T (count, width), or 0 */
  gradient = Role.readOwn | 9,
  input = Role.readOwn | 10,
  /** f64 cell, or 0; of prelu T (width), one value for each column */
  parameter = Role.read | 11,
  /** Curve */
  kind = 12,
}

/** What an operation `curve` computes. */
export const enum Curve {
  leakyRelu,
  prelu,
  /** Of prelu, the derivative by its slope: the negative part of the input. Only with a gradient. */
  preluSlope,
  elu,
  selu,
  celu,
  softplus,
  softsign,
  relu6,
  /** Only with a gradient: see Op.exp. */
  exponential,
  /** Row by row; all others work element by element. */
  logSoftmax,
  hardSigmoid,
  // Those that are x times a gate: hardSwish of hardSigmoid, gelu of the normal distribution's cumulative function, ...
  hardSwish,
  gelu,
  geluTanh,
  silu,
  mish,
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
  /** f64 cell, one a step: 1, or where the gradients are added to the parameters -learningRate */
  rate = Role.read | 14,
  /** Bytes from a step's `rate` to that of the next; 0: all steps have the same. */
  rateStride = 30,
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

/**
 * Random numbers of a batch, from Philox at the counter (index, row, stream, step): row is that of the batch, step counts
 * the steps since the network was made.
 *
 * dropout: mask = 0 where a 32-bit number is below `threshold`, else scale; output = input * mask. A block of counters has
 * four numbers: element j of a row has number j / 4 % 4 of the block at index 4 * (j / 16) + j % 4.
 *
 * normal: output = input + scale * z, or without an input scale * z, with z of the standard normal
 * distribution, or, truncated, of its part from -2 to 2; element j of a row has the block at index j.
 */
export const enum Noise {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  /** T (count, width); of dropout alone */
  mask = Role.writeOwn | 9,
  /** T (count, width) */
  input = Role.readOwn | 10,
  seedLow = 11,
  seedHigh = 12,
  stream = 13,
  /** f64 cell: steps trained before the program's step 0 */
  step = Role.read | 14,
  /** f64 cell */
  scale = Role.read | 15,
  /** Of dropout alone. */
  threshold = 16,
  /** Of normal alone; 1: truncated. */
  truncated = 17,
}

/**
 * For every column of input (rows, count): its mean, and inverse = 1 / sqrt(variance + epsilon) with the biased variance.
 * The running ones are updated, running = (1 - momentum) running + momentum * that of the batch, the variance by the
 * unbiased one. With rows 0 there is no input, and mean and inverse are those of the running ones, which stay.
 */
export const enum ColumnMoments {
  /** T (count), as are the next three */
  mean = Role.write | 8,
  inverse = Role.write | 9,
  runningMean = Role.write | 10,
  runningVariance = Role.write | 11,
  /** T (rows, count) */
  input = Role.read | 12,
  rows = 13,
  /** f64 cell */
  momentum = Role.read | 14,
  /** f64 cell */
  epsilon = Role.read | 15,
}

/**
 * normalized = (input - mean) * inverse, output = normalized * scale + shift. Without a `mean`, mean and inverse are those
 * of each row: as in ColumnMoments, and inverse is kept in `rowInverse`. `normalized` and `rowInverse` may be left out.
 */
export const enum Normalize {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  /** T (count, width) */
  normalized = Role.writeOwn | 9,
  /** T (count, width) */
  input = Role.readOwn | 10,
  /** T (width), as are the next three */
  scale = Role.read | 11,
  shift = Role.read | 12,
  mean = Role.read | 13,
  inverse = Role.read | 14,
  /** T (count) */
  rowInverse = Role.writeOwn | 15,
  /** f64 cell; where there is no mean */
  epsilon = Role.read | 16,
}

/**
 * The gradient of a Normalize's input from that of its output: inverse * (gradient * scale - s - normalized * p).
 * By columns s = scale * sums / terms and p = scale * products / terms, or both 0 where there are no sums: the mean and
 * the inverse were not those of the batch. By rows, where there is a rowInverse, they are the means over a row of
 * gradient * scale and gradient * scale * normalized.
 */
export const enum NormalizeBackward {
  /** T (count, width) */
  output = Role.writeOwn | 8,
  gradient = Role.readOwn | 9,
  normalized = Role.readOwn | 10,
  /** T (width) */
  scale = Role.read | 11,
  /** T (width) */
  inverse = Role.read | 12,
  /** T (count) */
  rowInverse = Role.readOwn | 13,
  /** T (width): sum over all rows of gradient */
  sums = Role.read | 14,
  /** T (width): sum over all rows of gradient * normalized */
  products = Role.read | 15,
  terms = 16,
}

/** output[j] = sum over r of left[r, j] * right[r, j], added to output[j] where start is Start.add. See also Sum. */
export const enum ColumnProducts {
  /** T (count) */
  output = Role.write | 8,
  /** T (rows, count) */
  left = Role.read | 9,
  right = Role.read | 10,
  rows = 11,
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

/** A step of an optimizer over parameters, gradients and what it keeps of each, which lie alike: see assembly/optimizers.ts. */
export const enum Update {
  /** T (count) */
  parameters = Role.write | 8,
  /** T (count) */
  gradients = Role.read | 9,
  /** T (count), or 0: the velocity or the mean of gradients */
  first = Role.write | 10,
  /** T (count), or 0: the mean or the sum of squares */
  second = Role.write | 11,
  /** T (count), or 0: what Variant.centered or Variant.maximum keeps */
  third = Role.write | 12,
  /** f64 (steps, Rate.columns) */
  rates = Role.read | 13,
  /** Bytes from a step's row to that of the next; 0: all steps have the same. */
  stride = 14,
  /** f64 (Setting.columns) */
  settings = Role.read | 15,
  /** f64 cell: what each gradient is multiplied by */
  factor = Role.read | 16,
  /** A sum of Variant. */
  variant = 17,
}

/** What of an optimizer may be another one each step. A step of plain SGD has the first alone. */
export const enum Rate {
  /** Factor of the direction: -learningRate, corrected. */
  rate = 0,
  /** What is added to the root of the squares. */
  epsilon = 1,
  /** Factor of the parameters: 1 but for decoupled weight decay. */
  keep = 2,
  columns = 3,
}

/** What of an optimizer all steps have alike. */
export const enum Setting {
  /** What of the parameters is added to their gradients. */
  weightDecay = 0,
  /** Factor of `first`, and of what is added to it. */
  decay1 = 1,
  share1 = 2,
  /** Of `second`, and of `third`. */
  decay2 = 3,
  share2 = 4,
  clipValue = 5,
  clipNorm = 6,
  columns = 7,
}

/** Variants of optimizers: a sum of these. */
export const enum Variant {
  /** Momentum by Nesterov. */
  nesterov = 1,
  /** `first` is the mean of gradients, and what is divided by the root of the squares. */
  mean = 2,
  /** `first` is the velocity of what was divided. */
  velocity = 4,
  /** The squares are those of the distances from the mean of gradients, `third`. */
  centered = 8,
  /** Divided by the root of the largest squares so far, `third`. */
  maximum = 16,
  /** The sign of a mean alone, without squares. */
  sign = 32,
}

/** gradients = clamp(gradients + l1 * sign(parameters) + l2 * parameters, -limit, limit) */
export const enum Adjust {
  /** T (count) */
  gradients = Role.write | 8,
  /** T (count) */
  parameters = Role.read | 9,
  /** f64 cell */
  l1 = Role.read | 10,
  /** f64 cell: twice the penalty */
  l2 = Role.read | 11,
  /** f64 cell, Infinity for none */
  limit = Role.read | 12,
}

/** Elements of which the squares are summed at a stretch, whatever the number of threads. */
export const SQUARES_CHUNK = 4096;

/** sums[i] = sum of the squares of the i-th SQUARES_CHUNK elements of the input, the last maybe fewer. */
export const enum Squares {
  /** f64 (count) */
  sums = Role.write | 8,
  /** T (size) */
  input = Role.read | 9,
  size = 10,
}

/** factor = min(1, limit / (sqrt(sum of sums) + 1e-6)), not a number where the root is none or infinite. */
export const enum ClipFactor {
  /** f64 cell */
  factor = Role.write | 8,
  /** f64 (count) */
  sums = Role.read | 9,
  /** f64 cell */
  limit = Role.read | 10,
}

/** Multiplies each column of a matrix (rows, count) whose norm is above the limit by limit / (norm + 1e-7). */
export const enum MaxNorm {
  /** T (rows, count) */
  matrix = Role.write | 8,
  rows = 9,
  /** f64 cell */
  limit = Role.read | 10,
}

/** cell = cell + 1 */
export const enum Count {
  /** f64 cell */
  cell = Role.write | 8,
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
