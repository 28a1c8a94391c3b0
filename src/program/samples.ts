// Data in the heap: data sets, and the matrices that operations make of them. What users pass in are the tables of
// dataset.ts; upload.ts makes samples of them.

import type { DataType } from "../../assembly/ops.js";
import type { Region } from "../heap.js";
import type { Operands } from "./operation.js";

/** A data set: rows of values. */
export interface DenseSamples {
  /** dataType (samples, width) */
  data: Region;
  dataType: DataType;
  width: number;
}

/** A data set without its zeros: see the sparse batches of assembly/ops.ts. */
export interface SparseSamples extends DenseSamples {
  /** u32 (samples + 1) */
  starts: Region;
  /** u32 (entries) */
  columns: Region;
  /** Most entries of a row. */
  capacity: number;
}

/** A data set of class indexes: u32 (samples). */
export interface ClassSamples {
  classes: Region;
}

/** The way through a data set. */
export interface Visit {
  /** u32 permutation of the samples, or undefined for their own order. */
  order: Region | undefined;
  /** Rows of a full batch. */
  batch: number;
}

/** A batch of `rows` rows without their zeros: by rows, and on demand by columns. */
export interface SparseMatrix {
  readonly counts: Region;
  readonly columns: Region;
  readonly values: Region;
  readonly capacity: number;
  readonly rows: number;
  readonly width: number;
  /** Where its entries come from, to sort them; known when it is gathered. */
  source: Operands | undefined;
}

/** Vectors of the working type for the last axis: (x - mean[j]) * factor[j]. */
export interface Columns {
  readonly mean: Region;
  readonly factor: Region;
  /** Their length. */
  readonly length: number;
}

/** What a layer multiplies by its weights: a dense matrix of the working type, or a sparse one. */
export type Matrix = Region | SparseMatrix;
