// Notices a loss that explodes but stays finite: such a training ends without an error, and is worth nothing.

import { isClasses, statisticsOf, type Table } from "./dataset.js";
import type { SetLoss } from "./losses.js";
import type { DataSet } from "./upload.js";

/** What is known of the data, once there are any. */
interface Data {
  readonly sample: Pick<DataSet, "inputs" | "targets">;
}

/** What is known of an epoch. */
interface Epoch {
  epoch: number;
  loss: number;
  learningRate: number;
}

/** A loss that has grown so much, and is so many times what outputs of 0 would have, explodes. */
const FACTOR = 1000;

export class Explosion {
  readonly #loss: SetLoss;
  readonly #data: Data;
  /** Lowest loss so far: of the first batch before any step, and of the epochs. */
  #lowest: { loss: number; where: string } | undefined;
  #warned = false;

  constructor(loss: SetLoss, data: Data) {
    this.#loss = loss;
    this.#data = data;
  }

  /** Takes the loss of the first batch; what later ones report is ignored. */
  firstBatch(loss: number): void {
    this.#lowest ??= { loss, where: "in the first batch" };
  }

  /** Takes the loss of an epoch; returns a warning at the first that shows an explosion. */
  epochEnded({ epoch, loss, learningRate }: Epoch): string | undefined {
    const lowest = this.#lowest!;
    if (!this.#warned && loss > FACTOR * lowest.loss && loss > FACTOR * this.#lossOfZeros()) {
      this.#warned = true;
      return this.#describe(epoch, loss, learningRate);
    }
    if (loss < lowest.loss) this.#lowest = { loss, where: `in epoch ${epoch}` };
    return undefined;
  }

  /** About the loss of a network whose outputs, resp. logits, are 0. */
  #lossOfZeros(): number {
    const { targets } = this.#data.sample;
    return this.#loss.classifies || isClasses(targets) ? 1 : statisticsOf(targets).meanSquare;
  }

  #describe(epoch: number, loss: number, learningRate: number): string {
    const data = this.#data.sample;
    const before = this.#lowest!;
    const targets = isClasses(data.targets) ? "" : `, the targets ${rangeOf(data.targets)}`;
    return (
      `wasmgrad: the training loss explodes: it was ${digits(before.loss)} ${before.where} and is ${digits(loss)} in ` +
      `epoch ${epoch}. The inputs run ${rangeOf(data.inputs)}${targets}: scale them to about -1 .. 1, or lower the ` +
      `learningRate (${learningRate})`
    );
  }
}

/** "from 0 to 255", of a sample of the rows. */
function rangeOf(table: Table): string {
  const { low, high } = statisticsOf(table);
  return `from ${digits(low)} to ${digits(high)}`;
}

function digits(value: number): string {
  return Math.abs(value) < 1e7 ? String(Number(value.toPrecision(4))) : value.toExponential(1);
}
