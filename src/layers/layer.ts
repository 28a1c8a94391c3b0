// What a layer is to the network: shapes, parameters, and the operations it emits.

import { type ActivationName, activations, parameterOf, type SetActivation } from "../activations.js";
import type { DType, FloatArray } from "../dtype.js";
import type { Region } from "../heap.js";
import { Curve, type ProgramBuilder } from "../program/builder.js";
import type { Columns, Matrix } from "../program/samples.js";
import type { Shape } from "../shape.js";
import type { Store, Tensor, TensorSpec } from "../store.js";

/** Every layer has this property, also one of another copy of the library; its value is this copy's COPY. */
export const LAYER = Symbol.for("wasmgrad.layer");
export const COPY: object = {};

/** Random streams: layer i draws its initial weights from i, initial biases and noise from these + i. */
export const BIAS_STREAM = 2 ** 29;
export const NOISE_STREAM = 2 ** 30;

/** A layer of a network. */
export interface Layer {
  /** Activation of its outputs, if it has one. */
  readonly activation?: ActivationName;
  /** Number of parameters, known once the layer is part of a network. */
  readonly parameterCount: number;
  /** Whether training changes its parameters. It may change between calls of `fit`. */
  trainable?: boolean;
  /** Live view of the weights, of a layer that has such: see Dense and Embedding. */
  readonly weights?: FloatArray;
  /** Live view of the biases, likewise: see Dense. */
  readonly biases?: FloatArray;
  /** Its class, as users know it. @internal */
  readonly kind: string;
  /** @internal */
  readonly [LAYER]: object;
  /** @internal */
  readonly isAttached: boolean;
  /** How to make another one like it: "new Dense(10)". @internal */
  readonly expression: string;
  /** What it does with inputs of a shape. Throws RangeError for a shape that it cannot take. @internal */
  describe(input: Shape): Description;
  /** Throws RangeError if the layer's initial parameters would overflow the element type. @internal */
  checkType(dtype: DType): void;
  /** Makes it part of a network, with the tensors that it described. @internal */
  attach(store: Store, input: Shape, tensors: Readonly<Record<string, Tensor>>): void;
  /** Emits the operations that draw the initial parameters, from the random stream `stream`. @internal */
  initialize(builder: ProgramBuilder, seed: number, stream: number): void;
  /** Does what is left to do when those operations have run. @internal */
  initialized?(): void;
  /** Emits output = f(input); `activate` false leaves its activation to the loss. @internal */
  emit(pass: Pass, input: Matrix, activate: boolean): Emitted;
  /** Where its mean and its factor are, for a layer whose Description.folds has columns. @internal */
  columns?(pass: Pass): Columns;
}

/** What a layer does with inputs of a shape. */
export interface Description {
  /** Shape of its outputs. */
  readonly output: Shape;
  /** Its parameters, by name. */
  readonly tensors: Readonly<Record<string, TensorSpec>>;
  /** Multiplications forward, for each sample. */
  readonly work: number;
  /** Whether its input may be sparse. */
  readonly takesSparse: boolean;
  /** What the gathering of a batch can do in the layer's place, where only such layers stand before it: see src/entrance.ts. */
  readonly folds?: Fold;
  /** For a layer that must be the first: its inputs are integers from 0 to below this. */
  readonly indices?: number;
  /** Fewest samples of a batch that it can be trained on; default 1. */
  readonly minimumRows?: number;
}

/** A layer that leaves every value in its place: y = x scale, and with `columns` y = (x scale - mean[j]) factor[j]. */
export interface Fold {
  readonly scale: number;
  /** Whether it has a mean and a factor: see Layer.columns(). */
  readonly columns?: boolean;
}

/** What a layer emits itself into. */
export interface Pass {
  readonly builder: ProgramBuilder;
  /** Samples of the batch. */
  readonly rows: number;
  /** Cells that change while training; undefined where the pass does not train. */
  readonly training: Cells | undefined;
  /** Whether a backward pass follows. */
  readonly backward: boolean;
  /** Where a tensor is read: in the store, or in a copy of it. */
  parameter(tensor: Tensor): Region;
  /** Where a tensor's gradient goes. */
  gradient(tensor: Tensor): Region;
}

/** f64 cells of what changes while a program runs; the number of the step in the epoch the executors know themselves. */
export interface Cells {
  /** Epochs trained since the network was made. */
  readonly epoch: Region;
  /** Steps trained before the epoch that is under way. */
  readonly step: Region;
}

/** What a forward emitted: where its output is, and how to emit its backward. */
export interface Emitted {
  readonly output: Region;
  /**
   * Emits the backward for the gradient of the output (overwritten; of the pre-activation where emit() was
   * asked to leave the activation out). Returns the gradient of the input, or undefined where it is not wanted.
   */
  backward(gradient: Region, inputWanted: boolean): Region | undefined;
}

/**
 * Emits y = f(z) for the activation's f, in place of z where nobody needs z again (`inPlace` false: somebody does); returns
 * y and d = d f'(z), in place. `slope`: the tensor that prelu learns.
 */
export function emitActivation(
  pass: Pass,
  activation: SetActivation,
  z: Region,
  rows: number,
  width: number,
  { slope, inPlace = true }: { slope?: Tensor; inPlace?: boolean } = {},
): { output: Region; backward(d: Region): void } {
  const { builder } = pass;
  const { forward, backward, curve, readsOutput } = activations[activation.name];
  if (forward === undefined && curve === undefined) return { output: z, backward() {} };
  const keepsInput = pass.backward && !readsOutput;
  const output = keepsInput || !inPlace ? builder.matrix(rows, width) : z;
  const saved = keepsInput ? z : output;
  const value = parameterOf(activation);
  const parameter = slope ? pass.parameter(slope) : value === undefined ? undefined : builder.cell(value);
  if (forward !== undefined) builder.forward(forward, output, z, rows, width);
  else builder.curve(curve!, output, z, rows, width, { parameter });
  return {
    output,
    backward(d) {
      const slopes = slope?.trainable && builder.matrix(rows, width);
      if (slopes) builder.curve(Curve.preluSlope, slopes, saved, rows, width, { gradient: d });
      if (backward !== undefined) builder.backward(backward, d, d, saved, rows, width);
      else builder.curve(curve!, d, saved, rows, width, { parameter, gradient: d });
      // Last, for the slopes may change.
      if (slopes) builder.late(() => builder.columnSums(pass.gradient(slope!), slopes, rows, width));
    },
  };
}
