// Forward passes for predict: the plan stays on top of the heap from call to call.

import { className, wrongValue } from "./check.js";
import { copyOf, sliceRows, type Table } from "./dataset.js";
import { arrayOf, bytesOf, type FloatArray } from "./dtype.js";
import type { Program } from "./executors/executor.js";
import type { Region } from "./heap.js";
import { type Model, placeSnapshot, planPredict } from "./plan.js";
import { EVALUATION_BATCH } from "./sweep.js";
import { copyInto } from "./upload.js";
import type { Snapshot } from "./whole-steps.js";

/** A plan for some rows of one data type, with the parameters in the heap or with a copy of them. */
interface Plan {
  data: Region;
  program: Program;
  output: Region;
}

export class Predictor {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Writes the outputs of the rows `from` to `to` of `table` to their places in `output`. */
  run(
    table: Table,
    output: FloatArray,
    parameters: Snapshot | undefined,
    from = 0,
    to: number = table.rows,
  ): void {
    if (from === 0 && to === table.rows && to <= EVALUATION_BATCH) {
      this.#runBatch(table, output, 0, parameters);
      return;
    }
    for (let start = from; start < to; start += EVALUATION_BATCH) {
      const end = Math.min(to, start + EVALUATION_BATCH);
      this.#runBatch(sliceRows(table, start, end), output, start, parameters);
    }
  }

  #runBatch(table: Table, output: FloatArray, from: number, parameters: Snapshot | undefined): void {
    const { heap, executor, outputs, residents } = this.#model;
    const { rows, dataType } = table;
    const key = ["predict", rows, dataType, parameters];
    const passing = parameters !== undefined;
    const plan = residents.take(key, () => this.#make(table, parameters), { passing });
    copyInto(heap, plan.data, table);
    executor.run(plan.program, 0, 1);
    output.set(heap.elements(plan.output.offset, rows * outputs), from * outputs);
  }

  #make({ rows, dataType, width, data: values }: Table, parameters: Snapshot | undefined): Plan {
    const data = this.#model.heap.region(values.byteLength);
    const placed = { inputs: { data, dataType, width }, visit: { order: undefined, batch: rows } };
    const copy = placeSnapshot(this.#model, parameters);
    return { data, ...planPredict(this.#model, placed, rows, copy) };
  }
}

/** Where the outputs of a predict go, and the inputs that it may read until then. */
interface Target {
  table: Table;
  output: FloatArray;
  /** Gives the user the outputs, once all are there. */
  deliver(): FloatArray;
}

/**
 * The target for the outputs of `table`: a new array, or the user's `out`.
 * Throws RangeError if `out` is not an array of the network's type with as many elements as there are outputs.
 */
export function openTarget({ heap, dtype, outputs }: Model, table: Table, out: unknown): Target {
  const FloatArray = arrayOf(dtype);
  const length = table.rows * outputs;
  const fresh = () => {
    try {
      return new FloatArray(length);
    } catch (cause) {
      throw new RangeError(
        `${table.rows} x ${outputs} outputs do not fit into an array: predict fewer rows at a time`,
        { cause },
      );
    }
  };
  if (out === undefined) {
    const output = fresh();
    return { table, output, deliver: () => output };
  }
  const usable = ArrayBuffer.isView(out) && className(out) === FloatArray.name;
  if (!usable || out.byteLength !== length * bytesOf(dtype)) {
    throw wrongValue("out", out, `a ${FloatArray.name} of ${table.rows} x ${outputs} elements`);
  }
  const user = out as FloatArray;
  const { buffer, byteOffset } = user;
  if (heap.owns(buffer)) {
    // The network's own weights: needed until the end, and where they are then the memory may have moved.
    const output = fresh();
    const deliver = () => {
      const region = heap.elements(byteOffset, length);
      region.set(output);
      // A view of a memory that has moved is empty now.
      return user.length === length ? user : region;
    };
    return { table, output, deliver };
  }
  const output = new FloatArray(buffer as ArrayBuffer, byteOffset, length);
  return { table: overlap(table.data, output) ? copyOf(table) : table, output, deliver: () => user };
}

function overlap(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const [first, second] = a.byteOffset <= b.byteOffset ? [a, b] : [b, a];
  return first.buffer === second.buffer && first.byteOffset + first.byteLength > second.byteOffset;
}
