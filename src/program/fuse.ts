// Fuses an elementwise operation that works in the place of a product's output into the product, as its epilogue. Nothing
// between the two may touch what it works on.

import {
  Backward,
  Epilogue,
  FIRST_BY_ROWS,
  FIRST_DERIVATIVE,
  Forward,
  Layout,
  NO_EPILOGUE,
  Op,
  Product,
} from "../../assembly/ops.js";
import type { Region } from "../heap.js";
import { type Operation, operandOf, overlap, setOperand, touchesOf } from "./operation.js";

export function fuse(operations: readonly Operation[]): Operation[] {
  const fused: Operation[] = [];
  for (const operation of operations) {
    const { op } = operation;
    const saved = op < FIRST_DERIVATIVE ? undefined : (operandOf(operation, Backward.saved) as Region);
    const product = op < FIRST_BY_ROWS ? productInto(fused, operation, saved) : undefined;
    if (product) {
      setOperand(product, Epilogue.op, op);
      setOperand(product, Epilogue.saved, saved);
    } else {
      fused.push(operation);
    }
  }
  return fused;
}

/** The product whose output an elementwise operation works on in place, if it is the last to touch it. */
function productInto(
  before: readonly Operation[],
  operation: Operation,
  saved: Region | undefined,
): Operation | undefined {
  const output = operandOf(operation, Forward.output) as Region;
  if (operandOf(operation, saved ? Backward.gradient : Forward.input) !== output) return undefined;
  const last = before.findLast((other) =>
    touchesOf(other).some(
      ({ region, written }) => overlap(region, output) || (written && saved && overlap(region, saved)),
    ),
  );
  return last && operandOf(last, Product.output) === output && takesEpilogue(last) ? last : undefined;
}

/** A gradient takes none: its sums may be cut by terms, and an epilogue must not run before they are whole. */
function takesEpilogue(operation: Operation): boolean {
  if (operandOf(operation, Epilogue.op) !== NO_EPILOGUE) return false;
  if (operation.op === Op.sparseProduct) return true;
  return ((operandOf(operation, Product.layout) as number) & Layout.transposed) === 0;
}
