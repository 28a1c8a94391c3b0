// Steps of the optimizers: one flat run over parameters, gradients and what an optimizer keeps of each, which lie alike.

import { lanes, madd, splat, storePartial } from "./lanes";

/**
 * v = momentum v + g, then w = w + rate v, or, by Nesterov, w + rate (g + momentum v), over n elements; rate is
 * -learningRate. PyTorch's SGD without dampening (Sutskever et al. 2013, "On the importance of initialization and
 * momentum in deep learning", has the rate inside of v).
 */
export function momentum<T>(
  w: usize, v: usize, g: usize, n: usize, rate: f64, decay: f64, nesterov: bool,
): void {
  const rates = splat<T>(rate);
  const decays = splat<T>(decay);
  for (let left = n; left; left -= lanes<T>()) {
    const gradient = v128.load(g);
    const velocity = madd<T>(decays, v128.load(v), gradient);
    const result = madd<T>(rates, nesterov ? madd<T>(decays, velocity, gradient) : velocity, v128.load(w));
    if (left < lanes<T>()) {
      storePartial<T>(v, velocity, left);
      storePartial<T>(w, result, left);
      return;
    }
    v128.store(v, velocity);
    v128.store(w, result);
    w += 16;
    v += 16;
    g += 16;
  }
}
