// The activations: one row each. The type Activation is this table's keys; there is no second list.

import { Op } from "./program/builder.js";
import { rowsOf } from "./table.js";

interface ActivationRow {
  /** f, where it does anything. @internal */
  forward?: Op;
  /** A gradient times f'. @internal */
  backward?: Op;
  /** What `backward` reads: the input of f, or its output, which then may take the input's place. @internal */
  reads?: "input" | "output";
  /** Bound of the uniform distribution that initializes the weights before it. @internal */
  initialBound(inputs: number, outputs: number): number;
  /** Whether it belongs at the end of a network only. @internal */
  onlyLast?: boolean;
}

/** Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks". */
const glorot = (inputs: number, outputs: number) => Math.sqrt(6 / (inputs + outputs));
/** He et al. 2015, "Delving Deep into Rectifiers". */
const he = (inputs: number) => Math.sqrt(6 / inputs);

export const activations = /* @__PURE__ */ rowsOf<ActivationRow>()({
  /** f(z) = 1 / (1 + exp(-z)) */
  sigmoid: { forward: Op.sigmoid, backward: Op.sigmoidBackward, reads: "output", initialBound: glorot },
  /** f(z) = max(z, 0) */
  relu: { forward: Op.relu, backward: Op.reluBackward, reads: "output", initialBound: he },
  /** f(z) = tanh(z) */
  tanh: { forward: Op.tanh, backward: Op.tanhBackward, reads: "output", initialBound: glorot },
  /** f(z)[j] = exp(z[j]) / sum over i of exp(z[i]), row by row */
  softmax: {
    forward: Op.softmax,
    backward: Op.softmaxBackward,
    reads: "output",
    initialBound: glorot,
    onlyLast: true,
  },
  /** f(z) = z */
  linear: { initialBound: glorot },
});

/** Name of an activation function. */
export type Activation = keyof typeof activations;
