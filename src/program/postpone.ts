// With several threads: puts what nobody needs before the end of the step there, so that they wait for each other once
// before all of it and not once before each. One thread does it at once, which frees memory sooner.

import type { Operation } from "./operation.js";

export function postpone(operations: readonly Operation[], threads: number): readonly Operation[] {
  if (threads === 1) return operations;
  return [...operations.filter(({ late }) => !late), ...operations.filter(({ late }) => late)];
}
