// Elements of either type as f64, for operations of which one copy is to serve both: `wide` means that they are f64.

export function read(x: usize, index: usize, wide: bool): f64 {
  return wide ? load<f64>(x + index * 8) : <f64>load<f32>(x + index * 4);
}

export function write(y: usize, index: usize, value: f64, wide: bool): void {
  if (wide) store<f64>(y + index * 8, value);
  else store<f32>(y + index * 4, <f32>value);
}
