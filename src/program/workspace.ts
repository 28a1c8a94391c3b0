// Gives the matrices of the workspace their places: one place to several, one after the other, where their lives do not
// overlap. Without that a deep network would need a place for each matrix of each layer.
//
// A matrix lives from the operation that writes it to the last that reads it. Its place is free for another behind the
// next meeting of the threads; without one, only if parts touch their own rows of both, and the same bytes of the place.

import { type Heap, type Region, UNPLACED } from "../heap.js";
import { type Operation, touchesOf } from "./operation.js";

interface Life {
  region: Region;
  firstPhase: number;
  first: number;
  lastPhase: number;
  last: number;
  /** Rows of the batch, where every operation touches each part's own alone; else 0. */
  own: number;
}

interface Place {
  bytes: number;
  lives: Life[];
}

/** @param kept a region whose content is needed when the program has run */
export function placeWorkspace(phases: readonly (readonly Operation[])[], heap: Heap, kept?: Region): void {
  const places: Place[] = [];
  for (const life of livesOf(phases, kept)) {
    const { bytes } = life.region;
    const free = places.filter(({ lives }) => follows(life, lives[lives.length - 1]));
    // The one nearest in size: it wastes or grows least.
    const [best] = free.sort((a, b) => Math.abs(a.bytes - bytes) - Math.abs(b.bytes - bytes));
    if (best) {
      best.bytes = Math.max(best.bytes, bytes);
      best.lives.push(life);
    } else {
      places.push({ bytes, lives: [life] });
    }
  }
  for (const { bytes, lives } of places) {
    const offset = heap.allocate(bytes);
    for (const { region } of lives) region.offset = offset;
  }
}

/** The lives of all regions that have no place yet, in the order of their beginnings. */
function livesOf(phases: readonly (readonly Operation[])[], kept: Region | undefined): Iterable<Life> {
  const lives = new Map<Region, Life>();
  let index = 0;
  for (const [phase, operations] of phases.entries()) {
    for (const operation of operations) {
      for (const { region, own } of touchesOf(operation)) {
        if (region.offset !== UNPLACED) continue;
        const life = lives.get(region);
        if (!life) {
          lives.set(region, { region, firstPhase: phase, first: index, lastPhase: phase, last: index, own });
          continue;
        }
        if (life.own !== own) life.own = 0;
        life.lastPhase = phase;
        life.last = index;
      }
      index++;
    }
  }
  const last = kept && lives.get(kept);
  if (last) last.lastPhase = last.last = Number.POSITIVE_INFINITY;
  return lives.values();
}

/** Whether a region may have the place of one before it. */
function follows(life: Life, before: Life): boolean {
  if (before.lastPhase < life.firstPhase) return true;
  const alike = life.own !== 0 && life.own === before.own && life.region.bytes === before.region.bytes;
  return alike && before.last < life.first;
}
