// The interpreter in plain TypeScript: the same program, the same bits. See assembly/program.ts.

import {
  Adjust,
  Backward,
  ClipFactor,
  ColumnSums,
  Columns,
  Compress,
  Count,
  Curve,
  CurveOf,
  Cut,
  DataType,
  Epilogue,
  FIRST_DERIVATIVE,
  FIRST_ROW_LOSS,
  Forward,
  Gather,
  GatherSparse,
  Indices,
  Keep,
  Layout,
  Loss,
  MaxNorm,
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
  Squares,
  Standardize,
  type Start,
  Sum,
  TILE_ROWS,
  Transpose,
  Uniform,
  Update,
  Weigh,
  Word,
} from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";
import { activate, activateBackward, softmax, softmaxBackward } from "./activations.js";
import { gather, indices, oneHot, standardize } from "./batches.js";
import { curve, logSoftmax } from "./curves.js";
import { product, productOfTransposed } from "./gemm.js";
import { binaryCrossEntropy, crossEntropy, meanSquaredError } from "./losses.js";
import type { Machine } from "./machine.js";
import { dropout, normal } from "./noise.js";
import { columnMoments, columnProducts, normalize, normalizeBackward } from "./normalization.js";
import { adjust, clipFactor, maxNorm, squares, update } from "./optimizers.js";
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
    case Op.multiply:
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
    case Op.curve: {
      const y = machine.own(CurveOf.output);
      const dy = machine.word(CurveOf.gradient) ? machine.own(CurveOf.gradient) : undefined;
      const x = machine.own(CurveOf.input);
      const kind: Curve = machine.word(CurveOf.kind);
      const row = machine.element(CurveOf.parameter);
      if (kind === Curve.logSoftmax) logSoftmax(f, y, dy, x, count, width);
      else curve(f, kind, y, dy, x, size, width, machine.cell(CurveOf.parameter), row);
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
      const scale = scaleOf(machine, step);
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
      runRareLoss(machine, op, from, count, width, step);
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
      if (machine.word(Columns.mean)) executeStandardize(machine, Gather.output, Gather.output, count, width);
      break;
    }
    case Op.standardize:
      executeStandardize(machine, Standardize.output, Standardize.input, count, width);
      break;
    case Op.indices: {
      const source = sourceOf(machine, machine.word(Indices.dataType));
      indices(
        u32,
        source,
        machine.index(Indices.output),
        machine.word(Indices.data) / source.BYTES_PER_ELEMENT,
        machine.index(Indices.order),
        step * machine.word(Indices.batch),
        from,
        from + count,
        machine.word(Indices.length),
        machine.word(Indices.last),
      );
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
    case Op.keep: {
      const input = machine.own(Keep.input);
      f.copyWithin(machine.own(Keep.output) + step * machine.word(Keep.batch) * width, input, input + size);
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
    case Op.dropout:
      dropout(machine, step, from, count, width);
      break;
    case Op.normal:
      normal(machine, step, from, count, width);
      break;
    case Op.columnMoments:
      columnMoments(machine, count);
      break;
    case Op.normalize:
      normalize(machine, from, count, width);
      break;
    case Op.normalizeBackward:
      normalizeBackward(machine, from, count, width);
      break;
    case Op.columnProducts:
      columnProducts(machine, count);
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
    case Op.momentum:
    case Op.adam:
    case Op.adaptive: {
      const memory = [Update.parameters, Update.gradients, Update.first, Update.second, Update.third];
      const rates = f64.subarray(machine.rowOf(Update.rates, step * machine.word(Update.stride)));
      const settings = f64.subarray(machine.rowOf(Update.settings, 0));
      const places = memory.map((operand) => machine.own(operand));
      const factor = machine.cell(Update.factor);
      const variant = machine.word(Update.variant);
      update(f, round, op, places, size, rates.subarray(0, 3), settings.subarray(0, 5), factor, variant);
      break;
    }
    case Op.adjust: {
      const g = machine.own(Adjust.gradients);
      const limit = machine.cell(Adjust.limit);
      const [l1, l2] = [machine.cell(Adjust.l1), machine.cell(Adjust.l2)];
      adjust(f, round, g, machine.own(Adjust.parameters), size, l1, l2, limit);
      break;
    }
    case Op.squares:
      squares(
        f,
        f64,
        machine.rowOf(Squares.sums, 0),
        machine.element(Squares.input),
        machine.word(Squares.size),
      );
      break;
    case Op.clipFactor: {
      const factor = machine.rowOf(ClipFactor.factor, 0);
      clipFactor(f64, factor, machine.rowOf(ClipFactor.sums, 0), count, machine.cell(ClipFactor.limit));
      break;
    }
    case Op.maxNorm: {
      const limit = machine.cell(MaxNorm.limit);
      maxNorm(f, round, machine.element(MaxNorm.matrix), machine.word(MaxNorm.rows), count, limit);
      break;
    }
    case Op.count:
      f64[machine.rowOf(Count.cell, 0)]++;
      break;
    default:
      throw new Error(`opcode ${op} is unknown`);
  }
}

function executeStandardize(
  machine: Machine,
  output: number,
  input: number,
  count: number,
  width: number,
): void {
  const { f, round } = machine;
  const mean = machine.element(Columns.mean);
  const factor = machine.element(Columns.factor);
  const length = machine.word(Columns.length);
  standardize(f, round, machine.own(output), machine.own(input), count, width, mean, factor, length);
}

/** What a loss's gradient is multiplied by. */
function scaleOf(machine: Machine, step: number): number {
  const rate = machine.rowOf(Loss.rate, step * machine.word(Loss.rateStride));
  return (machine.f64[rate] * machine.word(Loss.factor)) / machine.word(Loss.terms);
}

function runRareLoss(
  machine: Machine,
  op: Op,
  from: number,
  count: number,
  width: number,
  step: number,
): void {
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
  const scale = scaleOf(machine, step);
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
