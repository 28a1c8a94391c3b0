// How long a cache line takes from one core to another and back: two threads play ball in shared memory.

import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Places in the memory that the players share, on cache lines of their own. */
export enum Cell {
  /** Players who are there. */
  ready = 0,
  /** Who is to play: 0 or 1. */
  ball = 16,
  count = 32,
}

/** What a player is told. */
export interface Player {
  cells: Int32Array;
  number: 0 | 1;
}

export class RoundTrip {
  readonly #cells = new Int32Array(new SharedArrayBuffer(Cell.count * 4));
  readonly #players: Worker[];

  /** @param script player.ts, bundled */
  constructor(script: string) {
    this.#players = ([0, 1] as const).map(
      (number) => new Worker(script, { workerData: { cells: this.#cells, number } satisfies Player }),
    );
  }

  /** Nanoseconds, as of now. */
  async measure(): Promise<number> {
    this.#cells.fill(0);
    for (const player of this.#players) player.postMessage("play");
    const answers = await Promise.all(this.#players.map((player) => once(player, "message")));
    return Math.max(...answers.flat());
  }

  stop(): void {
    for (const player of this.#players) player.terminate();
  }
}
