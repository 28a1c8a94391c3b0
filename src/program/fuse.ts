// Fuses an elementwise operation that follows a product in its place into the product, as its epilogue.

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
  SparseProduct,
} from "../../assembly/ops.js";
import type { Operation } from "./operation.js";

export function fuse(operations: readonly Operation[]): Operation[] {
  const fused: Operation[] = [];
  for (const operation of operations) {
    const { op, operands } = operation;
    const product = fused.at(-1);
    const input = operands[op < FIRST_DERIVATIVE ? Forward.input : Backward.gradient];
    if (
      op < FIRST_BY_ROWS &&
      product &&
      takesEpilogue(product) &&
      input === operands[Forward.output] &&
      input === product.operands[product.op === Op.product ? Product.output : SparseProduct.output]
    ) {
      product.operands[Epilogue.op] = op;
      if (op >= FIRST_DERIVATIVE) product.operands[Epilogue.saved] = operands[Backward.saved];
    } else {
      fused.push(operation);
    }
  }
  return fused;
}

/** A gradient takes none: its sums may be cut by terms, and an epilogue must not run before they are whole. */
function takesEpilogue({ op, operands }: Operation): boolean {
  if (operands[Epilogue.op] !== NO_EPILOGUE) return false;
  return op === Op.sparseProduct || ((operands[Product.layout] as number) & Layout.transposed) === 0;
}
