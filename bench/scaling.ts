// The table of threads.ts for one element type.

import type { DType } from "../src/dtype.js";
import { type Contender, startContender } from "./contender.js";
import { contest, median, ratioOf, type Work } from "./measure.js";
import { micro, show, table } from "./table.js";
import { taskWork, threadTasks } from "./training.js";

export const settings = { rounds: 9, length: 0.25 };

/**
 * @param threads numbers of threads for a training
 * @param processes numbers of trainings on one thread each, side by side
 * @param child child.ts, bundled
 */
export async function scaling(
  dtype: DType,
  threads: readonly number[],
  processes: readonly number[],
  child: string,
  only: string,
): Promise<void> {
  const head = [
    `${dtype} training step`,
    "1 thread",
    ...threads.map((count) => `${count} threads`),
    ...processes.map((count) => `${count} processes`),
  ];
  const print = table(head, [38, 17, ...[...threads, ...processes].map(() => 22)]);
  const children = Array.from({ length: Math.max(0, ...processes) }, () =>
    startContender(child, dtype, "wasm"),
  );
  for (const task of threadTasks(only)) {
    const [alone, ...others] = await contest(
      [
        ...[1, ...threads].map((count) => taskWork(task, dtype, { threads: count })),
        ...processes.map((count) => sideBySide(children.slice(0, count), task.label)),
      ],
      settings,
    );
    print([task.label, micro(median(alone)), ...others.map((times) => show(ratioOf(times, alone)))]);
  }
  for (const contender of children) contender.stop();
}

/** The steps shared out among contenders, who train at the same time; the last to end says how long it took. */
function sideBySide(contenders: readonly Contender[], row: string): Work {
  return async (count) => {
    const share = Math.ceil(count / contenders.length);
    const seconds = await Promise.all(contenders.map((contender) => contender.work(row)(share)));
    return (Math.max(...seconds) * count) / (share * contenders.length);
  };
}
