// Real tables, and what scikit-learn's multilayer perceptron reaches on them: tables.py writes them and says where they
// are from, this file gives them their types.

import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

export interface GoldenTable {
  name: string;
  /** Inputs of a row. */
  columns: number;
  /** Classes of the targets; 0: the targets are values. */
  classes: number;
  /** Rows to train on, the first of the table, and their targets: classes, or standardised values. */
  training: [inputs: Float64Array, targets: Float64Array];
  /** The other rows. */
  test: [inputs: Float64Array, targets: Float64Array];
  /** How scikit-learn's network was trained: units of its one layer of relu, and settings of Adam. */
  hidden: number;
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Its accuracy, or R^2, on the rows for tests, for each of ten seeds. */
  scores: number[];
}

/** As tables.py writes it: numbers are 16-bit integers over a scale, deflated. */
interface Packed extends Omit<GoldenTable, "training" | "test"> {
  trainingRows: number;
  inputs: string;
  targets: string;
  scale: number;
  targetScale: number;
}

/** Iris, wine, breast cancer, digits, and diabetes, which is a regression. */
export const goldenTables: GoldenTable[] = JSON.parse(
  readFileSync(new URL("./tables.json", import.meta.url), "utf8"),
).map(({ trainingRows, inputs, targets, scale, targetScale, ...table }: Packed) => {
  const x = unpack(inputs, scale);
  const y = unpack(targets, targetScale);
  const end = trainingRows * table.columns;
  return {
    ...table,
    training: [x.subarray(0, end), y.subarray(0, trainingRows)],
    test: [x.subarray(end), y.subarray(trainingRows)],
  };
});

function unpack(text: string, scale: number): Float64Array {
  const bytes = inflateSync(Buffer.from(text, "base64"));
  return Float64Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i) / scale);
}
