// The confusion matrix of a network.

import { count } from "./check.js";
import { checkEvaluation } from "./checks/loss.js";
import type { Rows } from "./dataset.js";
import { modelOf, type Network } from "./network.js";
import { finish } from "./pieces.js";
import { eachClass, eachLabel, type Outcome } from "./scores.js";

/**
 * How often rows of each class are predicted to be of which: `matrix[truth][predicted]`, classes x classes; for one output
 * that is a yes or no, 2 x 2, no before yes. Targets are those of `fit` with the network's loss; rows of which they are NaN are
 * left out. It keeps the event loop waiting until it is done.
 *
 * @throws RangeError for a network that does not classify, or whose outputs are several yes or no; else as `evaluate`
 */
export function confusionMatrix(network: Network, inputs: Rows, targets: Rows): number[][] {
  // Says so where it is none.
  modelOf(network);
  const { facts, outputs } = network;
  const { loss } = facts;
  const { inputs: table, targets: truth, task } = finish(checkEvaluation(facts, inputs, targets, {}));
  if (!task.classes && !(task.labels && outputs === 1)) {
    throw new RangeError(
      `confusionMatrix takes a network of classes, but this one has loss "${loss.name}" and ${count(outputs, "output")}: ` +
        "end it with a softmax, or with one sigmoid",
    );
  }
  const predictions = network.predict(inputs);
  const outcome: Outcome = {
    ...task,
    rows: table.rows * task.positions,
    read: () => ({ outputs: predictions, targets: truth.data, order: undefined }),
  };
  const size = task.classes ? task.width : 2;
  const matrix = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  finish(
    task.classes
      ? eachClass(outcome, (actual, predicted) => {
          matrix[actual][predicted]++;
        })
      : eachLabel(outcome, (yes, output) => {
          matrix[Number(yes)][Number(output >= task.threshold)]++;
        }),
  );
  return matrix;
}
