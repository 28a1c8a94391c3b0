// The registry of a network's tensors: its parameters by name, in one contiguous region at the start of its heap, so that
// a snapshot is one slice; and behind them what optimizers keep of each parameter, in regions that lie alike.

import { arrayOf, type FloatArray } from "./dtype.js";
import type { Heap, Region } from "./heap.js";
import { type Shape, sizeOf } from "./shape.js";

/** What a layer declares: a tensor by its name in the layer. */
export interface TensorSpec {
  readonly shape: Shape;
  /** Whether training changes it by its gradient; default true. */
  readonly trainable?: boolean;
  /** Penalties: l1 * sign(parameter) + 2 * l2 * parameter is added to the gradient; default 0. */
  readonly l1?: number;
  readonly l2?: number;
  /** Most that the norm of a column, along all axes but the last, is after a step; default Infinity. */
  readonly maxNorm?: number;
}

/** A tensor in the store. */
export interface Tensor extends Required<TensorSpec> {
  /** "layers.0.weights" */
  readonly name: string;
  readonly region: Region;
}

export class Store {
  readonly heap: Heap;
  readonly #tensors: Tensor[] = [];
  readonly #slots = new Map<string, Region>();
  readonly #begin: number;
  #end: number;
  #slotsEnd: number;
  /** Whether a fit is under way. */
  training = false;
  /** The views that users were given and may still hold. */
  #lent: WeakRef<FloatArray>[] = [];

  constructor(heap: Heap) {
    this.heap = heap;
    this.#begin = heap.top;
    this.#end = heap.top;
    this.#slotsEnd = heap.top;
  }

  /**
   * Reserves tensors of the owner `owner` ("layers.0"); returns them by their own names. All must be reserved before
   * anything else is. Those of a `layer` that is not trainable are not, either.
   */
  reserve<N extends string>(
    owner: string,
    specs: Readonly<Record<N, TensorSpec>>,
    layer: { readonly trainable?: boolean } = {},
  ): Record<N, Tensor> {
    const tensors = {} as Record<N, Tensor>;
    for (const name in specs) {
      const { shape, trainable = true, l1 = 0, l2 = 0, maxNorm = Number.POSITIVE_INFINITY } = specs[name];
      const region = this.heap.region(sizeOf(shape) * this.heap.elementBytes);
      tensors[name] = {
        name: `${owner}.${name}`,
        shape,
        l1,
        l2,
        maxNorm,
        region,
        get trainable() {
          return trainable && layer.trainable !== false;
        },
      };
      this.#tensors.push(tensors[name]);
    }
    this.#end = this.heap.top;
    this.#slotsEnd = this.heap.top;
    return tensors;
  }

  /** All tensors, in the order of their reservation. */
  get tensors(): readonly Tensor[] {
    return this.#tensors;
  }

  /** The parameters, from the first to the end of the last, alignment included. */
  get region(): Region {
    return { offset: this.#begin, bytes: this.#end - this.#begin };
  }

  /** The tensors that training changes, in runs of such as lie next to each other. */
  get trained(): Region[] {
    const runs: Region[] = [];
    let run: { offset: number; bytes: number } | undefined;
    for (const { trainable, region } of this.#tensors) {
      if (!trainable) run = undefined;
      else if (run) run.bytes = region.offset + region.bytes - run.offset;
      else {
        run = { ...region };
        runs.push(run);
      }
    }
    return runs;
  }

  /** Where in a buffer that is laid out as the parameters are a region of them is. */
  within(buffer: Region, { offset, bytes }: Region): Region {
    return { offset: buffer.offset + offset - this.#begin, bytes };
  }

  /**
   * What an optimizer keeps of every parameter, under a name ("sgd.velocity"): a region laid out as the parameters are,
   * of zeros at first, which stays; or of so many bytes. Whoever asks for a new one must hold no region of the heap.
   */
  slot(name: string, bytes: number = this.region.bytes): Region {
    let slot = this.#slots.get(name);
    if (!slot) {
      slot = this.heap.region(bytes);
      this.heap.u8.fill(0, slot.offset, slot.offset + bytes);
      this.#slots.set(name, slot);
      this.#slotsEnd = this.heap.top;
    }
    return slot;
  }

  /** Whether there is a slot of this name. */
  hasSlot(name: string): boolean {
    return this.#slots.has(name);
  }

  /** Bytes of a snapshot: of the parameters, and, if they are to be in it, of all slots. */
  snapshotBytes({ slots = false } = {}): number {
    return (slots ? this.#slotsEnd : this.#end) - this.#begin;
  }

  /** Copies the parameters, and the slots as far as they have room, to `target`. */
  snapshot(target: Uint8Array): void {
    target.set(this.heap.u8.subarray(this.#begin, this.#begin + target.length));
  }

  /** Puts a snapshot back. */
  restore(snapshot: Uint8Array): void {
    this.heap.u8.set(snapshot, this.#begin);
  }

  /**
   * Moves all tensors towards those of another store: value = value + tau (other - value).
   *
   * @param snapshot of the other, to be read in its place
   */
  blend(other: Store, tau: number, snapshot?: Uint8Array): void {
    const pairs = this.#tensors.map((tensor) => {
      const source = other.#tensors.find(({ name }) => name === tensor.name);
      if (source?.shape.join() === tensor.shape.join()) {
        return [this.view(tensor), snapshot ? other.#viewIn(snapshot, source) : other.view(source)] as const;
      }
      throw new RangeError(
        `${tensor.name} has shape [${tensor.shape.join(", ")}], but the other network has ` +
          `${source ? `[${source.shape.join(", ")}]` : "none"}: both need the same layers`,
      );
    });
    for (const [to, from] of pairs) {
      if (tau === 1) to.set(from);
      else for (let i = 0; i < to.length; i++) to[i] += tau * (from[i] - to[i]);
    }
  }

  #viewIn({ buffer, byteOffset }: Uint8Array, { region }: Tensor): FloatArray {
    const { dtype, elementBytes } = this.heap;
    const at = byteOffset + region.offset - this.#begin;
    return new (arrayOf(dtype))(buffer as ArrayBuffer, at, region.bytes / elementBytes);
  }

  /** A live view of a tensor. */
  view({ region }: Tensor): FloatArray {
    return this.heap.elements(region.offset, region.bytes / this.heap.elementBytes);
  }

  /** A view for a user, who may write to it at any time: the same as before while the memory has not grown. */
  lend(tensor: Tensor): FloatArray {
    const { buffer } = this.heap.u8;
    for (const reference of this.#lent) {
      const view = reference.deref();
      if (view?.byteOffset === tensor.region.offset && view.buffer === buffer) return view;
    }
    const view = this.view(tensor);
    this.#dropUnused();
    this.#lent.push(new WeakRef(view));
    return view;
  }

  /**
   * The first value that is NaN or infinite, in words, if a user may have written one: training leaves none.
   * Costs nothing where no view was given out, or none is left.
   */
  written(): string | undefined {
    if (this.#lent.length === 0) return undefined;
    const bad = this.firstNotFinite();
    // Asked last: who holds a view now may write again.
    if (bad === undefined) this.#dropUnused();
    return bad;
  }

  /** The first value that is NaN or infinite, in words: "layers[0].weights[3] is NaN". */
  firstNotFinite(): string | undefined {
    for (const tensor of this.#tensors) {
      const values = this.view(tensor);
      if (allFinite(values)) continue;
      const index = values.findIndex((value) => !Number.isFinite(value));
      return `${tensor.name.replace(/\.(\d+)/g, "[$1]")}[${index}] is ${values[index]}`;
    }
    return undefined;
  }

  /** What optimizers keep begins anew. */
  clearSlots(): void {
    for (const { offset, bytes } of this.#slots.values()) this.heap.u8.fill(0, offset, offset + bytes);
  }

  /** Whether what optimizers keep of the parameters is finite: squares of gradients overflow where parameters need not. */
  slotsAreFinite(): boolean {
    for (const slot of this.#slots.values()) {
      if (slot.bytes !== this.region.bytes) continue;
      for (const tensor of this.#tensors)
        if (!allFinite(this.view({ ...tensor, region: this.within(slot, tensor.region) }))) return false;
    }
    return true;
  }

  #dropUnused(): void {
    this.#lent = this.#lent.filter((reference) => reference.deref() !== undefined);
  }
}

/** Whether all values are finite. */
export function allFinite(values: FloatArray): boolean {
  // Zero times a number is 0, and NaN if it is none. A call for each (every, Number.isFinite) takes ten times as long.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += 0 * values[i];
  return sum === 0;
}
