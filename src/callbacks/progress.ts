// Shows how a training is getting on: a table with a line an epoch, and in a terminal a line with a bar for the epoch under
// way.

import { checkBoolean, checkFunction, from, readSettings } from "../check.js";
import type { BatchEntry, Callback, EpochEntry } from "./callback.js";

export interface ProgressOptions {
  /** Gets each line of the table, and is awaited. Default: the terminal, or console.log. */
  write?: (line: string) => unknown;
  /** After which epochs there is a line: every so many, and the last; default 1. */
  every?: number;
  /** Whether to use colours; default: where the output is a terminal that has them, and NO_COLOR is not set. */
  colours?: boolean;
}

/** What there is of Node's process.stdout. */
interface Output {
  isTTY?: boolean;
  columns?: number;
  hasColors?(): boolean;
  write(text: string): unknown;
}

/** Columns of a page or a pipe. */
const COLUMNS = 80;
/** Milliseconds between two looks of the line under way. */
const BETWEEN = 100;

/**
 * A callback that writes a table: the figures of each epoch that there are, its seconds and its samples a second. In a
 * terminal it shows the epoch under way, too, with a bar and the time that is left; narrow ones get the first columns.
 *
 * @throws RangeError or TypeError for unusable options
 */
export function progress(options: ProgressOptions = {}): Callback {
  const { write, every, colours } = readSettings("progress", options, {
    write: [checkFunction],
    every: [from(1), 1],
    colours: [checkBoolean],
  });
  return {
    async onBegin({ metrics, epochs, rows }) {
      const { process } = globalThis as { process?: { stdout?: Output; env: Record<string, string> } };
      const out = write ? undefined : process?.stdout;
      const live = out?.isTTY && process?.env.TERM !== "dumb" ? out : undefined;
      const coloured = colours ?? (out?.isTTY && out.hasColors?.());
      const paint = (code: number, text: string) => (coloured ? `\x1b[${code}m${text}\x1b[0m` : text);
      const columns = () => (write ? Number.POSITIVE_INFINITY : out?.columns || COLUMNS);
      const print = write ?? ((text: string) => console.log(text));

      /** Cells aligned to the right; the last ones go where the line is too short. */
      const line = (cells: string[], widths: number[]) => {
        let text = "";
        let end = -2;
        for (const [index, cell] of cells.entries()) {
          // A bar is as wide as its column, and may have colours.
          end += 2 + Math.max(widths[index], cell.includes("\x1b") ? 0 : cell.length);
          if (end >= columns()) break;
          text += (index ? "  " : "") + (cell.includes("\x1b") ? cell : cell.padStart(widths[index]));
        }
        return text;
      };

      const labels = ["epoch", ...metrics.map(labelOf), "time", "samples/s"];
      const number = (epoch: number) => `${epoch}/${epochs}`;
      const widths = labels.map((label, index) =>
        label === "time" ? 9 : Math.max(label.length, index ? 6 : number(epochs).length),
      );
      await print(paint(1, line(labels, widths)));

      const start = performance.now();
      let shown = Number.NEGATIVE_INFINITY;
      const show = ({ epoch, batch, batches, loss, accuracy }: BatchEntry) => {
        const now = performance.now();
        if (now - shown < BETWEEN) return;
        shown = now;
        // Of a stream of unknown length there is only the number of the batch.
        const part = batches ? batch / batches : Number.NaN;
        const share = (epoch - 1 + part) / epochs;
        const seconds = (now - start) / 1000;
        const room = Math.max(4, Math.min(25, columns() - 26));
        const done = Math.round(part * room) || 0;
        const bar = paint(32, "━".repeat(done)) + paint(2, "─".repeat(room - done));
        const cells = [number(epoch), figureText("loss", loss)];
        if (accuracy !== undefined) cells.push(figureText("accuracy", accuracy));
        const wide = [...widths.slice(0, cells.length), room, 9, 9];
        if (part && rows)
          cells.push(
            bar,
            `${duration(seconds / share - seconds)} left`,
            rate(share * epochs * rows, seconds),
          );
        else cells.push(`batch ${batch}`);
        live!.write(`\r${line(cells, wide)}\x1b[K`);
      };
      return {
        ...(live && { onBatch: show }),
        async onEpoch(entry: EpochEntry) {
          live?.write("\r\x1b[K");
          if (entry.epoch % every !== 0 && entry.epoch < epochs) return;
          const { epoch, seconds } = entry;
          const values = entry as unknown as Record<string, number>;
          const figures = metrics.map((name) => figureText(name, values[name]));
          await print(
            line(
              [number(epoch), ...figures, `${seconds.toFixed(2)} s`, rows ? rate(rows, seconds) : ""],
              widths,
            ),
          );
        },
        onEnd: () => void live?.write("\r\x1b[K"),
      };
    },
  };
}

/** "validation loss"; figures of validation stand behind it, and have the names of the others. */
function labelOf(name: string): string {
  if (name === "validationLoss") return "validation loss";
  const bare = name.replace(/^validation/, "");
  return bare.replace(/[A-Z]/g, (letter, at) => (at ? " " : "") + letter.toLowerCase());
}

/** Shares of hits in percent, other figures with five digits or so. */
function figureText(name: string, value: number): string {
  if (/accuracy$/i.test(name)) return `${(value * 100).toFixed(2)} %`;
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  return size < 10 ? value.toFixed(4) : value.toPrecision(5);
}

function rate(rows: number, seconds: number): string {
  return Math.round(rows / seconds).toLocaleString("en");
}

/** Whole seconds as "12 s", from a minute on as "1:02 min". */
function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}
