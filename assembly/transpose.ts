// Transposition.

/** y (width, rows) = transpose of x (rows, width), for the columns `from` to `to` of x. */
export function transpose<T>(y: usize, x: usize, rows: usize, width: usize, from: usize, to: usize): void {
  for (let j = from; j < to; j++) {
    let source = x + j * sizeof<T>();
    let target = y + j * rows * sizeof<T>();
    for (let r: usize = 0; r < rows; r++) {
      store<T>(target, load<T>(source));
      target += sizeof<T>();
      source += width * sizeof<T>();
    }
  }
}
