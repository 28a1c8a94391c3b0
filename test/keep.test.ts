// The operation keep: a batch's rows go to their place among those of all batches, and nothing else changes.

import { describe, expect, test } from "vitest";
import { elements, expectSameBits, Lab, settings, sizes, wildValues } from "./helpers.js";

describe.each(settings)("keep in %s", (_, { dtype, ...options }) => {
  const lab = new Lab(dtype, options);

  test("copies a batch of any width to the rows of its step, and leaves the others", () => {
    for (const width of sizes) {
      for (const [step, rows, batch] of [
        [0, 3, 3],
        [1, 3, 3],
        [2, 2, 3],
        [4, 1, 2],
      ]) {
        const before = wildValues(9 * width, width + 1);
        const input = wildValues(rows * width, width);
        const [output] = lab.run(
          (bench) => bench.builder.keep(bench.inPlace(before), bench.input(input), rows, width, batch),
          { steps: [step, step + 1], label: `width ${width}, step ${step}` },
        );
        const expected = elements(dtype, before);
        expected.set(elements(dtype, input), step * batch * width);
        expectSameBits(output, expected, `width ${width}, step ${step}`);
      }
    }
  });

  test("leaves the same bits on any number of threads", async () => {
    for (const rows of [1, 2, 7, 32, 67]) {
      const width = 5;
      const input = wildValues(rows * width, rows);
      for (const threads of [2, 3, 5]) {
        const [output] = await lab.runOnThreads(
          threads,
          (bench) =>
            bench.builder.keep(bench.output(3 * rows * width), bench.input(input), rows, width, rows),
          { steps: [1, 2] },
        );
        const copied = elements(dtype, input);
        expectSameBits(
          output.slice(rows * width, 2 * rows * width),
          copied,
          `${rows} rows, ${threads} threads`,
        );
        expect(output.slice(0, rows * width).every(Number.isNaN)).toBe(true);
      }
    }
  });
});
