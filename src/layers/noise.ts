// Layers that make what a network is trained on uncertain: Dropout and GaussianNoise. Their random numbers depend on the
// network's seed, the layer's number, the training step, the row and the element alone: see Noise in assembly/ops.ts.

import { checkPositive, checkShare } from "../check.js";
import { type DType, rounded } from "../dtype.js";
import type { Region } from "../heap.js";
import { type NoiseSource, Op, type ProgramBuilder } from "../program/builder.js";
import type { Matrix } from "../program/samples.js";
import { BaseLayer, passOn } from "./base.js";
import { type Emitted, NOISE_STREAM, type Pass } from "./layer.js";

/** What a noise works on: rows of a batch, and its random numbers. */
interface Noisy {
  builder: ProgramBuilder;
  input: Region;
  output: Region;
  rows: number;
  width: number;
  source: NoiseSource;
}

abstract class NoiseLayer extends BaseLayer {
  #seed = 0;
  #stream = 0;

  /** @internal */
  override initialize(_builder: ProgramBuilder, seed: number, stream: number): void {
    this.#seed = seed;
    this.#stream = NOISE_STREAM + stream;
  }

  /** @internal */
  emit({ training, builder, rows: samples }: Pass, input: Matrix): Emitted {
    if (!training) return passOn(input);
    const { positions, width } = this.place;
    const rows = samples * positions;
    const output = builder.matrix(rows, width);
    const source = { seed: this.#seed, stream: this.#stream, step: training.step };
    const back = this.emitNoise({ builder, input: input as Region, output, rows, width, source });
    return {
      output,
      backward(d, inputWanted) {
        if (!inputWanted) return undefined;
        back?.(d);
        return d;
      },
    };
  }

  /** Emits the noise; returns what to do with a gradient of the output, if anything. @internal */
  protected abstract emitNoise(noisy: Noisy): ((d: Region) => void) | undefined;
}

/**
 * Dropout: in training each value becomes 0 with the probability `rate` and is else divided by 1 - rate, so that its mean
 * stays, as in Keras and PyTorch. `predict` and `evaluate` leave the values as they are. Inputs of any shape.
 *
 * What is dropped depends on the network's seed, the layer's place and the number of the training step alone.
 *
 * Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
 */
export class Dropout extends NoiseLayer {
  /** Share of the values that become 0. */
  readonly rate: number;

  /**
   * @param rate share of the values that become 0: at least 0, less than 1
   * @throws RangeError for another rate
   */
  constructor(rate: number) {
    super();
    this.rate = checkShare("the rate of a Dropout", rate);
  }

  /** @internal */
  get kind(): string {
    return "Dropout";
  }

  /** @internal */
  override get expression(): string {
    return `new Dropout(${this.rate})`;
  }

  /** @internal */
  protected emitNoise({ builder, input, output, rows, width, source }: Noisy) {
    const mask = builder.matrix(rows, width);
    builder.dropout(output, mask, input, rows, width, this.rate, source);
    return (d: Region) => builder.backward(Op.multiply, d, d, mask, rows, width);
  }
}

/**
 * Gaussian noise: in training a random number of the normal distribution with mean 0 and standard deviation `stddev` is
 * added to each value. `predict` and `evaluate` leave the values as they are. Inputs of any shape.
 *
 * The numbers depend on the network's seed, the layer's place and the number of the training step alone.
 */
export class GaussianNoise extends NoiseLayer {
  /** Standard deviation of the noise. */
  readonly stddev: number;

  /**
   * @param stddev standard deviation of the noise: a finite number above 0
   * @throws RangeError for another
   */
  constructor(stddev: number) {
    super();
    this.stddev = checkPositive("the stddev of a GaussianNoise", stddev, ", e.g. 0.1");
  }

  /** @internal */
  get kind(): string {
    return "GaussianNoise";
  }

  /** @internal */
  override get expression(): string {
    return `new GaussianNoise(${this.stddev})`;
  }

  /** @internal */
  override checkType(dtype: DType): void {
    // No normal number that is drawn is as far as ten standard deviations from 0.
    if (Number.isFinite(rounded(dtype, 10 * this.stddev))) return;
    throw new RangeError(
      `the stddev of a GaussianNoise is ${this.stddev}, whose numbers overflow the network's ${dtype}: take a smaller one`,
    );
  }

  /** @internal */
  protected emitNoise({ builder, input, output, rows, width, source }: Noisy): undefined {
    builder.normal(output, input, rows, width, { deviation: this.stddev }, source);
  }
}
