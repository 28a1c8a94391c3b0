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
    const name: unknown = value.constructor?.name;
    return `an object (${typeof name === "string" ? name : "Object"})`;
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

/** The error for a value that is out of range: what it is, and what it must be. */
export function wrongValue(name: string, value: unknown, wanted: string): RangeError {
  return new RangeError(`${name} is ${quote(value)}, but must be ${wanted}`);
}

/** The error for a value of another type, likewise. */
export function wrongType(name: string, value: unknown, wanted: string): TypeError {
  return new TypeError(wrongValue(name, value, wanted).message);
}

/** An integer from `low` to `high`, or a RangeError. */
export function checkInteger(
  name: string,
  value: unknown,
  low: number,
  high: number = Number.MAX_SAFE_INTEGER,
): number {
  const number = value as number;
  if (Number.isSafeInteger(value) && number >= low && number <= high) return number;
  const open = high === Number.MAX_SAFE_INTEGER && !(typeof value === "number" && value > high);
  throw wrongValue(name, value, `an integer ${open ? `of at least ${low}` : `from ${low} to ${high}`}`);
}

/** A finite number that fits, or a RangeError that says which would. */
export function checkNumber(
  name: string,
  value: unknown,
  wanted: string,
  fits: (number: number) => boolean = () => true,
): number {
  if (Number.isFinite(value) && fits(value as number)) return value as number;
  throw wrongValue(name, value, wanted);
}

/** A finite number above 0, or a RangeError. */
export function checkPositive(name: string, value: unknown, hint = ""): number {
  return checkNumber(name, value, `a finite number above 0${hint}`, (number) => number > 0);
}

/** A finite number of at least 0, or a RangeError. */
export function checkNotNegative(name: string, value: unknown): number {
  return checkNumber(name, value, "a finite number of at least 0", (number) => number >= 0);
}

/** A number from 0 up to, but not, 1, or a RangeError. */
export function checkShare(name: string, value: unknown): number {
  return checkNumber(name, value, "at least 0 and less than 1", (number) => number >= 0 && number < 1);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw wrongType(name, value, "true or false");
}

export function checkFunction<F>(name: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === "function") return value;
  throw wrongType(name, value, "a function");
}

export function checkSignal<S extends Signal>(name: string, value: S | undefined): S | undefined {
  const methods = ["throwIfAborted", "addEventListener", "removeEventListener"] as const;
  if (value === undefined || methods.every((method) => typeof value?.[method] === "function")) return value;
  throw wrongType(name, value, "an AbortSignal, e.g. new AbortController().signal");
}

/** Checks a setting of a name, and returns it; throws RangeError or TypeError. */
type Check = (name: string, value: unknown) => unknown;

/** The check that a setting is one of some words. */
export const oneOf =
  (...words: string[]): Check =>
  (name, value) => {
    if (words.includes(value as string)) return value;
    throw wrongValue(name, value, `one of ${words.map((word) => quote(word)).join(", ")}`);
  };

/** A key of `table`, or a RangeError that lists the known ones. */
export function checkChoice<K extends string>(name: string, value: unknown, table: Record<K, unknown>): K {
  return oneOf(...Object.keys(table))(name, value) as K;
}

/** The check that a setting is a text. */
export const text =
  (wanted: string): Check =>
  (name, value) => {
    if (typeof value !== "string") throw wrongType(name, value, wanted);
  };

/** The check that a setting is an integer of at least `low`. */
export const from =
  (low: number): Check =>
  (name, value) =>
    checkInteger(name, value, low);

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
      throw new TypeError(`${name} has no option ${quote(key)}: it takes ${known.join(", ") || "none"}`);
    }
  }
  const read = {} as T;
  for (const key of known) read[key] = options[key];
  return read;
}

/** What settings there are: how each is checked, and what it is where it is not given. */
type Settings<T> = { readonly [K in keyof T]-?: readonly [check: Check, usual?: T[K]] };

/** Settings that were read: undefined may be one that is optional and has no usual value. */
type Read<T, S> = {
  [K in keyof S & keyof T]: S[K] extends readonly [unknown, unknown] ? Exclude<T[K], undefined> : T[K];
};

/** Reads options as readOptions() does, checks those that are given, and takes the usual ones for the others. */
export function readSettings<T extends object, const S extends Settings<T>>(
  name: string,
  options: T,
  settings: S & Settings<T>,
): Read<T, S> {
  const checks: Record<string, readonly [check: Check, usual?: unknown]> = settings;
  const read = readOptions(name, options, Object.keys(checks) as (keyof T & string)[]) as Record<
    string,
    unknown
  >;
  for (const [key, [check, usual]] of Object.entries(checks)) {
    if (read[key] === undefined) read[key] = usual;
    else check(key, read[key]);
  }
  return read as Read<T, S>;
}
