// The interpreter: runs a network's program, a list of records laid out as ops.ts says.
//
// Several threads may interpret the same program over one shared memory. Each operation's outputs are cut into
// parts, for the threads to share, and no sum ever is, so the number of threads does not change a bit. Kernels
// know nothing of this: the cut is made here.

import { activate, activateBackward, softmax, softmaxBackward } from "./activations";
import { gather, oneHot } from "./batches";
import { product } from "./gemm";
import { binaryCrossEntropy, crossEntropy, meanSquaredError } from "./losses";
import {
  Backward, ColumnSums, Compress, DataType, Elementwise, Gather, GatherSparse, Layout, Loss, NO_EPILOGUE, OneHot,
  Op, Product, RECORD_WORDS, Report, Shuffle, Softmax, SoftmaxBackward, SortByColumn, SparseGradient, SparseProduct,
  SparseSamples, Start, SUM_BLOCK, TILE_ROWS, Transpose, Uniform, Word,
} from "./ops";
import { shuffle, uniform } from "./random";
import { columnSums, report } from "./reductions";
import { columnOfPart, compress, gatherSparse, sortByColumn, sparseGradient, sparseProduct } from "./sparse";
import { abandoned, assemble, barrier, takePart } from "./threads";
import { transpose } from "./transpose";

// Smallest parts worth the while: elements of an elementwise operation, and columns or rows of a matrix.
// Both are multiples of the tile, so that every part but the last is of whole tiles.
// @ts-ignore: decorator
@inline const ELEMENT_GRAIN: usize = 256;
// @ts-ignore: decorator
@inline const TILE_GRAIN: usize = 8;

// @ts-ignore: decorator
@inline const RECORD_BYTES: usize = RECORD_WORDS * 4;

// @ts-ignore: decorator
@inline function word(record: usize, index: usize): usize {
  return <usize>load<u32>(record + index * 4);
}

// @ts-ignore: decorator
@inline function cell(record: usize, index: usize): f64 {
  return load<f64>(word(record, index));
}

/** Where `part` begins when `size` outputs are cut in multiples of `grain`. */
// @ts-ignore: decorator
@inline function partStart(size: usize, grain: usize, part: usize, parts: usize): usize {
  if (parts == 1) return part * size;
  const grains = (size + grain - 1) / grain;
  return min<usize>(size, <usize>((<u64>grains * part) / parts) * grain);
}

/**
 * Where `part` of the `rows` rows of a batch begins. Every operation on a batch is cut alike, so that a thread
 * can go from one to the next with no barrier.
 */
// @ts-ignore: decorator
@inline function rowStart(rows: usize, part: usize, parts: usize): usize {
  const grain: usize = TILE_ROWS;
  return partStart(rows, rows >= grain * parts ? grain : 1, part, parts);
}

/** Where `part` of `size` elements begins, those of `rows` rows of a batch if that is not 0. */
// @ts-ignore: decorator
@inline function elementStart(size: usize, rows: usize, part: usize, parts: usize): usize {
  return rows ? rowStart(rows, part, parts) * (size / rows) : partStart(size, ELEMENT_GRAIN, part, parts);
}

/** A part is a rectangle of the output, or a range of the terms. */
function runProduct<T>(record: usize, part: usize, parts: usize, thread: usize): void {
  const m = word(record, Product.m);
  const n = word(record, Product.n);
  const k = word(record, Product.k);
  const layout = word(record, Product.layout);
  let top: usize = 0;
  let side: usize = 0;
  let first: usize = 0;
  let rows = m;
  let columns = n;
  let terms = k;
  if (parts > 1) {
    const byTerms = (layout & Layout.byTerms) != 0;
    const byRows = !byTerms && (layout & Layout.byRows) != 0;
    const size = byTerms ? k : n;
    const grain = byTerms ? <usize>SUM_BLOCK : TILE_GRAIN;
    const from = byRows ? rowStart(m, part, parts) : partStart(size, grain, part, parts);
    const to = byRows ? rowStart(m, part + 1, parts) : partStart(size, grain, part + 1, parts);
    if (from >= to) return;
    if (byTerms) {
      first = from;
      terms = to - from;
    } else if (byRows) {
      top = from;
      rows = to - from;
    } else {
      side = from;
      columns = to - from;
    }
  }

  const rightTransposed = (layout & Layout.rightTransposed) != 0;
  const outputRow = n * sizeof<T>();
  const transposed = (layout & Layout.transposed) != 0;
  const leftRow: usize = transposed ? sizeof<T>() : k * sizeof<T>();
  const leftStep: usize = transposed ? m * sizeof<T>() : sizeof<T>();
  const output = word(record, Product.output) + top * outputRow + side * sizeof<T>();
  product<T>(
    output, outputRow,
    word(record, Product.left) + top * leftRow + first * leftStep, leftRow, leftStep,
    word(record, Product.right) + side * (rightTransposed ? k : 1) * sizeof<T>() + first * outputRow,
    rightTransposed ? k * sizeof<T>() : outputRow,
    rows, columns, terms, <Start>word(record, Product.start), word(record, Product.bias) + side * sizeof<T>(),
    word(record, Product.scratch) + thread * word(record, Product.scratchBytes), rightTransposed,
  );

  runEpilogue<T>(
    <Op>word(record, Product.epilogue), output, word(record, Product.saved) + top * outputRow + side * sizeof<T>(),
    rows, columns, n,
  );
}

/** Applies an epilogue in place to a rectangle of `rows` rows and `columns` columns of a matrix n wide. */
function runEpilogue<T>(epilogue: Op, output: usize, saved: usize, rows: usize, columns: usize, n: usize): void {
  if (epilogue == <Op>NO_EPILOGUE) return;
  const stride = n * sizeof<T>();
  // Whole rows lie next to each other: one run over all of them.
  const runs: usize = columns == n ? 1 : rows;
  const length = columns == n ? rows * n : columns;
  let row = output;
  for (let i: usize = 0; i < runs; i++) {
    if (epilogue >= Op.sigmoidBackward) activateBackward<T>(epilogue, row, row, saved, length);
    else activate<T>(epilogue, row, row, length);
    row += stride;
    saved += stride;
  }
}

function runSparseProduct<T>(record: usize, part: usize, parts: usize): void {
  const rows = word(record, SparseProduct.rows);
  const width = word(record, SparseProduct.width);
  const capacity = word(record, SparseProduct.capacity);
  const from = rowStart(rows, part, parts);
  const to = rowStart(rows, part + 1, parts);
  const offset = from * width * sizeof<T>();
  const output = word(record, SparseProduct.output) + offset;
  sparseProduct<T>(
    output, word(record, SparseProduct.counts) + from * 4, word(record, SparseProduct.columns) + from * capacity * 4,
    word(record, SparseProduct.values) + from * capacity * sizeof<T>(), capacity, word(record, SparseProduct.right),
    to - from, width, <Start>word(record, SparseProduct.start), word(record, SparseProduct.bias),
  );
  runEpilogue<T>(
    <Op>word(record, SparseProduct.epilogue), output, word(record, SparseProduct.saved) + offset, to - from, width,
    width,
  );
}

function runSparse<T>(
  op: Op, record: usize, step: usize, part: usize, parts: usize, thread: usize,
): void {
  switch (op) {
    case Op.gatherSparse: {
      const rows = word(record, SparseSamples.rows);
      gatherSparse<T>(
        word(record, GatherSparse.counts), word(record, GatherSparse.columns), word(record, GatherSparse.values),
        word(record, GatherSparse.capacity), word(record, SparseSamples.starts),
        word(record, SparseSamples.columns), word(record, SparseSamples.values),
        <DataType>word(record, SparseSamples.dataType), word(record, SparseSamples.order),
        step * word(record, SparseSamples.batch), rowStart(rows, part, parts),
        rowStart(rows, part + 1, parts), cell(record, SparseSamples.scale),
      );
      break;
    }
    case Op.compress: {
      const rows = word(record, Compress.rows);
      compress<T>(
        word(record, Compress.counts), word(record, Compress.columns), word(record, Compress.values),
        word(record, Compress.capacity), word(record, Compress.input), rowStart(rows, part, parts),
        rowStart(rows, part + 1, parts),
      );
      break;
    }
    case Op.sortByColumn: {
      const width = word(record, SortByColumn.width);
      const pieces = word(record, SortByColumn.pieces);
      const partsOfPiece = parts / pieces;
      // Threads make a piece whole, with the first of its parts: cutting it finer would cost more than it saves.
      const alone = pieces == 1;
      if (!alone && part % partsOfPiece) break;
      const piece: usize = alone ? 0 : part / partsOfPiece;
      const starts = word(record, SortByColumn.starts) + piece * word(record, SortByColumn.startsBytes);
      sortByColumn<T>(
        starts, starts + (width + 1) * 4, word(record, SortByColumn.rowsOf), word(record, SortByColumn.valuesOf),
        word(record, SparseSamples.starts), word(record, SparseSamples.columns),
        word(record, SparseSamples.values), <DataType>word(record, SparseSamples.dataType),
        word(record, SparseSamples.order), step * word(record, SparseSamples.batch), word(record, SparseSamples.rows),
        partStart(width, 1, piece, pieces), partStart(width, 1, piece + 1, pieces),
        cell(record, SparseSamples.scale), alone ? part : 0, alone ? parts : 1,
      );
      break;
    }
    case Op.sparseProduct:
      runSparseProduct<T>(record, part, parts);
      break;
    default: {
      const width = word(record, SparseGradient.width);
      const inputs = word(record, SparseGradient.inputs);
      const scratch = word(record, SparseGradient.scratch);
      const pieces = word(record, SparseGradient.pieces);
      const piece = part / (parts / pieces);
      const starts = word(record, SparseGradient.starts) + piece * word(record, SparseGradient.startsBytes);
      // Threads take what others are late with; one alone must be told how far to go.
      const alone = pieces == 1;
      sparseGradient<T>(
        word(record, SparseGradient.output), starts, word(record, SparseGradient.rowsOf),
        word(record, SparseGradient.valuesOf), word(record, SparseGradient.gradient),
        alone && parts > 1 ? columnOfPart(starts, inputs, part, parts) : partStart(inputs, 1, part, parts),
        alone && parts > 1 ? columnOfPart(starts, inputs, part + 1, parts) : partStart(inputs, 1, part + 1, parts),
        width, word(record, SparseGradient.rows), <Start>word(record, SparseGradient.start),
        // A row for each thread, and a cache line between two.
        scratch ? scratch + thread * (width * sizeof<T>() + 64) : 0,
      );
    }
  }
}

/** Does `part` of an operation; `thread` only says whose scratch is to be used. */
function execute<T>(record: usize, step: usize, part: usize, parts: usize, thread: usize): void {
  const op = <Op>word(record, Word.opcode);
  switch (op) {
    case Op.gather: {
      const rows = word(record, Gather.rows);
      const width = word(record, Gather.width);
      const from = rowStart(rows, part, parts);
      const to = rowStart(rows, part + 1, parts);
      gather<T>(
        word(record, Gather.output) + from * width * sizeof<T>(), word(record, Gather.data),
        word(record, Gather.order), step * word(record, Gather.batch) + from, to - from, width,
        <DataType>word(record, Gather.dataType), cell(record, Gather.scale),
      );
      break;
    }
    case Op.oneHot: {
      const rows = word(record, OneHot.rows);
      const width = word(record, OneHot.width);
      const from = rowStart(rows, part, parts);
      const to = rowStart(rows, part + 1, parts);
      oneHot<T>(
        word(record, OneHot.output) + from * width * sizeof<T>(), word(record, OneHot.data),
        word(record, OneHot.order), step * word(record, OneHot.batch) + from, to - from, width,
      );
      break;
    }
    case Op.product:
      runProduct<T>(record, part, parts, thread);
      break;
    case Op.columnSums: {
      const width = word(record, ColumnSums.width);
      const from = partStart(width, TILE_GRAIN, part, parts);
      const to = partStart(width, TILE_GRAIN, part + 1, parts);
      columnSums<T>(
        word(record, ColumnSums.output) + from * sizeof<T>(), word(record, ColumnSums.input) + from * sizeof<T>(),
        word(record, ColumnSums.rows), to - from, width * sizeof<T>(), <Start>word(record, ColumnSums.start),
      );
      break;
    }
    case Op.transpose: {
      const width = word(record, Transpose.width);
      transpose<T>(
        word(record, Transpose.output), word(record, Transpose.input), word(record, Transpose.rows), width,
        partStart(width, TILE_GRAIN, part, parts), partStart(width, TILE_GRAIN, part + 1, parts),
      );
      break;
    }
    case Op.sigmoid:
    case Op.relu:
    case Op.tanh:
    case Op.exp:
    case Op.log: {
      const size = word(record, Elementwise.size);
      const rows = word(record, Elementwise.rows);
      const from = elementStart(size, rows, part, parts);
      const to = elementStart(size, rows, part + 1, parts);
      const offset = from * sizeof<T>();
      activate<T>(op, word(record, Elementwise.output) + offset, word(record, Elementwise.input) + offset, to - from);
      break;
    }
    case Op.sigmoidBackward:
    case Op.reluBackward:
    case Op.tanhBackward: {
      const size = word(record, Backward.size);
      const rows = word(record, Backward.rows);
      const from = elementStart(size, rows, part, parts);
      const to = elementStart(size, rows, part + 1, parts);
      const offset = from * sizeof<T>();
      activateBackward<T>(
        op, word(record, Backward.output) + offset, word(record, Backward.gradient) + offset,
        word(record, Backward.saved) + offset, to - from,
      );
      break;
    }
    case Op.softmax: {
      const rows = word(record, Softmax.rows);
      const width = word(record, Softmax.width);
      const from = rowStart(rows, part, parts);
      const to = rowStart(rows, part + 1, parts);
      const offset = from * width * sizeof<T>();
      softmax<T>(word(record, Softmax.output) + offset, word(record, Softmax.input) + offset, to - from, width);
      break;
    }
    case Op.softmaxBackward: {
      const rows = word(record, SoftmaxBackward.rows);
      const width = word(record, SoftmaxBackward.width);
      const from = rowStart(rows, part, parts);
      const to = rowStart(rows, part + 1, parts);
      const offset = from * width * sizeof<T>();
      softmaxBackward<T>(
        word(record, SoftmaxBackward.output) + offset, word(record, SoftmaxBackward.gradient) + offset,
        word(record, SoftmaxBackward.saved) + offset, to - from, width,
      );
      break;
    }
    case Op.meanSquaredError:
    case Op.binaryCrossEntropy: {
      const rows = word(record, Loss.rows);
      const width = word(record, Loss.width);
      const from = rowStart(rows, part, parts) * width;
      const to = rowStart(rows, part + 1, parts) * width;
      const offset = from * sizeof<T>();
      const d = word(record, Loss.gradient) + offset;
      const losses = word(record, Loss.losses) + offset;
      const hits = word(record, Loss.hits) + offset;
      const y = word(record, Loss.prediction) + offset;
      const t = word(record, Loss.target) + offset;
      const scale = cell(record, Loss.scale);
      if (op == Op.meanSquaredError) meanSquaredError<T>(d, losses, hits, y, t, to - from, scale);
      else binaryCrossEntropy<T>(d, losses, hits, y, word(record, Loss.logits) + offset, t, to - from, scale);
      break;
    }
    case Op.crossEntropy: {
      const rows = word(record, Loss.rows);
      const width = word(record, Loss.width);
      const from = rowStart(rows, part, parts);
      const to = rowStart(rows, part + 1, parts);
      const offset = from * width * sizeof<T>();
      crossEntropy<T>(
        word(record, Loss.gradient) + offset, word(record, Loss.losses) + from * sizeof<T>(),
        word(record, Loss.hits) + from * sizeof<T>(), word(record, Loss.prediction) + offset,
        word(record, Loss.logits) + offset, word(record, Loss.target) + offset, to - from, width,
        cell(record, Loss.scale),
      );
      break;
    }
    case Op.gatherSparse:
    case Op.compress:
    case Op.sortByColumn:
    case Op.sparseProduct:
    case Op.sparseGradient:
      runSparse<T>(op, record, step, part, parts, thread);
      break;
    default:
      if (part == 0) executeAlone<T>(op, record, step);
  }
}

/** Operations that one thread does for all. */
function executeAlone<T>(op: Op, record: usize, step: usize): void {
  switch (op) {
    case Op.report:
      report<T>(
        word(record, Report.statistics), word(record, Report.losses), word(record, Report.hits),
        word(record, Report.size), cell(record, Report.weight), step,
      );
      break;
    case Op.uniform:
      uniform<T>(
        word(record, Uniform.output), word(record, Uniform.size), cell(record, Uniform.low),
        cell(record, Uniform.high), <u32>word(record, Uniform.seedLow), <u32>word(record, Uniform.seedHigh),
        <u32>word(record, Uniform.stream),
      );
      break;
    case Op.shuffle:
      shuffle(
        word(record, Shuffle.order), word(record, Shuffle.size), <u32>word(record, Shuffle.seedLow),
        <u32>word(record, Shuffle.seedHigh), <u32>word(record, Shuffle.stream),
      );
      break;
    default:
      unreachable();
  }
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
      while (!word(last, Word.barrier)) last += RECORD_BYTES;
      const parts = word(last, Word.barrier);
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
