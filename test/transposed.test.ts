// Products whose right factor lies transposed: the same bits as with the factor transposed beforehand.

import { describe, test } from "vitest";
import { Start } from "../src/program.js";
import { expectSameBits, Lab, randomValues, settings } from "./helpers.js";

/** The transpose of a matrix (rows, width). */
function transposed(x: Float64Array, rows: number, width: number): Float64Array {
  return Float64Array.from({ length: rows * width }, (_, i) => x[(i % rows) * width + Math.floor(i / rows)]);
}

// Below, at and above what is packed (16 x 16 x 8), the panels (4 or 8 columns), a vector of terms, the blocks of
// 256 and 320 terms and of 128 or 256 columns.
const shapes = [
  ...[15, 16, 17, 19].flatMap((m) => [15, 16, 17, 18, 19, 20, 21, 22, 23].map((n) => ({ m, n, k: 9 }))),
  ...[7, 8, 10, 11, 255, 256, 257, 319, 320, 321, 513].map((k) => ({ m: 17, n: 18, k })),
  ...[127, 128, 129, 130, 131, 257, 259].map((n) => ({ m: 16, n, k: 8 })),
];

describe.each(settings)("on %s", (_, setting) => {
  test.each(shapes)("$m x $n x $k", ({ m, n, k }) => {
    const lab = new Lab(setting.dtype, setting);
    const a = randomValues(m * k, 1);
    const b = randomValues(k * n, 2);
    const old = randomValues(m * n, 3);
    const bias = randomValues(n, 4);
    for (const start of [Start.zero, Start.bias, Start.add]) {
      const [fromTransposed, plain] = lab.run((bench) => {
        const { builder } = bench;
        const options = { start, bias: bench.input(bias) };
        const left = bench.input(a);
        const right = bench.input(transposed(b, k, n));
        builder.product(bench.inPlace(old), left, right, m, n, k, { ...options, rightTransposed: true });
        builder.product(bench.inPlace(old), left, bench.input(b), m, n, k, options);
      });
      expectSameBits(fromTransposed, plain, `start ${start}`);
    }
  });
});
