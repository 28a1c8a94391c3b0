// Writes the entries of a training as a table of text.

import { checkBoolean, quote, readSettings, text } from "../check.js";
import { nodeModule } from "../executors/environment.js";
import type { Callback } from "./callback.js";

export interface CsvLoggerOptions {
  /** Whether to write behind what is in the file, and the header only if it is empty; default false: the file begins anew. */
  append?: boolean;
  /** What stands between two values; default ",". */
  separator?: string;
}

interface Files {
  appendFileSync(path: string, text: string): void;
  writeFileSync(path: string, text: string): void;
  statSync(path: string, options: { throwIfNoEntry: false }): { size: number } | undefined;
}

/**
 * A callback that writes a header and a row for each epoch: epoch, the figures, seconds. To a file, in Node, or line by
 * line to a function, which is awaited; with `append` a function gets no header.
 *
 * @throws TypeError for unusable options; Error where there are no files; `fit` rejects if the file cannot be written
 */
export function csvLogger(
  target: string | ((line: string) => unknown),
  options: CsvLoggerOptions = {},
): Callback {
  const { append, separator } = readSettings("csvLogger", options, {
    append: [checkBoolean, false],
    separator: [text('text, e.g. ";"'), ","],
  });
  let write: (line: string) => unknown;
  let begin = (_header: string): unknown => undefined;
  if (typeof target === "function") {
    write = target;
    if (!append) begin = target;
  } else if (typeof target === "string") {
    const files = nodeModule<Files>("node:fs");
    if (!files) {
      throw new Error(
        `csvLogger cannot write the file ${quote(target)}, for there are none here: pass a function, which gets the lines`,
      );
    }
    write = (line) => files.appendFileSync(target, `${line}\n`);
    begin = (header) => {
      if (!append) files.writeFileSync(target, `${header}\n`);
      else if (!files.statSync(target, { throwIfNoEntry: false })?.size) write(header);
    };
  } else {
    throw new TypeError(`csvLogger writes to a path or a function, but got ${quote(target)}`);
  }
  return {
    async onBegin({ metrics }) {
      const columns = ["epoch", ...metrics, "seconds"];
      await begin(columns.join(separator));
      return {
        onEpoch: async (entry) => {
          const values = entry as unknown as Record<string, number>;
          await write(columns.map((name) => values[name]).join(separator));
        },
      } satisfies Callback;
    },
  };
}
