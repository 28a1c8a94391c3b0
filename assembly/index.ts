// What the binary exports: the interpreter for either element type, and where its heap may begin. The memory
// is imported.

import { run, runPart } from "./program";

/** First byte past the binary's own data. */
export function heapBase(): usize {
  return __heap_base;
}

export function run64(
  control: usize, program: usize, count: usize, thread: usize, threads: usize, fromStep: usize, toStep: usize,
): bool {
  return run<f64>(control, program, count, thread, threads, fromStep, toStep);
}

export function run32(
  control: usize, program: usize, count: usize, thread: usize, threads: usize, fromStep: usize, toStep: usize,
): bool {
  return run<f32>(control, program, count, thread, threads, fromStep, toStep);
}

export function part64(phase: usize, count: usize, step: usize, part: usize, parts: usize): void {
  runPart<f64>(phase, count, step, part, parts);
}

export function part32(phase: usize, count: usize, step: usize, part: usize, parts: usize): void {
  runPart<f32>(phase, count, step, part, parts);
}
