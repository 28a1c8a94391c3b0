// Checks of what users pass in. Every error gives the value, what was expected, and the way out.

import type { Signal } from "./signal.js";

/** Most characters of a text, elements of an array, and arrays in arrays that a message shows. */
const LONGEST_TEXT = 60;
const MOST_ELEMENTS = 6;
const DEEPEST = 3;

/** A value as it reads in an error message, cut to a line. */
export function quote(value: unknown, depth = 0): string {
  if (typeof value === "string") {
    const text = value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}...` : value;
    return JSON.stringify(text);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) {
    if (depth === DEEPEST) return "[...]";
    const shown = value.slice(0, MOST_ELEMENTS).map((element) => quote(element, depth + 1));
    return value.length > MOST_ELEMENTS ? `[${shown.join(", ")}, ...]` : `[${shown.join(", ")}]`;
  }
  if (typeof value === "function") return "a function";
  if (ArrayBuffer.isView(value)) return `${className(value)}(${value.byteLength} bytes)`;
  if (typeof value === "object" && value !== null) {
    return `an object (${value.constructor?.name ?? "Object"})`;
  }
  return String(value);
}

/**
 * The built-in class of a value, also of one of another realm (a vm context, an iframe) or of a subclass:
 * "Uint8Array" for a Buffer.
 */
export function className(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** "1 value", "2 values". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** A number of bytes in a unit that reads well. */
export function formatBytes(bytes: number): string {
  if (bytes < 2 ** 37) return `${Math.ceil(bytes / 2 ** 20)} MiB`;
  if (bytes < 2 ** 50) return `${Math.ceil(bytes / 2 ** 30).toLocaleString("en")} GiB`;
  return "more than a million GiB";
}

/** An integer from `low` to `high`, or a RangeError. */
export function checkInteger(
  name: string,
  value: unknown,
  low: number,
  high: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= low && value <= high) return value;
  const open = high === Number.MAX_SAFE_INTEGER && !(typeof value === "number" && value > high);
  const range = open ? `of at least ${low}` : `from ${low} to ${high}`;
  throw new RangeError(`${name} is ${quote(value)}, but must be an integer ${range}`);
}

/** A finite number above `low`, or a RangeError. */
export function checkPositive(name: string, value: unknown, hint = ""): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`${name} is ${quote(value)}, but must be a finite number above 0${hint}`);
}

/** A finite number of at least 0, or a RangeError. */
export function checkNotNegative(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new RangeError(`${name} is ${quote(value)}, but must be a finite number of at least 0`);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`${name} is ${quote(value)}, but must be true or false`);
}

export function checkFunction<F>(name: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === "function") return value;
  throw new TypeError(`${name} is ${quote(value)}, but must be a function`);
}

export function checkSignal<S extends Signal>(name: string, value: S | undefined): S | undefined {
  const methods = ["throwIfAborted", "addEventListener", "removeEventListener"] as const;
  if (value === undefined || methods.every((method) => typeof value?.[method] === "function")) return value;
  throw new TypeError(
    `${name} is ${quote(value)}, but must be an AbortSignal, e.g. new AbortController().signal`,
  );
}

/** A key of `table`, or a RangeError that lists the known ones. */
export function checkChoice<K extends string>(name: string, value: unknown, table: Record<K, unknown>): K {
  if (typeof value === "string" && Object.hasOwn(table, value)) return value as K;
  const known = Object.keys(table).map((key) => JSON.stringify(key));
  throw new RangeError(`${name} is ${quote(value)}, but must be one of ${known.join(", ")}`);
}

/**
 * Reads every known option once, so that a getter among them cannot act in the middle of the work. Options that are
 * not known are typing errors more often than not: an error that lists the known ones.
 */
export function readOptions<T extends object>(
  name: string,
  options: T,
  known: readonly (keyof T & string)[],
): T {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${name} takes an options object, but got ${quote(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!(known as readonly string[]).includes(key)) {
      throw new TypeError(`${name} has no option ${quote(key)}: it takes ${known.join(", ")}`);
    }
  }
  const read = {} as T;
  for (const key of known) read[key] = options[key];
  return read;
}
