// Layers that change the shape alone: the values stay where they are, and nothing is computed.

import { wrongValue } from "../check.js";
import type { Matrix } from "../program/samples.js";
import { type Shape, shapeText, sizeOf } from "../shape.js";
import { BaseLayer, passOn } from "./base.js";
import type { Description, Emitted, Pass } from "./layer.js";

/** A layer whose outputs are its inputs, in another shape. */
abstract class ShapeLayer extends BaseLayer {
  /** @internal */
  abstract outputShape(input: Shape): Shape;

  /** @internal */
  override describe(input: Shape): Description {
    const output = this.outputShape(input);
    return { ...super.describe(input), output, folds: { scale: 1 } };
  }

  /** @internal */
  emit(_pass: Pass, input: Matrix): Emitted {
    return passOn(input);
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

  /** @throws RangeError unless the shape is one or more lengths from 1 on, of which one may be -1 */
  constructor(shape: Shape) {
    super();
    const usable =
      Array.isArray(shape) &&
      shape.length > 0 &&
      shape.every((length) => Number.isSafeInteger(length) && (length > 0 || length === -1)) &&
      shape.indexOf(-1) === shape.lastIndexOf(-1);
    if (!usable) {
      throw wrongValue(
        "the shape of a Reshape",
        shape,
        "lengths of at least 1, of which one may be -1, the length that is left over, e.g. [28, 28, 1] or [-1, 10]",
      );
    }
    this.shape = Object.freeze([...shape]);
  }

  /** @internal */
  get kind(): string {
    return "Reshape";
  }

  /** @internal */
  override get expression(): string {
    return `new Reshape([${this.shape.join(", ")}])`;
  }

  /** @internal */
  outputShape(input: Shape): Shape {
    const size = sizeOf(input);
    const open = this.shape.includes(-1);
    const known = Math.abs(sizeOf(this.shape));
    const rest = size / known;
    if (open ? Number.isInteger(rest) : rest === 1) {
      return this.shape.map((length) => (length === -1 ? rest : length));
    }
    throw new RangeError(
      `Reshape [${this.shape.join(", ")}] takes ${open ? "a multiple of " : ""}${known} values, but its inputs, ` +
        `${shapeText(input)}, have ${size}: give it lengths whose product is ${size}`,
    );
  }
}
