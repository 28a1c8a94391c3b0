// Checks of what users pass in. Every error gives the value, what was expected, and the way out.

/** A value as it reads in an error message, cut to a line. */
export function quote(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) {
    const shown = value.slice(0, 6).map(quote).join(", ");
    return value.length > 6 ? `[${shown}, ...]` : `[${shown}]`;
  }
  if (typeof value === "function") return "a function";
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (typeof value === "object" && value !== null)
    return `an object (${value.constructor?.name ?? "Object"})`;
  return String(value);
}

/** An integer from `low` to `high`, or a RangeError. */
export function checkInteger(
  name: string,
  value: unknown,
  low: number,
  high: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= low && value <= high) return value;
  const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`;
  throw new RangeError(`${name} is ${quote(value)}, but must be an integer ${range}`);
}

/** A finite number above `low`, or a RangeError. */
export function checkPositive(name: string, value: unknown, hint = ""): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`${name} is ${quote(value)}, but must be a finite number above 0${hint}`);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`${name} is ${quote(value)}, but must be true or false`);
}

export function checkFunction<F>(name: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === "function") return value;
  throw new TypeError(`${name} is ${quote(value)}, but must be a function`);
}

export function checkSignal(name: string, value: AbortSignal | undefined): AbortSignal | undefined {
  if (value === undefined || typeof value?.throwIfAborted === "function") return value;
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

/** Options that are not known are typing errors more often than not: an error that lists the known ones. */
export function checkOptions(name: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${name} takes an options object, but got ${quote(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new TypeError(`${name} has no option ${quote(key)}: it takes ${known.join(", ")}`);
    }
  }
}
