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
  const scratch = placeScratch(phases.flat(), heap, threads);
  const records = phases.reduce((sum, { length }) => sum + length, 0);
  const offset = heap.allocate(records * RECORD_WORDS * 4);
  const words = heap.u32;
  words.fill(0, offset / 4, offset / 4 + records * RECORD_WORDS);
  const bounds: { first: number; count: number; parts: number }[] = [];
  let first = 0;
  for (const phase of phases) {
    const shared = partsOf(phase, threads);
    for (const [index, operation] of phase.entries()) {
      const record = offset / 4 + (first + index) * RECORD_WORDS;
      const { op, cut, count, width, operands, scratchBytes } = operation;
      words[record + Word.opcode] = op;
      words[record + Word.parts] = index === phase.length - 1 ? shared : 0;
      words[record + Word.cut] = cut;
      words[record + Word.count] = count;
      words[record + Word.width] = width;
      if (scratchBytes > 0) {
        words[record + Word.scratch] = scratch.offset;
        words[record + Word.scratchBytes] = scratch.bytes;
      }
      for (const key in operands) {
        const value = operands[key];
        words[record + (Number(key) & Operand.position)] =
          typeof value === "object" ? value.offset : (value ?? 0);
      }
    }
    bounds.push({ first, count: phase.length, parts: shared });
    first += phase.length;
  }
  return { offset, count: records, threads, phases: bounds, parts };
}

/** One scratch serves all operations: each thread has a piece of its own, and does one thing after the other. */
function placeScratch(operations: readonly Operation[], heap: Heap, threads: number) {
  const most = operations.reduce((bytes, { scratchBytes }) => Math.max(bytes, scratchBytes), 0);
  // Whole cache lines, so that no two threads share one.
  const bytes = Math.ceil(most / 64) * 64;
  return { offset: bytes > 0 ? heap.allocate(bytes * threads) : 0, bytes };
}
