// A process of child.ts, as its parent sees it.

import { fork } from "node:child_process";
import type { DType } from "../src/dtype.js";
import type { ExecutorName } from "../src/index.js";
import type { Order } from "./child.js";
import type { Work } from "./measure.js";

export interface Contender {
  work(row: Order["row"]): Work;
  stop(): void;
}

/** @param script child.ts, bundled */
export function startContender(script: string, dtype: DType, executor: ExecutorName): Contender {
  const child = fork(script, [dtype, executor], { execArgv: [] });
  const died = (code: number | null) => {
    console.error(`the process of ${executor} in ${dtype} ended with code ${code}`);
    process.exit(1);
  };
  child.once("exit", died);
  return {
    work: (row) => (count) =>
      new Promise((resolve) => {
        child.once("message", (seconds) => resolve(seconds as number));
        child.send({ row, count } satisfies Order);
      }),
    stop() {
      child.off("exit", died);
      child.disconnect();
    },
  };
}
