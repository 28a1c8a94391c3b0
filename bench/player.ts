// One of the two threads of round-trip.ts.

import { parentPort, workerData } from "node:worker_threads";
import { Cell, type Player } from "./round-trip.js";

const { cells, number } = workerData as Player;
const RALLIES = 10;
const TURNS = 150;

parentPort!.on("message", () => {
  // Both are awake before the first serve.
  Atomics.add(cells, Cell.ready, 1);
  while (Atomics.load(cells, Cell.ready) < 2);
  // The best of some rallies: a thread may lose its core in one.
  let best = Number.POSITIVE_INFINITY;
  for (let rally = 0; rally < RALLIES; rally++) {
    const start = performance.now();
    for (let turn = 0; turn < TURNS; turn++) {
      while (Atomics.load(cells, Cell.ball) !== number);
      Atomics.store(cells, Cell.ball, 1 - number);
    }
    best = Math.min(best, (performance.now() - start) / TURNS);
  }
  parentPort!.postMessage(best * 1e6);
});
