// Worker threads that cannot be started: the call that needs them says so, and the next one works.

import { EventEmitter } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { pool } from "../src/executors/wasm/pool.js";
import type { Network } from "../src/index.js";
import { expectSameBits, makeClassifier, parameters, randomValues } from "./helpers.js";
import { runProcess } from "./process.js";

const threads = process.getBuiltinModule("node:worker_threads");
const x = randomValues(64 * 4, 1);
const classes = Uint8Array.from({ length: 64 }, (_, i) => i % 3);
const train = (network: Network) => network.fit(x, classes, { epochs: 2 });

afterEach(() => {
  vi.restoreAllMocks();
});

const way =
  "use fewer (threads: 1 needs none), or allow them, in Node by --allow-worker, in a page's Content-Security-Policy by " +
  "worker-src blob:. The weights are those of before this call of fit";

/** Makes the `failing`th worker that is started from now on fail. */
function failWorker(failing: number, fail: () => unknown) {
  const { Worker } = threads;
  let started = 0;
  class Failing {
    constructor(...parameters: ConstructorParameters<typeof Worker>) {
      // biome-ignore lint/correctness/noConstructorReturn: it stands for the real class, all but once
      return (++started === failing ? fail() : new Worker(...parameters)) as Failing;
    }
  }
  return vi.spyOn(threads, "Worker").mockImplementation(Failing as unknown as typeof Worker);
}

test.each([1, 2, 3])("The %dth of three new workers that throws as it is made", async (failing) => {
  const before = pool.size;
  const count = before + 3;
  const alone = makeClassifier();
  const network = makeClassifier({ threads: count });
  const untouched = parameters(network);
  const worker = failWorker(failing, () => {
    throw new Error("EAGAIN: resource temporarily unavailable");
  });
  await expect(train(network)).rejects.toThrow(
    `could not start ${count} worker threads (EAGAIN: resource temporarily unavailable): ${way}`,
  );
  expect(worker).toHaveBeenCalledTimes(failing);
  expectSameBits(parameters(network), untouched);
  worker.mockRestore();
  // Those that did start are there for others, and nothing stands in line before them.
  expect(pool.size).toBe(before + failing - 1);
  await train(alone);
  await train(network);
  expectSameBits(parameters(network), parameters(alone));
});

test("A worker that dies before it starts, as one that a page's policy blocks", async () => {
  const count = pool.size + 2;
  const network = makeClassifier({ threads: count });
  const worker = failWorker(2, () => {
    const dead = Object.assign(new EventEmitter(), {
      ref() {},
      unref() {},
      postMessage() {},
      terminate: async () => 1,
    });
    queueMicrotask(() => dead.emit("error", new Error("blocked by the page's policy")));
    return dead;
  });
  await expect(train(network)).rejects.toThrow(
    `could not start ${count} worker threads (blocked by the page's policy): ${way}`,
  );
  worker.mockRestore();
  await expect(train(network)).resolves.toHaveLength(2);
});

test("A job that waits in line behind one that fails runs", async () => {
  const count = pool.size + 1;
  const failing = makeClassifier({ threads: count });
  const waiting = makeClassifier({ threads: count });
  const worker = failWorker(1, () => {
    throw new Error("EAGAIN");
  });
  const outcomes = await Promise.allSettled([train(failing), train(waiting)]);
  worker.mockRestore();
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
});

test("A process is not kept alive by the workers that did start", async () => {
  const { status, stdout } = await runProcess(`
    const threads = process.getBuiltinModule("node:worker_threads");
    const { Worker } = threads;
    let started = 0;
    threads.Worker = class extends Worker {
      constructor(...parameters) {
        if (++started === 3) throw new Error("EAGAIN");
        super(...parameters);
      }
    };
    const network = new Network({ inputs: 1, layers: [new Dense(1)], threads: 3 });
    await network.fit([1, 2], [0, 1]).catch(({ message }) => console.log(message.slice(0, 40)));
    // Fires only where something else keeps the process: idle workers, which end after half a minute.
    setTimeout(() => process.exit(1), 10_000).unref();`);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "could not start 3 worker threads (EAGAIN\n" });
});

test("A worker that dies while another starts fails the job, and the next ones run", async () => {
  const { status, stdout } = await runProcess(`
    const threads = process.getBuiltinModule("node:worker_threads");
    const { Worker } = threads;
    const made = [];
    threads.Worker = class extends Worker {
      constructor(...parameters) {
        super(...parameters);
        made.push(this);
      }
    };
    const make = (threads) => new Network({ inputs: 2, layers: [new Dense(4), new Dense(1)], threads });
    const fit = (threads) => make(threads).fit([0, 0, 1, 1], [0, 1]).then(() => "trained", ({ message }) => message);
    console.log(await fit(2));
    const third = fit(3);
    made[0].terminate();
    console.log((await third).slice(0, 58));
    console.log(await fit(3), await fit(2));`);
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: "trained\ncould not start 3 worker threads (one of them died meanwhi\ntrained trained\n",
  });
});

test("Workers that all end before they have started fail one job, and the next one runs", async () => {
  const { stdout } = await runProcess(`
    const threads = process.getBuiltinModule("node:worker_threads");
    const { Worker } = threads;
    const network = new Network({ inputs: 2, layers: [new Dense(4), new Dense(1)], threads: 3 });
    const fit = () => network.fit([0, 0, 1, 1], [0, 1]).then(() => "trained", ({ message }) => message.slice(0, 58));
    threads.Worker = class extends Worker {
      constructor(source, options) {
        super("process.exit(3)", options);
      }
    };
    console.log(await fit());
    threads.Worker = Worker;
    console.log(await fit());`);
  expect(stdout).toBe("could not start 3 worker threads (it exited with code 3): \ntrained\n");
});
