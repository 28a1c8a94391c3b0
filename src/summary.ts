// The summary of a network, as a table of text.

import type { DType } from "./dtype.js";
import { bytesOf } from "./dtype.js";
import type { Dense } from "./layers/dense.js";
import { SPARSE_BELOW } from "./upload.js";

/** What a summary shows of a network. */
interface Summarized {
  readonly inputs: number;
  readonly layers: readonly Dense[];
  readonly parameterCount: number;
  readonly dtype: DType;
  readonly executor: string;
  readonly seed: number;
}

/** `density`: share of non-zero inputs in the last data trained on, if there were any. */
export function summarize(network: Summarized, density: number | undefined): string {
  const { inputs, layers, parameterCount, dtype, executor, seed } = network;
  const rows = [["layer", "activation", "output", "parameters"]];
  rows.push(["input", "", String(inputs), "0"]);
  for (const layer of layers) {
    rows.push(["Dense", layer.activation, String(layer.size), layer.parameterCount.toLocaleString("en")]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: string[]) =>
    row
      .map((text, column) => (column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
      .join("  ");
  const table = rows.map(line);
  const rule = "-".repeat(table[0].length);
  const kibibytes = (parameterCount * bytesOf(dtype)) / 1024;
  const text = [
    table[0],
    rule,
    ...table.slice(1),
    rule,
    `${parameterCount.toLocaleString("en")} parameters, ${kibibytes.toFixed(1)} KiB, ${dtype}, ` +
      `executor ${executor}, seed ${seed}`,
  ];
  if (density !== undefined) {
    text.push(
      `${(density * 100).toFixed(0)} % of the inputs last trained on are not zero: the first layer ` +
        (density < SPARSE_BELOW ? "walks only those" : "multiplies them all"),
    );
  }
  return text.join("\n");
}
