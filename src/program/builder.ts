// The program builder: one typed emit function for each operation of assembly/ops.ts. What it emits are plain objects;
// compile() makes a program of them.

import {
  Adjust,
  Backward,
  type ClassWeights,
  ClipFactor,
  COLUMN_BLOCK_BYTES,
  ColumnMoments,
  ColumnProducts,
  ColumnSums,
  Columns,
  Compress,
  Count,
  type Curve,
  CurveOf,
  Cut,
  DataType,
  Epilogue,
  Forward,
  Gather,
  GatherSparse,
  Indices,
  Keep,
  Layout,
  LONGEST_BLOCK,
  Loss,
  MaxNorm,
  NO_EPILOGUE,
  Noise,
  Normalize,
  NormalizeBackward,
  OneHot,
  Op,
  PACKED_TERM_BYTES,
  PANEL_PADDING,
  PANEL_ROW_BYTES,
  PrepareTargets,
  Product,
  Report,
  Shuffle,
  SortByColumn,
  SparseGradient,
  SparseProduct,
  SparseSamples,
  SQUARES_CHUNK,
  Squares,
  Standardize,
  Start,
  Sum,
  Transpose,
  Uniform,
  Update,
  Weigh,
} from "../../assembly/ops.js";
import type { Program } from "../executors/executor.js";
import { type Heap, type Region, UNPLACED } from "../heap.js";
import { type CompileOptions, compile } from "./compile.js";
import type { Operands, Operation } from "./operation.js";
import type {
  ClassSamples,
  Columns as ColumnVectors,
  DenseSamples,
  Matrix,
  SparseSamples as Sparse,
  SparseMatrix,
  Visit,
} from "./samples.js";

export {
  ClassWeights,
  Curve,
  DataType,
  FIRST_ROW_LOSS,
  Op,
  Rate,
  Setting,
  Start,
  Stat,
  Variant,
} from "../../assembly/ops.js";

/**
 * Whether a product is worth packing: a packed row of B serves m / 4 tiles and a packed tile of A serves
 * n / width tiles, so both sides must be long enough to repay the copies.
 */
function packingPays(m: number, n: number, k: number): boolean {
  return m >= 16 && n >= 16 && k >= 8;
}

/** Bytes that one thread needs to pack a tile of A and a block of B. */
function packedBytes(n: number, k: number, bytes: number): number {
  const columns = Math.min(n, COLUMN_BLOCK_BYTES / bytes);
  const panels = Math.ceil((columns * bytes) / PANEL_ROW_BYTES);
  const panelBytes = Math.min(k, LONGEST_BLOCK) * PANEL_ROW_BYTES + PANEL_PADDING;
  return LONGEST_BLOCK * PACKED_TERM_BYTES + panels * panelBytes;
}

/** Rows at least this wide make their sparse gradients in memory: see sparseGradient() in assembly/sparse.ts. */
const WIDE_ROW_BYTES = 2048;

/** A batch by columns. */
interface SortedMatrix {
  starts: Region;
  startsBytes: number;
  rowsOf: Region;
  valuesOf: Region;
}

/** Where random numbers come from: see Noise in assembly/ops.ts. */
export interface NoiseSource {
  seed: number;
  stream: number;
  /** f64 cell: steps trained before the program's step 0. */
  step: Region;
}

/** What a loss reads and writes. */
interface LossBuffers {
  gradient: Region;
  losses: Region;
  hits: Region;
  prediction: Region;
  logits: Region;
  target: Region;
}

/** A step of an optimizer: see Update in assembly/ops.ts. */
export interface Step {
  parameters: Region;
  gradients: Region;
  /** What it keeps of each parameter, where its variant has it. */
  slots: readonly (Region | undefined)[];
  /** Elements. */
  size: number;
  rates: Region;
  stride: number;
  settings: Region;
  factor: Region;
  /** A sum of Variant. */
  variant: number;
}

/** Chunks of `size` elements whose squares are summed at a stretch. */
export function chunksOf(size: number): number {
  return Math.ceil(size / SQUARES_CHUNK);
}

/** How much each term of a loss counts: see PrepareTargets in assembly/ops.ts. */
interface TermWeights {
  weights: Region;
  shares: Region;
}

export class ProgramBuilder {
  readonly heap: Heap;
  readonly #operations: Operation[] = [];
  readonly #threads: number;
  readonly #sorted = new Map<SparseMatrix, SortedMatrix>();
  #late = false;

  constructor(heap: Heap, threads = 1) {
    this.heap = heap;
    this.#threads = threads;
  }

  /** Compiles what was emitted. */
  finish(options: Partial<Omit<CompileOptions, "threads">> = {}): Program {
    return compile(this.#operations, this.heap, { parts: 1, ...options, threads: this.#threads });
  }

  /** A workspace matrix of the working type; its content is undefined. */
  matrix(rows: number, width: number): Region {
    return this.#room(rows * width * this.heap.elementBytes);
  }

  #room(bytes: number): Region {
    return { offset: UNPLACED, bytes };
  }

  /** An f64 cell holding `value`. */
  cell(value: number): Region {
    return this.heap.cell(value);
  }

  /** What `emit` emits is not needed before the end of the step. */
  late(emit: () => void): void {
    this.#late = true;
    emit();
    this.#late = false;
  }

  gather(
    output: Region,
    { data, dataType }: Omit<DenseSamples, "width">,
    { order, batch }: Visit,
    width: number,
    rows: number,
    scale: Region,
    columns?: ColumnVectors,
  ): void {
    const operands: Operands = [
      [Gather.output, output],
      [Gather.data, data],
      [Gather.order, order],
      [Gather.batch, batch],
      [Gather.dataType, dataType],
      [Gather.scale, scale],
    ];
    if (columns) this.#emitByColumns(Op.gather, rows, width, columns, operands);
    else this.#emit(Op.gather, Cut.batch, rows, width, operands);
  }

  /** output = (input - mean) * factor by columns, in place allowed; width a multiple of the columns. */
  standardize(output: Region, input: Region, rows: number, width: number, columns: ColumnVectors): void {
    this.#emitByColumns(Op.standardize, rows, width, columns, [
      [Standardize.output, output],
      [Standardize.input, input],
    ]);
  }

  /** gradient = gradient * factor by columns: the derivative of standardize(). */
  standardizeBackward(gradient: Region, rows: number, width: number, columns: ColumnVectors): void {
    const mean = this.constants(columns.length, 0);
    this.standardize(gradient, gradient, rows, width, { ...columns, mean });
  }

  #emitByColumns(
    op: Op,
    rows: number,
    width: number,
    { mean, factor, length }: ColumnVectors,
    operands: Operands,
  ): void {
    operands.push([Columns.mean, mean], [Columns.factor, factor], [Columns.length, length]);
    const scratch = length === width ? 0 : 2 * width * this.heap.elementBytes;
    this.#emit(op, Cut.batch, rows, width, operands, scratch);
  }

  /** Values of the working type that stay as they are. */
  constants(length: number, value: number): Region {
    const region = this.heap.region(length * this.heap.elementBytes);
    this.heap.elements(region.offset, length).fill(value);
    return region;
  }

  /**
   * Rows of `length` indices below `vocabulary`, as a sparse matrix (rows x length, vocabulary) of one 1 a row.
   */
  gatherIndices(
    { data, dataType }: Omit<DenseSamples, "width">,
    { order, batch }: Visit,
    rows: number,
    length: number,
    vocabulary: number,
  ): SparseMatrix {
    const { heap } = this;
    const count = rows * length;
    const columns = this.#room(count * 4);
    this.#emit(Op.indices, Cut.batch, count, 1, [
      [Indices.output, columns],
      [Indices.data, data],
      [Indices.order, order],
      [Indices.batch, batch],
      [Indices.dataType, dataType],
      [Indices.length, length],
      [Indices.last, vocabulary - 1],
    ]);
    // Every row has one entry, and its value is 1. To be sorted, it is a data set of its own.
    const counts = heap.region(count * 4);
    const starts = heap.region((count + 1) * 4);
    const values = this.constants(count, 1);
    const { u32 } = heap;
    u32.fill(1, counts.offset / 4, counts.offset / 4 + count);
    for (let i = 0; i <= count; i++) u32[starts.offset / 4 + i] = i;
    const source = this.#ownSamples({ starts, columns, data: values, width: vocabulary, capacity: 1 });
    return { counts, columns, values, capacity: 1, rows: count, width: vocabulary, source };
  }

  /** A batch as a data set of values of the working type, in its own order. */
  #ownSamples(samples: Omit<Sparse, "dataType">): Operands {
    const dataType = this.heap.dtype === "float64" ? DataType.f64 : DataType.f32;
    return sampleOperands({ ...samples, dataType }, { order: undefined, batch: 0 }, this.cell(1));
  }

  oneHot(
    output: Region,
    { classes }: ClassSamples,
    { order, batch }: Visit,
    width: number,
    rows: number,
  ): void {
    this.#emit(Op.oneHot, Cut.batch, rows, width, [
      [OneHot.output, output],
      [OneHot.data, classes],
      [OneHot.order, order],
      [OneHot.batch, batch],
    ]);
  }

  /** Copies a batch to its place among the rows of all batches. */
  keep(output: Region, input: Region, rows: number, width: number, batch: number): void {
    this.#emit(Op.keep, Cut.batch, rows, width, [
      [Keep.output, output],
      [Keep.input, input],
      [Keep.batch, batch],
    ]);
  }

  /** A sparse batch of the working type; its content is undefined. */
  sparseMatrix(rows: number, width: number, capacity: number): SparseMatrix {
    return {
      counts: this.#room(rows * 4),
      columns: this.#room(rows * capacity * 4),
      values: this.matrix(rows, capacity),
      capacity,
      rows,
      width,
      source: undefined,
    };
  }

  gatherSparse(output: SparseMatrix, samples: Sparse, visit: Visit, scale: Region): void {
    const { counts, columns, values, capacity, rows, width } = output;
    output.source = sampleOperands(samples, visit, scale);
    this.#emit(Op.gatherSparse, Cut.batch, rows, width, [
      [GatherSparse.counts, counts],
      [GatherSparse.columns, columns],
      [GatherSparse.values, values],
      [GatherSparse.capacity, capacity],
      ...output.source,
    ]);
  }

  /** Leaves the zeros of the dense `input` out. */
  compress({ counts, columns, values, rows, width }: SparseMatrix, input: Region): void {
    this.#emit(Op.compress, Cut.batch, rows, width, [
      [Compress.counts, counts],
      [Compress.columns, columns],
      [Compress.values, values],
      [Compress.input, input],
    ]);
  }

  /** One dense row without its zeros. */
  compressRow(input: Region, width: number): SparseMatrix {
    // As a data set of one sample: its entries begin at 0, and how many there are says where they end.
    const { heap } = this;
    const starts = heap.region(8);
    heap.u32[starts.offset / 4] = 0;
    const columns = heap.region(width * 4);
    const values = heap.region(width * heap.elementBytes);
    const counts = { offset: starts.offset + 4, bytes: 4 };
    const source = this.#ownSamples({ starts, columns, data: values, width, capacity: width });
    const row = { counts, columns, values, capacity: width, rows: 1, width, source };
    this.compress(row, input);
    return row;
  }

  /**
   * Sorts a sparse batch by columns. It is done once, by the first gradient that needs it if not before; best is
   * next to the gathering, for both read the data set and neither waits for the other.
   */
  sortByColumn(matrix: SparseMatrix): SortedMatrix {
    const known = this.#sorted.get(matrix);
    if (known) return known;
    const { capacity, rows, width, source } = matrix;
    if (!source) throw new Error("a sparse matrix of unknown source");
    const startsBytes = Math.ceil(((width + 1 + 2 * rows) * 4) / 64) * 64;
    const sorted: SortedMatrix = {
      starts: this.#room(startsBytes * this.#threads),
      startsBytes,
      rowsOf: this.#room(rows * capacity * 4),
      valuesOf: this.matrix(rows, capacity),
    };
    this.#emit(Op.sortByColumn, Cut.own, rows, width, [
      [SortByColumn.starts, sorted.starts],
      [SortByColumn.startsBytes, startsBytes],
      [SortByColumn.rowsOf, sorted.rowsOf],
      [SortByColumn.valuesOf, sorted.valuesOf],
      [SortByColumn.pieces, this.#threads],
      ...source,
    ]);
    this.#sorted.set(matrix, sorted);
    return sorted;
  }

  /** output = start + X' D */
  #sparseGradient(output: Region, left: SparseMatrix, gradient: Region, width: number, start: Start): void {
    const { starts, startsBytes, rowsOf, valuesOf } = this.sortByColumn(left);
    const rowBytes = width * this.heap.elementBytes;
    const operands: Operands = [
      [SparseGradient.output, output],
      [SparseGradient.starts, starts],
      [SparseGradient.startsBytes, startsBytes],
      [SparseGradient.rowsOf, rowsOf],
      [SparseGradient.valuesOf, valuesOf],
      [SparseGradient.gradient, gradient],
      [SparseGradient.batch, left.rows],
      [SparseGradient.pieces, this.#threads],
      [Sum.start, start],
    ];
    // 64 bytes more for each thread, so that none shares a cache line.
    const scratch = rowBytes < WIDE_ROW_BYTES ? 0 : rowBytes + 64;
    this.#emit(Op.sparseGradient, Cut.own, left.width, width, operands, scratch);
  }

  #sparseProduct(
    output: Region,
    { counts, columns, values, capacity, rows }: SparseMatrix,
    right: Region,
    width: number,
    start: Start,
    bias: Region | undefined,
  ): void {
    this.#emit(Op.sparseProduct, Cut.batch, rows, width, [
      [SparseProduct.output, output],
      [SparseProduct.counts, counts],
      [SparseProduct.columns, columns],
      [SparseProduct.values, values],
      [SparseProduct.capacity, capacity],
      [SparseProduct.right, right],
      [Sum.start, start],
      [Sum.bias, bias],
      [Epilogue.op, NO_EPILOGUE],
    ]);
  }

  /**
   * output (m, n) = start + A (m, k) B (k, n); with `transposed`, A lies in memory as (k, m), with
   * `rightTransposed`, B as (n, k). A sparse A is of shape (m, k), or (k, m) when transposed; it takes no
   * Start.add untransposed, no Start.bias transposed, and no transposed B.
   */
  product(
    output: Region,
    left: Matrix,
    right: Region,
    m: number,
    n: number,
    k: number,
    {
      transposed = false,
      rightTransposed = false,
      start = Start.zero,
      bias,
    }: { transposed?: boolean; rightTransposed?: boolean; start?: Start; bias?: Region } = {},
  ): void {
    if ("counts" in left) {
      if (transposed) this.#sparseGradient(output, left, right, n, start);
      else this.#sparseProduct(output, left, right, n, start, bias);
      return;
    }
    const packed = packingPays(m, n, k);
    // A single row lies in memory as a single column does.
    if (rightTransposed && !packed && n > 1 && k > 1) {
      const plain = this.matrix(k, n);
      this.transpose(plain, right, n, k);
      right = plain;
    }
    const operands: Operands = [
      [Product.output, output],
      [Product.left, left],
      [Product.right, right],
      [Product.m, m],
      [Product.n, n],
      [Product.k, k],
      [
        Product.layout,
        (transposed ? Layout.transposed : 0) | (rightTransposed && packed ? Layout.rightTransposed : 0),
      ],
      [Sum.start, start],
      [Sum.bias, bias],
      [Epilogue.op, NO_EPILOGUE],
    ];
    // How it is cut is chosen by cutProducts().
    const scratch = packed ? packedBytes(n, k, this.heap.elementBytes) : 0;
    this.#emit(Op.product, Cut.columns, n, 0, operands, scratch);
  }

  columnSums(output: Region, input: Region, rows: number, width: number, start: Start = Start.zero): void {
    this.#emit(Op.columnSums, Cut.columns, width, 1, [
      [ColumnSums.output, output],
      [ColumnSums.input, input],
      [ColumnSums.rows, rows],
      [Sum.start, start],
    ]);
  }

  /** output = input * mask, mask = 0 for a share `rate` of the elements, 1 / (1 - rate) for the others. */
  dropout(
    output: Region,
    mask: Region,
    input: Region,
    rows: number,
    width: number,
    rate: number,
    source: NoiseSource,
  ): void {
    this.#emit(Op.dropout, Cut.batch, rows, width, [
      [Noise.output, output],
      [Noise.mask, mask],
      [Noise.input, input],
      [Noise.threshold, Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1)],
      ...noiseOperands(source, this.cell(1 / (1 - rate))),
    ]);
  }

  /** output = input + deviation * z, or without an input deviation * z, z of the standard normal distribution or its part from -2 to 2. */
  normal(
    output: Region,
    input: Region | undefined,
    rows: number,
    width: number,
    { deviation, truncated = false }: { deviation: number; truncated?: boolean },
    source: NoiseSource,
  ): void {
    this.#emit(Op.normal, Cut.batch, rows, width, [
      [Noise.output, output],
      [Noise.input, input],
      [Noise.truncated, truncated ? 1 : 0],
      ...noiseOperands(source, this.cell(deviation)),
    ]);
  }

  /** See ColumnMoments in assembly/ops.ts; without an input of the running ones. */
  columnMoments(
    { mean, inverse, runningMean, runningVariance }: ColumnMomentsRegions,
    input: Region | undefined,
    rows: number,
    width: number,
    { momentum, epsilon }: { momentum: number; epsilon: number },
  ): void {
    this.#emit(Op.columnMoments, Cut.columns, width, 1, [
      [ColumnMoments.mean, mean],
      [ColumnMoments.inverse, inverse],
      [ColumnMoments.runningMean, runningMean],
      [ColumnMoments.runningVariance, runningVariance],
      [ColumnMoments.input, input],
      [ColumnMoments.rows, input ? rows : 0],
      [ColumnMoments.momentum, this.cell(momentum)],
      [ColumnMoments.epsilon, this.cell(epsilon)],
    ]);
  }

  /** See Normalize in assembly/ops.ts: by columns with a mean and an inverse, by rows without. */
  normalize(
    output: Region,
    input: Region,
    rows: number,
    width: number,
    {
      normalized,
      scale,
      shift,
      mean,
      inverse,
      rowInverse,
      epsilon,
    }: Partial<Record<"normalized" | "mean" | "inverse" | "rowInverse", Region>> & {
      scale: Region;
      shift: Region;
      epsilon: number;
    },
  ): void {
    this.#emit(Op.normalize, Cut.batch, rows, width, [
      [Normalize.output, output],
      [Normalize.normalized, normalized],
      [Normalize.input, input],
      [Normalize.scale, scale],
      [Normalize.shift, shift],
      [Normalize.mean, mean],
      [Normalize.inverse, inverse],
      [Normalize.rowInverse, rowInverse],
      [Normalize.epsilon, this.cell(epsilon)],
    ]);
  }

  /** See NormalizeBackward in assembly/ops.ts: by columns with an inverse, by rows with a rowInverse. */
  normalizeBackward(
    output: Region,
    gradient: Region,
    normalized: Region,
    rows: number,
    width: number,
    {
      scale,
      inverse,
      rowInverse,
      sums,
      products,
    }: Partial<Record<"inverse" | "rowInverse" | "sums" | "products", Region>> & { scale: Region },
  ): void {
    this.#emit(Op.normalizeBackward, Cut.batch, rows, width, [
      [NormalizeBackward.output, output],
      [NormalizeBackward.gradient, gradient],
      [NormalizeBackward.normalized, normalized],
      [NormalizeBackward.scale, scale],
      [NormalizeBackward.inverse, inverse],
      [NormalizeBackward.rowInverse, rowInverse],
      [NormalizeBackward.sums, sums],
      [NormalizeBackward.products, products],
      [NormalizeBackward.terms, rows],
    ]);
  }

  /** output[j] = sum over r of left[r, j] * right[r, j], or that added to it. */
  columnProducts(
    output: Region,
    left: Region,
    right: Region,
    rows: number,
    width: number,
    start: Start = Start.zero,
  ): void {
    this.#emit(Op.columnProducts, Cut.columns, width, 1, [
      [ColumnProducts.output, output],
      [ColumnProducts.left, left],
      [ColumnProducts.right, right],
      [ColumnProducts.rows, rows],
      [Sum.start, start],
    ]);
  }

  transpose(output: Region, input: Region, rows: number, width: number): void {
    this.#emit(Op.transpose, Cut.columns, width, 1, [
      [Transpose.output, output],
      [Transpose.input, input],
      [Transpose.rows, rows],
    ]);
  }

  /** output = f(input) of an activation, for every element or every row of a batch; fused with a product before it: see fuse(). */
  forward(op: Op, output: Region, input: Region, rows: number, width: number): void {
    this.#emit(op, Cut.batch, rows, width, [
      [Forward.output, output],
      [Forward.input, input],
    ]);
  }

  /** output = gradient * f'(x) of an activation from saved, the output or the input of the forward; fused likewise. */
  backward(op: Op, output: Region, gradient: Region, saved: Region, rows: number, width: number): void {
    this.#emit(op, Cut.batch, rows, width, [
      [Backward.output, output],
      [Backward.gradient, gradient],
      [Backward.saved, saved],
    ]);
  }

  /** output = f(input) of an activation, or, with a gradient, output = gradient * f'(input): see CurveOf in assembly/ops.ts. */
  curve(
    kind: Curve,
    output: Region,
    input: Region,
    rows: number,
    width: number,
    { parameter, gradient }: { parameter?: Region; gradient?: Region } = {},
  ): void {
    this.#emit(Op.curve, Cut.batch, rows, width, [
      [CurveOf.output, output],
      [CurveOf.gradient, gradient],
      [CurveOf.input, input],
      [CurveOf.parameter, parameter],
      [CurveOf.kind, kind],
    ]);
  }

  /** @param terms losses that are written */
  loss(
    op: Op,
    { gradient, losses, hits, prediction, logits, target }: LossBuffers,
    rows: number,
    width: number,
    {
      rate,
      rateStride = 0,
      factor,
      terms,
      parameters,
    }: {
      rate: Region;
      rateStride?: number | undefined;
      factor: number;
      terms: number;
      parameters?: Region | undefined;
    },
  ): void {
    this.#emit(op, Cut.batch, rows, width, [
      [Loss.gradient, gradient],
      [Loss.losses, losses],
      [Loss.hits, hits],
      [Loss.prediction, prediction],
      [Loss.logits, logits],
      [Loss.target, target],
      [Loss.rate, rate],
      [Loss.rateStride, rateStride],
      [Loss.factor, factor],
      [Loss.terms, terms],
      [Loss.parameters, parameters],
    ]);
  }

  /** f64 cells holding `values`, next to each other. */
  cells(values: readonly number[]): Region {
    const region = this.heap.region(values.length * 8);
    this.heap.f64.set(values, region.offset / 8);
    return region;
  }

  /** See PrepareTargets in assembly/ops.ts; rows are samples. */
  prepareTargets(
    target: Region,
    { weights, shares }: TermWeights,
    rows: number,
    width: number,
    {
      sampleWeights,
      settings,
      classes,
      termWidth,
    }: { sampleWeights?: Region; settings: Region; classes: ClassWeights; termWidth: number },
  ): void {
    this.#emit(Op.prepareTargets, Cut.batch, rows, width, [
      [PrepareTargets.target, target],
      [PrepareTargets.weights, weights],
      [PrepareTargets.shares, shares],
      [PrepareTargets.sampleWeights, sampleWeights],
      [PrepareTargets.settings, settings],
      [PrepareTargets.classes, classes],
      [PrepareTargets.termWidth, termWidth],
    ]);
  }

  /** See Weigh in assembly/ops.ts. */
  weigh(
    { gradient, losses, hits }: Pick<LossBuffers, "gradient" | "losses" | "hits">,
    { weights, shares }: TermWeights,
    rows: number,
    width: number,
    termWidth: number,
    statistics: Region,
  ): void {
    this.#emit(Op.weigh, Cut.batch, rows, width, [
      [Weigh.gradient, gradient],
      [Weigh.losses, losses],
      [Weigh.hits, hits],
      [Weigh.weights, weights],
      [Weigh.shares, shares],
      [Weigh.statistics, statistics],
      [Weigh.termWidth, termWidth],
    ]);
  }

  report(statistics: Region, losses: Region, hits: Region, size: number, weight: Region): void {
    this.#emit(Op.report, Cut.whole, size, 1, [
      [Report.statistics, statistics],
      [Report.losses, losses],
      [Report.hits, hits],
      [Report.weight, weight],
    ]);
  }

  uniform(output: Region, size: number, low: Region, high: Region, seed: number, stream: number): void {
    this.#emit(Op.uniform, Cut.whole, size, 1, [
      [Uniform.output, output],
      [Uniform.low, low],
      [Uniform.high, high],
      [Uniform.seedLow, seed],
      [Uniform.seedHigh, seed / 2 ** 32],
      [Uniform.stream, stream],
    ]);
  }

  shuffle(order: Region, size: number, seed: number, stream: number, epoch: Region): void {
    this.#emit(Op.shuffle, Cut.whole, size, 1, [
      [Shuffle.order, order],
      [Shuffle.seedLow, seed],
      [Shuffle.seedHigh, seed / 2 ** 32],
      [Shuffle.stream, stream],
      [Shuffle.epoch, epoch],
    ]);
  }

  /** A step of an optimizer over `size` parameters: see Update in assembly/ops.ts. */
  update(
    op: Op,
    { parameters, gradients, slots, size, rates, stride, settings, factor, variant }: Step,
  ): void {
    this.#emit(op, Cut.elements, size, 1, [
      [Update.parameters, parameters],
      [Update.gradients, gradients],
      [Update.first, slots[0]],
      [Update.second, slots[1]],
      [Update.third, slots[2]],
      [Update.rates, rates],
      [Update.stride, stride],
      [Update.settings, settings],
      [Update.factor, factor],
      [Update.variant, variant],
    ]);
  }

  /** gradients = clamp(gradients + l1 * sign(parameters) + l2 * parameters, -limit, limit) */
  adjust(gradients: Region, parameters: Region, size: number, l1: Region, l2: Region, limit: Region): void {
    this.#emit(Op.adjust, Cut.elements, size, 1, [
      [Adjust.gradients, gradients],
      [Adjust.parameters, parameters],
      [Adjust.l1, l1],
      [Adjust.l2, l2],
      [Adjust.limit, limit],
    ]);
  }

  /** Sums the squares of chunks of `size` elements; `sums` has an f64 for each: see chunksOf(). */
  squares(sums: Region, input: Region, size: number): void {
    this.#emit(Op.squares, Cut.rows, chunksOf(size), SQUARES_CHUNK, [
      [Squares.sums, sums],
      [Squares.input, input],
      [Squares.size, size],
    ]);
  }

  /** factor = min(1, limit / norm) of `count` sums of squares. */
  clipFactor(factor: Region, sums: Region, count: number, limit: Region): void {
    this.#emit(Op.clipFactor, Cut.whole, count, 1, [
      [ClipFactor.factor, factor],
      [ClipFactor.sums, sums],
      [ClipFactor.limit, limit],
    ]);
  }

  /** Scales the columns whose norm is above the limit. */
  maxNorm(matrix: Region, rows: number, columns: number, limit: Region): void {
    this.#emit(Op.maxNorm, Cut.columns, columns, 1, [
      [MaxNorm.matrix, matrix],
      [MaxNorm.rows, rows],
      [MaxNorm.limit, limit],
    ]);
  }

  /** cell = cell + 1 */
  count(cell: Region): void {
    this.#emit(Op.count, Cut.whole, 1, 1, [[Count.cell, cell]]);
  }

  #emit(op: Op, cut: Cut, count: number, width: number, operands: Operands, scratchBytes = 0): void {
    this.#operations.push({ op, cut, count, width, operands, scratchBytes, late: this.#late });
  }
}

type ColumnMomentsRegions = Record<"mean" | "inverse" | "runningMean" | "runningVariance", Region>;

function noiseOperands({ seed, stream, step }: NoiseSource, scale: Region): Operands {
  return [
    [Noise.seedLow, seed],
    [Noise.seedHigh, seed / 2 ** 32],
    [Noise.stream, stream],
    [Noise.step, step],
    [Noise.scale, scale],
  ];
}

function sampleOperands(
  { starts, columns, data, dataType }: Sparse,
  { order, batch }: Visit,
  scale: Region,
): Operands {
  return [
    [SparseSamples.starts, starts],
    [SparseSamples.columns, columns],
    [SparseSamples.values, data],
    [SparseSamples.dataType, dataType],
    [SparseSamples.order, order],
    [SparseSamples.batch, batch],
    [SparseSamples.scale, scale],
  ];
}
