// Data sets on their way into the heap: with their zeros or without, all at once or in pieces.
//
// The heap gives out regions in stack order, so all regions of a call are taken together, between two turns of the
// event loop; they can be filled in pieces. For that the number of non-zero values must be known before.

import { density, isClasses, sliceRows, type Table, type Targets } from "./dataset.js";
import type { Heap, Region } from "./heap.js";
import { byRows, type Pieces } from "./pieces.js";
import type { ClassSamples, DenseSamples, SparseSamples, Visit } from "./program/samples.js";

/**
 * Share of non-zero inputs below which the first layer walks only those. Measured on random data: dense and
 * sparse layers draw level at 0.4 to 0.5, whatever the width, the batch and the element type.
 */
export const SPARSE_BELOW = 0.4;

/** Inputs and targets, and what must be known of them before they get room in the heap. */
export interface DataSet {
  inputs: Table;
  targets: Targets;
  /** Weights of the samples, of width 1, if there are any. */
  weights?: Table | undefined;
  /** Share of values that are not zero, of a sample. */
  density: number;
  /** Where they are to go without their zeros: how many there are, in all and most in a row. */
  sparse?: { entries: number; capacity: number };
}

/** Looks at data that are to stay in the heap for long. */
export function* survey(
  [inputs, targets, weights]: readonly [Table, Targets, Table?],
  takesSparse: boolean,
): Pieces<DataSet> {
  const share = density(inputs);
  const set: DataSet = { inputs, targets, weights, density: share };
  if (share >= SPARSE_BELOW || !takesSparse) return set;
  const { data, rows, width } = inputs;
  const sparse = { entries: 0, capacity: 0 };
  yield* byRows(rows, width, (from, to) => count(data.subarray(from * width, to * width), width, sparse));
  return { ...set, sparse };
}

/** Adds the values that are not zero, and takes the most of a row. */
function count(data: Table["data"], width: number, found: { entries: number; capacity: number }): void {
  let { capacity } = found;
  let entries = 0;
  for (let i = 0; i < data.length; ) {
    const before = entries;
    // Added, not asked: whether a value is zero cannot be foreseen.
    for (const end = i + width; i < end; i++) entries += Number(data[i] !== 0);
    capacity = Math.max(capacity, entries - before);
  }
  found.entries += entries;
  found.capacity = capacity;
}

/** A data set in the heap. */
export interface PlacedData {
  inputs: DenseSamples | SparseSamples;
  targets: DenseSamples | ClassSamples;
  /** Weights of the samples. */
  weights?: DenseSamples | undefined;
  /** Whether there may be targets that are NaN. */
  masked?: boolean;
  visit: Visit;
  /** Where the outputs for all rows are kept, if they are needed: T (rows, outputs). */
  predictions?: Region | undefined;
}

/** Rows of data that are copied as they are. */
export type Batch = Pick<DataSet, "inputs" | "targets" | "weights">;

/** Rows `from` to `to` of data, without a copy. */
export function sliceBatch({ inputs, targets, weights }: Batch, from: number, to: number): Batch {
  return {
    inputs: sliceRows(inputs, from, to),
    targets: sliceRows(targets, from, to),
    weights: weights && sliceRows(weights, from, to),
  };
}

/** What programs for batches like this one have in common. */
export function formOf({ inputs, targets, weights }: Batch): unknown[] {
  const form = isClasses(targets) ? ["classes"] : [targets.dataType, targets.masked];
  return [inputs.rows, inputs.dataType, weights?.dataType, ...form];
}

/** Copies a batch into the room that allocateData() took. */
export function copyBatch(heap: Heap, { inputs, targets, weights }: Batch, placed: PlacedData): void {
  copyInto(heap, placed.inputs.data, inputs);
  copyInto(heap, regionOf(placed.targets), targets);
  if (weights) copyInto(heap, placed.weights!.data, weights);
}

/** Takes room for data, and for the outputs of all rows, so many of each. */
export function allocateData(
  heap: Heap,
  { inputs, targets, weights, sparse }: Omit<DataSet, "density">,
  visit: Visit,
  outputs = 0,
): PlacedData {
  const place = (values: Table, entries = values.data.length): DenseSamples => ({
    data: heap.region(entries * values.data.BYTES_PER_ELEMENT),
    dataType: values.dataType,
    width: values.width,
  });
  return {
    inputs: sparse
      ? {
          starts: heap.region((inputs.rows + 1) * 4),
          columns: heap.region(sparse.entries * 4),
          ...place(inputs, sparse.entries),
          capacity: sparse.capacity,
        }
      : place(inputs),
    targets: isClasses(targets) ? { classes: heap.region(targets.data.byteLength) } : place(targets),
    weights: weights && place(weights),
    masked: !isClasses(targets) && targets.masked === true,
    visit,
    predictions: outputs ? heap.region(inputs.rows * outputs * heap.elementBytes) : undefined,
  };
}

/** Fills the room that allocateData() took. Throws Error if the data have changed since they were looked at. */
export function* upload(heap: Heap, data: DataSet, { inputs, targets, weights }: PlacedData): Pieces<void> {
  if ("capacity" in inputs) yield* uploadSparse(heap, data, inputs);
  else yield* copyInPieces(heap, inputs.data, data.inputs);
  yield* copyInPieces(heap, regionOf(targets), data.targets);
  if (weights) yield* copyInPieces(heap, weights.data, data.weights!);
}

/** The values of samples that are not sparse. */
export function regionOf(samples: DenseSamples | ClassSamples): Region {
  return "classes" in samples ? samples.classes : samples.data;
}

/** Copies a table or classes into the heap. */
export function copyInto(heap: Heap, { offset }: Region, { data }: Targets): void {
  heap.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
}

function* copyInPieces(heap: Heap, { offset }: Region, { data, rows }: Targets): Pieces<void> {
  const length = data.byteLength;
  const rowBytes = length / rows;
  yield* byRows(rows, rowBytes, (from, to) => {
    if (data.byteLength !== length) throw changed();
    const first = data.byteOffset + from * rowBytes;
    heap.u8.set(new Uint8Array(data.buffer, first, (to - from) * rowBytes), offset + from * rowBytes);
  });
}

function* uploadSparse(heap: Heap, { inputs, sparse }: DataSet, placed: SparseSamples): Pieces<void> {
  const { data, rows, width } = inputs;
  const { entries, capacity } = sparse!;
  const starts = placed.starts.offset / 4;
  const columns = placed.columns.offset / 4;
  let done = 0;
  yield* byRows(rows, width, (from, to) => {
    if (data.length !== rows * width) throw changed();
    const { u32 } = heap;
    done = copyNonZero(
      data.subarray(from * width, to * width),
      width,
      u32.subarray(starts + from),
      // Whoever writes to the data meanwhile must not get at what lies behind these regions.
      u32.subarray(columns, columns + entries),
      heap.like(data, placed.data, entries),
      done,
      capacity,
    );
  });
  if (done !== entries) throw changed();
  heap.u32[starts + rows] = done;
}

/** Appends rows without their zeros to the `entry` entries there are; returns how many there are then. */
function copyNonZero(
  data: Table["data"],
  width: number,
  starts: Uint32Array,
  columns: Uint32Array,
  values: Table["data"],
  entry: number,
  capacity: number,
): number {
  for (let i = 0, r = 0; i < data.length; r++) {
    starts[r] = entry;
    for (let j = 0; j < width; j++, i++) {
      const value = data[i];
      if (value === 0) continue;
      columns[entry] = j;
      values[entry] = value;
      entry++;
    }
    if (entry > columns.length || entry - starts[r] > capacity) throw changed();
  }
  return entry;
}

function changed(): Error {
  return new Error(
    "the data changed while fit was reading them: leave them alone until the first callback, or pass a copy",
  );
}
