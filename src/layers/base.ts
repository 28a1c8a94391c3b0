// What most layers have in common: their place in a network, and whether they are trained.

import { checkBoolean, quote } from "../check.js";
import type { DType, FloatArray } from "../dtype.js";
import type { SetInitializer } from "../initializers.js";
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
  /** What is left of the initialization when its operations have run. */
  #afterwards: (() => void) | undefined;

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
  abstract emit(pass: Pass, input: Matrix, activate: boolean): Emitted;

  /** @internal */
  get expression(): string {
    return `new ${this.kind}()`;
  }

  /** @internal */
  describe(input: Shape): Description {
    return { output: input, tensors: {}, work: 0, takesSparse: false };
  }

  /** @internal */
  checkType(_dtype: DType): void {}

  /** @internal */
  initialize(_builder: ProgramBuilder, _seed: number, _stream: number): void {}

  /** @internal */
  initialized(): void {
    this.#afterwards?.();
    this.#afterwards = undefined;
  }

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

  /** A live view of a tensor, for its user. @internal */
  protected view(name: string): FloatArray {
    const { store, tensors } = this.place;
    if (Object.hasOwn(tensors, name)) return store.lend(tensors[name]);
    throw new RangeError(
      `the layer has no tensor ${quote(name)}: it has ${Object.keys(tensors).join(", ") || "none"}`,
    );
  }

  /** Fills a tensor, if there is one of the name; the heap is not cleared. @internal */
  protected fill(name: string, value = 0): void {
    const { store, tensors } = this.place;
    if (tensors[name]) store.view(tensors[name]).fill(value);
  }

  /** Draws a tensor, as wide as weights of so many inputs and outputs need. @internal */
  protected draw(
    { draw }: SetInitializer,
    tensor: Tensor,
    [inputs, outputs]: Shape,
    builder: ProgramBuilder,
    seed: number,
    stream: number,
  ): void {
    const { store } = this.place;
    this.#afterwards = draw({ builder, store, tensor, inputs, outputs, seed, stream }) ?? this.#afterwards;
  }
}

/** What a layer emits that does nothing in a pass. */
export function passOn(input: Matrix): Emitted {
  return { output: input as Emitted["output"], backward: (d, inputWanted) => (inputWanted ? d : undefined) };
}
