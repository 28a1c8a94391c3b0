// The program builder: one typed emit function for each operation of assembly/ops.ts. What it emits are plain objects;
// compile() makes a program of them.

import {
  Backward,
  type ClassWeights,
  COLUMN_BLOCK_BYTES,
  ColumnSums,
  Compress,
  Cut,
  DataType,
  Epilogue,
  Forward,
  Gather,
  GatherSparse,
  Layout,
  LONGEST_BLOCK,
  Loss,
  Momentum,
  NO_EPILOGUE,
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
  Start,
  Sum,
  Transpose,
  Uniform,
  Weigh,
} from "../../assembly/ops.js";
import type { Program } from "../executors/executor.js";
import { type Heap, type Region, UNPLACED } from "../heap.js";
import { type CompileOptions, compile } from "./compile.js";
import type { Operands, Operation } from "./operation.js";
import type {
  ClassSamples,
  DenseSamples,
  Matrix,
  SparseSamples as Sparse,
  SparseMatrix,
  Visit,
} from "./samples.js";

export { ClassWeights, DataType, FIRST_ROW_LOSS, Op, Start, Stat } from "../../assembly/ops.js";

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

/** What a loss reads and writes. */
interface LossBuffers {
  gradient: Region;
  losses: Region;
  hits: Region;
  prediction: Region;
  logits: Region;
  target: Region;
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
  ): void {
    this.#emit(Op.gather, Cut.batch, rows, width, [
      [Gather.output, output],
      [Gather.data, data],
      [Gather.order, order],
      [Gather.batch, batch],
      [Gather.dataType, dataType],
      [Gather.scale, scale],
    ]);
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
    const dataType = heap.dtype === "float64" ? DataType.f64 : DataType.f32;
    const samples: Sparse = { starts, columns, data: values, dataType, width, capacity: width };
    const source = sampleOperands(samples, { order: undefined, batch: 0 }, this.cell(1));
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

  /** @param terms losses that are written */
  loss(
    op: Op,
    { gradient, losses, hits, prediction, logits, target }: LossBuffers,
    rows: number,
    width: number,
    { rate, factor, terms, parameters }: { rate: Region; factor: number; terms: number; parameters?: Region },
  ): void {
    this.#emit(op, Cut.batch, rows, width, [
      [Loss.gradient, gradient],
      [Loss.losses, losses],
      [Loss.hits, hits],
      [Loss.prediction, prediction],
      [Loss.logits, logits],
      [Loss.target, target],
      [Loss.rate, rate],
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

  /** A step over `size` parameters: see Momentum in assembly/ops.ts. */
  momentum(
    {
      parameters,
      gradients,
      size,
      rate,
    }: { parameters: Region; gradients: Region; size: number; rate: Region },
    velocity: Region,
    momentum: Region,
    nesterov: boolean,
  ): void {
    this.#emit(Op.momentum, Cut.elements, size, 1, [
      [Momentum.parameters, parameters],
      [Momentum.gradients, gradients],
      [Momentum.velocity, velocity],
      [Momentum.rate, rate],
      [Momentum.momentum, momentum],
      [Momentum.nesterov, nesterov ? 1 : 0],
    ]);
  }

  #emit(op: Op, cut: Cut, count: number, width: number, operands: Operands, scratchBytes = 0): void {
    this.#operations.push({ op, cut, count, width, operands, scratchBytes, late: this.#late });
  }
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
