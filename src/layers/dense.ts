// The fully connected layer: y = f(x W + b).

import { type Activation, activations } from "../activations.js";
import { checkChoice, checkInteger, checkOptions, quote } from "../check.js";
import type { FloatArray } from "../dtype.js";
import { type Matrix, type ProgramBuilder, Start } from "../program.js";
import type { Store } from "../store.js";
import type { Emitted, Layer, Updates } from "./layer.js";

export interface DenseOptions {
  /** Activation of the outputs; default "sigmoid". "softmax" is for the last layer only. */
  activation?: Activation;
  /**
   * Bounds [low, high] that the initial weights are drawn from uniformly. Default: Glorot uniform,
   * +-sqrt(6 / (inputs + outputs)); for relu He uniform, +-sqrt(6 / inputs).
   */
  weightBounds?: readonly [low: number, high: number];
}

/**
 * Fully connected layer: `y = f(x W + b)`, x of shape (batch, inputs), y of shape (batch, size).
 *
 * The biases start at 0. A layer belongs to the one network it was given to.
 */
export class Dense implements Layer {
  /** Number of outputs. */
  readonly size: number;
  readonly activation: Activation;
  readonly #bounds: readonly [number, number] | undefined;
  #place: { store: Store; inputs: number; weights: number; biases: number } | undefined;

  /**
   * @param size number of outputs, a positive integer
   * @throws RangeError or TypeError when the size, the activation or the bounds are not usable
   */
  constructor(size: number, options: DenseOptions = {}) {
    checkOptions("new Dense", options, ["activation", "weightBounds"]);
    const { activation = "sigmoid", weightBounds } = options;
    this.size = checkInteger("the size of a Dense layer", size, 1);
    this.activation = checkChoice("activation", activation, activations);
    if (weightBounds !== undefined) this.#bounds = checkBounds(weightBounds);
  }

  /** Live view of the weights, shape (inputs, size), row-major. Ask again after any call on the network. */
  get weights(): FloatArray {
    const { store, inputs, weights } = this.#attached();
    return store.view(weights, inputs * this.size);
  }

  /** Live view of the biases, shape (size). Ask again after any call on the network. */
  get biases(): FloatArray {
    const { store, biases } = this.#attached();
    return store.view(biases, this.size);
  }

  /** Number of inputs, known once the layer is part of a network. */
  get inputs(): number {
    return this.#attached().inputs;
  }

  /** Number of weights and biases. */
  get parameterCount(): number {
    return (this.#attached().inputs + 1) * this.size;
  }

  /** @internal */
  get isAttached(): boolean {
    return this.#place !== undefined;
  }

  /** @internal */
  attach(store: Store, inputs: number): void {
    const weights = store.reserve(inputs * this.size);
    const biases = store.reserve(this.size);
    this.#place = { store, inputs, weights, biases };
  }

  /** @internal */
  initialize(builder: ProgramBuilder, seed: number, stream: number): void {
    const { inputs, weights } = this.#attached();
    const bound = activations[this.activation].initialBound(inputs, this.size);
    const [low, high] = this.#bounds ?? [-bound, bound];
    builder.uniform(weights, inputs * this.size, builder.cell(low), builder.cell(high), seed, stream);
    // The heap is not cleared.
    this.biases.fill(0);
  }

  /** @internal */
  forward(
    builder: ProgramBuilder,
    input: Matrix,
    rows: number,
    updates: Updates,
    activate: boolean,
  ): Emitted {
    const { inputs, weights, biases } = this.#attached();
    const { size } = this;
    const output = builder.matrix(rows, size);
    builder.product(output, input, weights, rows, size, inputs, { start: Start.bias, bias: biases });
    const row = activations[this.activation];
    if (activate) row.forward(builder, output, rows, size);

    const backward = (gradient: number, inputWanted: boolean): number => {
      if (activate) row.backward(builder, gradient, output, rows, size);
      updates.defer(() => {
        const w = updates.target(weights);
        const start = w.add ? Start.add : Start.zero;
        builder.product(w.output, input, gradient, inputs, size, rows, { transposed: true, start });
        const b = updates.target(biases);
        builder.columnSums(b.output, gradient, rows, size, b.add ? Start.add : Start.zero);
      });
      if (!inputWanted) return 0;
      const inputGradient = builder.matrix(rows, inputs);
      builder.product(inputGradient, gradient, weights, rows, inputs, size, { rightTransposed: true });
      return inputGradient;
    };
    return { output, backward };
  }

  #attached() {
    if (this.#place) return this.#place;
    throw new Error(
      `this Dense(${this.size}) has no weights yet: give it to a network first, ` +
        "new Network({ inputs, layers: [layer] })",
    );
  }
}

function checkBounds(bounds: readonly [number, number]): readonly [number, number] {
  const usable =
    Array.isArray(bounds) && bounds.length === 2 && bounds.every(Number.isFinite) && bounds[0] <= bounds[1];
  if (usable) return [bounds[0], bounds[1]];
  throw new RangeError(
    `weightBounds is ${quote(bounds)}, but must be two finite numbers [low, high] with low <= high, e.g. [-1, 1]`,
  );
}
