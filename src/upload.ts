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
  let entries = 0;
  let capacity = 0;
  yield* byRows(rows, width, (from, to) => {
    for (let r = from, i = from * width; r < to; r++) {
      const before = entries;
      for (const end = i + width; i < end; i++) if (data[i] !== 0) entries++;
      capacity = Math.max(capacity, entries - before);
    }
  });
  return { inputs, targets, density: share, sparse: { entries, capacity } };
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
  const starts = placed.sparse!.starts / 4;
  const firstColumn = placed.sparse!.columns / 4;
  const firstValue = placed.data / data.BYTES_PER_ELEMENT;
  let done = 0;
  yield* byRows(rows, width, (from, to) => {
    if (data.length !== rows * width) throw changed();
    const { u8, u32, f32, f64 } = heap;
    const values = data instanceof Uint8Array ? u8 : data instanceof Float32Array ? f32 : f64;
    for (let r = from, i = from * width; r < to; r++) {
      u32[starts + r] = done;
      const most = Math.min(entries, done + capacity);
      for (let j = 0; j < width; j++, i++) {
        if (data[i] === 0) continue;
        // Whoever writes to the data meanwhile must not get at what lies behind this region.
        if (done === most) throw changed();
        u32[firstColumn + done] = j;
        values[firstValue + done] = data[i];
        done++;
      }
    }
  });
  if (done !== entries) throw changed();
  heap.u32[starts + rows] = done;
}

function changed(): Error {
  return new Error(
    "the data given to fit changed, or their memory went, while fit was reading them: leave them alone until the " +
      "first onEpoch or onBatch, or pass a copy",
  );
}
