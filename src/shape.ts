// Shapes: the lengths of an array's axes, without that of the batch.

export type Shape = readonly number[];

/** Values in a row, the product of the lengths. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Vectors of the last axis in a row. */
export function positionsOf(shape: Shape): number {
  return sizeOf(shape.slice(0, -1));
}

/** "28x28x1" */
export function shapeText(shape: Shape): string {
  return shape.join("x");
}
