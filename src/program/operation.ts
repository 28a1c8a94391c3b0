// What a program is made of before it is encoded: operations, plain objects, and the regions of memory that they touch.

import { Cut, type Op, Operand } from "../../assembly/ops.js";
import { type Region, UNPLACED } from "../heap.js";

/** An operation: an opcode of assembly/ops.ts with its operands. Passes change it until it is encoded. */
export interface Operation {
  readonly op: Op;
  cut: Cut;
  /** What is cut: so many rows, columns, elements or terms. */
  count: number;
  /** Elements in each of them. */
  readonly width: number;
  /** Members of the operation's own enum, whose upper bits say what it does with each, and their values. */
  readonly operands: Operands;
  /** Bytes that each thread needs to work in. */
  readonly scratchBytes: number;
  /** Whether nobody needs its results before the end of the step: see postpone(). */
  readonly late: boolean;
}

/** A region, or a number: a size or a code. One left out, or undefined, is 0. */
export type Value = Region | number | undefined;

/** Pairs, for a plan makes many of them: objects with such numbers as keys take four times as long. */
export type Operands = [operand: number, value: Value][];

/** The value of an operand. */
export function operandOf({ operands }: Operation, wanted: number): Value {
  for (const [operand, value] of operands) if (operand === wanted) return value;
  return undefined;
}

export function setOperand({ operands }: Operation, wanted: number, value: Value): void {
  const known = operands.find(([operand]) => operand === wanted);
  if (known) known[1] = value;
  else operands.push([wanted, value]);
}

/** A region that an operation touches. */
export interface Touch {
  region: Region;
  written: boolean;
  /**
   * Rows of the batch of which a part touches its own alone; 0: any part any. Two operations that have one region with
   * the same rows of their own need not wait for each other: what a part reads it has written itself.
   */
  own: number;
}

/** All regions that an operation touches. */
export function touchesOf({ cut, count, operands }: Operation): Touch[] {
  const touches: Touch[] = [];
  for (const [operand, region] of operands) {
    if (typeof region !== "object" || !(operand & Operand.memory)) continue;
    const own = cut === Cut.batch && operand & Operand.own ? count : 0;
    touches.push({ region, written: (operand & Operand.written) !== 0, own });
  }
  return touches;
}

/** Whether two regions have a byte in common. */
export function overlap(a: Region, b: Region): boolean {
  if (a === b) return true;
  if (a.offset === UNPLACED || b.offset === UNPLACED) return false;
  return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

/** Whether two regions are the same bytes. */
export function same(a: Region, b: Region): boolean {
  return a === b || (a.offset !== UNPLACED && a.offset === b.offset && a.bytes === b.bytes);
}
