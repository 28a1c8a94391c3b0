// What two threads are worth while their cores are near each other, and while they are not.
//
// Cores that share a cache hand a cache line over several times as fast as cores that do not, and threads wander: so
// do, on a rented machine, the cores themselves. Threads hand each other the weights they have just written, so how
// long that takes decides what they gain. It is measured before and after every turn of the training.

import type { DType } from "../src/dtype.js";
import { calibrate, median } from "./measure.js";
import { RoundTrip } from "./round-trip.js";
import { table } from "./table.js";
import { type Task, taskWork, threadTasks } from "./training.js";

/** Seconds for each row of the table, and of one turn. */
const ROW = 20;
const TURN = 0.1;

interface Turn {
  seconds: number;
  /** Nanoseconds of a round trip from core to core, before the turn and after it. */
  before: number;
  after: number;
}

/**
 * @param only part of the names of the rows wanted
 * @param player player.ts, bundled
 */
export async function distance(dtype: DType, only: string, player: string): Promise<void> {
  const roundTrip = new RoundTrip(player);
  const print = table(
    [`${dtype}, 2 threads against 1`, "near: round trip", "ratio", "far: round trip", "ratio"],
    [38, 16, 17, 16, 17],
  );
  for (const task of threadTasks(only)) {
    const [alone, both] = await turns(task, dtype, roundTrip);
    const trips = [...alone, ...both].flatMap(({ before, after }) => [before, after]);
    const limit = 2 * lowestTenth(trips);
    const near = ({ before, after }: Turn) => Math.max(before, after) < limit;
    const far = ({ before, after }: Turn) => Math.min(before, after) >= limit;
    print([
      task.label,
      ...compare(alone.filter(near), both.filter(near)),
      ...compare(alone.filter(far), both.filter(far)),
    ]);
  }
  roundTrip.stop();
}

/** Turns of the training on one thread and of that on two. */
async function turns(task: Task, dtype: DType, roundTrip: RoundTrip): Promise<[Turn[], Turn[]]> {
  const works = [1, 2].map((threads) => taskWork(task, dtype, { threads }));
  const counts: number[] = [];
  for (const work of works) counts.push(await calibrate(work, TURN));
  const taken: [Turn[], Turn[]] = [[], []];
  const end = performance.now() + ROW * 1000;
  let before = await roundTrip.measure();
  while (performance.now() < end) {
    for (const [index, work] of works.entries()) {
      const seconds = (await work(counts[index])) / counts[index];
      const after = await roundTrip.measure();
      taken[index].push({ seconds, before, after });
      before = after;
    }
  }
  return taken;
}

function lowestTenth(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)];
}

/** The median round trip, and how many times as fast two threads were in how many turns; "-" for too few. */
function compare(alone: readonly Turn[], both: readonly Turn[]): [string, string] {
  if (Math.min(alone.length, both.length) < 5) return ["-", "-"];
  const trip = median([...alone, ...both].map(({ before, after }) => (before + after) / 2));
  const ratio = median(alone.map(({ seconds }) => seconds)) / median(both.map(({ seconds }) => seconds));
  return [`${trip.toFixed(0)} ns`, `${ratio.toFixed(2)} (${both.length} turns)`];
}
