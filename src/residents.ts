// Plans that stay on the heap from call to call, on top of all that lasts, so that small calls need not plan anew.

import type { Heap } from "./heap.js";

/** Most plans, and most bytes of all but the last, that stay: more are dropped before the next one is made. */
const MOST = 64;
const ROOM = 2 ** 24;

interface Resident {
  key: readonly unknown[];
  plan: unknown;
  /** Top of the heap below it. */
  mark: number;
  /** Whether it goes when the next one is made. */
  passing: boolean;
}

export class Residents {
  readonly #heap: Heap;
  readonly #kept: Resident[] = [];

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /**
   * The plan with this key, or else what `make` makes on top of the others. Values of a key are compared by identity; the
   * first says what kind of plan it is. Nothing else may lie above the residents when this is called.
   *
   * @param passing whether it will not be asked for again for long: it goes when the next one is made
   */
  take<T>(key: readonly unknown[], make: () => T, { passing = false } = {}): T {
    for (const resident of this.#kept) if (alike(resident.key, key)) return resident.plan as T;
    if (this.#kept.at(-1)?.passing) this.#heap.release(this.#kept.pop()!.mark);
    if (this.#kept.length >= MOST || this.#bytes > ROOM) this.drop();
    const mark = this.#heap.top;
    try {
      const plan = make();
      this.#kept.push({ key, plan, mark, passing });
      return plan;
    } catch (error) {
      this.#heap.release(mark);
      throw error;
    }
  }

  get #bytes(): number {
    return this.#kept.length > 0 ? this.#heap.top - this.#kept[0].mark : 0;
  }

  /** Gives all their places back: whoever wants to lie below them for long does so. */
  drop(): void {
    if (this.#kept.length > 0) this.#heap.release(this.#kept[0].mark);
    this.#kept.length = 0;
  }

  /** Their places are gone, for what lay below was given back. */
  forget(): void {
    this.#kept.length = 0;
  }
}

function alike(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
