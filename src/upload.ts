// Data sets on their way into the heap: with their zeros or without, all at once or in pieces.
//
// The heap gives out regions in stack order, so all regions of a call are taken together, between two turns of the
// event loop; they can be filled in pieces. For that the number of non-zero values must be known before.

import { density, isClasses, type Table, type Targets } from "./dataset.js";
import type { Heap } from "./heap.js";
import { byRows, type Pieces } from "./pieces.js";
import type { Batches, DataType } from "./program.js";

/** Inputs in the heap, with their zeros or without. */
export interface PlacedInputs extends Batches {
  dataType: DataType;
  sparse?: { starts: number; columns: number; capacity: number };
}

/** Targets in the heap; without a data type they are class indexes. */
export interface PlacedTargets extends Batches {
  dataType?: DataType;
}

/**
 * Share of non-zero inputs below which the first layer walks only those. Measured on random data: dense and
 * sparse layers draw level at 0.4 to 0.5, whatever the width, the batch and the element type.
 */
export const SPARSE_BELOW = 0.4;

/** Inputs and targets, and what must be known of them before they get room in the heap. */
export interface DataSet {
  inputs: Table;
  targets: Targets;
  /** Share of values that are not zero, of a sample. */
  density: number;
  /** Where they are to go without their zeros: how many there are, in all and most in a row. */
  sparse?: { entries: number; capacity: number };
}

/** Looks at data that are to stay in the heap for long. */
export function* survey(inputs: Table, targets: Targets): Pieces<DataSet> {
  const share = density(inputs);
  if (share >= SPARSE_BELOW) return { inputs, targets, density: share };
  const { data, rows, width } = inputs;
  const sparse = { entries: 0, capacity: 0 };
  yield* byRows(rows, width, (from, to) => count(data.subarray(from * width, to * width), width, sparse));
  return { inputs, targets, density: share, sparse };
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

/** Data in the heap that share an order. */
export interface PlacedData {
  inputs: PlacedInputs;
  targets: PlacedTargets;
}

/** Takes room for data. */
export function allocateData(
  heap: Heap,
  { inputs, targets, sparse }: DataSet,
  order: number,
  batch: number,
): PlacedData {
  const share = { order, batch };
  const { dataType, data, rows } = inputs;
  const placed: PlacedInputs = { ...share, dataType, data: 0 };
  if (sparse) {
    const { entries, capacity } = sparse;
    const starts = heap.allocate((rows + 1) * 4);
    const columns = heap.allocate(entries * 4);
    placed.data = heap.allocate(entries * data.BYTES_PER_ELEMENT);
    placed.sparse = { starts, columns, capacity };
  } else {
    placed.data = heap.allocate(data.byteLength);
  }
  return {
    inputs: placed,
    targets: {
      ...share,
      data: heap.allocate(targets.data.byteLength),
      dataType: isClasses(targets) ? undefined : targets.dataType,
    },
  };
}

/** Fills the room that allocateData() took. Throws Error if the data have changed since they were looked at. */
export function* upload(heap: Heap, data: DataSet, placed: PlacedData): Pieces<void> {
  if (data.sparse) yield* uploadSparse(heap, data, placed.inputs);
  else yield* copyInPieces(heap, placed.inputs.data, data.inputs);
  yield* copyInPieces(heap, placed.targets.data, data.targets);
}

/** Copies a table or classes into the heap at `offset`. */
export function copyInto(heap: Heap, offset: number, { data }: Targets): void {
  heap.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
}

function* copyInPieces(heap: Heap, offset: number, { data, rows }: Targets): Pieces<void> {
  const length = data.byteLength;
  const rowBytes = length / rows;
  yield* byRows(rows, rowBytes, (from, to) => {
    if (data.byteLength !== length) throw changed();
    const first = data.byteOffset + from * rowBytes;
    heap.u8.set(new Uint8Array(data.buffer, first, (to - from) * rowBytes), offset + from * rowBytes);
  });
}

function* uploadSparse(heap: Heap, { inputs, sparse }: DataSet, placed: PlacedInputs): Pieces<void> {
  const { data, rows, width } = inputs;
  const { entries, capacity } = sparse!;
  const { starts, columns } = placed.sparse!;
  let done = 0;
  yield* byRows(rows, width, (from, to) => {
    if (data.length !== rows * width) throw changed();
    const { u8, u32, f32, f64 } = heap;
    const all = data instanceof Uint8Array ? u8 : data instanceof Float32Array ? f32 : f64;
    const first = placed.data / data.BYTES_PER_ELEMENT;
    done = copyNonZero(
      data.subarray(from * width, to * width),
      width,
      u32.subarray(starts / 4 + from),
      // Whoever writes to the data meanwhile must not get at what lies behind these regions.
      u32.subarray(columns / 4, columns / 4 + entries),
      all.subarray(first, first + entries),
      done,
      capacity,
    );
  });
  if (done !== entries) throw changed();
  heap.u32[starts / 4 + rows] = done;
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
    "the data changed, or their memory went, while fit was reading them: leave them alone until the first callback, " +
      "or pass a copy",
  );
}
