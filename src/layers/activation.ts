// An activation as a layer of its own: y = f(x).

import {
  type ActivationName,
  activations,
  activationText,
  checkActivation,
  type SetActivation,
  tensorsOf,
} from "../activations.js";
import type { FloatArray } from "../dtype.js";
import type { Region } from "../heap.js";
import type { Matrix } from "../program/samples.js";
import { type Shape, sizeOf } from "../shape.js";
import { INSPECT } from "../wrapped.js";
import { BaseLayer } from "./base.js";
import { type Description, type Emitted, emitActivation, type Pass } from "./layer.js";

/**
 * An activation as a layer: `y = f(x)`, for inputs of any shape, e.g. `new Activation("relu")`, or
 * `new Activation(elu({ alpha: 0.5 }))`. "softmax" and "logSoftmax" work along the last axis and are for the last layer
 * only.
 */
export class Activation<A extends ActivationName = ActivationName> extends BaseLayer {
  readonly activation: A;
  readonly #activation: SetActivation<A>;

  /**
   * @param activation its name, or what `leakyRelu`, `elu` or `celu` returns
   * @throws RangeError for an unknown activation
   */
  constructor(activation: A | SetActivation<A>) {
    super();
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
    return this.view(name);
  }

  /** What console.log shows in Node. @internal */
  override [INSPECT](): string {
    return `Activation ${this.activation}`;
  }

  /** @internal */
  get kind(): string {
    return "Activation";
  }

  /** @internal */
  override get expression(): string {
    return `new Activation(${activationText(this.#activation)})`;
  }

  /** @internal */
  override describe(input: Shape): Description {
    const tensors = tensorsOf(this.#activation, input[input.length - 1]);
    return { output: input, tensors, work: sizeOf(input), takesSparse: false };
  }

  /** @internal */
  override initialize(): void {
    this.fill("slope", activations[this.activation].learned);
  }

  /** @internal */
  emit(pass: Pass, input: Matrix, activate: boolean): Emitted {
    const { positions, width, tensors } = this.place;
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
