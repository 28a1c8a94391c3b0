// Meeting points of threads over one shared memory.
//
// A barrier is a counter of arrivals and a generation number. The last to arrive starts the next generation;
// the others spin on it for a while and then sleep. Sleeping needs notify: with time-outs alone the threads
// fall into step with them.
//
// A thread that sleeps is late for the next barrier too, for it takes the system some 50 microseconds to wake
// it, so that the other sleeps there, and so on. Where every thread has a core, spinning until the others come
// is therefore best, though it take a millisecond. Where threads outnumber the cores it is worst: it keeps the
// core from the thread that is waited for. So a run begins with the patience that its number of threads allows
// (executors/wasm/pool.ts); spinning in vain halves it, spinning until the others came doubles it again.
//
// Before the first barrier it is not known that every thread has a core: two that were woken together may wait for
// the same one. The first to have it must give it up, so threads meet once before they begin, asleep.

import { Control, LONGEST_SPIN, QUEUE_CELLS, SHORTEST_SPIN } from "./ops";

/**
 * Waits until all `threads` threads are here. False: a thread has died, and the run must end.
 * `control` is the control block of the memory (Control.cells i32).
 */
export function barrier(control: usize, threads: i32): bool {
  return meet(control, threads, true);
}

/** The barrier before a run begins: who comes early sleeps. */
export function assemble(control: usize, threads: i32): bool {
  return meet(control, threads, false);
}

function meet(control: usize, threads: i32, spinning: bool): bool {
  const generation = control + Control.generation * 4;
  const abandoned = control + Control.abandoned * 4;
  const current = atomic.load<i32>(generation);
  // In this order: when a thread dies, this is set, and then the generation changes. Who sees neither is woken.
  if (atomic.load<i32>(abandoned)) return false;
  if (atomic.add<i32>(control + Control.arrived * 4, 1) == threads - 1) {
    atomic.store<i32>(control + Control.arrived * 4, 0);
    atomic.add<i32>(generation, 1);
    if (atomic.load<i32>(control + Control.sleepers * 4)) atomic.notify(generation, -1);
  } else if (!(spinning && spin(control, generation, current))) {
    sleep(control, generation, current);
  }
  return atomic.load<i32>(abandoned) == 0;
}

/** Waits awake until the generation is no longer `current`, or patience ends: then false. */
function spin(control: usize, generation: usize, current: i32): bool {
  const learned = control + Control.patience * 4;
  const patience = max<i32>(atomic.load<i32>(learned), SHORTEST_SPIN);
  let spins = patience;
  while (atomic.load<i32>(generation) == current) {
    if (--spins > 0) continue;
    atomic.store<i32>(learned, patience >> 1);
    return false;
  }
  if (patience < LONGEST_SPIN) atomic.store<i32>(learned, patience << 1);
  return true;
}

/** Waits asleep until the generation is no longer `current`. */
function sleep(control: usize, generation: usize, current: i32): void {
  const sleepers = control + Control.sleepers * 4;
  atomic.add<i32>(sleepers, 1);
  // Returns at once if the generation has changed meanwhile.
  while (atomic.load<i32>(generation) == current) atomic.wait<i32>(generation, current, -1);
  atomic.sub<i32>(sleepers, 1);
}

/** Whether the run is to end here: a thread has died, or the run was aborted. */
export function abandoned(control: usize): bool {
  return atomic.load<i32>(control + Control.abandoned * 4) != 0;
}

/** Takes a part from a thread's queue: how many have been taken from it before, in this run. */
export function takePart(control: usize, thread: usize): u32 {
  return atomic.add<u32>(control + (<usize>Control.queues + thread * <usize>QUEUE_CELLS) * 4, 1);
}
