// The heap: regions, growth in the middle of use, memory that cannot grow, and memory that goes when its
// network does.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WasmExecutor } from "../src/executors/wasm/executor.js";
import { Heap } from "../src/heap.js";
import { Dense, Network } from "../src/index.js";
import { dtypes, type ExecutorOption, executors, parameters, randomValues } from "./helpers.js";

const MEBIBYTE = 2 ** 20;

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(executors)("the heap of %s", (executor) => {
  const options = { dtype: "float64" } as const;
  const make = () =>
    new Heap(executor === "wasm" ? new WasmExecutor(options) : executor.make(options), options.dtype);

  test("gives out regions one after the other, at multiples of 64 bytes", () => {
    const heap = make();
    let end = heap.top;
    for (const bytes of [1, 0, 64, 65, 8, 1000]) {
      const offset = heap.allocate(bytes);
      expect(offset % 64).toBe(0);
      expect(offset).toBe(end);
      end = heap.top;
      expect(end).toBeGreaterThanOrEqual(offset + bytes);
      expect(end).toBeLessThan(offset + bytes + 64);
    }
  });

  test("takes back every region since a mark", () => {
    const heap = make();
    const kept = heap.allocate(100);
    const mark = heap.top;
    const first = heap.allocate(100);
    heap.allocate(5 * MEBIBYTE);
    heap.release(mark);
    expect(heap.top).toBe(mark);
    expect(heap.allocate(100)).toBe(first);
    expect(kept).toBeLessThan(first);
  });

  test("keeps what is in it as it grows, and shows it in views asked for again", () => {
    const heap = make();
    const offset = heap.allocate(1000 * 8);
    const values = randomValues(1000, 1);
    heap.elements(offset, 1000).set(values);
    const old = heap.u8.buffer;
    for (const mebibytes of [1, 3, 10, 40]) {
      const region = heap.allocate(mebibytes * MEBIBYTE);
      // The last byte of the region is in the memory, and in every view.
      expect(heap.u8[region + mebibytes * MEBIBYTE - 1]).toBe(0);
      for (const view of [heap.u8, heap.u32, heap.f32, heap.f64]) expect(view.buffer).toBe(heap.u8.buffer);
      expect([...heap.elements(offset, 1000)]).toEqual([...values]);
    }
    expect(heap.u8.buffer).not.toBe(old);
  });

  test("does not grow for what fits", () => {
    const heap = make();
    heap.allocate(10 * MEBIBYTE);
    const { buffer } = heap.u8;
    const mark = heap.top;
    heap.release(mark - 5 * MEBIBYTE);
    heap.allocate(5 * MEBIBYTE);
    expect(heap.u8.buffer).toBe(buffer);
  });

  test("reserves room without giving it out", () => {
    const heap = make();
    const top = heap.top;
    heap.reserve(10 * MEBIBYTE);
    expect(heap.top).toBe(top);
    expect(heap.u8.length).toBeGreaterThan(10 * MEBIBYTE);
  });

  test("refuses more than 32 bits can address, with the figures and the way out, and goes on", () => {
    const heap = make();
    const top = heap.top;
    expect(() => heap.allocate(5000 * MEBIBYTE)).toThrow(
      "the network's memory would have to grow to 5001 MiB (5000 MiB of it for the last region), which the engine " +
        "does not grant; the limit is 4096 MiB. " +
        'Use dtype "float32", keep the data as Uint8Array, take a smaller batchSize, or split the data over several ' +
        "calls of fit",
    );
    expect(() => heap.allocate(5000 * MEBIBYTE)).toThrow(RangeError);
    expect(heap.top).toBe(top);
    expect(heap.allocate(100)).toBe(top);
  });
});

describe("a view of the working type", () => {
  test.each(dtypes)("counts elements of %s", (dtype) => {
    const heap = new Heap(new WasmExecutor({ dtype }), dtype);
    const offset = heap.allocate(10 * 8);
    const view = heap.elements(offset, 10);
    expect(view).toHaveLength(10);
    expect(view.byteOffset).toBe(offset);
    expect(view).toBeInstanceOf(dtype === "float64" ? Float64Array : Float32Array);
  });
});

const INPUTS = 50;
const OUTPUTS = 2;
const ROWS = 20;

/** A network and data for it. */
function makeNetwork(executor: ExecutorOption = "wasm") {
  const layers = [new Dense(6, { activation: "tanh" }), new Dense(OUTPUTS, { activation: "linear" })];
  const network = new Network({ inputs: INPUTS, layers, seed: 1, executor });
  return { network, x: randomValues(ROWS * INPUTS, 1), t: randomValues(ROWS * OUTPUTS, 2) };
}

describe.each(executors)("a network whose memory grows on %s", (executor) => {
  test("keeps its parameters, and its layers show them again", () => {
    const { network } = makeNetwork(executor);
    const before = parameters(network);
    const { buffer } = network.layers[0].weights;
    network.heap.reserve(20 * MEBIBYTE);
    expect(network.layers[0].weights.buffer).not.toBe(buffer);
    expect(parameters(network)).toEqual(before);
  });

  test("in the middle of a fit trains to the same bits", async () => {
    const calm = makeNetwork(executor);
    const grown = makeNetwork(executor);
    await calm.network.fit(calm.x, calm.t, { epochs: 3, batchSize: 7 });
    let size = MEBIBYTE;
    await grown.network.fit(grown.x, grown.t, {
      epochs: 3,
      batchSize: 7,
      onBatch: () => {
        size += MEBIBYTE;
        grown.network.heap.reserve(size);
      },
    });
    expect(parameters(grown.network)).toEqual(parameters(calm.network));
  });
});

describe("a network whose memory cannot grow", () => {
  /** Makes the engine refuse: as if the machine were out of memory. */
  function refuseGrowth() {
    return vi.spyOn(WasmExecutor.prototype, "grow").mockImplementation(() => {
      throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
    });
  }

  const message = /would have to grow to \d+ MiB \(\d+ MiB of it for the last region\)/;

  // The inputs of a batch of 256 rows alone are more than the page of 64 KiB that the network has.
  const inputs = randomValues(1000 * INPUTS, 3);
  const targets = new Float64Array(1000 * OUTPUTS);

  test.each<[string, (network: Network) => unknown]>([
    ["fit", (network) => network.fit(inputs, targets)],
    ["predict", (network) => network.predict(inputs)],
    ["evaluate", (network) => network.evaluate(inputs, targets)],
    ["gradients", (network) => network.gradients(inputs, targets)],
  ])("refuses %s and is as before", async (_, call) => {
    const { network, x, t } = makeNetwork();
    const before = parameters(network);
    const top = network.heap.top;
    const grow = refuseGrowth();
    await expect((async () => call(network))()).rejects.toThrow(message);
    expect(grow).toHaveBeenCalled();
    expect(network.heap.top).toBe(top);
    expect(parameters(network)).toEqual(before);
    // A smaller one still fits.
    await expect(network.fit(x, t)).resolves.toHaveLength(1);
    grow.mockRestore();
    await expect(network.fit(inputs, targets)).resolves.toHaveLength(1);
  });

  test("refuses to be made, and leaves its layers to another", () => {
    // The first layer would fit, the second would not.
    const layers = [new Dense(10), new Dense(1000)];
    const grow = refuseGrowth();
    expect(() => new Network({ inputs: 10, layers })).toThrow(message);
    grow.mockRestore();
    expect(new Network({ inputs: 10, layers }).parameterCount).toBe(10 * 10 + 10 + 10 * 1000 + 1000);
  });

  test("gives the engine's own error as the cause", () => {
    refuseGrowth();
    const heap = new Heap(new WasmExecutor({ dtype: "float64" }), "float64");
    expect(() => heap.allocate(MEBIBYTE)).toThrow(
      expect.objectContaining({
        cause: expect.objectContaining({ message: expect.stringContaining("Unable to grow") }),
      }),
    );
  });
});

describe("memory goes with its network", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");

  test.each(executors)("2,000 networks on %s made, trained and dropped leave nothing", async (executor) => {
    const round = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const layer = new Dense(10, { activation: "softmax" });
        const network = new Network({ inputs: 100, layers: [layer], seed: i, executor });
        network.predict(new Float64Array(100));
        if (i % 100 === 0) await network.fit(new Float64Array(100), [i % 10]);
      }
      // Finalizers of the memories run between turns of the event loop.
      for (let turn = 0; turn < 3; turn++) {
        collect();
        await new Promise((resolve) => setImmediate(resolve));
      }
      // Not rss: it counts pages that were freed and that the allocator keeps for later.
      return process.memoryUsage().external;
    };
    const before = await round(100);
    const after = await round(2000);
    // Each holds 64 KiB of memory or more: kept, they would hold 125 MiB.
    expect(after - before).toBeLessThan(40 * MEBIBYTE);
  });
});
