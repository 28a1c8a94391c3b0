// The interpreter: runs a network's program, a list of records laid out as ops.ts says.
//
// Several threads may interpret the same program over one shared memory. Each operation's outputs are cut into
// parts, for the threads to share, and no sum ever is, so the number of threads does not change a bit. Kernels
// know nothing of this: the cut is made here, once for all, in execute().

import { activate, activateBackward, softmax, softmaxBackward } from "./activations";
import { gather, indices, standardize, oneHot, repeated } from "./batches";
import { curve, logSoftmax } from "./curves";
import { product } from "./gemm";
import { binaryCrossEntropy, crossEntropy, meanSquaredError } from "./losses";
import { dropout, normal } from "./noise";
import { columnMoments, columnProducts, normalize, normalizeBackward } from "./normalization";
import { adam, adaptive, adjust, clipFactor, maxNorm, momentum, squares } from "./optimizers";
import {
  Adjust, Backward, ClassWeights, ClipFactor, ColumnMoments, ColumnProducts, Columns, ColumnSums, Compress, Count, Curve,
  CurveOf, Cut, DataType, Epilogue, FIRST_DERIVATIVE, FIRST_ROW_LOSS, Forward, Gather, GatherSparse, Indices, Keep, Layout,
  Loss, MaxNorm, Noise, NO_EPILOGUE, Normalize, NormalizeBackward, OneHot, Op, Operand, PrepareTargets, Product,
  RECORD_WORDS, Report, Shuffle, SortByColumn, SparseGradient, SparseProduct, SparseSamples, Squares,
  SQUARES_CHUNK, Standardize, Start, Sum, SUM_BLOCK, TILE_ROWS, Transpose, Uniform, Update, Variant, Weigh, Word,
} from "./ops";
import { shuffle, uniform } from "./random";
import { elementLoss, rowLoss } from "./rare-losses";
import { columnSums, report } from "./reductions";
import { columnOfPart, compress, gatherSparse, sortByColumn, sparseGradient, sparseProduct } from "./sparse";
import { abandoned, assemble, barrier, takePart } from "./threads";
import { transpose } from "./transpose";
import { prepareTargets, weigh } from "./weights";

// Smallest parts worth the while: elements of an elementwise operation, and columns or rows of a matrix.
// Both are multiples of the tile, so that every part but the last is of whole tiles.
// @ts-ignore: decorator
@inline const ELEMENT_GRAIN: usize = 256;
// @ts-ignore: decorator
@inline const TILE_GRAIN: usize = 8;

// @ts-ignore: decorator
@inline const RECORD_BYTES: usize = RECORD_WORDS * 4;

/** A word of the header or an operand. */
// @ts-ignore: decorator
@inline function word(record: usize, index: usize): usize {
  return <usize>load<u32>(record + (index & Operand.position) * 4);
}

// @ts-ignore: decorator
@inline function cell(record: usize, index: usize): f64 {
  return load<f64>(word(record, index));
}

/** The room that a thread has to work in. */
// @ts-ignore: decorator
@inline function scratchOf(record: usize, thread: usize): usize {
  return word(record, Word.scratch) + thread * word(record, Word.scratchBytes);
}

/** The mean or the factor of every column, the `place`th of what is in the scratch; 0: there is none. */
// @ts-ignore: decorator
@inline function columnsOf<T>(record: usize, operand: usize, width: usize, thread: usize, place: usize): usize {
  if (!word(record, operand)) return 0;
  const room = scratchOf(record, thread) + place * width * sizeof<T>();
  return repeated<T>(room, word(record, operand), word(record, Columns.length), width);
}

/** Where `part` begins when `size` outputs are cut in multiples of `grain`. */
function partStart(size: usize, grain: usize, part: usize, parts: usize): usize {
  const grains = (size + grain - 1) / grain;
  return min<usize>(size, <usize>((<u64>grains * part) / parts) * grain);
}

/** What is cut in multiples of how many. Every operation on a batch is cut alike: see Cut.batch. */
function grainOf(cut: Cut, size: usize, parts: usize): usize {
  switch (cut) {
    case Cut.columns: return TILE_GRAIN;
    case Cut.elements: return ELEMENT_GRAIN;
    case Cut.terms: return SUM_BLOCK;
    default: return size >= <usize>TILE_ROWS * parts ? <usize>TILE_ROWS : 1;
  }
}

/** Does `part` of an operation; `thread` only says whose scratch is to be used. */
function execute<T>(record: usize, step: usize, part: usize, parts: usize, thread: usize): void {
  // The part is `count` rows from the `from`th on, or columns, elements or terms.
  let from: usize = 0;
  let count = word(record, Word.count);
  if (parts > 1) {
    const cut = <Cut>word(record, Word.cut);
    if (cut == Cut.whole) {
      if (part) return;
    } else if (cut != Cut.own) {
      const all = count;
      const grain = grainOf(cut, all, parts);
      from = partStart(all, grain, part, parts);
      count = partStart(all, grain, part + 1, parts) - from;
      if (!count) return;
    }
  }
  const op = <Op>word(record, Word.opcode);
  // Before all others, for half of a small step are products.
  if (op == Op.product) {
    runProduct<T>(record, from, count, parts, thread);
    return;
  }
  const width = word(record, Word.width);
  // How far into its own matrices the part begins, in bytes.
  const offset = from * width * sizeof<T>();
  switch (op) {
    case Op.sigmoid:
    case Op.relu:
    case Op.tanh:
    case Op.exp:
    case Op.log:
      activate<T>(op, word(record, Forward.output) + offset, word(record, Forward.input) + offset, count * width);
      break;
    case Op.sigmoidBackward:
    case Op.reluBackward:
    case Op.tanhBackward:
    case Op.multiply:
      activateBackward<T>(
        op, word(record, Backward.output) + offset, word(record, Backward.gradient) + offset,
        word(record, Backward.saved) + offset, count * width,
      );
      break;
    case Op.softmax:
      softmax<T>(word(record, Forward.output) + offset, word(record, Forward.input) + offset, count, width);
      break;
    case Op.softmaxBackward:
      softmaxBackward<T>(
        word(record, Backward.output) + offset, word(record, Backward.gradient) + offset,
        word(record, Backward.saved) + offset, count, width,
      );
      break;
    case Op.meanSquaredError:
    case Op.binaryCrossEntropy:
    case Op.crossEntropy:
      runLoss<T>(op, record, from, count, width, step);
      break;
    case Op.report:
      report<T>(
        word(record, Report.statistics), word(record, Report.losses), word(record, Report.hits), count,
        cell(record, Report.weight), step,
      );
      break;
    case Op.gather:
      gather<T>(
        word(record, Gather.output) + offset, word(record, Gather.data), word(record, Gather.order),
        step * word(record, Gather.batch) + from, count, width, <DataType>word(record, Gather.dataType),
        cell(record, Gather.scale),
        columnsOf<T>(record, Columns.mean, width, thread, 0), columnsOf<T>(record, Columns.factor, width, thread, 1),
      );
      break;
    case Op.oneHot:
      oneHot<T>(
        word(record, OneHot.output) + offset, word(record, OneHot.data), word(record, OneHot.order),
        step * word(record, OneHot.batch) + from, count, width,
      );
      break;
    case Op.gatherSparse:
      gatherSparse<T>(
        word(record, GatherSparse.counts), word(record, GatherSparse.columns), word(record, GatherSparse.values),
        word(record, GatherSparse.capacity), word(record, SparseSamples.starts), word(record, SparseSamples.columns),
        word(record, SparseSamples.values), <DataType>word(record, SparseSamples.dataType),
        word(record, SparseSamples.order), step * word(record, SparseSamples.batch), from, from + count,
        cell(record, SparseSamples.scale),
      );
      break;
    case Op.compress:
      compress<T>(
        word(record, Compress.counts), word(record, Compress.columns), word(record, Compress.values), width,
        word(record, Compress.input), from, from + count,
      );
      break;
    case Op.sortByColumn:
      runSortByColumn<T>(record, step, part, parts);
      break;
    case Op.columnSums:
      columnSums<T>(
        word(record, ColumnSums.output) + offset, word(record, ColumnSums.input) + offset,
        word(record, ColumnSums.rows), count, word(record, Word.count) * sizeof<T>(), <Start>word(record, Sum.start),
      );
      break;
    case Op.transpose:
      transpose<T>(
        word(record, Transpose.output), word(record, Transpose.input), word(record, Transpose.rows),
        word(record, Word.count), from, from + count,
      );
      break;
    case Op.sparseProduct:
      runSparseProduct<T>(record, from, count);
      break;
    case Op.sparseGradient:
      runSparseGradient<T>(record, part, parts, thread);
      break;
    case Op.momentum:
    case Op.adam:
    case Op.adaptive:
      runUpdate<T>(op, record, offset, count, step);
      break;
    default:
      executeRare<T>(op, record, step, from, count, width, thread);
  }
}

/** The operations that a plain network's step has none of, apart: what execute() costs grows with its cases. */
function executeRare<T>(
  op: Op, record: usize, step: usize, from: usize, count: usize, width: usize, thread: usize,
): void {
  const offset = from * width * sizeof<T>();
  switch (op) {
    case Op.curve:
      runCurve(record, from, count, width * sizeof<T>(), sizeof<T>() == 8);
      break;
    case Op.meanAbsoluteError:
    case Op.huber:
    case Op.logCosh:
    case Op.hinge:
    case Op.squaredHinge:
    case Op.poisson:
    case Op.binaryFocal:
    case Op.focal:
    case Op.klDivergence:
    case Op.categoricalHinge:
    case Op.cosineSimilarity:
      runRareLoss(op, record, from, count, width, step, sizeof<T>() == 8);
      break;
    case Op.prepareTargets:
    case Op.weigh:
      runWeights(op, record, from, count, width, sizeof<T>() == 8);
      break;
    case Op.standardize:
      standardize<T>(
        word(record, Standardize.output) + offset, word(record, Standardize.input) + offset, count, width,
        columnsOf<T>(record, Columns.mean, width, thread, 0), columnsOf<T>(record, Columns.factor, width, thread, 1),
      );
      break;
    case Op.indices:
      indices(
        word(record, Indices.output), word(record, Indices.data), word(record, Indices.order),
        step * word(record, Indices.batch), from, from + count, word(record, Indices.length),
        <DataType>word(record, Indices.dataType), <u32>word(record, Indices.last),
      );
      break;
    case Op.keep:
      memory.copy(
        word(record, Keep.output) + step * word(record, Keep.batch) * width * sizeof<T>() + offset,
        word(record, Keep.input) + offset, count * width * sizeof<T>(),
      );
      break;
    case Op.shuffle:
      shuffle(
        word(record, Shuffle.order), count, <u32>word(record, Shuffle.seedLow), <u32>word(record, Shuffle.seedHigh),
        <u32>word(record, Shuffle.stream) + <u32>cell(record, Shuffle.epoch),
      );
      break;
    case Op.dropout:
    case Op.normal:
      runNoise<T>(op, record, step, from, count, width);
      break;
    case Op.columnMoments:
      columnMoments<T>(
        word(record, ColumnMoments.mean) + offset, word(record, ColumnMoments.inverse) + offset,
        word(record, ColumnMoments.runningMean) + offset, word(record, ColumnMoments.runningVariance) + offset,
        word(record, ColumnMoments.input) + offset, word(record, ColumnMoments.rows), count,
        word(record, Word.count) * sizeof<T>(), cell(record, ColumnMoments.momentum),
        cell(record, ColumnMoments.epsilon),
      );
      break;
    case Op.normalize:
      normalize<T>(
        word(record, Normalize.output) + offset, shifted(record, Normalize.normalized, offset),
        word(record, Normalize.input) + offset, count, width, word(record, Normalize.scale),
        word(record, Normalize.shift), word(record, Normalize.mean), word(record, Normalize.inverse),
        shifted(record, Normalize.rowInverse, from * sizeof<T>()), cell(record, Normalize.epsilon),
      );
      break;
    case Op.normalizeBackward:
      normalizeBackward<T>(
        word(record, NormalizeBackward.output) + offset, word(record, NormalizeBackward.gradient) + offset,
        word(record, NormalizeBackward.normalized) + offset, count, width, word(record, NormalizeBackward.scale),
        word(record, NormalizeBackward.inverse),
        shifted(record, NormalizeBackward.rowInverse, from * sizeof<T>()), word(record, NormalizeBackward.sums),
        word(record, NormalizeBackward.products), word(record, NormalizeBackward.terms),
      );
      break;
    case Op.columnProducts:
      columnProducts<T>(
        word(record, ColumnProducts.output) + offset, word(record, ColumnProducts.left) + offset,
        word(record, ColumnProducts.right) + offset, word(record, ColumnProducts.rows), count,
        word(record, Word.count) * sizeof<T>(), <Start>word(record, Sum.start),
      );
      break;
    case Op.uniform:
      uniform<T>(
        word(record, Uniform.output), count, cell(record, Uniform.low), cell(record, Uniform.high),
        <u32>word(record, Uniform.seedLow), <u32>word(record, Uniform.seedHigh), <u32>word(record, Uniform.stream),
      );
      break;
    case Op.adjust:
      adjust<T>(
        word(record, Adjust.gradients) + offset, word(record, Adjust.parameters) + offset, count,
        cell(record, Adjust.l1), cell(record, Adjust.l2), cell(record, Adjust.limit),
      );
      break;
    case Op.squares:
      squares<T>(
        word(record, Squares.sums) + from * 8, word(record, Squares.input) + offset,
        min(word(record, Squares.size) - from * SQUARES_CHUNK, count * SQUARES_CHUNK),
      );
      break;
    case Op.clipFactor:
      clipFactor(
        word(record, ClipFactor.factor), word(record, ClipFactor.sums), count, cell(record, ClipFactor.limit),
      );
      break;
    case Op.maxNorm:
      maxNorm<T>(
        word(record, MaxNorm.matrix) + offset, word(record, MaxNorm.rows), count,
        word(record, Word.count) * sizeof<T>(), cell(record, MaxNorm.limit),
      );
      break;
    case Op.count:
      store<f64>(word(record, Count.cell), cell(record, Count.cell) + 1);
      break;
    default:
      unreachable();
  }
}

/** An offset that may be left out, moved by so many bytes. */
function shifted(record: usize, index: usize, bytes: usize): usize {
  const offset = word(record, index);
  return offset ? offset + bytes : 0;
}

function runNoise<T>(op: Op, record: usize, step: usize, from: usize, count: usize, width: usize): void {
  const offset = from * width * sizeof<T>();
  const output = word(record, Noise.output) + offset;
  const input = shifted(record, Noise.input, offset);
  const seedLow = <u32>word(record, Noise.seedLow);
  const seedHigh = <u32>word(record, Noise.seedHigh);
  const stream = <u32>word(record, Noise.stream);
  const scale = cell(record, Noise.scale);
  const now = <u32>(<u64>cell(record, Noise.step) + <u64>step);
  if (op == Op.dropout) {
    dropout<T>(
      output, word(record, Noise.mask) + offset, input, from, count, width, <u32>word(record, Noise.threshold), scale,
      seedLow, seedHigh, stream, now,
    );
  } else {
    normal<T>(
      output, input, from, count, width, scale, word(record, Noise.truncated) != 0,
      seedLow, seedHigh, stream, now,
    );
  }
}

function runCurve(record: usize, from: usize, count: usize, rowBytes: usize, wide: bool): void {
  const offset = from * rowBytes;
  const y = word(record, CurveOf.output) + offset;
  const x = word(record, CurveOf.input) + offset;
  let dy = word(record, CurveOf.gradient);
  if (dy) dy += offset;
  const kind = <Curve>word(record, CurveOf.kind);
  if (kind == Curve.logSoftmax) logSoftmax(y, dy, x, count, rowBytes, wide);
  else curve(kind, y, dy, x, count, rowBytes, word(record, CurveOf.parameter), wide);
}

// @ts-ignore: decorator
@inline function scaleOf(record: usize, step: usize): f64 {
  const rate = load<f64>(word(record, Loss.rate) + step * word(record, Loss.rateStride));
  return (rate * <f64>word(record, Loss.factor)) / <f64>word(record, Loss.terms);
}

// @ts-ignore: decorator
@inline function runLoss<T>(op: Op, record: usize, from: usize, count: usize, width: usize, step: usize): void {
  const offset = from * width * sizeof<T>();
  const d = word(record, Loss.gradient) + offset;
  const y = word(record, Loss.prediction) + offset;
  const z = word(record, Loss.logits) + offset;
  const t = word(record, Loss.target) + offset;
  const scale = scaleOf(record, step);
  const term = (op == Op.crossEntropy ? from : from * width) * sizeof<T>();
  const losses = word(record, Loss.losses) + term;
  const hits = word(record, Loss.hits) + term;
  switch (op) {
    case Op.meanSquaredError: meanSquaredError<T>(d, losses, hits, y, t, count * width, scale); break;
    case Op.binaryCrossEntropy: binaryCrossEntropy<T>(d, losses, hits, y, z, t, count * width, scale); break;
    default: crossEntropy<T>(d, losses, hits, y, z, t, count, width, scale); break;
  }
}

function runUpdate<T>(op: Op, record: usize, offset: usize, count: usize, step: usize): void {
  const w = word(record, Update.parameters) + offset;
  const g = word(record, Update.gradients) + offset;
  const first = word(record, Update.first) + offset;
  const second = word(record, Update.second) + offset;
  const rates = word(record, Update.rates) + step * word(record, Update.stride);
  const settings = word(record, Update.settings);
  const factor = cell(record, Update.factor);
  const variant = <Variant>word(record, Update.variant);
  switch (op) {
    case Op.momentum: momentum<T>(w, g, first, count, rates, settings, factor, variant); break;
    case Op.adam: adam<T>(w, g, first, second, count, rates, settings, factor); break;
    default:
      adaptive<T>(w, g, first, second, word(record, Update.third) + offset, count, rates, settings, factor, variant);
  }
}

function runRareLoss(op: Op, record: usize, from: usize, count: usize, width: usize, step: usize, wide: bool): void {
  const bytes: usize = wide ? 8 : 4;
  const offset = from * width * bytes;
  const ofRows = op >= FIRST_ROW_LOSS;
  const term = ofRows ? from * bytes : offset;
  const d = word(record, Loss.gradient) + offset;
  const losses = word(record, Loss.losses) + term;
  const hits = word(record, Loss.hits) + term;
  const y = word(record, Loss.prediction) + offset;
  // Where an activation is fused, from the logits.
  const fused = op == Op.binaryFocal || op == Op.focal || op == Op.klDivergence;
  const x = fused ? word(record, Loss.logits) + offset : y;
  const t = word(record, Loss.target) + offset;
  const parameters = word(record, Loss.parameters);
  const scale = scaleOf(record, step);
  if (ofRows) rowLoss(op, d, losses, hits, y, x, t, count, width, scale, parameters, wide);
  else elementLoss(op, d, losses, hits, y, x, t, count * width, scale, parameters, wide);
}

function runWeights(op: Op, record: usize, from: usize, count: usize, width: usize, wide: bool): void {
  const perRow = width / word(record, PrepareTargets.termWidth);
  if (op == Op.prepareTargets) {
    prepareTargets(
      word(record, PrepareTargets.target), word(record, PrepareTargets.weights), word(record, PrepareTargets.shares),
      word(record, PrepareTargets.sampleWeights), word(record, PrepareTargets.settings),
      <ClassWeights>word(record, PrepareTargets.classes), from * perRow, count * perRow, perRow, width / perRow, wide,
    );
  } else {
    weigh(
      word(record, Weigh.gradient), word(record, Weigh.losses), word(record, Weigh.hits), word(record, Weigh.weights),
      word(record, Weigh.shares), word(record, Weigh.statistics), from * perRow, count * perRow, width / perRow,
      word(record, Word.count) * perRow, wide,
    );
  }
}

/** The part is a rectangle of the output, or a range of the terms. */
// @ts-ignore: decorator
@inline function runProduct<T>(record: usize, from: usize, count: usize, parts: usize, thread: usize): void {
  const m = word(record, Product.m);
  const n = word(record, Product.n);
  const k = word(record, Product.k);
  let top: usize = 0;
  let side: usize = 0;
  let first: usize = 0;
  let rows = m;
  let columns = n;
  let terms = k;
  if (parts > 1) {
    const cut = <Cut>word(record, Word.cut);
    if (cut == Cut.columns) {
      side = from;
      columns = count;
    } else if (cut == Cut.terms) {
      first = from;
      terms = count;
    } else {
      top = from;
      rows = count;
    }
  }

  const layout = word(record, Product.layout);
  const rightTransposed = (layout & Layout.rightTransposed) != 0;
  const transposed = (layout & Layout.transposed) != 0;
  const outputRow = n * sizeof<T>();
  const leftRow: usize = transposed ? sizeof<T>() : k * sizeof<T>();
  const leftStep: usize = transposed ? m * sizeof<T>() : sizeof<T>();
  const output = word(record, Product.output) + top * outputRow + side * sizeof<T>();
  product<T>(
    output, outputRow,
    word(record, Product.left) + top * leftRow + first * leftStep, leftRow, leftStep,
    word(record, Product.right) + side * (rightTransposed ? k : 1) * sizeof<T>() + first * outputRow,
    rightTransposed ? k * sizeof<T>() : outputRow,
    rows, columns, terms, <Start>word(record, Sum.start), word(record, Sum.bias) + side * sizeof<T>(),
    scratchOf(record, thread), rightTransposed,
  );
  runEpilogue<T>(record, output, top * outputRow + side * sizeof<T>(), rows, columns, n);
}

/** Applies the epilogue in place to `rows` rows and `columns` columns, which begin `offset` bytes into the output. */
// @ts-ignore: decorator
@inline function runEpilogue<T>(record: usize, output: usize, offset: usize, rows: usize, columns: usize, n: usize): void {
  const epilogue = <Op>word(record, Epilogue.op);
  if (epilogue == <Op>NO_EPILOGUE) return;
  let saved = word(record, Epilogue.saved) + offset;
  const stride = n * sizeof<T>();
  // Whole rows lie next to each other: one run over all of them.
  const runs: usize = columns == n ? 1 : rows;
  const length = columns == n ? rows * n : columns;
  let row = output;
  for (let i: usize = 0; i < runs; i++) {
    if (epilogue >= FIRST_DERIVATIVE) activateBackward<T>(epilogue, row, row, saved, length);
    else activate<T>(epilogue, row, row, length);
    row += stride;
    saved += stride;
  }
}

function runSparseProduct<T>(record: usize, from: usize, count: usize): void {
  const width = word(record, Word.width);
  const capacity = word(record, SparseProduct.capacity);
  const offset = from * width * sizeof<T>();
  const output = word(record, SparseProduct.output) + offset;
  sparseProduct<T>(
    output, word(record, SparseProduct.counts) + from * 4, word(record, SparseProduct.columns) + from * capacity * 4,
    word(record, SparseProduct.values) + from * capacity * sizeof<T>(), capacity, word(record, SparseProduct.right),
    count, width, <Start>word(record, Sum.start), word(record, Sum.bias),
  );
  runEpilogue<T>(record, output, offset, count, width, width);
}

function runSortByColumn<T>(record: usize, step: usize, part: usize, parts: usize): void {
  const width = word(record, Word.width);
  const pieces = word(record, SortByColumn.pieces);
  const partsOfPiece = parts / pieces;
  // Threads make a piece whole, with the first of its parts: cutting it finer would cost more than it saves.
  const alone = pieces == 1;
  if (!alone && part % partsOfPiece) return;
  const piece: usize = alone ? 0 : part / partsOfPiece;
  const starts = word(record, SortByColumn.starts) + piece * word(record, SortByColumn.startsBytes);
  sortByColumn<T>(
    starts, starts + (width + 1) * 4, word(record, SortByColumn.rowsOf), word(record, SortByColumn.valuesOf),
    word(record, SparseSamples.starts), word(record, SparseSamples.columns), word(record, SparseSamples.values),
    <DataType>word(record, SparseSamples.dataType), word(record, SparseSamples.order),
    step * word(record, SparseSamples.batch), word(record, Word.count), partStart(width, 1, piece, pieces),
    partStart(width, 1, piece + 1, pieces), cell(record, SparseSamples.scale), alone ? part : 0, alone ? parts : 1,
  );
}

function runSparseGradient<T>(record: usize, part: usize, parts: usize, thread: usize): void {
  const inputs = word(record, Word.count);
  const pieces = word(record, SparseGradient.pieces);
  const piece = part / (parts / pieces);
  const starts = word(record, SparseGradient.starts) + piece * word(record, SparseGradient.startsBytes);
  // Threads take what others are late with; one alone must be told how far to go.
  const byEntries = pieces == 1 && parts > 1;
  sparseGradient<T>(
    word(record, SparseGradient.output), starts, word(record, SparseGradient.rowsOf),
    word(record, SparseGradient.valuesOf), word(record, SparseGradient.gradient),
    byEntries ? columnOfPart(starts, inputs, part, parts) : partStart(inputs, 1, part, parts),
    byEntries ? columnOfPart(starts, inputs, part + 1, parts) : partStart(inputs, 1, part + 1, parts),
    word(record, Word.width), word(record, SparseGradient.batch), <Start>word(record, Sum.start),
    scratchOf(record, thread),
  );
}

/**
 * Runs the program's `count` records for every step from `fromStep` to `toStep`, as one of `threads` threads
 * that all call it alike. False: a thread died, and the others left in the middle.
 */
export function run<T>(
  control: usize, program: usize, count: usize, thread: usize, threads: usize, fromStep: usize, toStep: usize,
): bool {
  const end = program + count * RECORD_BYTES;
  if (threads > 1) return runShared<T>(control, program, end, thread, threads, fromStep, toStep);
  for (let step = fromStep; step < toStep; step++) {
    for (let record = program; record < end; record += RECORD_BYTES) execute<T>(record, step, 0, 1, 0);
  }
  return true;
}

/**
 * Does one of the `parts` parts of a phase, its `count` records from `phase` on: for one thread that must not run a
 * whole step at a stretch. It does all parts, in order.
 */
export function runPart<T>(phase: usize, count: usize, step: usize, part: usize, parts: usize): void {
  const end = phase + count * RECORD_BYTES;
  for (let record = phase; record < end; record += RECORD_BYTES) execute<T>(record, step, part, parts, 0);
}

/** As run(), phase by phase: the threads take parts of a phase until there are none left, and then meet. */
function runShared<T>(
  control: usize, program: usize, end: usize, thread: usize, threads: usize, fromStep: usize, toStep: usize,
): bool {
  if (!assemble(control, <i32>threads)) return false;
  // Parts that have been taken from a queue before this phase, attempts at an empty one included.
  let taken: u32 = 0;
  for (let step = fromStep; step < toStep; step++) {
    for (let phase = program; phase < end; ) {
      let last = phase;
      while (!word(last, Word.parts)) last += RECORD_BYTES;
      const parts = word(last, Word.parts);
      const queue = <u32>(parts / threads);
      // Its own parts first, for their data may still lie in this core's cache; then those that others are late
      // with: cores are not equally fast, nor equally free.
      for (let i: usize = 0; i < threads; i++) {
        const owner = thread + i < threads ? thread + i : thread + i - threads;
        for (;;) {
          if (abandoned(control)) return false;
          const place = takePart(control, owner) - taken;
          if (place >= queue) break;
          const part = owner * <usize>queue + <usize>place;
          for (let record = phase; record <= last; record += RECORD_BYTES) {
            execute<T>(record, step, part, parts, thread);
          }
        }
      }
      taken += queue + <u32>threads;
      if (!barrier(control, <i32>threads)) return false;
      phase = last + RECORD_BYTES;
    }
  }
  return true;
}
