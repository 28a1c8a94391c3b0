// Training on real tables reaches what scikit-learn reaches on the same rows with the same network and optimizer.

import { describe, expect, test } from "vitest";
import { adam, Dense, Network } from "../src/index.js";
import { type GoldenTable, goldenTables } from "./golden/tables.js";
import { dtypes } from "./helpers.js";

const SEEDS = 10;

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The sample standard deviation. */
function deviation(values: number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** A network as scikit-learn's: two classes are one sigmoid. */
function build(
  { columns, classes, hidden }: GoldenTable,
  options: { seed: number; dtype: "float64" | "float32" },
) {
  const last =
    classes === 0
      ? new Dense(1, { activation: "linear" })
      : classes === 2
        ? new Dense(1, { activation: "sigmoid" })
        : new Dense(classes, { activation: "softmax" });
  // Glorot's distribution before a relu too.
  const bound = Math.sqrt(6 / (columns + hidden));
  return new Network({
    inputs: columns,
    layers: [new Dense(hidden, { activation: "relu", weightBounds: [-bound, bound] }), last],
    deterministic: true,
    ...options,
  });
}

/** On the rows for tests: the accuracy, or the share of the variance that is explained (R^2). */
function score(network: Network, { classes, test: [x, y] }: GoldenTable): number {
  if (classes > 0) return network.evaluate(x, y).accuracy!;
  const outputs = network.predict(x);
  const middle = mean([...y]);
  const errors = y.reduce((sum, value, i) => sum + (value - outputs[i]) ** 2, 0);
  return 1 - errors / y.reduce((sum, value) => sum + (value - middle) ** 2, 0);
}

/**
 * Bounds of a mean score that equals scikit-learn's: one standard deviation of its ten seeds. That is over twice the
 * standard error of a difference between two means of ten seeds.
 */
function expected({ scores }: GoldenTable): [low: number, high: number] {
  return [mean(scores) - deviation(scores), mean(scores) + deviation(scores)];
}

describe.each(goldenTables.map((table) => [table.name, table] as const))("on the table %s", (_, table) => {
  const { training, epochs, batchSize, learningRate } = table;

  test.each(dtypes)(
    "Adam in %s reaches scikit-learn's score, within the spread of its seeds",
    async (dtype) => {
      const scores: number[] = [];
      for (let seed = 0; seed < SEEDS; seed++) {
        const network = build(table, { seed, dtype });
        await network.fit(...training, { epochs, batchSize, optimizer: adam({ learningRate }) });
        scores.push(score(network, table));
      }
      const [low, high] = expected(table);
      expect(mean(scores)).toBeGreaterThanOrEqual(low);
      expect(mean(scores)).toBeLessThanOrEqual(high);
    },
  );

  test("a network that did not learn is far from it", () => {
    expect(score(build(table, { seed: 1, dtype: "float64" }), table)).toBeLessThan(expected(table)[0] - 0.2);
  });
});
