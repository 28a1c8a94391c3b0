// An activation as a layer of its own: y = f(x).

import {
  type Activation as ActivationName,
  activationText,
  checkActivation,
  fillTensors,
  type SetActivation,
  tensorsOf,
} from "../activations.js";
import type { FloatArray } from "../dtype.js";
import type { Region } from "../heap.js";
import type { ProgramBuilder } from "../program/builder.js";
import type { Matrix } from "../program/samples.js";
import { positionsOf, type Shape, sizeOf } from "../shape.js";
import type { Store, Tensor } from "../store.js";
import { INSPECT, notItself } from "../wrapped.js";
import {
  COPY,
  type Description,
  type Emitted,
  emitActivation,
  LAYER,
  type Layer,
  lendTensor,
  type Pass,
} from "./layer.js";

/** What a layer has of its network, unless it is a Proxy that hides it. */
let placeOf: (layer: object) => Place;

/**
 * An activation as a layer: `y = f(x)`, for inputs of any shape, e.g. `new Activation("relu")`, or
 * `new Activation(elu({ alpha: 0.5 }))`. "softmax" and "logSoftmax" work along the last axis and are for the last layer
 * only.
 */
export class Activation<A extends ActivationName = ActivationName> implements Layer {
  readonly activation: A;
  readonly #activation: SetActivation<A>;
  #place: Place | undefined;

  static {
    placeOf = (layer) => {
      if (typeof layer !== "object" || !(#place in layer)) throw notItself("Activation");
      if (layer.#place) return layer.#place;
      throw new Error(
        "this Activation is part of no network yet: give it to one first, new Network({ inputs, layers: [layer] })",
      );
    };
  }

  /**
   * @param activation its name, or what `leakyRelu`, `elu` or `celu` returns
   * @throws RangeError for an unknown activation
   */
  constructor(activation: A | SetActivation<A>) {
    this.#activation = checkActivation(activation);
    this.activation = this.#activation.name;
  }

  /**
   * Live view of what "prelu" learns, under the name "slope": one factor for each value of the last axis. It behaves as
   * the weights of a Dense do.
   *
   * @throws RangeError for an unknown name
   */
  tensor(name: string): FloatArray {
    return lendTensor(placeOf(this), name);
  }

  /** Number of values that it learns: 0 but for "prelu". */
  get parameterCount(): number {
    const { slope } = placeOf(this).tensors;
    return slope ? sizeOf(slope.shape) : 0;
  }

  /** What console.log shows in Node. @internal */
  [INSPECT](): string {
    return `Activation ${this.activation}`;
  }

  /** @internal */
  get kind(): string {
    return "Activation";
  }

  /** @internal */
  get [LAYER](): object {
    return COPY;
  }

  /** @internal */
  get expression(): string {
    return `new Activation(${activationText(this.#activation)})`;
  }

  /** @internal */
  get isAttached(): boolean {
    if (!(#place in (this as object))) throw notItself("Activation");
    return this.#place !== undefined;
  }

  /** @internal */
  checkType(): void {}

  /** @internal */
  describe(input: Shape): Description {
    const tensors = tensorsOf(this.#activation, input[input.length - 1]);
    return { output: input, tensors, work: sizeOf(input), takesSparse: false };
  }

  /** @internal */
  attach(store: Store, input: Shape, tensors: Readonly<Record<string, Tensor>>): void {
    this.#place = { store, positions: positionsOf(input), width: input[input.length - 1], tensors };
  }

  /** @internal */
  initialize(_builder: ProgramBuilder): void {
    const { store, tensors } = placeOf(this);
    fillTensors(this.#activation, store, tensors);
  }

  /** @internal */
  emit(pass: Pass, input: Matrix, activate: boolean): Emitted {
    const { positions, width, tensors } = placeOf(this);
    // Zeros left out would not be found again: it describes itself as one that takes none such.
    const x = input as Region;
    const activation: SetActivation = activate ? this.#activation : { name: "linear" };
    const activated = emitActivation(pass, activation, x, pass.rows * positions, width, {
      slope: tensors.slope,
      // The layer before may read its output once more, on the way back.
      inPlace: !pass.backward,
    });
    return {
      output: activated.output,
      backward(d, inputWanted) {
        if (inputWanted || tensors.slope) activated.backward(d);
        return inputWanted ? d : undefined;
      },
    };
  }
}

/** The class as users construct it. */
export interface ActivationConstructor {
  new <A extends ActivationName>(activation: A | SetActivation<A>): Activation<A>;
  readonly prototype: Activation;
}

/** What a layer has of its network. */
interface Place {
  store: Store;
  /** Rows of the last axis in a sample, and their width. */
  positions: number;
  width: number;
  /** By the names of its description. */
  tensors: Readonly<Record<string, Tensor>>;
}
