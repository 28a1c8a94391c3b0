// Surroundings that forbid or fake what a training needs: an error that names what blocks it and the way out, never
// a hang.

import { afterEach, describe, expect, test, vi } from "vitest";
import {
  Activation,
  BatchNormalization,
  Dense,
  Dropout,
  Flatten,
  type Layer,
  Network,
  Normalization,
} from "../src/index.js";
import { makeClassifier, randomValues } from "./helpers.js";
import { runProcess } from "./process.js";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("An engine that refuses to compile: the error names the page's policy and the reference executor", () => {
  class Refused {
    constructor() {
      throw new WebAssembly.CompileError("Refused to compile: 'unsafe-eval' is not an allowed source");
    }
  }
  vi.stubGlobal("WebAssembly", { ...descriptors(WebAssembly), Module: Refused });
  // The first test of the file: a module that has been compiled is kept.
  const make = () => makeClassifier({ deterministic: true, threads: 2 });
  expect(make).toThrow(
    /did not compile .*\(Refused to compile.*\): .*script-src 'wasm-unsafe-eval'; or import { reference } from "wasmgrad\/reference"/s,
  );
  vi.unstubAllGlobals();
  expect(make().outputs).toBe(3);
});

const TRAIN = `
  const network = new Network({ inputs: 2, layers: [new Dense(8), new Dense(1)], seed: 1, ...options });
  const history = await network.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], { epochs: 5 });
  console.log("trained", history.length);`;

const tryTo = (options: string) => `
  try {
    const options = ${options};
    ${TRAIN}
  } catch (error) {
    console.log(error.message);
  }`;

/** Node's permission model: files may be read, nothing else. */
const permission = process.versions.node.startsWith("20.") ? "--experimental-permission" : "--permission";
const restricted = [permission, "--allow-fs-read=*"];

describe("a process", () => {
  test("without WebAssembly names the reference executor, which trains there", async () => {
    const { stdout } = await runProcess(tryTo("{}") + tryTo("{ executor: reference }"), ["--jitless"]);
    const [message, trained] = stdout.split("\n");
    expect(message).toMatch(
      /^this engine has no WebAssembly .*--jitless.*import { reference } from "wasmgrad\/reference" and pass executor: reference/,
    );
    expect(trained).toBe("trained 5");
  });

  test("that may not start workers names the permission, and trains on one thread", async () => {
    const { stdout } = await runProcess(tryTo("{ threads: 2 }") + tryTo("{ threads: 1 }"), restricted);
    const [message, trained] = stdout.split("\n");
    expect(message).toMatch(/^could not start 2 worker threads .*threads: 1 .*--allow-worker/);
    expect(trained).toBe("trained 5");
  });
});

test("An engine that has no room for another memory: the error says what to do", () => {
  class Full {
    constructor() {
      throw new RangeError("WebAssembly.Memory(): could not allocate memory");
    }
  }
  const layer = new Dense(2);
  vi.stubGlobal("WebAssembly", { ...descriptors(WebAssembly), Memory: Full });
  expect(() => new Network({ inputs: 2, layers: [layer] })).toThrow(
    /has no memory for another network \(.*could not allocate memory\): let go of networks/,
  );
  vi.unstubAllGlobals();
  expect(new Network({ inputs: 2, layers: [layer] }).outputs).toBe(2);
});

/** The members of a namespace object, which are not enumerable. */
function descriptors(namespace: object): Record<string, unknown> {
  const names = Object.getOwnPropertyNames(namespace);
  return Object.fromEntries(names.map((name) => [name, (namespace as Record<string, unknown>)[name]]));
}

describe("a training of many slices", () => {
  const x = randomValues(4000 * 4, 1);
  const classes = Uint8Array.from({ length: 4000 }, (_, i) => i % 3);
  /** A clock by which every slice is long enough for the event loop to turn after it. */
  function quickClock(): void {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 25));
  }

  test.each([1, 2])(
    "ends on %d threads though timers and setImmediate are faked and never fire",
    async (threads) => {
      const network = makeClassifier({ threads });
      vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "setImmediate"] });
      quickClock();
      await expect(network.fit(x, classes, { epochs: 3 })).resolves.toHaveLength(3);
    },
  );

  test("ends where the global scope has no MessageChannel, as in jsdom", async () => {
    vi.stubGlobal("MessageChannel", undefined);
    quickClock();
    await expect(makeClassifier().fit(x, classes, { epochs: 3 })).resolves.toHaveLength(3);
  });
});

describe("a Proxy of a network, as Vue's reactive() makes one,", () => {
  const network = makeClassifier();
  const wrapped = new Proxy(network, {});
  const message = /^this is not a Network, but perhaps a Proxy of one, .*markRaw/;

  test.each<[string, () => unknown]>([
    ["fit", () => wrapped.fit([[1, 2, 3, 4]], [0])],
    ["evaluate", () => wrapped.evaluate([[1, 2, 3, 4]], [0])],
    ["evaluateAsync", () => wrapped.evaluateAsync([[1, 2, 3, 4]], [0])],
    ["predict", () => wrapped.predict([1, 2, 3, 4])],
    ["predictAsync", () => wrapped.predictAsync([1, 2, 3, 4])],
    ["summary", () => wrapped.summary()],
    ["parameterCount", () => wrapped.parameterCount],
  ])("says so in %s", async (_, call) => {
    await expect((async () => call())()).rejects.toThrow(message);
  });

  test("says so in a layer", () => {
    const layer = new Proxy(network.layers[0], {});
    expect(() => layer.weights).toThrow(/^this is not a Dense, but perhaps a Proxy of one/);
    expect(() => layer.parameterCount).toThrow(/^this is not a Dense, but perhaps a Proxy of one/);
  });

  const layers: Layer[] = [
    new Dense(2),
    new Activation("relu"),
    new Dropout(0.5),
    new Flatten(),
    new BatchNormalization(),
    new Normalization({ mean: 0, variance: 1 }),
  ];
  test.each(layers.map((layer) => [layer.kind, layer] as const))(
    "of a %s says so where a network is given it, and where it is frozen",
    (kind, layer) => {
      const wrapped = new Proxy(layer, {});
      const message = `this is not a ${kind}, but perhaps a Proxy of one`;
      expect(() => new Network({ inputs: 4, layers: [wrapped] })).toThrow(message);
      if (!("trainable" in layer)) return;
      expect(() => wrapped.trainable).toThrow(message);
      expect(() => {
        wrapped.trainable = false;
      }).toThrow(message);
    },
  );
});

test("Tools may replace the global Promise: work that takes longer than a slice is awaited all the same", async () => {
  vi.stubGlobal("Promise", class extends Promise<unknown> {});
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (now += 25));
  const network = makeClassifier();
  const x = randomValues(200_000 * 4, 1);
  await expect(network.fit(x, new Uint8Array(200_000), { batchSize: 50_000 })).resolves.toHaveLength(1);
  await expect(network.predictAsync(x)).resolves.toHaveLength(600_000);
  expect((await network.evaluateAsync(x, new Uint8Array(200_000))).accuracy).toBeGreaterThan(0);
});

test("A method that is called without its network says so", () => {
  const { predict } = makeClassifier();
  expect(() => Reflect.apply(predict, undefined, [[1, 2, 3, 4]])).toThrow(/^this is not a Network/);
});
