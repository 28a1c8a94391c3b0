// Steady timing: warm-up until the engine has optimized, a calibrated amount of work a round, two contenders
// in turns, medians.

/** Does `count` units of work and returns the seconds they took. */
export type Work = (count: number) => number | Promise<number>;

export interface Settings {
  /** Rounds, each of which measures both contenders once. */
  rounds: number;
  /** Length of a contender's part of a round, in seconds, unless one unit takes longer. */
  length?: number;
}

export interface Duel {
  /** Median seconds a unit. */
  first: number;
  second: number;
  /** Seconds a unit of the first one's fastest round. */
  firstBest: number;
  /** How many times as fast the first is: the median, lowest and highest of the rounds' own ratios. */
  ratio: number;
  lowest: number;
  highest: number;
}

/** Warm-up takes at least this many seconds, and at most LONGEST_WARM_UP plus one call. */
const WARM_UP = 0.25;
const LONGEST_WARM_UP = 1.5;

/** Measures two contenders in turns: what disturbs one disturbs its neighbour in time, and so not their ratio. */
export async function duel(first: Work, second: Work, { rounds, length = 0.03 }: Settings): Promise<Duel> {
  const firstCount = await calibrate(first, length);
  const secondCount = await calibrate(second, length);
  const firsts: number[] = [];
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    firsts.push((await first(firstCount)) / firstCount);
    seconds.push((await second(secondCount)) / secondCount);
  }
  const ratios = firsts.map((time, round) => seconds[round] / time);
  return {
    first: median(firsts),
    second: median(seconds),
    firstBest: Math.min(...firsts),
    ratio: median(ratios),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
  };
}

/** Seconds a unit in the fastest of `rounds` rounds. */
export async function fastest(work: Work, { rounds, length = 0.03 }: Settings): Promise<number> {
  const count = await calibrate(work, length);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) best = Math.min(best, (await work(count)) / count);
  return best;
}

/** Warms up until a unit no longer gets faster, and returns the units that take `length` seconds. */
async function calibrate(work: Work, length: number): Promise<number> {
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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
