// Meeting points of threads over one shared memory.
//
// A barrier is a counter of arrivals and a generation number. The last to arrive starts the next generation;
// the others spin on it for a moment, for most operations end within a microsecond of each other, and then
// sleep. Sleeping needs notify: with time-outs alone the threads fall into step with them.

import { Control } from "./ops";

// Turns of the spin loop before a thread sleeps: some 10 microseconds.
// @ts-ignore: decorator
@inline const SPINS: i32 = 20000;

/**
 * Waits until all `threads` threads are here. False: a thread has died, and the run must end.
 * `control` is the control block of the memory (Control.cells i32).
 */
export function barrier(control: usize, threads: i32): bool {
  const generation = control + Control.generation * 4;
  const sleepers = control + Control.sleepers * 4;
  const current = atomic.load<i32>(generation);
  if (atomic.add<i32>(control + Control.arrived * 4, 1) == threads - 1) {
    atomic.store<i32>(control + Control.arrived * 4, 0);
    atomic.add<i32>(generation, 1);
    if (atomic.load<i32>(sleepers)) atomic.notify(generation, -1);
  } else {
    let spins = SPINS;
    while (atomic.load<i32>(generation) == current) {
      if (--spins > 0) continue;
      atomic.add<i32>(sleepers, 1);
      // Returns at once if the generation has changed meanwhile.
      atomic.wait<i32>(generation, current, -1);
      atomic.sub<i32>(sleepers, 1);
    }
  }
  return atomic.load<i32>(control + Control.abandoned * 4) == 0;
}
