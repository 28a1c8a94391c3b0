// Steps of the optimizers: see assembly/optimizers.ts for the formulas.

import type { FloatArray } from "../../dtype.js";
import type { Round } from "./round.js";

export function momentum(
  f: FloatArray,
  round: Round,
  w: number,
  v: number,
  g: number,
  n: number,
  rate: number,
  decay: number,
  nesterov: boolean,
): void {
  const rates = round(rate);
  const decays = round(decay);
  for (let i = 0; i < n; i++) {
    const gradient = f[g + i];
    const velocity = round(round(decays * f[v + i]) + gradient);
    f[v + i] = velocity;
    const direction = nesterov ? round(round(decays * velocity) + gradient) : velocity;
    f[w + i] += round(rates * direction);
  }
}
