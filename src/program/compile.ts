// From operations to a program: the passes, in order.

import type { Program } from "../executors/executor.js";
import type { Heap, Region } from "../heap.js";
import { cutProducts } from "./cut.js";
import { encode } from "./encode.js";
import { fold } from "./fold.js";
import { fuse } from "./fuse.js";
import type { Operation } from "./operation.js";
import { findPhases } from "./phases.js";
import { postpone } from "./postpone.js";
import { placeWorkspace } from "./workspace.js";

export interface CompileOptions {
  threads: number;
  /** In how many parts one thread is to do each phase of a step that takes long. */
  parts: number;
  /** The parameters, by their gradients, that a step of plain SGD is to be folded into. */
  folded?: ReadonlyMap<Region, Region> | undefined;
  /** A region whose content is needed when the program has run. */
  kept?: Region | undefined;
}

export function compile(
  operations: readonly Operation[],
  heap: Heap,
  { threads, parts, folded, kept }: CompileOptions,
): Program {
  const fused = fuse(operations);
  if (folded) fold(fused, folded);
  cutProducts(fused, threads);
  const phases = findPhases(postpone(fused, threads));
  placeWorkspace(phases, heap, kept);
  return encode(phases, heap, threads, parts);
}
