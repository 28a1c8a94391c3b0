// Finds where threads must meet: before an operation that reads what others wrote since they met last, or writes what
// others read or wrote. What lies between two meetings is a phase.

import type { Region } from "../heap.js";
import { type Operation, overlap, same, type Touch, touchesOf } from "./operation.js";

/** How a phase has read or written a region: not, any part any of it, or each part its own rows, of so many. */
const NOT = -1;
const ANY = 0;

interface Use {
  region: Region;
  read: number;
  written: number;
}

export function findPhases(operations: readonly Operation[]): Operation[][] {
  const phases: Operation[][] = [];
  let uses: Use[] = [];
  for (const operation of operations) {
    const touches = touchesOf(operation);
    if (phases.length === 0 || touches.some((touch) => uses.some((use) => mustWait(touch, use)))) {
      phases.push([]);
      uses = [];
    }
    phases[phases.length - 1].push(operation);
    for (const touch of touches) note(uses, touch);
  }
  return phases;
}

function mustWait({ region, own, written }: Touch, use: Use): boolean {
  if (!overlap(region, use.region)) return false;
  const alike = own !== ANY && same(region, use.region);
  const conflicts = (before: number) => before !== NOT && !(alike && before === own);
  return conflicts(use.written) || (written && conflicts(use.read));
}

/** Adds to what was read or written; shared in two ways means that any part touched any of it. */
function note(uses: Use[], { region, own, written }: Touch): void {
  let use = uses.find((known) => known.region === region);
  if (!use) {
    use = { region, read: NOT, written: NOT };
    uses.push(use);
  }
  const key = written ? "written" : "read";
  use[key] = use[key] === NOT || use[key] === own ? own : ANY;
}
