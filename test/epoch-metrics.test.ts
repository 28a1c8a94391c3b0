// Metrics in fit and evaluate: of all rows, each with the outputs that it had in its own step.

import { describe, expect, test } from "vitest";
import {
  auc,
  confusionMatrix,
  Dense,
  type FitOptions,
  Network,
  type NetworkOptions,
  recall,
  sgd,
} from "../src/index.js";
import {
  dtypes,
  executors,
  expectClose,
  makeClassifier,
  parameters,
  randomValues,
  reference,
  withoutSeconds,
} from "./helpers.js";

const ROWS = 203;
const INPUTS = 4;
const x = randomValues(ROWS * INPUTS, 1);
const classes = Uint8Array.from({ length: ROWS }, (_, r) =>
  x[r * INPUTS] > 0.5 ? 2 : x[r * INPUTS + 1] > 0 ? 1 : 0,
);
const yes = classes.map((c) => Number(c > 0));
const numbers = x.filter((_, i) => i % INPUTS < 2);

const all = { metrics: ["precision", "recall", "f1", "auc", "logLoss"] } satisfies FitOptions;

function makeBinary(options: Partial<NetworkOptions> = {}) {
  const layers = [new Dense(5, { activation: "tanh" }), new Dense(1, { activation: "sigmoid" })];
  return new Network({ inputs: INPUTS, layers, seed: 3, ...options });
}

function makeRegression(options: Partial<NetworkOptions> = {}) {
  const layers = [new Dense(5, { activation: "tanh" }), new Dense(2, { activation: "linear" })];
  return new Network({ inputs: INPUTS, layers, seed: 3, ...options });
}

describe("in the history", () => {
  test("stand behind the loss, and of validation behind its loss", async () => {
    const [entry] = await makeClassifier().fit(x, classes, { metrics: ["f1", "auc"], validationSplit: 0.2 });
    expect(Object.keys(entry)).toEqual([
      "epoch",
      "loss",
      "accuracy",
      "f1",
      "auc",
      "learningRate",
      "seconds",
      "validationLoss",
      "validationAccuracy",
      "validationF1",
      "validationAuc",
    ]);
    expect(Object.values(entry).every((value) => typeof value === "number" && value >= 0)).toBe(true);
  });

  test("accuracy, where the loss has one, is that one", async () => {
    const options = { epochs: 2, validationSplit: 0.2 };
    const asked = await makeClassifier().fit(x, classes, { ...options, metrics: ["accuracy"] });
    expect(withoutSeconds(asked)).toEqual(withoutSeconds(await makeClassifier().fit(x, classes, options)));
  });

  test("accuracy of another loss on a sigmoid is the share of outputs on the right side of a half", async () => {
    const network = makeBinary();
    const options = {
      loss: "meanSquaredError",
      metrics: ["accuracy"],
      batchSize: ROWS,
      shuffle: false,
    } as const;
    const outputs = network.predict(x);
    const [entry] = await network.fit(x, yes, options);
    const right = outputs.filter((output, r) => Number(output >= 0.5) === yes[r]).length;
    expect(entry.accuracy).toBe(right / ROWS);
  });

  test.each([1, 7, 32, 203, 500])(
    "are of the outputs that each row had in its own step, in batches of %i",
    async (batchSize) => {
      const network = makeRegression();
      const twin = makeRegression();
      const outputs: number[] = [];
      for (let from = 0; from < ROWS; from += batchSize) {
        const to = Math.min(ROWS, from + batchSize);
        const batch = x.subarray(from * INPUTS, to * INPUTS);
        outputs.push(...twin.predict(batch));
        await twin.fit(batch, numbers.subarray(from * 2, to * 2), {
          batchSize,
          shuffle: false,
          learningRate: 0.1,
        });
      }
      const [entry] = await network.fit(x, numbers, {
        batchSize,
        shuffle: false,
        learningRate: 0.1,
        metrics: ["meanAbsoluteError", "rootMeanSquaredError", "r2"],
      });
      const errors = outputs.map((output, i) => output - numbers[i]);
      const column = (j: number, values: ArrayLike<number>) =>
        Array.from(values).filter((_, i) => i % 2 === j);
      const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
      const squares = (values: number[]) => sum(values.map((value) => value * value));
      // Sums in another order, and in predict products of another number of rows.
      const tolerance = { relative: 1e-12 };
      expectClose([entry.meanAbsoluteError!], [sum(errors.map(Math.abs)) / errors.length], tolerance);
      const roots = [0, 1].map((j) => Math.sqrt(squares(column(j, errors)) / ROWS));
      expectClose([entry.rootMeanSquaredError!], [(roots[0] + roots[1]) / 2], tolerance);
      const shares = [0, 1].map((j) => {
        const targets = column(j, numbers);
        const mean = sum(targets) / ROWS;
        return 1 - squares(column(j, errors)) / squares(targets.map((target) => target - mean));
      });
      expectClose([entry.r2!], [(shares[0] + shares[1]) / 2], { relative: 1e-10 });
    },
  );

  describe.each(executors)("by %s", (executor) => {
    test.each(dtypes)(
      "agree with the loss and the hits counted step by step, shuffled, in %s, with a rest, on any number of threads",
      async (dtype) => {
        for (const threads of executor === "wasm" ? [1, 2, 3] : [1]) {
          for (const momentum of [0, 0.5]) {
            const network = makeClassifier({ executor, dtype, threads });
            const history = await network.fit(x, classes, {
              epochs: 4,
              batchSize: 20,
              optimizer: sgd({ learningRate: 0.3, momentum }),
              // A share of the hits among all is the accuracy.
              metrics: [recall({ average: "micro" }), "logLoss"],
              validationSplit: 0.3,
            });
            for (const entry of history) {
              expect(entry.recall).toBe(entry.accuracy);
              expect(entry.validationRecall).toBe(entry.validationAccuracy);
              // The loss comes from logits, and in float32 is summed up in it.
              const tolerance = { relative: dtype === "float64" ? 1e-12 : 1e-5 };
              expectClose([entry.logLoss!], [entry.loss], tolerance);
              expectClose([entry.validationLogLoss!], [entry.validationLoss!], tolerance);
            }
            expect(history[3].accuracy).not.toBe(history[0].accuracy);
          }
        }
      },
    );
  });

  test("are the same on both executors and on any number of threads, to the bit", async () => {
    const options = { ...all, epochs: 3, batchSize: 20, learningRate: 0.3, validationSplit: 0.3 };
    const train = async (more: Partial<NetworkOptions>) =>
      withoutSeconds(await makeBinary({ deterministic: true, ...more }).fit(x, yes, options));
    const expected = await train({});
    expect(expected[0]).toMatchObject({ f1: expect.any(Number), validationAuc: expect.any(Number) });
    for (const more of [{ threads: 2 }, { threads: 5 }, { executor: reference }]) {
      expect(await train(more)).toEqual(expected);
    }
  });

  test("change nothing in the training", async () => {
    for (const threads of [1, 2]) {
      const without = makeClassifier({ threads });
      const asked = makeClassifier({ threads });
      const options = { epochs: 3, batchSize: 20, validationSplit: 0.3 };
      const plain = await without.fit(x, classes, options);
      const history = await asked.fit(x, classes, { ...options, metrics: ["f1", "auc"] });
      expect(parameters(asked)).toEqual(parameters(without));
      expect(history.map(({ loss, validationLoss }) => [loss, validationLoss])).toEqual(
        plain.map(({ loss, validationLoss }) => [loss, validationLoss]),
      );
    }
  });

  test("are of the data as fit took them, whatever becomes of them, and of memory that grows meanwhile", async () => {
    const options = { ...all, epochs: 3, batchSize: 20, learningRate: 0.3 };
    const expected = await makeBinary().fit(x, yes, options);
    const targets = yes.slice();
    const network = makeBinary();
    const large = new Float64Array(INPUTS * 1000);
    const history = await network.fit(x, targets, {
      ...options,
      onEpoch: async ({ epoch }) => {
        targets.fill(0);
        await network.predictAsync(new Float64Array(INPUTS * 100_000 * epoch));
        network.evaluate(large, new Float64Array(1000));
      },
    });
    expect(withoutSeconds(history)).toEqual(withoutSeconds(expected));
  });

  test("count the rows of the last axis where outputs have more axes", async () => {
    const layers = [new Dense(3, { activation: "softmax" })];
    const network = new Network({ inputs: [5, 2], layers, seed: 3 });
    const data = randomValues(12 * 10, 5);
    const targets = Float64Array.from({ length: 12 * 5 }, (_, r) => Number(data[r * 2] > 0)).reduce<number[]>(
      (rows, kind) => rows.concat(kind ? [0, 1, 0] : [1, 0, 0]),
      [],
    );
    const options = {
      epochs: 2,
      batchSize: 5,
      metrics: [recall({ average: "micro" })],
      validationSplit: 0.25,
    };
    for (const entry of await network.fit(data, targets, options)) {
      expect(entry.recall).toBe(entry.accuracy);
      expect(entry.validationRecall).toBe(entry.validationAccuracy);
    }
    const flat = network.predict(data);
    const guesses = Array.from({ length: 60 }, (_, r) => flat.subarray(r * 3, r * 3 + 3)).map((row) =>
      row.indexOf(Math.max(...row)),
    );
    const hits = guesses.filter((guess, r) => targets[r * 3 + guess] === 1).length;
    expect(network.evaluate(data, targets, { metrics: [recall({ average: "micro" })] }).recall).toBe(
      hits / 60,
    );
  });
});

describe("in evaluate", () => {
  test("are those of the outputs of predict", () => {
    const network = makeBinary();
    const outputs = network.predict(x);
    const { f1, auc } = network.evaluate(x, yes, { metrics: ["f1", "auc"] });
    const guesses = outputs.map((output) => Number(output >= 0.5));
    const hits = guesses.filter((guess, r) => guess && yes[r]).length;
    const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);
    expect(f1).toBe((2 * hits) / (sum(guesses) + sum(yes)));
    let right = 0;
    for (const [a, truth] of yes.entries()) {
      for (const [b, other] of yes.entries()) if (truth > other) right += Number(outputs[a] > outputs[b]);
    }
    expectClose([auc!], [right / (sum(yes) * (ROWS - sum(yes)))], { relative: 1e-13 });
  });

  test("are the same in slices, over many batches, and for rows of probabilities", async () => {
    const rows = 1500;
    const many = randomValues(rows * INPUTS, 6);
    const labels = Array.from({ length: rows }, (_, r) => (r * r) % 3);
    for (const dtype of dtypes) {
      const network = makeClassifier({ dtype });
      const figures = network.evaluate(many, labels, all);
      expect(figures).toEqual({
        loss: expect.any(Number),
        accuracy: expect.any(Number),
        precision: expect.any(Number),
        recall: expect.any(Number),
        f1: expect.any(Number),
        auc: expect.any(Number),
        logLoss: expect.any(Number),
      });
      expect(await network.evaluateAsync(many, labels, all)).toEqual(figures);
      const written = labels.flatMap((label) => [0, 1, 2].map((c) => Number(c === label)));
      const again = network.evaluate(many, written, all);
      expectClose(Object.values(again), Object.values(figures), { relative: 1e-13 });
    }
  });

  test("may have parameters", () => {
    const network = makeBinary();
    const roc = network.evaluate(x, yes, { metrics: ["auc"] }).auc;
    const precisions = network.evaluate(x, yes, { metrics: [auc({ curve: "PR" })] }).auc;
    expect(precisions).not.toBe(roc);
    expect(network.evaluate(x, yes, { metrics: [recall({ threshold: 0 })] }).recall).toBe(1);
  });
});

describe("one that does not fit", () => {
  const message =
    'metrics[0] is "r2", which does not fit loss "crossEntropy" and 3 outputs: those that do are accuracy, topKAccuracy, ' +
    "precision, recall, f1, auc, logLoss";

  test("is an error before anything changes", async () => {
    const network = makeClassifier();
    const before = parameters(network);
    await expect(network.fit(x, classes, { metrics: ["r2"] })).rejects.toThrow(message);
    expect(() => network.evaluate(x, classes, { metrics: ["r2"] })).toThrow(message);
    await expect(network.evaluateAsync(x, classes, { metrics: ["r2"] })).rejects.toThrow(message);
    expect(parameters(network)).toEqual(before);
    await network.fit(x, classes);
  });
});

describe("confusionMatrix", () => {
  test("counts rows of each class by the class that is predicted", () => {
    const network = makeClassifier();
    const outputs = network.predict(x);
    const expected = [0, 1, 2].map((truth) =>
      [0, 1, 2].map(
        (guess) =>
          Array.from(classes).filter((c, r) => {
            const row = outputs.subarray(r * 3, r * 3 + 3);
            return c === truth && row.indexOf(Math.max(...row)) === guess;
          }).length,
      ),
    );
    expect(confusionMatrix(network, x, classes)).toEqual(expected);
    expect(expected.flat().filter((count) => count > 0).length).toBeGreaterThan(3);
  });

  test("is 2 x 2 for a yes or no, no before yes", () => {
    const network = makeBinary();
    const outputs = network.predict(x);
    const count = (truth: number, guess: number) =>
      outputs.filter((output, r) => yes[r] === truth && Number(output >= 0.5) === guess).length;
    expect(confusionMatrix(network, x, yes)).toEqual([
      [count(0, 0), count(0, 1)],
      [count(1, 0), count(1, 1)],
    ]);
  });

  test("of a network that does not classify is an error", () => {
    expect(() => confusionMatrix(makeRegression(), x, numbers)).toThrow(
      'confusionMatrix takes a network of classes, but this one has loss "meanSquaredError" and 2 outputs: ' +
        "end it with a softmax, or with one sigmoid",
    );
    expect(() => confusionMatrix({} as Network, x, numbers)).toThrow(TypeError);
    expect(() => confusionMatrix(makeClassifier(), x, [0, 1])).toThrow("targets holds 2 values for 203 rows");
  });
});
