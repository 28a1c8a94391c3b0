// The interpreter in plain TypeScript: the same program, the same bits. See assembly/program.ts.

import {
  Backward,
  ColumnSums,
  Compress,
  DataType,
  Elementwise,
  Gather,
  GatherSparse,
  Layout,
  Loss,
  NO_EPILOGUE,
  OneHot,
  Op,
  Product,
  RECORD_WORDS,
  Report,
  Shuffle,
  Softmax,
  SoftmaxBackward,
  SortByColumn,
  SparseGradient,
  SparseProduct,
  SparseSamples,
  Transpose,
  Uniform,
  Word,
} from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { activate, activateBackward, softmax, softmaxBackward } from "./activations.js";
import { gather, oneHot } from "./batches.js";
import { product, productOfTransposed } from "./gemm.js";
import { binaryCrossEntropy, crossEntropy, meanSquaredError } from "./losses.js";
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

/** Runs `count` records from byte `program` on, for each step. */
export function run(
  machine: Machine,
  program: number,
  count: number,
  fromStep: number,
  toStep: number,
): void {
  const first = program / 4;
  const end = first + count * RECORD_WORDS;
  for (let step = fromStep; step < toStep; step++) {
    for (let record = first; record < end; record += RECORD_WORDS) execute(machine, record, step);
  }
}

function execute(machine: Machine, record: number, step: number): void {
  const { u32, f64, f, shift, round } = machine;
  const word = (index: number) => u32[record + index];
  const element = (index: number) => u32[record + index] >>> shift;
  const cell = (index: number) => f64[u32[record + index] / 8];
  const op: Op = word(Word.opcode);
  switch (op) {
    case Op.gather: {
      const source = sourceOf(machine, word(Gather.dataType));
      gather(
        f,
        round,
        source,
        u32,
        element(Gather.output),
        word(Gather.data) / source.BYTES_PER_ELEMENT,
        word(Gather.order) / 4,
        step * word(Gather.batch),
        word(Gather.rows),
        word(Gather.width),
        cell(Gather.scale),
      );
      break;
    }
    case Op.oneHot:
      oneHot(
        f,
        u32,
        element(OneHot.output),
        word(OneHot.data) / 4,
        word(OneHot.order) / 4,
        step * word(OneHot.batch),
        word(OneHot.rows),
        word(OneHot.width),
      );
      break;
    case Op.product: {
      const m = word(Product.m);
      const n = word(Product.n);
      const k = word(Product.k);
      const transposed = word(Product.layout) & Layout.transposed;
      const output = element(Product.output);
      if (word(Product.layout) & Layout.rightTransposed) {
        const start = word(Product.start);
        const bias = element(Product.bias);
        productOfTransposed(f, output, element(Product.left), element(Product.right), m, n, k, start, bias);
        runEpilogue(machine, word(Product.epilogue), output, element(Product.saved), m * n);
        break;
      }
      product(
        f,
        output,
        element(Product.left),
        transposed ? 1 : k,
        transposed ? m : 1,
        element(Product.right),
        m,
        n,
        k,
        word(Product.start),
        element(Product.bias),
        machine.scratch(n),
      );
      runEpilogue(machine, word(Product.epilogue), output, element(Product.saved), m * n);
      break;
    }
    case Op.gatherSparse:
    case Op.compress:
    case Op.sortByColumn:
    case Op.sparseProduct:
    case Op.sparseGradient:
      executeSparse(machine, op, record, step);
      break;
    case Op.columnSums: {
      const width = word(ColumnSums.width);
      columnSums(
        f,
        element(ColumnSums.output),
        element(ColumnSums.input),
        word(ColumnSums.rows),
        width,
        word(ColumnSums.start),
        machine.scratch(width),
      );
      break;
    }
    case Op.transpose:
      transpose(
        f,
        element(Transpose.output),
        element(Transpose.input),
        word(Transpose.rows),
        word(Transpose.width),
      );
      break;
    case Op.sigmoid:
    case Op.relu:
    case Op.tanh:
    case Op.exp:
    case Op.log:
      activate(f, op, element(Elementwise.output), element(Elementwise.input), word(Elementwise.size));
      break;
    case Op.sigmoidBackward:
    case Op.reluBackward:
    case Op.tanhBackward:
      activateBackward(
        f,
        round,
        op,
        element(Backward.output),
        element(Backward.gradient),
        element(Backward.saved),
        word(Backward.size),
      );
      break;
    case Op.softmax:
      softmax(
        f,
        round,
        element(Softmax.output),
        element(Softmax.input),
        word(Softmax.rows),
        word(Softmax.width),
      );
      break;
    case Op.softmaxBackward: {
      const width = word(SoftmaxBackward.width);
      softmaxBackward(
        f,
        round,
        element(SoftmaxBackward.output),
        element(SoftmaxBackward.gradient),
        element(SoftmaxBackward.saved),
        word(SoftmaxBackward.rows),
        width,
        machine.scratch(width),
      );
      break;
    }
    case Op.meanSquaredError:
    case Op.binaryCrossEntropy:
    case Op.crossEntropy:
      executeLoss(machine, op, element, word(Loss.rows), word(Loss.width), cell(Loss.scale));
      break;
    case Op.report:
      report(
        f,
        f64,
        word(Report.statistics) / 8,
        element(Report.losses),
        element(Report.hits),
        word(Report.size),
        cell(Report.weight),
        step,
      );
      break;
    case Op.uniform:
      uniform(
        f,
        element(Uniform.output),
        word(Uniform.size),
        cell(Uniform.low),
        cell(Uniform.high),
        word(Uniform.seedLow),
        word(Uniform.seedHigh),
        word(Uniform.stream),
      );
      break;
    case Op.shuffle:
      shuffle(
        u32,
        word(Shuffle.order) / 4,
        word(Shuffle.size),
        word(Shuffle.seedLow),
        word(Shuffle.seedHigh),
        word(Shuffle.stream),
      );
      break;
    default:
      throw new Error(`opcode ${op} is unknown`);
  }
}

/** Applies an epilogue in place over n elements. */
function runEpilogue(
  { f, round }: Machine,
  epilogue: number,
  output: number,
  saved: number,
  n: number,
): void {
  if (epilogue === NO_EPILOGUE) return;
  if (epilogue >= Op.sigmoidBackward) activateBackward(f, round, epilogue, output, output, saved, n);
  else activate(f, epilogue, output, output, n);
}

/** The heap in the element type of a data set. */
function sourceOf(machine: Machine, dataType: DataType): Uint8Array | FloatArray {
  if (dataType === DataType.u8) return machine.u8;
  return dataType === DataType.f32 ? machine.f32 : machine.f64;
}

function executeSparse(machine: Machine, op: Op, record: number, step: number): void {
  const { u32, f64, f, shift, round } = machine;
  const word = (index: number) => u32[record + index];
  const element = (index: number) => u32[record + index] >>> shift;
  switch (op) {
    case Op.gatherSparse: {
      const source = sourceOf(machine, word(SparseSamples.dataType));
      gatherSparse(
        f,
        round,
        u32,
        source,
        word(GatherSparse.counts) / 4,
        word(GatherSparse.columns) / 4,
        element(GatherSparse.values),
        word(GatherSparse.capacity),
        word(SparseSamples.starts) / 4,
        word(SparseSamples.columns) / 4,
        word(SparseSamples.values) / source.BYTES_PER_ELEMENT,
        word(SparseSamples.order) / 4,
        step * word(SparseSamples.batch),
        word(SparseSamples.rows),
        f64[word(SparseSamples.scale) / 8],
      );
      break;
    }
    case Op.compress:
      compress(
        f,
        u32,
        word(Compress.counts) / 4,
        word(Compress.columns) / 4,
        element(Compress.values),
        word(Compress.capacity),
        element(Compress.input),
        word(Compress.rows),
      );
      break;
    case Op.sortByColumn: {
      const source = sourceOf(machine, word(SparseSamples.dataType));
      sortByColumn(
        f,
        round,
        u32,
        source,
        word(SortByColumn.starts) / 4,
        word(SortByColumn.rowsOf) / 4,
        element(SortByColumn.valuesOf),
        word(SparseSamples.starts) / 4,
        word(SparseSamples.columns) / 4,
        word(SparseSamples.values) / source.BYTES_PER_ELEMENT,
        word(SparseSamples.order) / 4,
        step * word(SparseSamples.batch),
        word(SparseSamples.rows),
        word(SortByColumn.width),
        f64[word(SparseSamples.scale) / 8],
      );
      break;
    }
    case Op.sparseProduct: {
      const rows = word(SparseProduct.rows);
      const width = word(SparseProduct.width);
      const output = element(SparseProduct.output);
      sparseProduct(
        f,
        round,
        u32,
        output,
        word(SparseProduct.counts) / 4,
        word(SparseProduct.columns) / 4,
        element(SparseProduct.values),
        word(SparseProduct.capacity),
        element(SparseProduct.right),
        rows,
        width,
        word(SparseProduct.start),
        element(SparseProduct.bias),
      );
      runEpilogue(machine, word(SparseProduct.epilogue), output, element(SparseProduct.saved), rows * width);
      break;
    }
    default: {
      const width = word(SparseGradient.width);
      sparseGradient(
        f,
        round,
        u32,
        element(SparseGradient.output),
        word(SparseGradient.starts) / 4,
        word(SparseGradient.rowsOf) / 4,
        element(SparseGradient.valuesOf),
        element(SparseGradient.gradient),
        word(SparseGradient.inputs),
        width,
        word(SparseGradient.start),
        machine.scratch(width),
      );
    }
  }
}

function executeLoss(
  { f, round, scratch }: Machine,
  op: Op,
  element: (index: number) => number,
  rows: number,
  width: number,
  scale: number,
): void {
  const d = element(Loss.gradient);
  const losses = element(Loss.losses);
  const hits = element(Loss.hits);
  const y = element(Loss.prediction);
  const z = element(Loss.logits);
  const t = element(Loss.target);
  if (op === Op.meanSquaredError) {
    meanSquaredError(f, round, d, losses, hits, y, t, rows * width, scale);
  } else if (op === Op.binaryCrossEntropy) {
    binaryCrossEntropy(f, round, d, losses, hits, y, z, t, rows * width, scale);
  } else {
    crossEntropy(f, round, d, losses, hits, y, z, t, rows, width, scale, scratch(width));
  }
}
