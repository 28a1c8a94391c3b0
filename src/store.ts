// The parameters of a network: one contiguous region at the start of its heap, so that a snapshot is one
// slice.

import type { FloatArray } from "./dtype.js";
import type { Heap } from "./heap.js";

export class Store {
  readonly heap: Heap;
  readonly #regions: { offset: number; count: number }[] = [];
  readonly #begin: number;
  #end: number;

  constructor(heap: Heap) {
    this.heap = heap;
    this.#begin = heap.top;
    this.#end = heap.top;
  }

  /** Reserves `count` parameters; returns their offset. All must be reserved before anything else is. */
  reserve(count: number): number {
    const offset = this.heap.allocateElements(count);
    this.#end = this.heap.top;
    this.#regions.push({ offset, count });
    return offset;
  }

  /** First byte of the parameters. */
  get begin(): number {
    return this.#begin;
  }

  /** Bytes from the first parameter to the end, alignment included. */
  get bytes(): number {
    return this.#end - this.#begin;
  }

  /** A live view of `length` parameters at `offset`. */
  view(offset: number, length: number): FloatArray {
    return this.heap.elements(offset, length);
  }

  /** Copies all parameters to `target`, `bytes` long. */
  snapshot(target: Uint8Array): void {
    target.set(this.heap.u8.subarray(this.#begin, this.#end));
  }

  /** Puts a snapshot back. */
  restore(snapshot: Uint8Array): void {
    this.heap.u8.set(snapshot, this.#begin);
  }

  /** Whether no parameter is NaN or infinite. */
  isFinite(): boolean {
    // Zero times a number is 0, and NaN if it is none. A call for each (every, Number.isFinite) takes ten times as long.
    let sum = 0;
    for (const { offset, count } of this.#regions) {
      const values = this.view(offset, count);
      for (let i = 0; i < count; i++) sum += 0 * values[i];
    }
    return sum === 0;
  }
}
