// Everything that `fit` is given, checked.

import { type Callback, checkCallbacks } from "../callbacks/callback.js";
import { checkBoolean, checkFunction, checkInteger, quote, wrongType } from "../check.js";
import { type Rows, refuseZeros, sliceRows, type Targets } from "../dataset.js";
import type { SetLoss } from "../losses.js";
import type { FitOptions, Weights } from "../options.js";
import type { Pieces } from "../pieces.js";
import { checkRates, Rates } from "../rates.js";
import { BatchReader, type BatchStream } from "../stream.js";
import type { Settings } from "../training.js";
import { survey } from "../upload.js";
import { checkBatches, checkData, type Data, type Facts, refuseNothing } from "./data.js";
import { checkLoss, checkMeasures } from "./loss.js";
import { checkMonitored, checkOptimizer, checkShare } from "./optimizer.js";

/** Checks all that `fit` is told but the data. */
function checkTraining(facts: Facts, options: FitOptions) {
  const { epochs = 1, batchSize = 32, shuffle = true } = options;
  const loss = checkLoss(facts, options);
  const optimizer = checkOptimizer(facts, options);
  return {
    epochs: checkInteger("epochs", epochs, 1),
    batchSize: checkInteger("batchSize", batchSize, 1),
    optimizer,
    shuffle: checkBoolean("shuffle", shuffle),
    callbacks: [
      {
        onEpoch: checkFunction("onEpoch", options.onEpoch),
        onBatch: checkFunction("onBatch", options.onBatch),
      } as Callback,
      ...checkCallbacks(options.callbacks),
    ],
    signal: options.signal,
    loss,
    ...checkMeasures(facts, loss, options.metrics),
  };
}

/** Checks everything that `fit` is given. */
export function* checkFit(facts: Facts, inputs: Rows, targets: Rows, options: FitOptions): Pieces<Settings> {
  const checked = checkTraining(facts, options);
  const { loss } = checked;
  const { sampleWeights, stepsPerEpoch } = options;
  if (stepsPerEpoch !== undefined) {
    throw new TypeError(
      "stepsPerEpoch is given, but goes with batches that come one after the other: leave it out",
    );
  }
  const all = yield* checkData(
    facts,
    ["inputs", "targets", "sampleWeights"],
    inputs,
    targets,
    loss,
    sampleWeights,
  );
  const held = yield* checkValidation(facts, all[0].rows, options, loss);
  const rows = typeof held === "number" ? all[0].rows - held : all[0].rows;
  checkBatches(facts, rows, checked.batchSize);
  yield* checkLearningRate(facts, checked, rows, held !== undefined);
  const part = (from: number, to: number) =>
    all.map((table) => table && sliceRows<Targets>(table, from, to)) as Data;
  const validation = typeof held === "number" ? part(rows, rows + held) : held;
  const training = part(0, rows);
  refuseNothing(training);
  if (validation) refuseNothing(validation);
  return {
    ...checked,
    data: yield* survey(training, facts.takesSparse),
    validation: validation && (yield* survey(validation, facts.takesSparse)),
  };
}

/** As checkFit(), for batches that come one after the other. */
export function* checkStream(facts: Facts, stream: BatchStream, options: FitOptions): Pieces<Settings> {
  for (const name of ["batchSize", "shuffle", "sampleWeights", "validationSplit"] as const) {
    if (options[name] === undefined) continue;
    const way = name === "sampleWeights" ? "give [inputs, targets, sampleWeights]" : "leave it out";
    const instead = name === "validationSplit" ? "pass validationData" : way;
    throw new TypeError(`${name} is given, but batches come as they are: ${instead}`);
  }
  const checked = checkTraining(facts, options);
  const { loss, epochs, optimizer } = checked;
  const { stepsPerEpoch } = options;
  if (stepsPerEpoch !== undefined) checkInteger("stepsPerEpoch", stepsPerEpoch, 1);
  const validation = (yield* checkValidation(facts, 0, options, loss)) as Data | undefined;
  const steps = stepsPerEpoch ?? Number.NaN;
  checkMonitored(optimizer, validation !== undefined);
  // Where an epoch's length is not known, only the first rate is.
  const extent = { steps: epochs * steps, epochs, stepsPerEpoch: steps };
  const { learningRate } = optimizer;
  if (stepsPerEpoch) yield* checkRates(learningRate, extent);
  else new Rates(learningRate, extent).at(0, 0);
  const takes = facts.takesSparse;
  return {
    ...checked,
    data: {
      reader: new BatchReader(stream, { endless: stepsPerEpoch !== undefined }),
      stepsPerEpoch,
      *check([inputs, targets, weights], index) {
        const names = ["inputs", "targets", "sampleWeights"].map((name) => `${name} of batch ${index}`);
        const batch = yield* checkData(
          facts,
          names as [string, string, string],
          inputs as Rows,
          targets as Rows,
          loss,
          weights as Weights | undefined,
        );
        const { rows } = batch[0];
        checkBatches(facts, rows, rows);
        return { inputs: batch[0], targets: batch[1], weights: batch[2], density: 1 };
      },
    },
    validation: validation && (yield* survey(validation, takes)),
  };
}

/** What to validate with: nothing, data, or so many of the last rows. */
function* checkValidation(
  facts: Facts,
  rows: number,
  { validationData, validationSplit }: FitOptions,
  loss: SetLoss,
): Pieces<Data | number | undefined> {
  if (validationData !== undefined && validationSplit !== undefined) {
    throw new TypeError("both validationData and validationSplit are given: pass one of them");
  }
  if (validationData !== undefined) {
    if (!Array.isArray(validationData) || (validationData.length !== 2 && validationData.length !== 3)) {
      throw wrongType("validationData", validationData, "[inputs, targets]");
    }
    const names = ["validationData[0]", "validationData[1]", "validationData[2]"] as const;
    const [first, second, third] = validationData as readonly [Rows, Rows, Weights?];
    const data = yield* checkData(facts, names, first, second, loss, third);
    if (data[2]) refuseZeros(names[2], data[2], "rows");
    return data;
  }
  if (validationSplit === undefined) return undefined;
  if (typeof validationSplit !== "number" || Number.isNaN(validationSplit)) {
    throw wrongType("validationSplit", validationSplit, "a number between 0 and 1");
  }
  const kept = Math.round(rows * validationSplit);
  if (kept >= 1 && kept < rows) return kept;
  throw new RangeError(
    `validationSplit is ${quote(validationSplit)}, which leaves ${rows - kept} of ${rows} rows for training ` +
      `and ${kept} for validation: it must be a share between 0 and 1 that leaves rows on both sides`,
  );
}

/** Checks the rates of all steps. */
function* checkLearningRate(
  facts: Facts,
  { optimizer, epochs, batchSize, loss }: Omit<Settings, "data" | "validation">,
  rows: number,
  validated: boolean,
): Pieces<void> {
  checkMonitored(optimizer, validated);
  const stepsPerEpoch = Math.ceil(rows / batchSize);
  const extent = { steps: epochs * stepsPerEpoch, epochs, stepsPerEpoch };
  const highest = yield* checkRates(optimizer.learningRate, extent);
  checkShare(facts, highest, loss, Math.min(batchSize, rows));
}
