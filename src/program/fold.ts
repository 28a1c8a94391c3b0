// Folds a step of plain SGD into the operations that make the gradients.
//
// w = w - learningRate * gradient needs no operation of its own: with the loss's gradient multiplied by -learningRate,
// in which everything behind it is linear, the sums that make the gradients add to the parameters.

import { Operand, Start, Sum } from "../../assembly/ops.js";
import type { Region } from "../heap.js";
import { type Operation, operandOf, setOperand } from "./operation.js";

/** @param parameters by their gradients */
export function fold(operations: readonly Operation[], parameters: ReadonlyMap<Region, Region>): void {
  for (const operation of operations) {
    for (const pair of operation.operands) {
      const [operand, gradient] = pair;
      const parameter = parameters.get(gradient as Region);
      if (!parameter) continue;
      if (!(operand & Operand.written) || operandOf(operation, Sum.start) !== Start.zero)
        throw new Error("an operation that does more with a gradient than make it cannot be folded");
      pair[1] = parameter;
      setOperand(operation, Sum.start, Start.add);
    }
  }
}
