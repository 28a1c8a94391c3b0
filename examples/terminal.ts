// Terminal pieces for the examples: tables, and pictures in half blocks. Colours only where the terminal has them and NO_COLOR
// is not set.

import { stripVTControlCharacters } from "node:util";

const out = process.stdout;
const colours = out.isTTY && out.hasColors();
const greys = out.isTTY && out.hasColors(256);

const paint = (code: number) => (text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);

/** Characters that fit on a line; 80 where output goes to a file or a pipe. */
function columns(): number {
  return out.columns || 80;
}

/** Columns that `text` takes on the screen. */
function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

function padStart(text: string, columns: number): string {
  return " ".repeat(Math.max(0, columns - width(text))) + text;
}

function padEnd(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - width(text)));
}

/** Rows of cells, each column aligned to the right and as wide as its widest cell, two spaces apart if there is room. */
export function table(rows: readonly string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => width(row[column]))));
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  const gap = total < columns() ? "  " : " ";
  return rows.map((row) => row.map((cell, column) => padStart(cell, widths[column])).join(gap)).join("\n");
}

/** A picture of 8-bit grey values, row by row. */
export interface Picture {
  pixels: Uint8Array;
  width: number;
  caption: readonly string[];
}

/** How many pictures of this width stand side by side, at least one. */
export function picturesPerLine(width: number): number {
  return Math.max(1, Math.floor((columns() + 2) / (width + 2)));
}

/** Draws pictures of one size side by side, two pixels a character, with their captions below. */
export function drawPictures(pictures: readonly Picture[]): string {
  const [{ pixels, width }] = pictures;
  const height = pixels.length / width;
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) lines.push(pictures.map((picture) => drawRow(picture, y)).join("  "));
  for (const index of pictures[0].caption.keys()) {
    lines.push(pictures.map(({ caption }) => padEnd(caption[index], width)).join("  "));
  }
  return lines.map((text) => text.trimEnd()).join("\n");
}

/** The rows y and y + 1 of a picture: shades where the terminal has them, else black and white. */
function drawRow({ pixels, width }: Picture, y: number): string {
  let text = "";
  for (let x = 0; x < width; x++) {
    const upper = pixels[y * width + x];
    const lower = pixels[(y + 1) * width + x] ?? 0;
    text += greys ? shades(upper, lower) : " ▄▀█"[(upper > 100 ? 2 : 0) + (lower > 100 ? 1 : 0)];
  }
  return greys ? `${text}\x1b[0m` : text;
}

/** Colours 232 to 255 of a terminal run from near black to near white. */
function shades(upper: number, lower: number): string {
  const grey = (value: number) => 232 + Math.round((value / 255) * 23);
  return `\x1b[38;5;${grey(upper)}m\x1b[48;5;${grey(lower)}m▀`;
}
