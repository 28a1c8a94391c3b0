// The interpreter in plain TypeScript: the same program, the same bits. See assembly/program.ts.

import {
  Backward,
  ColumnSums,
  Compress,
  Cut,
  DataType,
  Epilogue,
  FIRST_DERIVATIVE,
  FIRST_ROW_LOSS,
  Forward,
  Gather,
  GatherSparse,
  Layout,
  Loss,
  Momentum,
  NO_EPILOGUE,
  OneHot,
  Op,
  PrepareTargets,
  Product,
  RECORD_WORDS,
  Report,
  Shuffle,
  SortByColumn,
  SparseGradient,
  SparseProduct,
  SparseSamples,
  type Start,
  Sum,
  TILE_ROWS,
  Transpose,
  Uniform,
  Weigh,
  Word,
} from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { activate, activateBackward, softmax, softmaxBackward } from "./activations.js";
import { gather, oneHot } from "./batches.js";
import { product, productOfTransposed } from "./gemm.js";
import { binaryCrossEntropy, crossEntropy, meanSquaredError } from "./losses.js";
import type { Machine } from "./machine.js";
import { momentum } from "./optimizers.js";
import { shuffle, uniform } from "./random.js";
import { elementLoss, rowLoss } from "./rare-losses.js";
import { columnSums, report } from "./reductions.js";
import { compress, gatherSparse, sortByColumn, sparseGradient, sparseProduct } from "./sparse.js";
import { transpose } from "./transpose.js";
import { prepareTargets, weigh } from "./weights.js";

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

/** Where `part` of the rows of a batch begins: in whole tiles, if there are enough of them for all parts. */
function partStart(size: number, part: number, parts: number): number {
  const grain = size >= TILE_ROWS * parts ? TILE_ROWS : 1;
  return Math.min(size, Math.floor((Math.ceil(size / grain) * part) / parts) * grain) | 0;
}

function execute(machine: Machine, record: number, step: number, part: number, parts: number): void {
  machine.open(record);
  const { u32, f64, f, round } = machine;
  const op: Op = machine.word(Word.opcode);
  const cut: Cut = machine.word(Word.cut);
  // Elements have numbers of 31 bits; told so, V8 does not compute them as floating-point numbers in every loop.
  const width = machine.word(Word.width) | 0;
  const all = machine.word(Word.count) | 0;
  // The part is `count` rows or elements from the `from`th on.
  let from = 0;
  let count = all;
  if (parts > 1) {
    if (cut === Cut.batch || cut === Cut.elements) {
      from = partStart(all, part, parts);
      count = partStart(all, part + 1, parts) - from;
    } else if (part !== Math.floor(record / RECORD_WORDS) % parts) {
      // What is cut otherwise is cut for speed alone. One part does it, each operation another one: what needs another's
      // results must wait for it here as well.
      return;
    }
  }
  // How far into its own matrices the part begins, and how many elements of them it has.
  const offset = Math.imul(from, width);
  const size = Math.imul(count, width);
  machine.offset = offset;
  switch (op) {
    case Op.sigmoid:
    case Op.relu:
    case Op.tanh:
    case Op.exp:
    case Op.log:
      activate(f, op, machine.own(Forward.output), machine.own(Forward.input), size);
      break;
    case Op.sigmoidBackward:
    case Op.reluBackward:
    case Op.tanhBackward:
      activateBackward(
        f,
        round,
        op,
        machine.own(Backward.output),
        machine.own(Backward.gradient),
        machine.own(Backward.saved),
        size,
      );
      break;
    case Op.softmax:
      softmax(f, round, machine.own(Forward.output), machine.own(Forward.input), count, width);
      break;
    case Op.softmaxBackward: {
      const products = machine.scratch(width);
      const dx = machine.own(Backward.output);
      const dy = machine.own(Backward.gradient);
      const y = machine.own(Backward.saved);
      softmaxBackward(f, round, dx, dy, y, count, width, products);
      break;
    }
    case Op.meanSquaredError:
    case Op.binaryCrossEntropy:
    case Op.crossEntropy: {
      const d = machine.own(Loss.gradient);
      const y = machine.own(Loss.prediction);
      const z = machine.own(Loss.logits);
      const t = machine.own(Loss.target);
      const term = op === Op.crossEntropy ? from : offset;
      const losses = machine.element(Loss.losses) + term;
      const hits = machine.element(Loss.hits) + term;
      const scale = (machine.cell(Loss.rate) * machine.word(Loss.factor)) / machine.word(Loss.terms);
      if (op === Op.meanSquaredError) meanSquaredError(f, round, d, losses, hits, y, t, size, scale);
      else if (op === Op.binaryCrossEntropy)
        binaryCrossEntropy(f, round, d, losses, hits, y, z, t, size, scale);
      else crossEntropy(f, round, d, losses, hits, y, z, t, count, width, scale, machine.scratch(width));
      break;
    }
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
      runRareLoss(machine, op, from, count, width);
      break;
    case Op.prepareTargets:
    case Op.weigh:
      runWeights(machine, op, from, count, width, all);
      break;
    case Op.report: {
      const losses = machine.element(Report.losses);
      const hits = machine.element(Report.hits);
      report(
        f,
        f64,
        machine.word(Report.statistics) / 8,
        losses,
        hits,
        count,
        machine.cell(Report.weight),
        step,
      );
      break;
    }
    case Op.gather: {
      const source = sourceOf(machine, machine.word(Gather.dataType));
      const data = machine.word(Gather.data) / source.BYTES_PER_ELEMENT;
      const position = step * machine.word(Gather.batch) + from;
      const order = machine.index(Gather.order);
      const scale = machine.cell(Gather.scale);
      gather(f, round, source, u32, machine.own(Gather.output), data, order, position, count, width, scale);
      break;
    }
    case Op.oneHot: {
      const position = step * machine.word(OneHot.batch) + from;
      oneHot(
        f,
        u32,
        machine.own(OneHot.output),
        machine.index(OneHot.data),
        machine.index(OneHot.order),
        position,
        count,
        width,
      );
      break;
    }
    case Op.gatherSparse: {
      const capacity = machine.word(GatherSparse.capacity);
      const counts = machine.index(GatherSparse.counts) + from;
      const columns = machine.index(GatherSparse.columns) + from * capacity;
      const values = machine.element(GatherSparse.values) + from * capacity;
      gatherSparse(f, round, samplesOf(machine, step, from), counts, columns, values, capacity, count);
      break;
    }
    case Op.compress: {
      const counts = machine.index(Compress.counts) + from;
      const columns = machine.index(Compress.columns) + offset;
      compress(
        f,
        u32,
        counts,
        columns,
        machine.own(Compress.values),
        width,
        machine.own(Compress.input),
        count,
      );
      break;
    }
    case Op.sortByColumn: {
      // In one piece, whatever the number of pieces that there is room for.
      const starts = machine.index(SortByColumn.starts);
      const rowsOf = machine.index(SortByColumn.rowsOf);
      const valuesOf = machine.element(SortByColumn.valuesOf);
      sortByColumn(f, round, samplesOf(machine, step, 0), starts, rowsOf, valuesOf, count, width);
      break;
    }
    case Op.shuffle: {
      const stream = (machine.word(Shuffle.stream) + machine.cell(Shuffle.epoch)) % 2 ** 32;
      shuffle(
        u32,
        machine.index(Shuffle.order),
        count,
        machine.word(Shuffle.seedLow),
        machine.word(Shuffle.seedHigh),
        stream,
      );
      break;
    }
    case Op.product:
      executeProduct(machine, from, count);
      break;
    case Op.columnSums: {
      const output = machine.element(ColumnSums.output);
      const input = machine.element(ColumnSums.input);
      const rows = machine.word(ColumnSums.rows);
      columnSums(f, output, input, rows, count, machine.word(Sum.start), machine.scratch(count));
      break;
    }
    case Op.transpose: {
      const rows = machine.word(Transpose.rows);
      transpose(f, machine.element(Transpose.output), machine.element(Transpose.input), rows, count);
      break;
    }
    case Op.sparseProduct: {
      const output = machine.own(SparseProduct.output);
      const capacity = machine.word(SparseProduct.capacity);
      sparseProduct(
        f,
        round,
        u32,
        output,
        machine.index(SparseProduct.counts) + from,
        machine.index(SparseProduct.columns) + from * capacity,
        machine.element(SparseProduct.values) + from * capacity,
        capacity,
        machine.element(SparseProduct.right),
        count,
        width,
        machine.word(Sum.start),
        machine.element(Sum.bias),
      );
      runEpilogue(machine, output, offset, size);
      break;
    }
    case Op.sparseGradient:
      sparseGradient(
        f,
        round,
        u32,
        machine.element(SparseGradient.output),
        machine.index(SparseGradient.starts),
        machine.index(SparseGradient.rowsOf),
        machine.element(SparseGradient.valuesOf),
        machine.element(SparseGradient.gradient),
        count,
        width,
        machine.word(Sum.start),
        machine.scratch(width),
      );
      break;
    case Op.uniform: {
      const low = machine.cell(Uniform.low);
      const high = machine.cell(Uniform.high);
      const seedLow = machine.word(Uniform.seedLow);
      const seedHigh = machine.word(Uniform.seedHigh);
      uniform(
        f,
        machine.element(Uniform.output),
        count,
        low,
        high,
        seedLow,
        seedHigh,
        machine.word(Uniform.stream),
      );
      break;
    }
    case Op.momentum: {
      const w = machine.own(Momentum.parameters);
      const v = machine.own(Momentum.velocity);
      const g = machine.own(Momentum.gradients);
      const nesterov = machine.word(Momentum.nesterov) !== 0;
      momentum(
        f,
        round,
        w,
        v,
        g,
        size,
        machine.cell(Momentum.rate),
        machine.cell(Momentum.momentum),
        nesterov,
      );
      break;
    }
    default:
      throw new Error(`opcode ${op} is unknown`);
  }
}

function runRareLoss(machine: Machine, op: Op, from: number, count: number, width: number): void {
  const { f, f64 } = machine;
  const ofRows = op >= FIRST_ROW_LOSS;
  const term = ofRows ? from : machine.offset;
  const d = machine.own(Loss.gradient);
  const losses = machine.element(Loss.losses) + term;
  const hits = machine.element(Loss.hits) + term;
  const y = machine.own(Loss.prediction);
  // Where an activation is fused, from the logits.
  const fused = op === Op.binaryFocal || op === Op.focal || op === Op.klDivergence;
  const x = fused ? machine.own(Loss.logits) : y;
  const t = machine.own(Loss.target);
  const scale = (machine.cell(Loss.rate) * machine.word(Loss.factor)) / machine.word(Loss.terms);
  const first = machine.word(Loss.parameters) / 8;
  const parameters = f64.subarray(first, first + 2);
  if (ofRows) rowLoss(f, op, d, losses, hits, y, x, t, count, width, scale, parameters);
  else elementLoss(f, op, d, losses, hits, y, x, t, count * width, scale, parameters);
}

function runWeights(machine: Machine, op: Op, from: number, count: number, width: number, all: number): void {
  const { f, f64 } = machine;
  const termWidth = machine.word(PrepareTargets.termWidth);
  const perRow = width / termWidth;
  if (op === Op.prepareTargets) {
    prepareTargets(
      f,
      f64,
      machine.element(PrepareTargets.target),
      machine.element(PrepareTargets.weights),
      machine.element(PrepareTargets.shares),
      machine.word(PrepareTargets.sampleWeights) ? machine.element(PrepareTargets.sampleWeights) : undefined,
      machine.word(PrepareTargets.settings) / 8,
      machine.word(PrepareTargets.classes),
      from * perRow,
      count * perRow,
      perRow,
      termWidth,
    );
  } else {
    weigh(
      f,
      f64,
      machine.element(Weigh.gradient),
      machine.element(Weigh.losses),
      machine.element(Weigh.hits),
      machine.element(Weigh.weights),
      machine.element(Weigh.shares),
      machine.word(Weigh.statistics) / 8,
      from * perRow,
      count * perRow,
      termWidth,
      all * perRow,
    );
  }
}

/** `count` rows from the `from`th on, if it is cut by those of a batch; else all of it. */
function executeProduct(machine: Machine, from: number, count: number): void {
  const { f } = machine;
  const cutByRows = machine.word(Word.cut) === Cut.batch;
  const m = machine.word(Product.m) | 0;
  const n = machine.word(Product.n) | 0;
  const k = machine.word(Product.k) | 0;
  const top = cutByRows ? from : 0;
  const rows = cutByRows ? count : m;
  const layout = machine.word(Product.layout);
  const leftRow = layout & Layout.transposed ? 1 : k;
  const left = (machine.element(Product.left) + top * leftRow) | 0;
  const right = machine.element(Product.right);
  const offset = (top * n) | 0;
  const output = (machine.element(Product.output) + offset) | 0;
  const start: Start = machine.word(Sum.start);
  const bias = machine.element(Sum.bias);
  if (layout & Layout.rightTransposed) {
    productOfTransposed(f, output, left, right, rows, n, k, start, bias);
  } else {
    const leftStep = layout & Layout.transposed ? m : 1;
    product(f, output, left, leftRow, leftStep, right, rows, n, k, start, bias, machine.scratch(n));
  }
  runEpilogue(machine, output, offset, rows * n);
}

/** Applies an epilogue in place to n elements, `offset` elements into the output. */
function runEpilogue(machine: Machine, output: number, offset: number, n: number): void {
  const { f, round } = machine;
  const epilogue = machine.word(Epilogue.op);
  if (epilogue === NO_EPILOGUE) return;
  const saved = machine.element(Epilogue.saved) + offset;
  if (epilogue >= FIRST_DERIVATIVE) activateBackward(f, round, epilogue, output, output, saved, n);
  else activate(f, epilogue, output, output, n);
}

/** The heap in the element type of a data set. */
function sourceOf(machine: Machine, dataType: DataType): Uint8Array | FloatArray {
  if (dataType === DataType.u8) return machine.u8;
  return dataType === DataType.f32 ? machine.f32 : machine.f64;
}

/** The samples of a sparse data set that a batch's rows from the `from`th on are. */
function samplesOf(machine: Machine, step: number, from: number) {
  const source = sourceOf(machine, machine.word(SparseSamples.dataType));
  return {
    u32: machine.u32,
    source,
    starts: machine.word(SparseSamples.starts) / 4,
    columns: machine.word(SparseSamples.columns) / 4,
    values: machine.word(SparseSamples.values) / source.BYTES_PER_ELEMENT,
    order: machine.word(SparseSamples.order) / 4,
    position: step * machine.word(SparseSamples.batch) + from,
    scale: machine.f64[machine.word(SparseSamples.scale) / 8],
  };
}
