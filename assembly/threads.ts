// Meeting points of threads over one shared memory.

export function barrier(thread: usize, threads: usize): void {
}
