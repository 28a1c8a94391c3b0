// Steady timing: warm-up until the engine has optimized, a calibrated amount of work a round, contenders in
// turns, medians.

/** Does `count` units of work and returns the seconds they took. */
export type Work = (count: number) => number | Promise<number>;

export interface Settings {
  /** Rounds, each of which measures every contender once. */
  rounds: number;
  /** Length of a contender's part of a round, in seconds, unless one unit takes longer. */
  length: number;
}

/** Warm-up takes at least this many seconds, and at most LONGEST_WARM_UP plus one call. */
const WARM_UP = 0.25;
const LONGEST_WARM_UP = 1.5;
/** Where the rounds would take longer than this many seconds together there are fewer, at least 3. */
const LONGEST = 10;

/**
 * Measures contenders in turns: what disturbs one disturbs its neighbour in time, and so not their ratio.
 * Returns, for each contender, the seconds a unit took in each round.
 */
export async function contest(works: readonly Work[], { rounds, length }: Settings): Promise<number[][]> {
  const counts: number[] = [];
  for (const work of works) counts.push(await calibrate(work, length));
  const times: number[][] = works.map(() => []);
  const start = performance.now();
  for (let round = 1; round <= rounds; round++) {
    for (const [index, work] of works.entries())
      times[index].push((await work(counts[index])) / counts[index]);
    const elapsed = (performance.now() - start) / 1000;
    if (round >= 3 && elapsed + elapsed / round > LONGEST) break;
  }
  return times;
}

/** Warms up until a unit no longer gets faster, and returns the units that take `length` seconds. */
export async function calibrate(work: Work, length: number): Promise<number> {
  let count = 1;
  let total = 0;
  let best = Number.POSITIVE_INFINITY;
  let steady = 0;
  for (;;) {
    const seconds = await work(count);
    const unit = seconds / count;
    total += seconds;
    steady = unit < best * 0.97 ? 0 : steady + 1;
    best = Math.min(best, unit);
    const warm = (steady >= 3 && total >= WARM_UP) || total >= LONGEST_WARM_UP;
    if (warm && seconds >= length / 2) return Math.max(1, Math.round(length / best));
    count = Math.max(1, Math.min(8 * count, Math.round(length / unit)));
  }
}

export interface Ratio {
  median: number;
  lowest: number;
  highest: number;
}

/** How many times as fast as `second` the `first` was, round by round. */
export function ratioOf(first: readonly number[], second: readonly number[]): Ratio {
  const ratios = first.map((time, round) => second[round] / time);
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
