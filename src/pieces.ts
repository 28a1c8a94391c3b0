// Work in pieces: what may take long stops now and then, so that a training need not keep the event loop waiting.

/**
 * Work that stops after every piece of about a millisecond and returns what it makes. finish() does it at a
 * stretch, a Pacer lets the event loop turn in between.
 */
export type Pieces<T> = Generator<undefined, T, undefined>;

/** Values that a piece reads, checks or copies. */
const VALUES = 2 ** 18;

/** Does all of the work at once. */
export function finish<T>(work: Pieces<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Does `rows` rows of `width` values, as many as make a piece at a time. */
export function* byRows(rows: number, width: number, work: (from: number, to: number) => void): Pieces<void> {
  const step = Math.max(1, Math.floor(VALUES / width));
  for (let from = 0; from < rows; from += step) {
    if (from > 0) yield;
    work(from, Math.min(rows, from + step));
  }
}
