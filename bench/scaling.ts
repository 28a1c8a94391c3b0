// The table of threads.ts for one element type.

import type { DType } from "../src/dtype.js";
import { contest, median, ratioOf } from "./measure.js";
import { largeTask, tasks, taskWork } from "./training.js";

const settings = { rounds: 9, length: 0.25 };

export async function scaling(dtype: DType, counts: readonly number[], only: string): Promise<void> {
  const rows = [...tasks, largeTask].filter(({ label, sizes }) => sizes[0] > 2 && label.includes(only));
  const head = [`${dtype} training step`, "1 thread", ...counts.map((count) => `${count} threads`)];
  console.log(`\n| ${head.join(" | ")} |\n| --- |${" ---: |".repeat(counts.length + 1)}`);
  for (const task of rows) {
    const works = [1, ...counts].map((threads) => taskWork(task, dtype, { threads }));
    const [alone, ...others] = await contest(works, settings);
    const micro = (median(alone) * 1e6).toLocaleString("en", { maximumSignificantDigits: 4 });
    const cells = others.map((times) => {
      const { median, lowest, highest } = ratioOf(times, alone);
      return `${median.toFixed(2)} [${lowest.toFixed(2)} to ${highest.toFixed(2)}]`;
    });
    console.log(`| ${[task.label, `${micro} µs`, ...cells].join(" | ")} |`);
  }
}
