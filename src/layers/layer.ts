// What a layer is to the network: a shape, parameters, and the operations it emits.

import type { Activation } from "../activations.js";
import type { DType } from "../dtype.js";
import type { Matrix, ProgramBuilder } from "../program.js";
import type { Store } from "../store.js";

/** What a layer's forward emitted: where its output is, and how to emit its backward. */
export interface Emitted {
  output: number;
  /**
   * Emits the backward for the gradient of the output (overwritten; of the pre-activation where forward was
   * asked to leave the activation out). Returns the gradient of the input, or 0 where it is not wanted.
   */
  backward(gradient: number, inputWanted: boolean): number;
}

/** Every layer has this property, also one of another copy of the library. */
export const LAYER = Symbol.for("wasmgrad.layer");

export interface Layer {
  /** Outputs a row. */
  readonly size: number;
  readonly activation: Activation;
  /** Parameters: weights and biases. */
  readonly parameterCount: number;
  /** Throws RangeError if the layer's initial weights would overflow the element type. */
  checkType(dtype: DType): void;
  /** Makes the layer the network's `index`th: fixes its inputs and reserves its parameters in the store. */
  attach(store: Store, inputs: number, index: number): void;
  /** Emits the operations that draw the initial parameters. */
  initialize(builder: ProgramBuilder, seed: number, stream: number): void;
  /** Emits output = f(input) for `rows` rows; `activate` false leaves the activation to the loss. */
  forward(
    builder: ProgramBuilder,
    input: Matrix,
    rows: number,
    parameters: ParameterAccess,
    activate: boolean,
  ): Emitted;
}

/**
 * Where parameters are read, where their gradients go, and when. Weights are read by the backward of their own
 * layer, so their updates are emitted last, all together.
 */
export interface ParameterAccess {
  /** Where the parameters at `offset` of the store are read: there, or in a copy. */
  source(offset: number): number;
  /** Queues an emission that writes, or with Start.add adds to, the returned place. */
  defer(emit: () => void): void;
  /** Where the gradient of the parameters at `offset` goes: a gradient buffer, or the parameters themselves. */
  target(offset: number): { output: number; add: boolean };
}
