import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as math from "../src/executors/reference/math.js";

// Pairs "argument result" of hexadecimal bits, correctly rounded; written by golden/math.py.
const golden: Record<string, string[]> = JSON.parse(
  readFileSync(new URL("./golden/math.json", import.meta.url), "utf8"),
);

const view = new DataView(new ArrayBuffer(8));

/** A floating-point type, as its values and as integers that count them in order. */
const formats = {
  f64: {
    value(bits: string): number {
      view.setBigUint64(0, BigInt(`0x${bits}`));
      return view.getFloat64(0);
    },
    rank(value: number): bigint {
      view.setFloat64(0, value);
      const bits = view.getBigInt64(0);
      return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
    },
  },
  f32: {
    value(bits: string): number {
      view.setUint32(0, Number.parseInt(bits, 16));
      return view.getFloat32(0);
    },
    rank(value: number): bigint {
      view.setFloat32(0, value);
      const bits = view.getInt32(0);
      return BigInt(bits < 0 ? -(bits & 0x7fffffff) : bits);
    },
  },
};
type Format = keyof typeof formats;

/** How many values of the type `value` is away from `expected`; 0 for the same value, or for two NaNs. */
function ulps(format: Format, value: number, expected: number): number {
  if (Number.isNaN(value) || Number.isNaN(expected)) return Object.is(value, expected) ? 0 : Infinity;
  const { rank } = formats[format];
  const distance = rank(value) - rank(expected);
  return Number(distance < 0n ? -distance : distance);
}

const { exp64, exp32, log64, log32, tanh64, tanh32, sigmoid64, sigmoid32 } = math;
const functions: [name: string, format: Format, apply: (x: number) => number, bound: number][] = [
  ["exp", "f64", exp64, 1],
  ["exp", "f32", exp32, 1],
  ["log", "f64", log64, 1],
  ["log", "f32", log32, 1],
  ["tanh", "f64", tanh64, 2],
  ["tanh", "f32", tanh32, 2],
  ["sigmoid", "f64", sigmoid64, 2],
  ["sigmoid", "f32", sigmoid32, 2],
];

describe.each(functions)("%s in %s", (name, format, apply, bound) => {
  test(`is within ${bound} ulp of the correctly rounded value`, () => {
    const { value } = formats[format];
    let worst = { distance: -1, x: NaN, result: NaN, expected: NaN };
    for (const pair of golden[`${name} ${format}`]) {
      const [x, expected] = pair.split(" ").map(value);
      const result = apply(x);
      const distance = ulps(format, result, expected);
      if (distance > worst.distance) worst = { distance, x, result, expected };
    }
    expect(worst.distance, JSON.stringify(worst)).toBeGreaterThanOrEqual(0);
    expect(worst.distance, JSON.stringify(worst)).toBeLessThanOrEqual(bound);
  });

  test("gives NaN for NaN", () => {
    expect(apply(NaN)).toBeNaN();
  });
});

describe.each([
  ["f64", exp64, log64, tanh64, sigmoid64],
  ["f32", exp32, log32, tanh32, sigmoid32],
] as const)("special values in %s", (format, exp, log, tanh, sigmoid) => {
  const least = format === "f64" ? 2 ** -1074 : 2 ** -149;
  const largest = format === "f64" ? Number.MAX_VALUE : 2 ** 128 - 2 ** 104;

  test("exp ends in 0 and infinity and is 1 at 0", () => {
    expect([-Infinity, -largest, -0, 0, largest, Infinity].map(exp)).toEqual([
      0,
      0,
      1,
      1,
      Infinity,
      Infinity,
    ]);
    expect(exp(least)).toBe(1);
  });

  test("log is -infinity at 0, 0 at 1, infinity at infinity and NaN below 0", () => {
    expect([0, -0, 1, Infinity].map(log)).toEqual([-Infinity, -Infinity, 0, Infinity]);
    expect([-least, -1, -largest, -Infinity].map(log)).toEqual([NaN, NaN, NaN, NaN]);
  });

  test("tanh ends in -1 and 1, and returns zeros and subnormals as they are, sign included", () => {
    expect([-Infinity, -1000, 1000, Infinity].map(tanh)).toEqual([-1, -1, 1, 1]);
    for (const x of [0, -0, least, -least, 3 * least]) expect(tanh(x)).toBe(x);
  });

  test("sigmoid ends in 0 and 1 and is one half at 0", () => {
    expect([-Infinity, -1000, -0, 0, 1000, Infinity].map(sigmoid)).toEqual([0, 0, 0.5, 0.5, 1, 1]);
  });

  test("exp and sigmoid run through the subnormals", () => {
    const x = format === "f64" ? -745.1 : Math.fround(-103.9);
    expect(exp(x)).toBe(least);
    expect(sigmoid(x)).toBe(least);
  });
});

test("exp overflows in f64 at 710 and not at 709.7", () => {
  expect(exp64(710)).toBe(Infinity);
  expect(exp64(709.7)).toBeLessThan(Infinity);
});

describe("on 100,000 random arguments", () => {
  /** The same numbers in [0, 1) in every run (mulberry32). */
  function generator(seed: number): () => number {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  const exact: Record<string, (x: number) => number> = {
    exp: Math.exp,
    log: Math.log,
    tanh: Math.tanh,
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  };

  test.each(functions.filter(([, format]) => format === "f32"))(
    "%s in %s agrees with f64 Math",
    (name, format, apply, bound) => {
      const random = generator(1);
      let worst = 0;
      for (let i = 0; i < 100_000; i++) {
        const size = 2 ** (random() * 40 - 33);
        const x = Math.fround(name === "log" || random() < 0.5 ? size : -size);
        worst = Math.max(worst, ulps(format, apply(x), Math.fround(exact[name](x))));
      }
      expect(worst).toBeLessThanOrEqual(bound);
    },
  );
});
