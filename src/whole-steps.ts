// What predict and evaluate read during a training: the parameters after a whole step, never half of one.
//
// Where the event loop is free while a step is under way (on threads, or in a step that is done in parts), the
// parameters in the heap are partly those of before the step and partly those of after it. Readers get a copy then.

import type { Store } from "./store.js";

/** A copy of a network's parameters, and maybe of more behind them; another object for every other state of them. */
export interface Snapshot {
  readonly bytes: Uint8Array;
}

/** Copies that are made of the parameters, one a slice, after somebody has read one: about a second of slices. */
const COPIES_AFTER_READING = 16;

export class WholeSteps {
  readonly #store: Store;
  /** The parameters at the end of the last good epoch: what a failure goes back to. */
  readonly #good: Uint8Array;
  /** Those of a later step, copied only while somebody reads. */
  #later: Uint8Array | undefined;
  #latest: Snapshot;
  #underWay = false;
  #copies = 0;

  /** @param slots whether the training changes what optimizers keep of the parameters, too */
  constructor(store: Store, { slots = false } = {}) {
    this.#store = store;
    this.#good = new Uint8Array(store.snapshotBytes({ slots }));
    this.#latest = { bytes: this.#good };
  }

  /** The parameters as they are now are the ones to go back to. */
  keep(): void {
    this.#store.snapshot(this.#good);
    this.#latest = { bytes: this.#good };
  }

  /** Goes back to the end of the last good epoch. */
  restore(): void {
    this.#store.restore(this.#good);
  }

  /** Steps begin that leave the event loop free. `copy`: the parameters are copied now whether or not somebody reads. */
  enter({ copy = false } = {}): void {
    this.#underWay = true;
    if (!copy && this.#copies === 0) return;
    if (this.#copies > 0) this.#copies--;
    this.#later ??= new Uint8Array(this.#good.length);
    this.#store.snapshot(this.#later);
    this.#latest = { bytes: this.#later };
  }

  /** The steps are done. */
  leave(): void {
    this.#underWay = false;
  }

  /** Undoes the step that was entered with a copy. */
  undo(): void {
    this.#store.restore(this.#latest.bytes);
  }

  /**
   * The parameters to read, a copy, or undefined where those in the heap are whole: the ones that the slice under way
   * began with, or, where nobody has read for a second or so, the ones that the epoch began with.
   */
  read(): Snapshot | undefined {
    if (!this.#underWay) return undefined;
    this.#copies = COPIES_AFTER_READING;
    return this.#latest;
  }
}
