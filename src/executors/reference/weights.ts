// What makes the terms of a loss count more or less: see assembly/weights.ts. Only what is stored is rounded.

import { ClassWeights, Stat } from "../../../assembly/ops.js";
import type { FloatArray } from "../../dtype.js";

/** `sampleWeights` is undefined where there are none; `settings` are an index into f64. */
export function prepareTargets(
  f: FloatArray,
  f64: Float64Array,
  target: number,
  weights: number,
  shares: number,
  sampleWeights: number | undefined,
  settings: number,
  classes: ClassWeights,
  from: number,
  terms: number,
  perSample: number,
  width: number,
): void {
  const ofClass = settings + 2;
  let element = target + from * width;
  for (let term = from; term < from + terms; term++) {
    const ofSample = sampleWeights === undefined ? 1 : f[sampleWeights + Math.floor(term / perSample)];
    // NaN if one of the targets is.
    let share = 0;
    for (let j = 0; j < width; j++) {
      share += f[element + j] * (classes >= ClassWeights.ofRows ? f64[ofClass + j] : 1);
    }
    const masked = Number.isNaN(share);
    if (classes === ClassWeights.ofSides) share = f64[ofClass + (share >= 0.5 ? 1 : 0)];
    if (classes === ClassWeights.none) share = 1;
    share = masked ? 0 : share * ofSample;
    f[shares + term] = share;
    f[weights + term] = classes === ClassWeights.ofTargets && !masked ? ofSample : share;
    for (let j = 0; j < width; j++) {
      const value = f[element] * f64[settings] + f64[settings + 1];
      const weight = classes === ClassWeights.ofTargets ? f64[ofClass + j] : 1;
      f[element++] = masked ? 0 : value * weight;
    }
  }
}

/** `statistics` are an index into f64. */
export function weigh(
  f: FloatArray,
  f64: Float64Array,
  gradient: number,
  losses: number,
  hits: number,
  weights: number,
  shares: number,
  statistics: number,
  from: number,
  terms: number,
  width: number,
  allTerms: number,
): void {
  let total = 0;
  let counted = 0;
  for (let i = 0; i < allTerms; i++) {
    total += f[shares + i];
    counted += Number(f[shares + i] !== 0);
  }
  // Parts without a row begin there, too.
  if (from === 0 && terms > 0) {
    f64[statistics + Stat.weightSum] += total;
    f64[statistics + Stat.counted] += counted;
  }
  for (let i = from; i < from + terms; i++) {
    const weight = total > 0 ? f[weights + i] : 0;
    f[losses + i] = weight !== 0 ? f[losses + i] * weight : 0;
    if (f[shares + i] === 0) f[hits + i] = 0;
    for (let j = gradient + i * width; j < gradient + (i + 1) * width; j++) {
      f[j] = weight !== 0 ? f[j] * (weight / total) : 0;
    }
  }
}
