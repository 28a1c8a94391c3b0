// Layers that change the shape alone: the values stay where they are, and nothing is computed.

import { checkInteger, quote } from "../check.js";
import type { Region } from "../heap.js";
import type { Matrix } from "../program/samples.js";
import { type Shape, shapeText, sizeOf } from "../shape.js";
import { BaseLayer, type Description, type Emitted, type Pass } from "./layer.js";

/** A layer whose outputs are its inputs, in another shape. */
abstract class ShapeLayer extends BaseLayer {
  /** @internal */
  abstract outputShape(input: Shape): Shape;

  /** @internal */
  describe(input: Shape): Description {
    return {
      output: this.outputShape(input),
      tensors: {},
      work: 0,
      takesSparse: false,
      folds: { scale: 1 },
    };
  }

  /** @internal */
  emit(_pass: Pass, input: Matrix): Emitted {
    return { output: input as Region, backward: (gradient) => gradient };
  }
}

/**
 * Makes one axis of all: (batch, 28, 28, 3) becomes (batch, 2352), row-major. It costs nothing; in front of a Dense layer
 * that is the first, inputs that are mostly zeros are still walked without them.
 */
export class Flatten extends ShapeLayer {
  /** @internal */
  get kind(): string {
    return "Flatten";
  }

  /** @internal */
  get expression(): string {
    return "new Flatten()";
  }

  /** @internal */
  outputShape(input: Shape): Shape {
    return [sizeOf(input)];
  }
}

/**
 * Gives the values of a row another shape, in the same order (row-major): `new Reshape([28, 28, 1])`. One length may be
 * -1: it is what is left over, as in NumPy. The batch is no part of the shape. It costs nothing.
 */
export class Reshape extends ShapeLayer {
  /** The shape as it was given. */
  readonly shape: Shape;

  /** @throws RangeError or TypeError unless the shape is one or more lengths from 1 on, of which one may be -1 */
  constructor(shape: Shape) {
    super();
    const example = "e.g. [28, 28, 1], or [-1, 10], where -1 is the length that is left over";
    if (!Array.isArray(shape) || shape.length === 0) {
      throw new TypeError(
        `the shape of a Reshape is ${quote(shape)}, but must be an array of lengths, ${example}`,
      );
    }
    const given: Shape = Object.freeze([...shape]);
    for (const [axis, length] of given.entries()) {
      if (length !== -1) checkInteger(`shape[${axis}] of a Reshape`, length, 1);
    }
    if (given.indexOf(-1) !== given.lastIndexOf(-1)) {
      throw new RangeError(
        `the shape of a Reshape is ${quote(shape)}, but only one length may be -1, ${example}`,
      );
    }
    this.shape = given;
  }

  /** @internal */
  get kind(): string {
    return "Reshape";
  }

  /** @internal */
  get expression(): string {
    return `new Reshape([${this.shape.join(", ")}])`;
  }

  /** @internal */
  outputShape(input: Shape): Shape {
    const size = sizeOf(input);
    const known = sizeOf(this.shape.filter((length) => length !== -1));
    const rest = size / known;
    const open = this.shape.includes(-1);
    if (open ? Number.isInteger(rest) : rest === 1) {
      return this.shape.map((length) => (length === -1 ? rest : length));
    }
    throw new RangeError(
      `Reshape [${this.shape.join(", ")}] takes ${open ? "a multiple of " : ""}${known} values, but its inputs of shape ` +
        `${shapeText(input)} have ${size}: give it lengths whose product is ${size}`,
    );
  }
}
