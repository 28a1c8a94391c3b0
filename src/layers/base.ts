// What most layers have in common: their place in a network, and whether they are trained.

import { checkBoolean } from "../check.js";
import type { DType, FloatArray } from "../dtype.js";
import type { ProgramBuilder } from "../program/builder.js";
import type { Matrix } from "../program/samples.js";
import { positionsOf, type Shape, sizeOf } from "../shape.js";
import type { Store, Tensor } from "../store.js";
import { INSPECT, notItself } from "../wrapped.js";
import { COPY, type Description, type Emitted, LAYER, type Layer, type Pass } from "./layer.js";

/** Where a layer is in its network. */
interface Place {
  store: Store;
  /** Values in a sample. */
  size: number;
  /** Vectors of inputs in a sample. */
  positions: number;
  /** Length of one. */
  width: number;
  tensors: Readonly<Record<string, Tensor>>;
}

export abstract class BaseLayer implements Layer {
  #place: Place | undefined;
  #trainable = true;

  /** Whether training changes its parameters. It may change between calls of `fit`. */
  get trainable(): boolean {
    return this.itself.#trainable;
  }

  set trainable(value: boolean) {
    this.itself.#trainable = checkBoolean("trainable", value);
  }

  /** Number of parameters, known once the layer is part of a network. */
  get parameterCount(): number {
    return Object.values(this.place.tensors).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** @internal */
  abstract get kind(): string;
  /** @internal */
  abstract get expression(): string;
  /** @internal */
  abstract describe(input: Shape): Description;
  /** @internal */
  abstract emit(pass: Pass, input: Matrix, activate: boolean): Emitted;

  /** @internal */
  checkType(_dtype: DType): void {}

  /** @internal */
  initialize(_builder: ProgramBuilder, _seed: number, _stream: number): void {}

  /** @internal */
  get [LAYER](): object {
    return COPY;
  }

  /** What console.log shows in Node. @internal */
  [INSPECT](): string {
    return this.expression.slice("new ".length);
  }

  /** @internal */
  get isAttached(): boolean {
    return this.itself.#place !== undefined;
  }

  /** @internal */
  attach(store: Store, input: Shape, tensors: Readonly<Record<string, Tensor>>): void {
    const [size, positions] = [sizeOf(input), positionsOf(input)];
    this.#place = { store, size, positions, width: size / positions, tensors };
  }

  /** The layer, unless it is a Proxy that hides its private fields. @internal */
  protected get itself(): this {
    if (#place in (this as object)) return this;
    throw notItself(this.kind);
  }

  /** @internal */
  protected get place(): Place {
    const place = this.itself.#place;
    if (place) return place;
    throw new Error(
      `this ${this.kind} has no parameters yet: give it to a network first, new Network({ inputs, layers: [layer] })`,
    );
  }

  /** A live view of a tensor. @internal */
  protected view(name: string): FloatArray {
    const { store, tensors } = this.place;
    return store.lend(tensors[name]);
  }

  /** Fills a tensor; the heap is not cleared. @internal */
  protected fill(name: string, value: number): void {
    const { store, tensors } = this.place;
    store.view(tensors[name]).fill(value);
  }
}

/** What a layer emits that does nothing in a pass. */
export function passOn(input: Matrix): Emitted {
  return { output: input as Emitted["output"], backward: (d, inputWanted) => (inputWanted ? d : undefined) };
}
