// Writes operations into the heap as records.

import { Operand, RECORD_WORDS, Word } from "../../assembly/ops.js";
import type { Program } from "../executors/executor.js";
import type { Heap } from "../heap.js";
import type { Operation } from "./operation.js";
import { partsOf } from "./parts.js";

/** @param parts in how many parts one thread is to do each phase of a step that takes long */
export function encode(
  phases: readonly (readonly Operation[])[],
  heap: Heap,
  threads: number,
  parts: number,
): Program {
  const operations = phases.flat();
  const scratchBytes = scratchOf(operations);
  const scratch = scratchBytes > 0 ? heap.allocate(scratchBytes * threads) : 0;
  const offset = heap.allocate(operations.length * RECORD_WORDS * 4);
  const words = heap.u32.subarray(offset / 4, offset / 4 + operations.length * RECORD_WORDS).fill(0);
  for (const [index, operation] of operations.entries()) {
    const record = words.subarray(index * RECORD_WORDS);
    const { op, cut, count, width, operands } = operation;
    record[Word.opcode] = op;
    record[Word.cut] = cut;
    record[Word.count] = count;
    record[Word.width] = width;
    if (operation.scratchBytes > 0) {
      record[Word.scratch] = scratch;
      record[Word.scratchBytes] = scratchBytes;
    }
    for (const [operand, value] of operands) {
      record[operand & Operand.position] = typeof value === "object" ? value.offset : (value ?? 0);
    }
  }
  let first = 0;
  const bounds = phases.map((phase) => {
    const bound = { first, count: phase.length, parts: partsOf(phase, threads) };
    first += phase.length;
    words[(first - 1) * RECORD_WORDS + Word.parts] = bound.parts;
    return bound;
  });
  return { offset, count: operations.length, threads, phases: bounds, parts };
}

/**
 * Bytes of a thread's room to work in: one serves all operations, for each thread does one thing after the other. Whole
 * cache lines, so that no two threads share one.
 */
function scratchOf(operations: readonly Operation[]): number {
  const most = operations.reduce((bytes, { scratchBytes }) => Math.max(bytes, scratchBytes), 0);
  return Math.ceil(most / 64) * 64;
}
