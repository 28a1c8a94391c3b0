// The parameters of a network: one contiguous region at the start of its heap, so that a snapshot is one
// slice.

import type { FloatArray } from "./dtype.js";
import type { Heap } from "./heap.js";

export class Store {
  readonly heap: Heap;
  readonly #regions: { name: string; offset: number; count: number }[] = [];
  readonly #begin: number;
  #end: number;
  /** The views that users were given and may still hold. */
  #lent: WeakRef<FloatArray>[] = [];

  constructor(heap: Heap) {
    this.heap = heap;
    this.#begin = heap.top;
    this.#end = heap.top;
  }

  /** Reserves `count` parameters; returns their offset. All must be reserved before anything else is. */
  reserve(name: string, count: number): number {
    const offset = this.heap.allocateElements(count);
    this.#end = this.heap.top;
    this.#regions.push({ name, offset, count });
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

  /** A view for a user, who may write to it at any time: the same as before while the memory has not grown. */
  lend(offset: number, length: number): FloatArray {
    const { buffer } = this.heap.u8;
    for (const reference of this.#lent) {
      const view = reference.deref();
      if (view?.byteOffset === offset && view.buffer === buffer) return view;
    }
    const view = this.view(offset, length);
    this.#dropUnused();
    this.#lent.push(new WeakRef(view));
    return view;
  }

  /**
   * The first parameter that is NaN or infinite, in words, if a user may have written one: training leaves none.
   * Costs nothing where no view was given out, or none is left.
   */
  written(): string | undefined {
    if (this.#lent.length === 0) return undefined;
    const bad = this.firstNotFinite();
    // Asked last: who holds a view now may write again.
    if (bad === undefined) this.#dropUnused();
    return bad;
  }

  /** Copies all parameters to `target`, `bytes` long. */
  snapshot(target: Uint8Array): void {
    target.set(this.heap.u8.subarray(this.#begin, this.#end));
  }

  /** Puts a snapshot back. */
  restore(snapshot: Uint8Array): void {
    this.heap.u8.set(snapshot, this.#begin);
  }

  /** The first parameter that is NaN or infinite, in words: "layers[0].weights[3] is NaN". */
  firstNotFinite(): string | undefined {
    for (const { name, offset, count } of this.#regions) {
      const values = this.view(offset, count);
      // Zero times a number is 0, and NaN if it is none. A call for each (every, Number.isFinite) takes ten times as long.
      let sum = 0;
      for (let i = 0; i < count; i++) sum += 0 * values[i];
      if (sum === 0) continue;
      const index = values.findIndex((value) => !Number.isFinite(value));
      return `${name}[${index}] is ${values[index]}`;
    }
    return undefined;
  }

  #dropUnused(): void {
    this.#lent = this.#lent.filter((reference) => reference.deref() !== undefined);
  }
}
