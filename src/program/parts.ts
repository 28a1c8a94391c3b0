// Says in how many parts the threads share each phase.

import { Cut, Op, Product } from "../../assembly/ops.js";
import { ROWS_PER_THREAD } from "./cut.js";
import { type Operation, operandOf } from "./operation.js";

/** Parts of a phase for each thread, so that one that is fast or free can do more of them. */
const PARTS_PER_THREAD = 4;

const LARGE_FACTOR = 2 ** 13;

export function partsOf(phase: readonly Operation[], threads: number): number {
  if (threads === 1) return 1;
  const parts = threads * PARTS_PER_THREAD;
  return phase.some((operation) => packsTooMuch(operation, parts)) ? threads : parts;
}

/**
 * Whether a product cut into `parts` would spend itself in packing: every part packs the one factor that it has
 * whole, which pays where the part has enough of the other's rows or columns. Factors of up to LARGE_FACTOR values
 * do not matter.
 */
function packsTooMuch(operation: Operation, parts: number): boolean {
  const { op, cut, count, scratchBytes } = operation;
  if (op !== Op.product || scratchBytes === 0) return false;
  const whole = operandOf(operation, cut === Cut.columns ? Product.m : Product.n) as number;
  const terms = operandOf(operation, Product.k) as number;
  return terms * whole > LARGE_FACTOR && count < 2 * ROWS_PER_THREAD * parts;
}
