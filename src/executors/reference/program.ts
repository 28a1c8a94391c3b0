// The interpreter in plain TypeScript: the same program, cut alike, the same bits. See assembly/program.ts.

import {
  Backward,
  ColumnSums,
  Compress,
  Cut,
  DataType,
  Epilogue,
  FIRST_DERIVATIVE,
  Forward,
  Gather,
  GatherSparse,
  Layout,
  Loss,
  Momentum,
  NO_EPILOGUE,
  OneHot,
  Op,
  Operand,
  Product,
  RECORD_WORDS,
  Report,
  Shuffle,
  SortByColumn,
  SparseGradient,
  SparseProduct,
  SparseSamples,
  SUM_BLOCK,
  Sum,
  TILE_ROWS,
  Transpose,
  Uniform,
  Word,
} from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { activate, activateBackward, softmax, softmaxBackward } from "./activations.js";
import { gather, oneHot } from "./batches.js";
import { product } from "./gemm.js";
import { binaryCrossEntropy, crossEntropy, meanSquaredError } from "./losses.js";
import { momentum } from "./optimizers.js";
import { shuffle, uniform } from "./random.js";
import { columnSums, report } from "./reductions.js";
import type { Round } from "./round.js";
import { compress, gatherSparse, sortByColumn, sparseGradient, sparseProduct } from "./sparse.js";
import { transpose } from "./transpose.js";

/** The memory in every type, and what depends on the working type. */
export interface Machine {
  u8: Uint8Array;
  u32: Uint32Array;
  f32: Float32Array;
  f64: Float64Array;
  /** The memory in the working type. */
  f: FloatArray;
  /** log2 of the working type's bytes. */
  shift: number;
  round: Round;
  /** A row of the working type, at least `length` long. */
  scratch(length: number): FloatArray;
}

/** Does `part` of the `count` records from byte `offset` on: one operation after the other. */
export function run(
  machine: Machine,
  offset: number,
  count: number,
  step: number,
  part: number,
  parts: number,
): void {
  const first = offset / 4;
  const end = first + count * RECORD_WORDS;
  for (let record = first; record < end; record += RECORD_WORDS) execute(machine, record, step, part, parts);
}

/** Where `part` begins when `size` outputs are cut in multiples of `grain`. */
function partStart(size: number, grain: number, part: number, parts: number): number {
  const grains = Math.ceil(size / grain);
  return Math.min(size, Math.floor((grains * part) / parts) * grain);
}

/** What is cut in multiples of how many: whole tiles of a batch's rows, so that no operation cuts them otherwise. */
function grainOf(cut: Cut, size: number, parts: number): number {
  if (cut === Cut.terms) return SUM_BLOCK;
  return cut === Cut.batch && size >= TILE_ROWS * parts ? TILE_ROWS : 1;
}

function execute(machine: Machine, record: number, step: number, part: number, parts: number): void {
  const { u32, f64, f, shift, round } = machine;
  const word = (index: number) => u32[record + (index & Operand.position)];
  const element = (index: number) => word(index) >>> shift;
  const index = (operand: number) => word(operand) / 4;
  const cell = (operand: number) => f64[word(operand) / 8];
  const op: Op = word(Word.opcode);
  const cut: Cut = word(Word.cut);
  const width = word(Word.width);
  const all = word(Word.count);
  // The part is `count` rows from the `from`th on, or columns, elements or terms.
  let from = 0;
  let count = all;
  if (cut === Cut.whole && part > 0) return;
  if (cut !== Cut.whole && cut !== Cut.own) {
    const grain = grainOf(cut, all, parts);
    from = partStart(all, grain, part, parts);
    count = partStart(all, grain, part + 1, parts) - from;
  }
  // How far into its own matrices the part begins, and how many elements of them it has.
  const offset = from * width;
  const size = count * width;
  const own = (operand: number) => element(operand) + offset;
  switch (op) {
    case Op.sigmoid:
    case Op.relu:
    case Op.tanh:
    case Op.exp:
    case Op.log:
      activate(f, op, own(Forward.output), own(Forward.input), size);
      break;
    case Op.sigmoidBackward:
    case Op.reluBackward:
    case Op.tanhBackward:
      activateBackward(f, round, op, own(Backward.output), own(Backward.gradient), own(Backward.saved), size);
      break;
    case Op.softmax:
      softmax(f, round, own(Forward.output), own(Forward.input), count, width);
      break;
    case Op.softmaxBackward: {
      const products = machine.scratch(width);
      const [dx, dy, y] = [own(Backward.output), own(Backward.gradient), own(Backward.saved)];
      softmaxBackward(f, round, dx, dy, y, count, width, products);
      break;
    }
    case Op.meanSquaredError:
    case Op.binaryCrossEntropy:
    case Op.crossEntropy: {
      const [d, y, z, t] = [own(Loss.gradient), own(Loss.prediction), own(Loss.logits), own(Loss.target)];
      const term = op === Op.crossEntropy ? from : offset;
      const [losses, hits] = [element(Loss.losses) + term, element(Loss.hits) + term];
      const scale = (cell(Loss.rate) * word(Loss.factor)) / word(Loss.terms);
      if (op === Op.meanSquaredError) meanSquaredError(f, round, d, losses, hits, y, t, size, scale);
      else if (op === Op.binaryCrossEntropy)
        binaryCrossEntropy(f, round, d, losses, hits, y, z, t, size, scale);
      else crossEntropy(f, round, d, losses, hits, y, z, t, count, width, scale, machine.scratch(width));
      break;
    }
    case Op.report: {
      const [losses, hits] = [element(Report.losses), element(Report.hits)];
      report(f, f64, word(Report.statistics) / 8, losses, hits, count, cell(Report.weight), step);
      break;
    }
    case Op.gather: {
      const source = sourceOf(machine, word(Gather.dataType));
      const data = word(Gather.data) / source.BYTES_PER_ELEMENT;
      const position = step * word(Gather.batch) + from;
      const [order, scale] = [index(Gather.order), cell(Gather.scale)];
      gather(f, round, source, u32, own(Gather.output), data, order, position, count, width, scale);
      break;
    }
    case Op.oneHot: {
      const position = step * word(OneHot.batch) + from;
      oneHot(f, u32, own(OneHot.output), index(OneHot.data), index(OneHot.order), position, count, width);
      break;
    }
    case Op.gatherSparse: {
      const capacity = word(GatherSparse.capacity);
      const counts = index(GatherSparse.counts) + from;
      const columns = index(GatherSparse.columns) + from * capacity;
      const values = element(GatherSparse.values) + from * capacity;
      gatherSparse(f, round, samplesOf(machine, word, step, from), counts, columns, values, capacity, count);
      break;
    }
    case Op.compress: {
      const [counts, columns] = [index(Compress.counts) + from, index(Compress.columns) + offset];
      compress(f, u32, counts, columns, own(Compress.values), width, own(Compress.input), count);
      break;
    }
    case Op.sortByColumn: {
      const pieces = word(SortByColumn.pieces);
      // A piece is made whole, with the first of its parts.
      const piece = (part * pieces) / parts;
      if (!Number.isInteger(piece)) break;
      const starts = (word(SortByColumn.starts) + piece * word(SortByColumn.startsBytes)) / 4;
      const [rowsOf, valuesOf] = [index(SortByColumn.rowsOf), element(SortByColumn.valuesOf)];
      const samples = samplesOf(machine, word, step, 0);
      const [first, end] = [partStart(width, 1, piece, pieces), partStart(width, 1, piece + 1, pieces)];
      sortByColumn(f, round, samples, starts, rowsOf, valuesOf, count, first, end);
      break;
    }
    case Op.shuffle: {
      const stream = (word(Shuffle.stream) + cell(Shuffle.epoch)) % 2 ** 32;
      shuffle(u32, index(Shuffle.order), count, word(Shuffle.seedLow), word(Shuffle.seedHigh), stream);
      break;
    }
    case Op.product:
      executeProduct(machine, word, from, count, parts);
      break;
    case Op.columnSums: {
      const [output, input] = [own(ColumnSums.output), own(ColumnSums.input)];
      columnSums(
        f,
        output,
        input,
        word(ColumnSums.rows),
        all,
        count,
        word(Sum.start),
        machine.scratch(count),
      );
      break;
    }
    case Op.transpose:
      transpose(
        f,
        element(Transpose.output),
        element(Transpose.input),
        word(Transpose.rows),
        all,
        from,
        from + count,
      );
      break;
    case Op.sparseProduct: {
      const output = own(SparseProduct.output);
      const capacity = word(SparseProduct.capacity);
      sparseProduct(
        f,
        round,
        u32,
        output,
        index(SparseProduct.counts) + from,
        index(SparseProduct.columns) + from * capacity,
        element(SparseProduct.values) + from * capacity,
        capacity,
        element(SparseProduct.right),
        count,
        width,
        word(Sum.start),
        element(Sum.bias),
      );
      runEpilogue(machine, word, output, offset, size);
      break;
    }
    case Op.sparseGradient: {
      const piece = Math.floor((part * word(SparseGradient.pieces)) / parts);
      sparseGradient(
        f,
        round,
        u32,
        element(SparseGradient.output),
        (word(SparseGradient.starts) + piece * word(SparseGradient.startsBytes)) / 4,
        index(SparseGradient.rowsOf),
        element(SparseGradient.valuesOf),
        element(SparseGradient.gradient),
        partStart(all, 1, part, parts),
        partStart(all, 1, part + 1, parts),
        width,
        word(Sum.start),
        machine.scratch(width),
      );
      break;
    }
    case Op.uniform: {
      const [low, high] = [cell(Uniform.low), cell(Uniform.high)];
      const [seedLow, seedHigh] = [word(Uniform.seedLow), word(Uniform.seedHigh)];
      uniform(f, element(Uniform.output), count, low, high, seedLow, seedHigh, word(Uniform.stream));
      break;
    }
    case Op.momentum: {
      const [w, v, g] = [own(Momentum.parameters), own(Momentum.velocity), own(Momentum.gradients)];
      const nesterov = word(Momentum.nesterov) !== 0;
      momentum(f, round, w, v, g, size, cell(Momentum.rate), cell(Momentum.momentum), nesterov);
      break;
    }
    default:
      throw new Error(`opcode ${op} is unknown`);
  }
}

type Words = (index: number) => number;

/** A rectangle of the output, or a range of the terms: see assembly/program.ts. */
function executeProduct(machine: Machine, word: Words, from: number, count: number, parts: number): void {
  const { f, shift } = machine;
  const element = (index: number) => word(index) >>> shift;
  const cut: Cut = word(Word.cut);
  const m = word(Product.m);
  const n = word(Product.n);
  const k = word(Product.k);
  let [top, side, first] = [0, 0, 0];
  let [rows, columns, terms] = [m, n, k];
  if (parts > 1) {
    if (cut === Cut.columns) [side, columns] = [from, count];
    else if (cut === Cut.terms) [first, terms] = [from, count];
    else [top, rows] = [from, count];
  }
  const layout = word(Product.layout);
  const [leftRow, leftStep] = layout & Layout.transposed ? [1, m] : [k, 1];
  const [rightRow, rightStep] = layout & Layout.rightTransposed ? [1, k] : [n, 1];
  const offset = top * n + side;
  const output = element(Product.output) + offset;
  product(
    f,
    output,
    n,
    element(Product.left) + top * leftRow + first * leftStep,
    leftRow,
    leftStep,
    element(Product.right) + side * rightStep + first * rightRow,
    rightRow,
    rightStep,
    rows,
    columns,
    terms,
    word(Sum.start),
    element(Sum.bias) + side,
    machine.scratch(columns),
  );
  // Whole rows lie next to each other.
  if (columns === n) runEpilogue(machine, word, output, offset, rows * n);
  else for (let i = 0; i < rows; i++) runEpilogue(machine, word, output + i * n, offset + i * n, columns);
}

/** Applies an epilogue in place to n elements, `offset` elements into the output. */
function runEpilogue(
  { f, round, shift }: Machine,
  word: Words,
  output: number,
  offset: number,
  n: number,
): void {
  const epilogue = word(Epilogue.op);
  if (epilogue === NO_EPILOGUE) return;
  const saved = (word(Epilogue.saved) >>> shift) + offset;
  if (epilogue >= FIRST_DERIVATIVE) activateBackward(f, round, epilogue, output, output, saved, n);
  else activate(f, epilogue, output, output, n);
}

/** The heap in the element type of a data set. */
function sourceOf(machine: Machine, dataType: DataType): Uint8Array | FloatArray {
  if (dataType === DataType.u8) return machine.u8;
  return dataType === DataType.f32 ? machine.f32 : machine.f64;
}

/** The samples of a sparse data set that a batch's rows from the `from`th on are. */
function samplesOf(machine: Machine, word: Words, step: number, from: number) {
  const source = sourceOf(machine, word(SparseSamples.dataType));
  return {
    u32: machine.u32,
    source,
    starts: word(SparseSamples.starts) / 4,
    columns: word(SparseSamples.columns) / 4,
    values: word(SparseSamples.values) / source.BYTES_PER_ELEMENT,
    order: word(SparseSamples.order) / 4,
    position: step * word(SparseSamples.batch) + from,
    scale: machine.f64[word(SparseSamples.scale) / 8],
  };
}
