// What makes the terms of a loss count more or less, or not at all: weights of samples and of classes, targets that are
// NaN, and smoothed labels. They compute in f64, element after element: see rare-losses.ts.

import { ClassWeights, Stat } from "./ops";
import { read, write } from "./wide";

/**
 * See PrepareTargets in ops.ts, which says what each is: `terms` terms of `width` elements from the `from`th on; `perSample`
 * of them make a sample.
 */
export function prepareTargets(
  target: usize, weights: usize, shares: usize, sampleWeights: usize, settings: usize, classes: ClassWeights,
  from: usize, terms: usize, perSample: usize, width: usize, wide: bool,
): void {
  const ofClass = settings + 16;
  let element = from * width;
  for (let term = from; term < from + terms; term++) {
    const ofSample = sampleWeights ? read(sampleWeights, term / perSample, wide) : 1;
    // NaN if one of the targets is.
    let share: f64 = 0;
    for (let j: usize = 0; j < width; j++) {
      share += read(target, element + j, wide) * (classes >= ClassWeights.ofRows ? load<f64>(ofClass + j * 8) : 1);
    }
    const masked = share != share;
    if (classes == ClassWeights.ofSides) share = load<f64>(ofClass + (share >= 0.5 ? 8 : 0));
    if (classes == ClassWeights.none) share = 1;
    share = masked ? 0 : share * ofSample;
    write(shares, term, share, wide);
    write(weights, term, classes == ClassWeights.ofTargets && !masked ? ofSample : share, wide);
    for (let j: usize = 0; j < width; j++) {
      const value = read(target, element, wide) * load<f64>(settings) + load<f64>(settings, 8);
      const weight = classes == ClassWeights.ofTargets ? load<f64>(ofClass + j * 8) : 1;
      write(target, element++, masked ? 0 : value * weight, wide);
    }
  }
}

/** Sum of the shares, in their order. */
function sum(shares: usize, size: usize, wide: bool): f64 {
  let total: f64 = 0;
  for (let i: usize = 0; i < size; i++) total += read(shares, i, wide);
  return total;
}

/** See Weigh in ops.ts: `terms` terms of `width` elements, from the `from`th of `allTerms` on. */
export function weigh(
  gradient: usize, losses: usize, hits: usize, weights: usize, shares: usize, statistics: usize, from: usize,
  terms: usize, width: usize, allTerms: usize, wide: bool,
): void {
  let total: f64 = 0;
  let counted: f64 = 0;
  for (let i: usize = 0; i < allTerms; i++) {
    total += read(shares, i, wide);
    counted += <f64>(read(shares, i, wide) != 0);
  }
  if (!from) {
    store<f64>(statistics, load<f64>(statistics, Stat.weightSum * 8) + total, Stat.weightSum * 8);
    store<f64>(statistics, load<f64>(statistics, Stat.counted * 8) + counted, Stat.counted * 8);
  }
  for (let i = from; i < from + terms; i++) {
    const weight = total > 0 ? read(weights, i, wide) : 0;
    write(losses, i, weight != 0 ? read(losses, i, wide) * weight : 0, wide);
    if (read(shares, i, wide) == 0) write(hits, i, 0, wide);
    for (let j = i * width; j < (i + 1) * width; j++) {
      write(gradient, j, weight != 0 ? read(gradient, j, wide) * (weight / total) : 0, wide);
    }
  }
}
