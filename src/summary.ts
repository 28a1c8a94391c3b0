// The summary of a network, as a table of text.

import type { DType } from "./dtype.js";
import { bytesOf } from "./dtype.js";
import type { Layer } from "./layers/layer.js";
import { type Shape, shapeText } from "./shape.js";
import { SPARSE_BELOW } from "./upload.js";

/** What a summary shows of a network. */
interface Summarized {
  readonly inputShape: Shape;
  readonly layers: readonly Layer[];
  readonly parameterCount: number;
  readonly dtype: DType;
  readonly executor: string;
  readonly seed: number;
}

/**
 * @param outputs shape of each layer's outputs
 * @param trained number of the parameters that training changes
 * @param density share of non-zero inputs in the last data trained on, if there were any
 */
export function summarize(
  network: Summarized,
  outputs: readonly Shape[],
  trained: number,
  density: number | undefined,
): string {
  const { inputShape, layers, parameterCount, dtype, executor, seed } = network;
  const text = (count: number) => count.toLocaleString("en");
  const rows = [["layer", "activation", "output", "parameters"]];
  rows.push(["input", "", shapeText(inputShape), "0"]);
  for (const [index, { kind, activation = "", parameterCount }] of layers.entries()) {
    rows.push([kind, activation, shapeText(outputs[index]), text(parameterCount)]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: string[]) =>
    row
      .map((text, column) => (column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
      .join("  ");
  const table = rows.map(line);
  const rule = "-".repeat(table[0].length);
  const kibibytes = (parameterCount * bytesOf(dtype)) / 1024;
  const lines = [
    table[0],
    rule,
    ...table.slice(1),
    rule,
    `${text(parameterCount)} parameters, ${kibibytes.toFixed(1)} KiB, ${dtype}, ` +
      `executor ${executor}, seed ${seed}`,
  ];
  if (trained < parameterCount) {
    lines.push(`${text(trained)} of them trainable, ${text(parameterCount - trained)} not`);
  }
  if (density !== undefined) {
    lines.push(
      `${(density * 100).toFixed(0)} % of the inputs last trained on are not zero: the first layer ` +
        (density < SPARSE_BELOW ? "walks only those" : "multiplies them all"),
    );
  }
  return lines.join("\n");
}
