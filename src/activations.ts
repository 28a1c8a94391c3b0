// The activations: one row each. The type Activation is this table's keys; there is no second list.

import type { ProgramBuilder } from "./program.js";
import { Op } from "./program.js";
import { rowsOf } from "./table.js";

interface ActivationRow {
  /** Emits y = f(z), in place. @internal */
  forward(builder: ProgramBuilder, z: number, rows: number, width: number): void;
  /** Emits d = d * f'(z), in place, from y = f(z). @internal */
  backward(builder: ProgramBuilder, d: number, y: number, rows: number, width: number): void;
  /** Bound of the uniform distribution that initializes the weights. @internal */
  initialBound(inputs: number, outputs: number): number;
}

/** Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks". */
const glorot = (inputs: number, outputs: number) => Math.sqrt(6 / (inputs + outputs));
/** He et al. 2015, "Delving Deep into Rectifiers". */
const he = (inputs: number) => Math.sqrt(6 / inputs);

export const activations = /* @__PURE__ */ rowsOf<ActivationRow>()({
  /** f(z) = 1 / (1 + exp(-z)) */
  sigmoid: {
    forward: (builder, z, rows, width) => builder.forward(Op.sigmoid, z, z, rows * width, rows),
    backward: (builder, d, y, rows, width) =>
      builder.backward(Op.sigmoidBackward, d, d, y, rows * width, rows),
    initialBound: glorot,
  },
  /** f(z) = max(z, 0) */
  relu: {
    forward: (builder, z, rows, width) => builder.forward(Op.relu, z, z, rows * width, rows),
    backward: (builder, d, y, rows, width) => builder.backward(Op.reluBackward, d, d, y, rows * width, rows),
    initialBound: he,
  },
  /** f(z) = tanh(z) */
  tanh: {
    forward: (builder, z, rows, width) => builder.forward(Op.tanh, z, z, rows * width, rows),
    backward: (builder, d, y, rows, width) => builder.backward(Op.tanhBackward, d, d, y, rows * width, rows),
    initialBound: glorot,
  },
  /** f(z)[j] = exp(z[j]) / sum over i of exp(z[i]), row by row */
  softmax: {
    forward: (builder, z, rows, width) => builder.softmax(z, z, rows, width),
    backward: (builder, d, y, rows, width) => builder.softmaxBackward(d, d, y, rows, width),
    initialBound: glorot,
  },
  /** f(z) = z */
  linear: {
    forward: () => {},
    backward: () => {},
    initialBound: glorot,
  },
});

/** Name of an activation function. */
export type Activation = keyof typeof activations;
