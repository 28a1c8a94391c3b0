// The program builder: typed emit functions over the records that assembly/ops.ts lays out.
//
// It does two things on its own. It fuses an elementwise operation that follows a product in place into the
// product, as its epilogue. And it finds the barriers: an operation that reads or writes what another wrote
// since the last barrier (or writes what another read) must wait until all threads have done that other.

import {
  Backward,
  COLUMN_BLOCK_BYTES,
  ColumnSums,
  Compress,
  DataType,
  Elementwise,
  Gather,
  GatherSparse,
  Layout,
  LONGEST_BLOCK,
  Loss,
  NO_EPILOGUE,
  OneHot,
  Op,
  PACKED_TERM_BYTES,
  PANEL_PADDING,
  PANEL_ROW_BYTES,
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
  Start,
  Transpose,
  Uniform,
  Word,
} from "../assembly/ops.js";
import { bytesOf } from "./dtype.js";
import type { Program } from "./executors/executor.js";
import type { Heap } from "./heap.js";

export { DataType, Op, Start, Stat } from "../assembly/ops.js";

export type ForwardOp = Op.sigmoid | Op.relu | Op.tanh | Op.exp | Op.log;
export type BackwardOp = Op.sigmoidBackward | Op.reluBackward | Op.tanhBackward;
export type LossOp = Op.meanSquaredError | Op.binaryCrossEntropy | Op.crossEntropy;

/** A data set, or the classes of one, in the heap. */
export interface Batches {
  data: number;
  /** u32 permutation of the samples, or 0 for their own order. */
  order: number;
  /** Rows of a full batch. */
  batch: number;
}

/**
 * Whether a product is worth packing: a packed row of B serves m / 4 tiles and a packed tile of A serves
 * n / width tiles, so both sides must be long enough to repay the copies.
 */
function packingPays(m: number, n: number, k: number): boolean {
  return m >= 16 && n >= 16 && k >= 8;
}

/** Rows at least this wide make their sparse gradients in memory: see sparseGradient() in assembly/sparse.ts. */
const WIDE_ROW_BYTES = 2048;

/** Bytes that one thread needs to pack a tile of A and a block of B. */
function packedBytes(n: number, k: number, bytes: number): number {
  const columns = Math.min(n, COLUMN_BLOCK_BYTES / bytes);
  const panels = Math.ceil((columns * bytes) / PANEL_ROW_BYTES);
  const panelBytes = Math.min(k, LONGEST_BLOCK) * PANEL_ROW_BYTES + PANEL_PADDING;
  return LONGEST_BLOCK * PACKED_TERM_BYTES + panels * panelBytes;
}

/** Where the operations that take an epilogue keep it. */
const EPILOGUE_PLACES = new Map<Op, { output: number; epilogue: number; saved: number }>([
  [Op.product, { output: Product.output, epilogue: Product.epilogue, saved: Product.saved }],
  [
    Op.sparseProduct,
    { output: SparseProduct.output, epilogue: SparseProduct.epilogue, saved: SparseProduct.saved },
  ],
]);

/** A data set without its zeros, in the heap: see the sparse batches of assembly/ops.ts. */
export interface SparseBatches extends Batches {
  starts: number;
  columns: number;
  /** Most entries of a row. */
  capacity: number;
}

/** A sparse batch of `rows` rows, `width` wide: by rows, and on demand by columns. */
export interface SparseMatrix {
  readonly counts: number;
  readonly columns: number;
  readonly values: number;
  readonly capacity: number;
  readonly rows: number;
  readonly width: number;
  /** Where its entries come from, for sortByColumn(). */
  source?: SparseSource;
}

interface SparseSource extends Omit<SparseBatches, "capacity"> {
  dataType: DataType;
  scale: number;
}

/** A batch by columns. */
interface SortedMatrix {
  starts: number;
  startsBytes: number;
  rowsOf: number;
  valuesOf: number;
  pieces: number;
}

/** What a layer multiplies by its weights: a dense matrix, or a sparse one. */
export type Matrix = number | SparseMatrix;

/**
 * How the threads share what an operation touches: each touches only its own rows of a batch of so many, or
 * (undefined) any thread anything. What two operations share alike, each thread has made itself.
 */
type Share = string | undefined;

const batchRows = (rows: number): Share => `rows of ${rows}`;

/**
 * Whether threads share a product's rows (m) or columns (n). Rows, if each gets enough of them to repay packing
 * the right factor for itself: activations then stay with their thread, and it need not wait for others.
 */
function sharedByRows(m: number, n: number, transposed: boolean, threads: number): boolean {
  return m > n || (!transposed && m >= ROWS_PER_THREAD * threads);
}

/** Parts of a phase for each thread. */
const PARTS_PER_THREAD = 4;

const LARGE_FACTOR = 2 ** 13;

/**
 * Whether a product cut into `parts` would spend itself in packing: every part packs the one factor that it has
 * whole, which pays where the part has enough of the other's rows or columns. Factors of up to LARGE_FACTOR values
 * do not matter.
 */
function packsTooMuch(record: Uint32Array, parts: number): boolean {
  if (record[Word.opcode] !== Op.product || record[Product.scratchBytes] === 0) return false;
  const byRows = (record[Product.layout] & Layout.byRows) !== 0;
  const [cut, whole] = byRows
    ? [record[Product.m], record[Product.n]]
    : [record[Product.n], record[Product.m]];
  return record[Product.k] * whole > LARGE_FACTOR && cut < 2 * ROWS_PER_THREAD * parts;
}

/** With so many rows a thread, packing the right factor for itself costs it an eighth of the multiplications. */
const ROWS_PER_THREAD = 16;

export class ProgramBuilder {
  readonly heap: Heap;
  readonly #records: Uint32Array[] = [];
  readonly #threads: number;
  readonly #parts: number;
  /** What has been read and written since the last barrier, and how the threads shared it. */
  readonly #reads = new Map<number, Share>();
  readonly #writes = new Map<number, Share>();
  readonly #sorted = new Map<SparseMatrix, SortedMatrix>();

  /** @param parts in how many parts one thread is to do each phase of a step that takes long */
  constructor(heap: Heap, threads = 1, parts = 1) {
    this.heap = heap;
    this.#threads = threads;
    this.#parts = parts;
  }

  /** A workspace matrix of the working type; its content is undefined. */
  matrix(rows: number, width: number): number {
    return this.heap.allocateElements(rows * width);
  }

  /** An f64 cell holding `value`. */
  cell(value: number): number {
    const offset = this.heap.allocate(8);
    this.heap.f64[offset / 8] = value;
    return offset;
  }

  gather(
    output: number,
    from: Batches,
    dataType: DataType,
    width: number,
    rows: number,
    scale: number,
  ): void {
    this.#emit(Op.gather, [from.data, from.order, scale], [], [output], batchRows(rows), {
      [Gather.output]: output,
      [Gather.data]: from.data,
      [Gather.order]: from.order,
      [Gather.width]: width,
      [Gather.rows]: rows,
      [Gather.batch]: from.batch,
      [Gather.dataType]: dataType,
      [Gather.scale]: scale,
    });
  }

  oneHot(output: number, from: Batches, width: number, rows: number): void {
    this.#emit(Op.oneHot, [from.data, from.order], [], [output], batchRows(rows), {
      [OneHot.output]: output,
      [OneHot.data]: from.data,
      [OneHot.order]: from.order,
      [OneHot.width]: width,
      [OneHot.rows]: rows,
      [OneHot.batch]: from.batch,
    });
  }

  /** A sparse batch of the working type; its content is undefined. */
  sparseMatrix(rows: number, width: number, capacity: number): SparseMatrix {
    return {
      counts: this.heap.allocate(rows * 4),
      columns: this.heap.allocate(rows * capacity * 4),
      values: this.heap.allocateElements(rows * capacity),
      capacity,
      rows,
      width,
    };
  }

  gatherSparse(output: SparseMatrix, from: SparseBatches, dataType: DataType, scale: number): void {
    const { counts, columns, values, capacity, rows } = output;
    output.source = { ...from, dataType, scale };
    const record = this.#emitFromSamples(
      Op.gatherSparse,
      output.source,
      rows,
      [counts, columns, values],
      batchRows(rows),
    );
    record[GatherSparse.counts] = counts;
    record[GatherSparse.columns] = columns;
    record[GatherSparse.values] = values;
    record[GatherSparse.capacity] = capacity;
  }

  /** A record of an operation that takes the next `rows` samples out of a sparse data set. */
  #emitFromSamples(op: Op, from: SparseSource, rows: number, writes: number[], share?: Share): Uint32Array {
    const { starts, columns, data, dataType, order, batch, scale } = from;
    return this.#emit(op, [starts, columns, data, order, scale], [], writes, share, {
      [SparseSamples.starts]: starts,
      [SparseSamples.columns]: columns,
      [SparseSamples.values]: data,
      [SparseSamples.dataType]: dataType,
      [SparseSamples.order]: order,
      [SparseSamples.rows]: rows,
      [SparseSamples.batch]: batch,
      [SparseSamples.scale]: scale,
    });
  }

  /** Leaves the zeros of the dense `input` out. */
  compress(output: SparseMatrix, input: number): void {
    const { counts, columns, values, capacity, rows } = output;
    this.#emit(Op.compress, [], [input], [counts, columns, values], batchRows(rows), {
      [Compress.counts]: counts,
      [Compress.columns]: columns,
      [Compress.values]: values,
      [Compress.input]: input,
      [Compress.rows]: rows,
      [Compress.capacity]: capacity,
    });
  }

  /** One dense row without its zeros. */
  compressRow(input: number, width: number): SparseMatrix {
    // As a data set of one sample: its entries begin at 0, and how many there are says where they end.
    const starts = this.heap.allocate(8);
    this.heap.u32[starts / 4] = 0;
    const columns = this.heap.allocate(width * 4);
    const values = this.matrix(1, width);
    const dataType = this.heap.dtype === "float64" ? DataType.f64 : DataType.f32;
    const source = { starts, columns, data: values, order: 0, batch: 0, dataType, scale: this.cell(1) };
    const row = { counts: starts + 4, columns, values, capacity: width, rows: 1, width, source };
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
    const pieces = this.#threads;
    const startsBytes = Math.ceil(((width + 1 + 2 * rows) * 4) / 64) * 64;
    const starts = this.heap.allocate(startsBytes * pieces);
    const rowsOf = this.heap.allocate(rows * capacity * 4);
    const valuesOf = this.heap.allocateElements(rows * capacity);
    const record = this.#emitFromSamples(Op.sortByColumn, source, rows, [starts, rowsOf, valuesOf]);
    record[SortByColumn.starts] = starts;
    record[SortByColumn.startsBytes] = startsBytes;
    record[SortByColumn.rowsOf] = rowsOf;
    record[SortByColumn.valuesOf] = valuesOf;
    record[SortByColumn.width] = width;
    record[SortByColumn.pieces] = pieces;
    const sorted = { starts, startsBytes, rowsOf, valuesOf, pieces };
    this.#sorted.set(matrix, sorted);
    return sorted;
  }

  /** output = start + X' D */
  #sparseGradient(output: number, left: SparseMatrix, gradient: number, n: number, start: Start): void {
    const { starts, startsBytes, rowsOf, valuesOf, pieces } = this.sortByColumn(left);
    const rowBytes = n * bytesOf(this.heap.dtype);
    this.#emit(Op.sparseGradient, [gradient, starts, rowsOf, valuesOf], [], [output], undefined, {
      [SparseGradient.output]: output,
      [SparseGradient.starts]: starts,
      [SparseGradient.startsBytes]: startsBytes,
      [SparseGradient.rowsOf]: rowsOf,
      [SparseGradient.valuesOf]: valuesOf,
      [SparseGradient.gradient]: gradient,
      [SparseGradient.inputs]: left.width,
      [SparseGradient.width]: n,
      [SparseGradient.rows]: left.rows,
      [SparseGradient.start]: start,
      [SparseGradient.pieces]: pieces,
      // 64 bytes more for each thread, so that none shares a cache line.
      [SparseGradient.scratch]:
        rowBytes < WIDE_ROW_BYTES ? 0 : this.heap.allocate((rowBytes + 64) * this.#threads),
    });
  }

  #sparseProduct(
    output: number,
    left: SparseMatrix,
    right: number,
    n: number,
    { start, bias }: { start: Start; bias: number },
  ): void {
    const { counts, columns, values, capacity, rows } = left;
    this.#emit(Op.sparseProduct, [right, bias], [counts, columns, values], [output], batchRows(rows), {
      [SparseProduct.output]: output,
      [SparseProduct.counts]: counts,
      [SparseProduct.columns]: columns,
      [SparseProduct.values]: values,
      [SparseProduct.capacity]: capacity,
      [SparseProduct.right]: right,
      [SparseProduct.rows]: rows,
      [SparseProduct.width]: n,
      [SparseProduct.start]: start,
      [SparseProduct.bias]: bias,
      [SparseProduct.epilogue]: NO_EPILOGUE,
    });
  }

  /**
   * output (m, n) = start + A (m, k) B (k, n); with `transposed`, A lies in memory as (k, m), with
   * `rightTransposed`, B as (n, k). A sparse A is of shape (m, k), or (k, m) when transposed; it takes no
   * Start.add untransposed, no Start.bias transposed, and no transposed B.
   */
  product(
    output: number,
    left: Matrix,
    right: number,
    m: number,
    n: number,
    k: number,
    {
      transposed = false,
      rightTransposed = false,
      start = Start.zero,
      bias = 0,
    }: { transposed?: boolean; rightTransposed?: boolean; start?: Start; bias?: number } = {},
  ): void {
    if (typeof left !== "number") {
      if (transposed) this.#sparseGradient(output, left, right, n, start);
      else this.#sparseProduct(output, left, right, n, { start, bias });
      return;
    }
    const packed = packingPays(m, n, k);
    if (rightTransposed && !packed) {
      const plain = this.matrix(k, n);
      this.transpose(plain, right, n, k);
      right = plain;
    }
    const byRows = sharedByRows(m, n, transposed, this.#threads);
    const ownRows = byRows && !transposed;
    const reads = ownRows ? [right, bias] : [left, right, bias];
    this.#emit(Op.product, reads, ownRows ? [left] : [], [output], ownRows ? batchRows(m) : undefined, {
      [Product.output]: output,
      [Product.left]: left,
      [Product.right]: right,
      [Product.m]: m,
      [Product.n]: n,
      [Product.k]: k,
      [Product.layout]:
        (transposed ? Layout.transposed : 0) |
        (rightTransposed && packed ? Layout.rightTransposed : 0) |
        (byRows ? Layout.byRows : 0) |
        (transposed && start === Start.add && this.#threads === 1 ? Layout.byTerms : 0),
      [Product.start]: start,
      [Product.bias]: bias,
      [Product.epilogue]: NO_EPILOGUE,
      [Product.scratchBytes]: packed ? packedBytes(n, k, bytesOf(this.heap.dtype)) : 0,
    });
  }

  columnSums(output: number, input: number, rows: number, width: number, start: Start = Start.zero): void {
    this.#emit(Op.columnSums, [input], [], [output], undefined, {
      [ColumnSums.output]: output,
      [ColumnSums.input]: input,
      [ColumnSums.rows]: rows,
      [ColumnSums.width]: width,
      [ColumnSums.start]: start,
    });
  }

  transpose(output: number, input: number, rows: number, width: number): void {
    this.#emit(Op.transpose, [input], [], [output], undefined, {
      [Transpose.output]: output,
      [Transpose.input]: input,
      [Transpose.rows]: rows,
      [Transpose.width]: width,
    });
  }

  /**
   * output = f(input); fused into the product before it when that product's output is both. `rows`: of the
   * batch that these are the elements of, if they are.
   */
  forward(op: ForwardOp, output: number, input: number, size: number, rows = 0): void {
    const product = output === input ? this.#productInto(output) : undefined;
    if (product) {
      product.record[product.epilogue] = op;
      return;
    }
    this.#emit(op, [], [input], [output], elementShare(rows), {
      [Elementwise.output]: output,
      [Elementwise.input]: input,
      [Elementwise.size]: size,
      [Elementwise.rows]: rows,
    });
  }

  /** output = gradient * f'(x) from saved = f(x); fused like forward(). */
  backward(op: BackwardOp, output: number, gradient: number, saved: number, size: number, rows = 0): void {
    const product = output === gradient ? this.#productInto(output) : undefined;
    if (product && !this.#mustWait([saved], [], product.share)) {
      product.record[product.epilogue] = op;
      product.record[product.saved] = saved;
      note(this.#reads, [saved], product.share);
      return;
    }
    this.#emit(op, [], [gradient, saved], [output], elementShare(rows), {
      [Backward.output]: output,
      [Backward.gradient]: gradient,
      [Backward.saved]: saved,
      [Backward.size]: size,
      [Backward.rows]: rows,
    });
  }

  softmax(output: number, input: number, rows: number, width: number): void {
    this.#emit(Op.softmax, [], [input], [output], batchRows(rows), {
      [Softmax.output]: output,
      [Softmax.input]: input,
      [Softmax.rows]: rows,
      [Softmax.width]: width,
    });
  }

  softmaxBackward(output: number, gradient: number, saved: number, rows: number, width: number): void {
    this.#emit(Op.softmaxBackward, [], [gradient, saved], [output], batchRows(rows), {
      [SoftmaxBackward.output]: output,
      [SoftmaxBackward.gradient]: gradient,
      [SoftmaxBackward.saved]: saved,
      [SoftmaxBackward.rows]: rows,
      [SoftmaxBackward.width]: width,
    });
  }

  loss(
    op: LossOp,
    buffers: {
      gradient: number;
      losses: number;
      hits: number;
      prediction: number;
      logits: number;
      target: number;
    },
    rows: number,
    width: number,
    scale: number,
  ): void {
    const { gradient, losses, hits, prediction, logits, target } = buffers;
    const fused = op !== Op.meanSquaredError;
    this.#emit(
      op,
      [],
      [fused ? logits : prediction, target],
      fused ? [gradient, losses, hits, prediction] : [gradient, losses, hits],
      batchRows(rows),
      {
        [Loss.gradient]: gradient,
        [Loss.losses]: losses,
        [Loss.hits]: hits,
        [Loss.prediction]: prediction,
        [Loss.logits]: logits,
        [Loss.target]: target,
        [Loss.rows]: rows,
        [Loss.width]: width,
        [Loss.scale]: scale,
      },
    );
  }

  report(statistics: number, losses: number, hits: number, size: number, weight: number): void {
    this.#emit(Op.report, [losses, hits], [], [statistics], undefined, {
      [Report.statistics]: statistics,
      [Report.losses]: losses,
      [Report.hits]: hits,
      [Report.size]: size,
      [Report.weight]: weight,
    });
  }

  uniform(output: number, size: number, low: number, high: number, seed: number, stream: number): void {
    this.#emit(Op.uniform, [low, high], [], [output], undefined, {
      [Uniform.output]: output,
      [Uniform.size]: size,
      [Uniform.low]: low,
      [Uniform.high]: high,
      [Uniform.seedLow]: seed,
      [Uniform.seedHigh]: seed / 2 ** 32,
      [Uniform.stream]: stream,
    });
  }

  shuffle(order: number, size: number, seed: number, stream: number): void {
    this.#emit(Op.shuffle, [], [], [order], undefined, {
      [Shuffle.order]: order,
      [Shuffle.size]: size,
      [Shuffle.seedLow]: seed,
      [Shuffle.seedHigh]: seed / 2 ** 32,
      [Shuffle.stream]: stream,
    });
  }

  /** Writes the records into the heap. */
  finish(): Program {
    this.#barrier();
    this.#placeScratch();
    const offset = this.heap.allocate(this.#records.length * RECORD_WORDS * 4);
    const words = this.heap.u32;
    for (const [index, record] of this.#records.entries()) {
      words.set(record, offset / 4 + index * RECORD_WORDS);
    }
    const phases = [];
    for (let first = 0, end = 1; end <= this.#records.length; end++) {
      if (this.#records[end - 1][Word.barrier] === 0) continue;
      phases.push({ first, count: end - first });
      first = end;
    }
    return { offset, count: this.#records.length, threads: this.#threads, phases, parts: this.#parts };
  }

  /**
   * A record of an operation that reads all of `reads`, and of `own` and of what it writes each thread its
   * share. `operands`: words by their positions.
   */
  #emit(
    op: Op,
    reads: number[],
    own: number[],
    writes: number[],
    share: Share,
    operands: Record<number, number>,
  ): Uint32Array {
    if (this.#mustWait(reads, []) || this.#mustWait(own, writes, share)) this.#barrier();
    note(this.#reads, reads, undefined);
    note(this.#reads, own, share);
    note(this.#writes, writes, share);
    const record = new Uint32Array(RECORD_WORDS);
    // Not Object.assign: it takes four microseconds.
    for (let word = 0; word < RECORD_WORDS; word++) record[word] = operands[word] ?? 0;
    record[Word.opcode] = op;
    this.#records.push(record);
    return record;
  }

  /** Whether threads must meet before they read and write this, each its `share` of it. */
  #mustWait(reads: number[], writes: number[], share?: Share): boolean {
    const differs = (seen: Map<number, Share>) => (offset: number) =>
      seen.has(offset) && (share === undefined || seen.get(offset) !== share);
    return (
      reads.some(differs(this.#writes)) ||
      writes.some(differs(this.#writes)) ||
      writes.some(differs(this.#reads))
    );
  }

  #barrier(): void {
    const last = this.#records.at(-1);
    if (last) last[Word.barrier] = this.#partsOfPhase();
    this.#reads.clear();
    this.#writes.clear();
  }

  /**
   * In how many parts the threads share the operations since the last barrier: in some for each, so that a thread
   * that is fast or free can do more of them; in one where smaller parts would pack too much.
   */
  #partsOfPhase(): number {
    const threads = this.#threads;
    if (threads === 1) return 1;
    const last = this.#records.findLastIndex((record) => record[Word.barrier] !== 0);
    const phase = this.#records.slice(last + 1);
    return phase.some((record) => packsTooMuch(record, threads * PARTS_PER_THREAD))
      ? threads
      : threads * PARTS_PER_THREAD;
  }

  /** One scratch serves all products: each thread has a piece of its own, and does one thing after the other. */
  #placeScratch(): void {
    const products = this.#records.filter((record) => record[Word.opcode] === Op.product);
    const bytes = Math.max(0, ...products.map((record) => record[Product.scratchBytes]));
    if (bytes === 0) return;
    const scratch = this.heap.allocate(bytes * this.#threads);
    for (const record of products) {
      if (record[Product.scratchBytes] === 0) continue;
      record[Product.scratch] = scratch;
      record[Product.scratchBytes] = bytes;
    }
  }

  /** The last record, if it is a product into `output` that has no epilogue yet, and where that stands. */
  #productInto(
    output: number,
  ): { record: Uint32Array; epilogue: number; saved: number; share: Share } | undefined {
    const record = this.#records.at(-1);
    if (!record) return undefined;
    const places = EPILOGUE_PLACES.get(record[Word.opcode]);
    if (!places || record[places.output] !== output || record[places.epilogue] !== NO_EPILOGUE)
      return undefined;
    // An epilogue runs at the end of a part, and must not before the sums are whole.
    if (record[Word.opcode] === Op.product && record[Product.layout] & Layout.byTerms) return undefined;
    return {
      record,
      epilogue: places.epilogue,
      saved: places.saved,
      share: this.#writes.get(output),
    };
  }
}

function elementShare(rows: number): Share {
  return rows > 0 ? batchRows(rows) : undefined;
}

/** Adds to what was read or written; shared in two ways means that any thread touched anything. */
function note(seen: Map<number, Share>, offsets: number[], share: Share): void {
  for (const offset of offsets) {
    seen.set(offset, seen.has(offset) && seen.get(offset) !== share ? undefined : share);
  }
}
