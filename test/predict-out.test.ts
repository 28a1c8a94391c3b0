// predict into an array that the caller has.

import { describe, expect, test } from "vitest";
import { dtypes, elements, makeClassifier } from "./helpers.js";

describe.each(dtypes)("predict of a %s network", (dtype) => {
  const make = () => makeClassifier({ dtype });
  const rows = [
    [0, 1, 2, 3],
    [1, -1, 1, -1],
  ];

  test("writes into out and returns it", () => {
    const network = make();
    const out = elements(dtype, 6);
    expect(network.predict(rows, { out })).toBe(out);
    expect(out).toEqual(network.predict(rows));
  });

  test.each([
    ["of the other type", elements(dtype === "float64" ? "float32" : "float64", 6)],
    ["of another length", elements(dtype, 7)],
  ])("refuses an out %s", (_, out) => {
    const name = dtype === "float64" ? "Float64Array" : "Float32Array";
    expect(() => make().predict(rows, { out })).toThrow(
      `out is ${out.constructor.name}(${out.byteLength} bytes), but must be a ${name} of 2 x 3 elements`,
    );
  });
});
