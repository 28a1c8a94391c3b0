// The fully connected layer: y = f(x W + b).

import {
  type ActivationName,
  activations,
  activationText,
  checkActivation,
  type SetActivation,
  tensorsOf,
} from "../activations.js";
import { checkBoolean, checkInteger, readOptions } from "../check.js";
import type { DType, FloatArray } from "../dtype.js";
import type { Region } from "../heap.js";
import {
  type Initializer,
  initializerOf,
  readInitial,
  readInitializer,
  type SetInitializer,
} from "../initializers.js";
import { checkPenalties, PENALTY_OPTIONS, type PenaltyOptions } from "../penalties.js";
import { type ProgramBuilder, Start } from "../program/builder.js";
import type { Matrix } from "../program/samples.js";
import { type Shape, sizeOf } from "../shape.js";
import { INSPECT } from "../wrapped.js";
import { BaseLayer } from "./base.js";
import { BIAS_STREAM, type Description, type Emitted, emitActivation, type Pass } from "./layer.js";

export interface DenseOptions<A extends ActivationName = ActivationName> extends PenaltyOptions {
  /**
   * Activation of the outputs: a name, or what `leakyRelu`, `elu` or `celu` returns; default "sigmoid". "softmax" and
   * "logSoftmax" are for the last layer only.
   */
  activation?: A | SetActivation<A>;
  /**
   * Bounds [low, high] that the initial weights are drawn from uniformly. Default: Glorot uniform,
   * +-sqrt(6 / (inputs + outputs)); for relu and its kind He uniform, +-sqrt(6 / inputs); for selu LeCun uniform,
   * +-sqrt(3 / inputs).
   */
  weightBounds?: readonly [low: number, high: number];
  /** How the initial weights are drawn, instead of `weightBounds`, e.g. "heNormal". Default: as said there. */
  initializer?: Initializer;
  /** How the initial biases are drawn; default "zeros". Those of a variance take the inputs and outputs of the weights. */
  biasInitializer?: Initializer;
  /** Whether there are biases; default true. Without, y = f(x W). */
  useBias?: boolean;
  /** Whether training changes the weights and biases; default true. */
  trainable?: boolean;
}

/**
 * Fully connected layer: `y = f(x W + b)`, x of shape (batch, inputs), y of shape (batch, size). Of inputs with more
 * axes it maps the last, at every position of the others: (batch, ..., inputs) to (batch, ..., size).
 *
 * The biases start at 0 unless told otherwise. A layer belongs to the one network it was given to.
 */
export class Dense<A extends ActivationName = ActivationName> extends BaseLayer {
  /** Number of outputs. */
  readonly size: number;
  readonly activation: A;
  /** Whether there are biases. */
  readonly useBias: boolean;
  readonly #activation: SetActivation<A>;
  readonly #initializer: SetInitializer | undefined;
  readonly #biasInitializer: SetInitializer | undefined;
  readonly #penalties: ReturnType<typeof checkPenalties>;

  /**
   * @param size number of outputs, a positive integer
   * @throws RangeError or TypeError when the size, the activation or the bounds are not usable
   */
  constructor(size: number, options: DenseOptions<A> = {}) {
    super();
    const given = readOptions("new Dense", options, [
      "activation",
      "weightBounds",
      "initializer",
      "biasInitializer",
      "useBias",
      "trainable",
      ...PENALTY_OPTIONS,
    ]);
    const { activation = "sigmoid", biasInitializer, useBias = true, trainable = true } = given;
    this.size = checkInteger("the size of a Dense layer", size, 1);
    this.#activation = checkActivation(activation) as SetActivation<A>;
    this.activation = this.#activation.name;
    this.#penalties = checkPenalties(given);
    this.useBias = checkBoolean("useBias", useBias);
    this.trainable = trainable;
    this.#initializer = readInitial(given);
    if (biasInitializer === undefined) return;
    this.#biasInitializer = readInitializer("biasInitializer", biasInitializer);
    if (!useBias) throw new TypeError("biasInitializer is given, but useBias is false: pass one of them");
    if (this.#biasInitializer.name === "orthogonal")
      throw new RangeError('biasInitializer is "orthogonal", but biases are no matrix: take e.g. "zeros"');
  }

  /**
   * Live view of the weights, shape (inputs, size), row-major: what is written to it is what the network has. Ask again
   * after any call on the network.
   *
   * During `fit` it shows whole steps in onEpoch and onBatch, and what is written there counts from the next step on.
   * Between callbacks a step may be under way: some weights are then from before it and some from after it, and a
   * value written may be kept, or overwritten, or be updated once less; the network stays usable.
   */
  get weights(): FloatArray {
    return this.tensor("weights");
  }

  /** Live view of the biases, shape (size); as `weights`. Without biases (`useBias: false`) it is empty. */
  get biases(): FloatArray {
    const { store, tensors } = this.place;
    return tensors.biases ? this.tensor("biases") : store.heap.elements(0, 0);
  }

  /**
   * Live view of the parameters of a name: "weights", "biases" and, with the activation "prelu", "slope"; as `weights`.
   *
   * @throws RangeError for an unknown name
   */
  tensor(name: string): FloatArray {
    return this.view(name);
  }

  /** Number of inputs, known once the layer is part of a network. */
  get inputs(): number {
    return this.place.tensors.weights.shape[0];
  }

  /** What console.log shows in Node. @internal */
  override [INSPECT](): string {
    const inputs = this.isAttached ? `${this.inputs}-` : "";
    return `Dense ${inputs}${this.size}, ${this.activation}`;
  }

  /** @internal */
  get kind(): string {
    return "Dense";
  }

  /** @internal */
  override get expression(): string {
    return `new Dense(${this.size}, { activation: ${activationText(this.#activation)} })`;
  }

  /** @internal */
  override checkType(dtype: DType): void {
    this.#initializer?.checkType(dtype);
    this.#biasInitializer?.checkType(dtype);
  }

  /** @internal */
  override describe(input: Shape): Description {
    const { size } = this;
    const inputs = input[input.length - 1];
    return {
      output: [...input.slice(0, -1), size],
      tensors: {
        weights: { shape: [inputs, size], ...this.#penalties },
        ...(this.useBias ? { biases: { shape: [size] } } : {}),
        ...tensorsOf(this.#activation, size),
      },
      work: sizeOf(input) * size,
      takesSparse: input.length === 1,
    };
  }

  /** @internal */
  override initialize(builder: ProgramBuilder, seed: number, stream: number): void {
    const { weights, biases } = this.place.tensors;
    this.fill("biases");
    this.fill("slope", activations[this.activation].learned);
    const { shape } = weights;
    if (this.#biasInitializer)
      this.draw(this.#biasInitializer, biases, shape, builder, seed, BIAS_STREAM + stream);
    const initializer =
      this.#initializer ?? initializerOf(activations[this.activation].initial ?? "heUniform");
    this.draw(initializer, weights, shape, builder, seed, stream);
  }

  /** @internal */
  emit(pass: Pass, input: Matrix, activate: boolean): Emitted {
    const { positions, tensors } = this.place;
    const { weights, biases, slope } = tensors;
    const { builder } = pass;
    const { inputs, size } = this;
    const rows = pass.rows * positions;
    const w = pass.parameter(weights);
    const z = builder.matrix(rows, size);
    const start = biases ? { start: Start.bias, bias: pass.parameter(biases) } : {};
    builder.product(z, input, w, rows, size, inputs, start);
    const activation: SetActivation = activate ? this.#activation : { name: "linear" };
    const activated = emitActivation(pass, activation, z, rows, size, { slope });

    const backward = (d: Region, inputWanted: boolean): Region | undefined => {
      activated.backward(d);
      const inputGradient = inputWanted ? builder.matrix(rows, inputs) : undefined;
      if (inputGradient) builder.product(inputGradient, d, w, rows, inputs, size, { rightTransposed: true });
      if (!this.trainable) return inputGradient;
      // Last, for the weights may change.
      builder.late(() => {
        builder.product(pass.gradient(weights), input, d, inputs, size, rows, { transposed: true });
        if (biases) builder.columnSums(pass.gradient(biases), d, rows, size);
      });
      return inputGradient;
    };
    return { output: activated.output, backward };
  }
}

/** The class as users construct it: without an activation, a sigmoid. */
export interface DenseConstructor {
  new (size: number, options?: DenseOptions<"sigmoid">): Dense<"sigmoid">;
  new <A extends ActivationName>(size: number, options: DenseOptions<A>): Dense<A>;
  readonly prototype: Dense;
}
