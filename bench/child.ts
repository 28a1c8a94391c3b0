// One contender: does the work that another process asks for, with one executor in one element type.

import type { DType } from "../src/dtype.js";
import type { Build } from "../src/executors/wasm/module.js";
import type { ExecutorName } from "../src/index.js";
import { reference } from "../src/reference.js";
import { kernels, kernelWork } from "./kernels.js";
import type { Work } from "./measure.js";
import { type Loop, peak } from "./peak.js";
import { everyTask, taskWork } from "./training.js";

/** What to do: `count` units of the row with this label, or of a loop of a build. */
export interface Order {
  row: string | { loop: Loop; build: Build };
  count: number;
}

const [dtype, executor] = process.argv.slice(2) as [DType, ExecutorName];
const loops = new Map<string, Work>();
let current: { label: string; work: Work } | undefined;

process.on("message", async ({ row, count }: Order) => {
  const seconds = await (typeof row === "string" ? workOf(row) : loopOf(row.loop, row.build))(count);
  process.send!(seconds);
});

function loopOf(loop: Loop, build: Build): Work {
  const key = `${loop} ${build}`;
  const work = loops.get(key) ?? peak(loop, build, dtype);
  loops.set(key, work);
  return work;
}

/** The work of a row, kept until another row is asked for. */
function workOf(label: string): Work {
  if (current?.label === label) return current.work;
  current = undefined;
  const kernel = kernels.find((kernel) => kernel.label === label);
  const task = everyTask.find((task) => task.label === label);
  const work = kernel
    ? kernelWork(kernel, dtype, executor)
    : taskWork(task!, dtype, { executor: executor === "wasm" ? executor : reference });
  current = { label, work };
  return work;
}
