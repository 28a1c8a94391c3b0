// Metrics: against scikit-learn, in cases where they have no value, and their checks.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { auc, f1, precision, recall, topKAccuracy } from "../src/index.js";
import { taskOf } from "../src/measuring.js";
import { checkMetrics, falls, type Metric, measure } from "../src/metrics.js";
import { finish } from "../src/pieces.js";
import type { Outcome } from "../src/scores.js";
import { expectClose, random, randomValues } from "./helpers.js";

interface Case {
  name: string;
  kind: "labels" | "classes" | "numbers";
  width: number;
  targets: number[];
  outputs: number[];
  figures: Record<string, number | null>;
}

const cases: Case[] = JSON.parse(readFileSync(new URL("golden/metrics.json", import.meta.url), "utf8"));

function outcomeOf(
  { kind, width }: Pick<Case, "kind" | "width">,
  data: ReturnType<Outcome["read"]>,
): Outcome {
  return {
    classes: kind === "classes",
    labels: kind === "labels",
    numbers: kind === "numbers",
    hits: false,
    probabilities: kind !== "numbers",
    threshold: 0.5,
    width,
    positions: 1,
    rows: data.order ? data.order.length : data.outputs.length / width,
    read: () => data,
  };
}

/** The metric that a key of the golden figures means. */
function metricOf(key: string): Metric {
  const [metric, parameter] = key.split(" ");
  if (metric === "auc") return auc({ curve: (parameter ?? "ROC") as "ROC" | "PR" });
  if (metric === "topKAccuracy") return topKAccuracy({ k: Number(parameter) });
  return {
    metric: metric as Metric["metric"],
    ...(parameter && { average: parameter as "micro" | "weighted" }),
  };
}

const figureOf = (metric: Metric, outcome: Outcome) => finish(measure([metric], outcome))[metric.metric]!;

describe("of scikit-learn", () => {
  test.each(cases.map((golden) => [golden.name, golden] as const))(
    "%s: every figure, to 1e-13 of its value",
    (_, golden) => {
      const { kind, targets, outputs, figures } = golden;
      const outcome = outcomeOf(golden, {
        outputs: Float64Array.from(outputs),
        targets: kind === "classes" ? Uint32Array.from(targets) : Float64Array.from(targets),
        order: undefined,
      });
      expect(Object.keys(figures).length).toBeGreaterThan(3);
      for (const [key, expected] of Object.entries(figures)) {
        const actual = figureOf(metricOf(key), outcome);
        // Some hundred roundings, of sums in another order than NumPy's.
        if (expected !== null)
          expectClose([actual], [expected], { relative: 1e-13, absolute: 1e-15, label: key });
        else if (outcome.width === 1) expect(actual, key).toBeNaN();
      }
    },
  );

  test("classes as rows of 0 and 1 are the same as class indexes", () => {
    for (const golden of cases.filter(({ kind }) => kind === "classes")) {
      const { width, targets, figures } = golden;
      const outputs = Float64Array.from(golden.outputs);
      const rows = Float64Array.from(
        targets.flatMap((c) => Array.from({ length: width }, (_, j) => Number(j === c))),
      );
      const indexed = outcomeOf(golden, { outputs, targets: Uint32Array.from(targets), order: undefined });
      const written = outcomeOf(golden, { outputs, targets: rows, order: undefined });
      for (const key of Object.keys(figures)) {
        const expected = figureOf(metricOf(key), indexed);
        // The logarithms of a row are summed up with zeros.
        expectClose([figureOf(metricOf(key), written)], [expected], { relative: 1e-14, label: key });
      }
    }
  });

  test("the targets are taken through the order of the outputs", () => {
    for (const golden of cases) {
      const { kind, width, targets, figures } = golden;
      const rows = golden.outputs.length / width;
      const per = targets.length / rows;
      // A row's target lies where the order says.
      const order = Uint32Array.from({ length: rows }, (_, r) => (r * 7) % rows);
      if (new Set(order).size < rows) continue;
      const moved = Float64Array.from(targets);
      for (const [r, at] of order.entries())
        for (let j = 0; j < per; j++) moved[at * per + j] = targets[r * per + j];
      const outputs = Float64Array.from(golden.outputs);
      const typed = kind === "classes" ? Uint32Array.from(moved) : moved;
      const plain = kind === "classes" ? Uint32Array.from(targets) : Float64Array.from(targets);
      const ordered = outcomeOf(golden, { outputs, targets: typed, order });
      const unordered = outcomeOf(golden, { outputs, targets: plain, order: undefined });
      for (const key of Object.keys(figures)) {
        expect(figureOf(metricOf(key), ordered), key).toBe(figureOf(metricOf(key), unordered));
      }
    }
  });
});

describe("without a value", () => {
  const labels = { kind: "labels", width: 1 } as const;
  const data = (outputs: number[], targets: number[]) => ({
    outputs: Float64Array.from(outputs),
    targets: Float64Array.from(targets),
    order: undefined,
  });

  test("the area under the ROC curve is NaN of one class alone", () => {
    expect(figureOf(auc(), outcomeOf(labels, data([0.1, 0.7], [1, 1])))).toBeNaN();
    expect(figureOf(auc(), outcomeOf(labels, data([0.1, 0.7], [0, 0])))).toBeNaN();
  });

  test("a class that is nowhere is left out of the mean of the areas", () => {
    const outputs = Float64Array.from([0.6, 0.3, 0.1, 0.2, 0.7, 0.1, 0.4, 0.5, 0.1]);
    const three = outcomeOf(
      { kind: "classes", width: 3 },
      { outputs, targets: Uint32Array.of(0, 1, 0), order: undefined },
    );
    expect(figureOf(auc(), three)).toBe(1);
  });

  test("NaN among the outputs gives NaN for an area, and ends", () => {
    expect(figureOf(auc(), outcomeOf(labels, data([Number.NaN, 0.7, 0.2], [1, 1, 0])))).toBeNaN();
  });

  test("targets that are NaN are left out of every metric", () => {
    const masked = data([0.9, 0.2, 0.8, 0.3, 0.4], [1, Number.NaN, 0, 0, 1]);
    const without = data([0.9, 0.8, 0.3, 0.4], [1, 0, 0, 1]);
    for (const metric of ["accuracy", "precision", "recall", "f1", "auc", "logLoss"] as const) {
      const expected = figureOf({ metric }, outcomeOf(labels, without));
      expect(figureOf({ metric }, outcomeOf(labels, masked)), metric).toBe(expected);
      expect(expected).not.toBeNaN();
    }
    const numbers = { kind: "numbers", width: 1 } as const;
    for (const metric of [
      "meanAbsoluteError",
      "rootMeanSquaredError",
      "meanAbsolutePercentageError",
      "r2",
    ] as const) {
      const expected = figureOf({ metric }, outcomeOf(numbers, without));
      expect(figureOf({ metric }, outcomeOf(numbers, masked)), metric).toBe(expected);
    }
    const rows = (targets: number[], outputs: number[]) =>
      outcomeOf({ kind: "classes", width: 2 }, data(outputs, targets));
    for (const metric of ["accuracy", "f1", "auc", "logLoss"] as const) {
      const some = rows([1, 0, Number.NaN, Number.NaN, 0, 1], [0.7, 0.3, 0.1, 0.9, 0.6, 0.4]);
      expect(figureOf({ metric }, some), metric).toBe(
        figureOf({ metric }, rows([1, 0, 0, 1], [0.7, 0.3, 0.6, 0.4])),
      );
    }
  });
});

test("an area is the share of pairs in the right order, of many rows", () => {
  // More than are sorted at a time, in numbers that are no multiple of it.
  const rows = 30_001;
  const next = random(4);
  const outputs = randomValues(rows, 3, 0, 1).map((value) => Math.round(value * 500) / 500);
  const targets = Float64Array.from({ length: rows }, (_, r) => Number(next() < outputs[r]));
  // How many of each score, of either kind.
  const counts = [0, 1].map(() => new Float64Array(501));
  for (const [r, target] of targets.entries()) counts[target][Math.round(outputs[r] * 500)]++;
  const [no, yes] = counts;
  let right = 0;
  for (const [a, ofYes] of yes.entries()) {
    for (const [b, ofNo] of no.entries()) right += ofYes * ofNo * (a > b ? 1 : a === b ? 0.5 : 0);
  }
  const pairs = no.reduce((sum, count) => sum + count) * yes.reduce((sum, count) => sum + count);
  const outcome = outcomeOf({ kind: "labels", width: 1 }, { outputs, targets, order: undefined });
  expect(figureOf(auc(), outcome)).toBeCloseTo(right / pairs, 13);
});

test("a piece of the work is short: many rows are many pieces", () => {
  const rows = 1_000_000;
  const outputs = randomValues(rows, 3, 0, 1);
  const targets = outputs.map((value) => Number(value > 0.5));
  const outcome = outcomeOf({ kind: "labels", width: 1 }, { outputs, targets, order: undefined });
  for (const metric of ["f1", "logLoss", "auc"] as const) {
    const pieces = measure([{ metric }], outcome);
    let count = 0;
    let result = pieces.next();
    for (; !result.done; result = pieces.next()) count++;
    expect(count).toBeGreaterThan(50);
    // All on the right side.
    expect(result.value).toEqual({ [metric]: metric === "logLoss" ? expect.any(Number) : 1 });
  }
});

describe("a threshold", () => {
  test("says from which output on it is a yes", () => {
    const outputs = Float64Array.of(0.2, 0.4, 0.6, 0.8);
    const outcome = outcomeOf(
      { kind: "labels", width: 1 },
      { outputs, targets: Float64Array.of(0, 1, 1, 0), order: undefined },
    );
    expect(figureOf(recall({ threshold: 0.4 }), outcome)).toBe(1);
    expect(figureOf(recall({ threshold: 0.7 }), outcome)).toBe(0);
    expect(figureOf(precision({ threshold: 0.4 }), outcome)).toBe(2 / 3);
  });
});

test("of a hinge loss a yes is above 0, in the targets and in the outputs", () => {
  const task = taskOf({ classifies: true, targets: "sign" }, "linear", [1]);
  const outputs = Float64Array.of(-0.5, 0, 5e-324, 2, -2);
  const targets = Float64Array.of(-1, -1, 1, 1, 1);
  const outcome = { ...task, rows: 5, read: () => ({ outputs, targets, order: undefined }) };
  expect(figureOf({ metric: "accuracy" }, outcome)).toBe(0.8);
  expect(figureOf(precision(), outcome)).toBe(1);
  expect(() => checkMetrics(["logLoss"], task, "hinge")).toThrow("those that do are accuracy, precision");
});

describe("the checks", () => {
  const softmax = taskOf({ classifies: true, targets: "distribution" }, "softmax", [4]);
  const sigmoid = taskOf({ classifies: true, targets: "probability" }, "sigmoid", [1]);
  const linear = taskOf({ classifies: false, targets: "any" }, "linear", [3]);

  test("give the metrics with their parameters", () => {
    expect(checkMetrics(["f1", topKAccuracy({ k: 3 })], softmax, "crossEntropy")).toMatchObject([
      { metric: "f1" },
      { metric: "topKAccuracy", k: 3 },
    ]);
    // Targets that may be class indexes are no numbers to be near to.
    const divergence = taskOf({ classifies: false, targets: "distribution" }, "softmax", [3]);
    expect(() => checkMetrics(["r2"], divergence, "klDivergence")).toThrow(
      "those that do are accuracy, topKAccuracy",
    );
    expect(checkMetrics(["accuracy", "auc"], divergence, "klDivergence")).toHaveLength(2);
    expect(checkMetrics(undefined, softmax, "crossEntropy")).toEqual([]);
    expect(
      checkMetrics(["r2"], taskOf({ classifies: false, targets: "any" }, "sigmoid", [1]), "meanSquaredError"),
    ).toHaveLength(1);
    expect(
      checkMetrics(
        ["auc"],
        taskOf({ classifies: false, targets: "any" }, "sigmoid", [1]),
        "meanSquaredError",
      ),
    ).toHaveLength(1);
  });

  const known =
    '"accuracy", "topKAccuracy", "precision", "recall", "f1", "auc", "logLoss", "meanAbsoluteError", ' +
    '"rootMeanSquaredError", "meanAbsolutePercentageError", "r2"';
  test.each([
    ["an unknown name", ["mse"], softmax, `metrics[0] is "mse", but must be one of ${known}`],
    [
      "a name alone",
      "f1",
      softmax,
      'metrics is "f1", but must be an array, e.g. ["f1", topKAccuracy({ k: 3 })]',
    ],
    [
      "one twice",
      ["auc", auc({ curve: "PR" })],
      softmax,
      'metrics[1] is "auc" again: figures have one of a name',
    ],
    [
      "one of numbers with classes",
      ["r2"],
      softmax,
      'metrics[0] is "r2", which does not fit loss "crossEntropy" and 4 outputs: those that do are accuracy, topKAccuracy, ' +
        "precision, recall, f1, auc, logLoss",
    ],
    [
      "one of classes with numbers",
      ["auc"],
      linear,
      'metrics[0] is "auc", which does not fit loss "crossEntropy" and 3 outputs: those that do are meanAbsoluteError, ' +
        "rootMeanSquaredError, meanAbsolutePercentageError, r2",
    ],
    [
      "one of several classes with one output",
      [topKAccuracy()],
      sigmoid,
      'metrics[0] is "topKAccuracy", which does not fit loss "crossEntropy" and 1 output: those that do are accuracy, ' +
        "precision, recall, f1, auc, logLoss",
    ],
    [
      "more than there are, without a word",
      ["topKAccuracy"],
      softmax,
      'metrics[0] is "topKAccuracy" with k 5, but of 4 outputs',
    ],
    [
      "an average of one output",
      [f1({ average: "micro" })],
      sigmoid,
      'metrics[0] is "f1" with an average, but of one output: leave it out',
    ],
    [
      "a threshold of classes",
      [f1({ threshold: 0.3 })],
      softmax,
      'metrics[0] is "f1" with a threshold, but of classes: leave it out',
    ],
    ["an option of another", [{ metric: "auc", k: 3 }], softmax, 'auc has no option "k": it takes curve'],
    ["a number", [5], softmax, `metrics[0] is 5, but must be one of ${known}`],
  ] as const)("refuse %s", (_, asked, task, message) => {
    expect(() => checkMetrics(asked, task, "crossEntropy")).toThrow(message);
  });

  test.each([
    [() => topKAccuracy({ k: 0 }), "k is 0, but must be an integer of at least 1"],
    [
      () => f1({ average: "mean" as "macro" }),
      'average is "mean", but must be one of "macro", "micro", "weighted"',
    ],
    [() => auc({ curve: "roc" as "ROC" }), 'curve is "roc", but must be one of "ROC", "PR"'],
    [() => recall({ threshold: Number.NaN }), "threshold is NaN, but must be a finite number, e.g. 0.5"],
    [() => precision({ k: 1 } as object), 'precision has no option "k": it takes average, threshold'],
  ])("refuse options that are not usable: case %#", (make, message) => {
    expect(make).toThrow(message);
  });

  test("know which figures are better when they fall", () => {
    expect(
      ["loss", "validationLoss", "logLoss", "meanAbsoluteError", "validationRootMeanSquaredError"].every(
        falls,
      ),
    ).toBe(true);
    expect(["accuracy", "validationAccuracy", "auc", "validationF1", "r2"].some(falls)).toBe(false);
  });
});
