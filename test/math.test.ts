// How exact exp, log, tanh and sigmoid are, in both builds. The plain one leaves the reference's bits, which Lab checks.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Op } from "../src/program/builder.js";
import { builds, type Data, Lab, random } from "./helpers.js";

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

/** The functions, and how many values their results may be away from the correctly rounded ones. */
const functions = {
  exp: { op: Op.exp, exact: Math.exp, bound: 1 },
  log: { op: Op.log, exact: Math.log, bound: 1 },
  tanh: { op: Op.tanh, exact: Math.tanh, bound: 2 },
  sigmoid: { op: Op.sigmoid, exact: (x: number) => 1 / (1 + Math.exp(-x)), bound: 2 },
} satisfies Record<string, { op: Op; exact: (x: number) => number; bound: number }>;
type FunctionName = keyof typeof functions;

const names = Object.keys(functions) as FunctionName[];

const cases = builds.flatMap((build) =>
  (["f64", "f32"] as const).map((format) => {
    const { value } = formats[format];
    const lab = new Lab(format === "f64" ? "float64" : "float32", { build });
    /** A function's values. */
    const evaluate = (name: FunctionName, x: number[]): Data => {
      const [y] = lab.run((bench) => {
        const input = bench.input(x);
        // Between the builds lie the errors of both.
        const output = bench.output(x.length, { epsilons: 2 * functions[name].bound + 1 });
        bench.builder.forward(functions[name].op, output, input, 1, x.length);
      });
      return y;
    };
    /** Checks that the results are as near to the expected ones as they should be. */
    const expectNear = (name: FunctionName, x: number[], expected: number[]) => {
      let worst = { distance: -1, x: NaN, result: NaN, expected: NaN };
      for (const [i, result] of evaluate(name, x).entries()) {
        const distance = ulps(format, result, expected[i]);
        if (distance > worst.distance) worst = { distance, x: x[i], result, expected: expected[i] };
      }
      expect(worst.distance, JSON.stringify(worst)).toBeGreaterThanOrEqual(0);
      expect(worst.distance, JSON.stringify(worst)).toBeLessThanOrEqual(functions[name].bound);
    };
    return { title: `the ${build} build, ${format}`, format, value, evaluate, expectNear };
  }),
);

describe.each(cases.map((each) => [each.title, each] as const))(
  "in %s,",
  (_, { format, value, evaluate, expectNear }) => {
    test.each(names)("%s is within an ulp or two of the correctly rounded value", (name) => {
      const pairs = golden[`${name} ${format}`].map((pair) => pair.split(" ").map(value));
      expectNear(
        name,
        pairs.map(([x]) => x),
        pairs.map(([, expected]) => expected),
      );
    });

    test.each(names)("%s gives NaN for NaN", (name) => {
      expect([...evaluate(name, [NaN])]).toEqual([NaN]);
    });

    const least = format === "f64" ? 2 ** -1074 : 2 ** -149;
    const largest = format === "f64" ? Number.MAX_VALUE : 2 ** 128 - 2 ** 104;

    test("exp ends in 0 and infinity and is 1 at 0", () => {
      expect([...evaluate("exp", [-Infinity, -largest, -0, 0, least, largest, Infinity])]).toEqual([
        0,
        0,
        1,
        1,
        1,
        Infinity,
        Infinity,
      ]);
    });

    test("log is -infinity at 0, 0 at 1, infinity at infinity and NaN below 0", () => {
      expect([...evaluate("log", [0, -0, 1, Infinity])]).toEqual([-Infinity, -Infinity, 0, Infinity]);
      expect([...evaluate("log", [-least, -1, -largest, -Infinity])]).toEqual([NaN, NaN, NaN, NaN]);
    });

    test("tanh ends in -1 and 1, and returns zeros and subnormals as they are, sign included", () => {
      expect([...evaluate("tanh", [-Infinity, -1000, 1000, Infinity])]).toEqual([-1, -1, 1, 1]);
      const small = [0, -0, least, -least, 3 * least];
      expect([...evaluate("tanh", small)]).toEqual(small);
    });

    test("sigmoid ends in 0 and 1 and is one half at 0", () => {
      expect([...evaluate("sigmoid", [-Infinity, -1000, -0, 0, 1000, Infinity])]).toEqual([
        0, 0, 0.5, 0.5, 1, 1,
      ]);
    });

    test("exp and sigmoid run through the subnormals", () => {
      const x = format === "f64" ? -745.1 : Math.fround(-103.9);
      expect([...evaluate("exp", [x])]).toEqual([least]);
      expect([...evaluate("sigmoid", [x])]).toEqual([least]);
    });

    test("exp overflows where the largest number ends, and not before", () => {
      const [below, above] = format === "f64" ? [709.7, 710] : [88.7, 88.8];
      const [finite, infinite] = evaluate("exp", [below, above]);
      expect(finite).toBeLessThan(Infinity);
      expect(infinite).toBe(Infinity);
    });
  },
);

describe.each(cases.filter(({ format }) => format === "f32").map((each) => [each.title, each] as const))(
  "in %s,",
  (_, { expectNear }) => {
    test.each(names)("%s agrees with f64 Math on 100,000 random arguments", (name) => {
      const next = random(1);
      const x = Array.from({ length: 100_000 }, () => {
        const size = 2 ** (next() * 40 - 33);
        return Math.fround(name === "log" || next() < 0.5 ? size : -size);
      });
      expectNear(
        name,
        x,
        x.map((argument) => Math.fround(functions[name].exact(argument))),
      );
    });
  },
);
