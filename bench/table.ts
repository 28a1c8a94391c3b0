// Markdown tables, and how figures stand in them.

import type { Ratio } from "./measure.js";

/** Prints the head of a table and returns what prints its rows. */
export function table(
  head: readonly string[],
  widths: readonly number[],
): (cells: readonly string[]) => void {
  const print = (cells: readonly string[]) => {
    const padded = cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])));
    console.log(`| ${padded.join(" | ")} |`);
  };
  console.log("");
  print(head);
  print(widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)));
  return print;
}

export function rate(perSecond: number): string {
  return `${(perSecond / 1e9).toFixed(2)} GFLOP/s`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

export function micro(seconds: number): string {
  return `${(seconds * 1e6).toLocaleString("en", { maximumSignificantDigits: 4 })} µs`;
}

export function show({ median, lowest, highest }: Ratio): string {
  const [middle, low, high] = [median, lowest, highest].map((value) => value.toFixed(value < 99.995 ? 2 : 0));
  return `${middle} [${low} to ${high}]`;
}
