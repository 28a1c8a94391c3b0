// The fully connected layer: y = f(x W + b).

import { type Activation, activations } from "../activations.js";
import { checkChoice, checkInteger, quote, readOptions } from "../check.js";
import { type DType, type FloatArray, rounded } from "../dtype.js";
import { type Matrix, type ProgramBuilder, Start } from "../program.js";
import type { Store } from "../store.js";
import { INSPECT, notItself } from "../wrapped.js";
import { type Emitted, LAYER, type ParameterAccess } from "./layer.js";

export interface DenseOptions<A extends Activation = Activation> {
  /** Activation of the outputs; default "sigmoid". "softmax" is for the last layer only. */
  activation?: A;
  /**
   * Bounds [low, high] that the initial weights are drawn from uniformly. Default: Glorot uniform,
   * +-sqrt(6 / (inputs + outputs)); for relu He uniform, +-sqrt(6 / inputs).
   */
  weightBounds?: readonly [low: number, high: number];
}

/** Where a layer's parameters are, unless it is a Proxy that hides it. */
let placeOf: (layer: object) => Place;

/**
 * Fully connected layer: `y = f(x W + b)`, x of shape (batch, inputs), y of shape (batch, size).
 *
 * The biases start at 0. A layer belongs to the one network it was given to.
 */
export class Dense<A extends Activation = Activation> {
  /** Number of outputs. */
  readonly size: number;
  readonly activation: A;
  readonly #bounds: readonly [number, number] | undefined;
  #place: Place | undefined;

  static {
    placeOf = (layer) => {
      if (typeof layer !== "object" || !(#place in layer)) throw notItself("Dense");
      if (layer.#place) return layer.#place;
      throw new Error(
        `this Dense(${layer.size}) has no weights yet: give it to a network first, ` +
          "new Network({ inputs, layers: [layer] })",
      );
    };
  }

  /**
   * @param size number of outputs, a positive integer
   * @throws RangeError or TypeError when the size, the activation or the bounds are not usable
   */
  constructor(size: number, options: DenseOptions<A> = {}) {
    const { activation = "sigmoid", weightBounds } = readOptions("new Dense", options, [
      "activation",
      "weightBounds",
    ]);
    this.size = checkInteger("the size of a Dense layer", size, 1);
    this.activation = checkChoice("activation", activation, activations) as A;
    if (weightBounds !== undefined) this.#bounds = checkBounds(weightBounds);
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
    const { store, inputs, weights } = placeOf(this);
    return store.lend(weights, inputs * this.size);
  }

  /** Live view of the biases, shape (size); as `weights`. */
  get biases(): FloatArray {
    const { store, biases } = placeOf(this);
    return store.lend(biases, this.size);
  }

  /** Number of inputs, known once the layer is part of a network. */
  get inputs(): number {
    return placeOf(this).inputs;
  }

  /** Number of weights and biases. */
  get parameterCount(): number {
    return (placeOf(this).inputs + 1) * this.size;
  }

  /** What console.log shows in Node. @internal */
  [INSPECT](): string {
    const inputs = this.#place ? `${this.#place.inputs}-` : "";
    return `Dense ${inputs}${this.size}, ${this.activation}`;
  }

  /** @internal */
  get [LAYER](): true {
    return true;
  }

  /** @internal */
  get isAttached(): boolean {
    return this.#place !== undefined;
  }

  /** @internal */
  checkType(dtype: DType): void {
    if (!this.#bounds) return;
    const [low, high] = this.#bounds.map((bound) => rounded(dtype, bound));
    if (Number.isFinite(rounded(dtype, high - low))) return;
    throw new RangeError(
      `weightBounds is ${quote(this.#bounds)}, whose width overflows the network's ${dtype}: take bounds closer ` +
        "to 0, e.g. [-1, 1]",
    );
  }

  /** @internal */
  attach(store: Store, inputs: number, index: number): void {
    const weights = store.reserve(`layers[${index}].weights`, inputs * this.size);
    const biases = store.reserve(`layers[${index}].biases`, this.size);
    this.#place = { store, inputs, weights, biases };
  }

  /** @internal */
  initialize(builder: ProgramBuilder, seed: number, stream: number): void {
    const { store, inputs, weights, biases } = placeOf(this);
    const bound = activations[this.activation].initialBound(inputs, this.size);
    const [low, high] = this.#bounds ?? [-bound, bound];
    builder.uniform(weights, inputs * this.size, builder.cell(low), builder.cell(high), seed, stream);
    // The heap is not cleared.
    store.view(biases, this.size).fill(0);
  }

  /** @internal */
  forward(
    builder: ProgramBuilder,
    input: Matrix,
    rows: number,
    parameters: ParameterAccess,
    activate: boolean,
  ): Emitted {
    const { inputs, weights, biases } = placeOf(this);
    const { size } = this;
    const output = builder.matrix(rows, size);
    const right = parameters.source(weights);
    const bias = parameters.source(biases);
    builder.product(output, input, right, rows, size, inputs, { start: Start.bias, bias });
    const row = activations[this.activation];
    if (activate) row.forward(builder, output, rows, size);

    const backward = (gradient: number, inputWanted: boolean): number => {
      if (activate) row.backward(builder, gradient, output, rows, size);
      parameters.defer(() => {
        const w = parameters.target(weights);
        const start = w.add ? Start.add : Start.zero;
        builder.product(w.output, input, gradient, inputs, size, rows, { transposed: true, start });
        const b = parameters.target(biases);
        builder.columnSums(b.output, gradient, rows, size, b.add ? Start.add : Start.zero);
      });
      if (!inputWanted) return 0;
      const inputGradient = builder.matrix(rows, inputs);
      builder.product(inputGradient, gradient, right, rows, inputs, size, { rightTransposed: true });
      return inputGradient;
    };
    return { output, backward };
  }
}

/** The class as users construct it: without an activation, a sigmoid. */
export interface DenseConstructor {
  new (size: number, options?: DenseOptions<"sigmoid">): Dense<"sigmoid">;
  new <A extends Activation>(size: number, options: DenseOptions<A>): Dense<A>;
  readonly prototype: Dense;
}

/** A layer's parameters in the store of its network. */
interface Place {
  store: Store;
  inputs: number;
  weights: number;
  biases: number;
}

function checkBounds(bounds: readonly [number, number]): readonly [number, number] {
  const usable =
    Array.isArray(bounds) && bounds.length === 2 && bounds.every(Number.isFinite) && bounds[0] <= bounds[1];
  if (usable) return [bounds[0], bounds[1]];
  throw new RangeError(
    `weightBounds is ${quote(bounds)}, but must be two finite numbers [low, high] with low <= high, e.g. [-1, 1]`,
  );
}
