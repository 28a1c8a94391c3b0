// Vectors for indices, looked up in a table that is trained.

import { checkInteger, readOptions } from "../check.js";
import type { DType, FloatArray } from "../dtype.js";
import type { Region } from "../heap.js";
import { type Initializer, readInitial, type SetInitializer, uniformIn } from "../initializers.js";
import type { ProgramBuilder } from "../program/builder.js";
import type { Matrix } from "../program/samples.js";
import { type Shape, sizeOf } from "../shape.js";
import { BaseLayer } from "./base.js";
import type { Description, Emitted, Pass } from "./layer.js";

export interface EmbeddingOptions {
  /** Bounds [low, high] that the initial weights are drawn from uniformly. Default: [-0.05, 0.05], as in Keras. */
  weightBounds?: readonly [low: number, high: number];
  /** How the initial weights, (vocabulary, dimensions), are drawn, instead of `weightBounds`. */
  initializer?: Initializer;
  /** Whether training changes the weights; default true. */
  trainable?: boolean;
}

/**
 * Looks up a vector for every index: indices of shape (batch, length), integers from 0 to vocabulary - 1, become vectors
 * of shape (batch, length, dimensions), y[b, i] = weights[x[b, i]]. It is the first layer of a network, whose `inputs` is
 * the length; Flatten behind it makes one row of the vectors.
 *
 * Indices may come in any array of numbers. They are the inputs as they are: no inputScale, no Rescaling. An index out of
 * range, or that is no integer, is refused by fit, predict and evaluate before anything changes.
 *
 * A step of plain SGD touches the rows of the weights whose indices are in the batch, and no others. Is an index there
 * more than once, its gradients are summed in the order of the batch.
 */
export class Embedding extends BaseLayer {
  /** Number of vectors. */
  readonly vocabulary: number;
  /** Length of a vector. */
  readonly dimensions: number;
  readonly #initializer: SetInitializer;

  /**
   * @param vocabulary number of vectors, a positive integer
   * @param dimensions length of a vector, a positive integer
   * @throws RangeError or TypeError when one of them or the bounds are not usable
   */
  constructor(vocabulary: number, dimensions: number, options: EmbeddingOptions = {}) {
    super();
    const given = readOptions("new Embedding", options, ["weightBounds", "initializer", "trainable"]);
    this.vocabulary = checkInteger("the vocabulary of an Embedding", vocabulary, 1, 2 ** 31);
    this.dimensions = checkInteger("the dimensions of an Embedding", dimensions, 1);
    this.#initializer = readInitial(given) ?? uniformIn([-0.05, 0.05]);
    this.trainable = given.trainable ?? true;
  }

  /** Live view of the vectors, shape (vocabulary, dimensions), row-major: as Dense.weights. */
  get weights(): FloatArray {
    return this.view("weights");
  }

  /** @internal */
  get kind(): string {
    return "Embedding";
  }

  /** @internal */
  override get expression(): string {
    return `new Embedding(${this.vocabulary}, ${this.dimensions})`;
  }

  /** @internal */
  override checkType(dtype: DType): void {
    this.#initializer.checkType(dtype);
  }

  /** @internal */
  override describe(input: Shape): Description {
    const { vocabulary, dimensions } = this;
    return {
      output: [...input, dimensions],
      tensors: { weights: { shape: [vocabulary, dimensions] } },
      work: sizeOf(input) * dimensions,
      takesSparse: false,
      indices: vocabulary,
    };
  }

  /** @internal */
  override initialize(builder: ProgramBuilder, seed: number, stream: number): void {
    const { weights } = this.place.tensors;
    this.draw(this.#initializer, weights, weights.shape, builder, seed, stream);
  }

  /** The input has a row for every index, and in it a 1 at the index. @internal */
  emit(pass: Pass, input: Matrix): Emitted {
    const { vocabulary, dimensions } = this;
    const { size, tensors } = this.place;
    const { builder } = pass;
    const rows = pass.rows * size;
    const output = builder.matrix(rows, dimensions);
    builder.product(output, input, pass.parameter(tensors.weights), rows, dimensions, vocabulary);
    const backward = (d: Region): undefined => {
      if (!this.trainable) return;
      builder.late(() => {
        const gradient = pass.gradient(tensors.weights);
        builder.product(gradient, input, d, vocabulary, dimensions, rows, { transposed: true });
      });
    };
    return { output, backward };
  }
}
