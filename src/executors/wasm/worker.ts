// A worker of the pool: runs its share of programs over memories that it is sent. Bundled to text at build
// time; started in Node and in browsers alike.

import type { FromWorker, Ready, ToWorker } from "./pool.js";

interface Port {
  postMessage(message: FromWorker | Ready): void;
}

/** worker_threads' parent port in Node, the global scope of a Web Worker elsewhere. */
function connect(receive: (message: ToWorker) => void): Port {
  const node = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  const threads = node?.getBuiltinModule?.("node:worker_threads") as
    | { parentPort?: Port & { on(event: "message", listener: (message: ToWorker) => void): void } }
    | undefined;
  if (threads?.parentPort) {
    threads.parentPort.on("message", receive);
    return threads.parentPort;
  }
  const scope = globalThis as unknown as Port & { onmessage: (event: { data: ToWorker }) => void };
  scope.onmessage = ({ data }) => receive(data);
  return scope;
}

/** The last network worked for; the next one replaces it, so that memories are not kept alive. */
let network = -1;
let exports: Record<string, (...args: number[]) => number>;

const port = connect((job) => {
  if (job.network !== network) {
    const instance = new WebAssembly.Instance(job.module, { env: { memory: job.memory } });
    exports = instance.exports as unknown as typeof exports;
    network = job.network;
  }
  const { control, offset, count, thread, threads, fromStep, toStep } = job;
  const whole = exports[job.run](control, offset, count, thread, threads, fromStep, toStep);
  port.postMessage({ whole: whole !== 0 });
});
port.postMessage({ ready: true });
