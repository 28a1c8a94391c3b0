// Chooses how products are cut into parts: by rows, by columns, or by terms. All other operations know it from the
// beginning.

import { Cut, Layout, Op, Product, Start, Sum } from "../../assembly/ops.js";
import { type Operation, operandOf } from "./operation.js";

/** With so many rows a thread, packing the right factor for itself costs it an eighth of the multiplications. */
export const ROWS_PER_THREAD = 16;

/**
 * By rows, if each thread gets enough of them to repay packing the right factor for itself: activations then stay with
 * their thread, and it need not wait for others. A gradient has no rows of a batch; one that is added to the weights is
 * cut by its terms where there is one thread, for its parts would pack too much otherwise.
 */
export function cutProducts(operations: readonly Operation[], threads: number): void {
  for (const operation of operations) {
    if (operation.op !== Op.product) continue;
    const [m, n, k] = [Product.m, Product.n, Product.k].map((size) => operandOf(operation, size) as number);
    const transposed = ((operandOf(operation, Product.layout) as number) & Layout.transposed) !== 0;
    if (transposed && operandOf(operation, Sum.start) === Start.add && threads === 1) {
      operation.cut = Cut.terms;
      operation.count = k;
    } else if (m > n || (!transposed && m >= ROWS_PER_THREAD * threads)) {
      operation.cut = transposed ? Cut.rows : Cut.batch;
      operation.count = m;
    } else {
      operation.cut = Cut.columns;
      operation.count = n;
    }
  }
}
