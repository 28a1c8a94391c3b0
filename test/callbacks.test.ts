// Callbacks: their order, what stops a training, and those that come with the library.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type Callback,
  checkpoint,
  csvLogger,
  type EpochEntry,
  earlyStopping,
  type FitOptions,
  type Network,
  progress,
  type Run,
  sgd,
} from "../src/index.js";
import { makeClassifier, parameters, randomValues } from "./helpers.js";

const ROWS = 50;
const INPUTS = 4;
const x = randomValues(ROWS * INPUTS, 1);
const classes = Uint8Array.from({ length: ROWS }, (_, r) =>
  x[r * INPUTS] > 0.5 ? 2 : x[r * INPUTS + 1] > 0 ? 1 : 0,
);

const later = () => new Promise((resolve) => setTimeout(resolve, 1));

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A callback that acts on a network before the others see the entry: sets the figure that they watch. */
function figures(values: number[], name = "validationLoss"): Callback {
  return {
    onEpoch(entry) {
      (entry as unknown as Record<string, number>)[name] = values[entry.epoch - 1];
    },
  };
}

describe("callbacks", () => {
  test("are called in order, each awaited before the next, after onEpoch and onBatch", async () => {
    const calls: string[] = [];
    const named = (name: string): Callback => ({
      async onBegin() {
        await later();
        calls.push(`${name} begins`);
      },
      async onBatch({ epoch, batch }) {
        await later();
        calls.push(`${name} ${epoch}.${batch}`);
      },
      async onEpoch({ epoch }) {
        await later();
        calls.push(`${name} ${epoch}`);
      },
      async onEnd(history) {
        await later();
        calls.push(`${name} ends after ${history.length}`);
      },
    });
    await makeClassifier().fit(x, classes, {
      epochs: 2,
      batchSize: 30,
      callbacks: [named("a"), named("b"), ({ epoch }) => calls.push(`c ${epoch}`)],
      onEpoch: ({ epoch }) => calls.push(`option ${epoch}`),
      onBatch: ({ epoch, batch }) => calls.push(`option ${epoch}.${batch}`),
    });
    const epoch = (n: number) => [
      ...[1, 2].flatMap((batch) => [`option ${n}.${batch}`, `a ${n}.${batch}`, `b ${n}.${batch}`]),
      `option ${n}`,
      `a ${n}`,
      `b ${n}`,
      `c ${n}`,
    ];
    const ends = ["a ends after 2", "b ends after 2"];
    expect(calls).toEqual(["a begins", "b begins", ...epoch(1), ...epoch(2), ...ends]);
  });

  test("are told of the run before its first step", async () => {
    const network = makeClassifier();
    let run!: Run;
    let then: Float64Array | undefined;
    const before = parameters(network);
    const onBegin = (given: Run) => {
      run = given;
      then = parameters(network);
    };
    await network.fit(x, classes, {
      epochs: 3,
      batchSize: 20,
      validationSplit: 0.1,
      metrics: ["f1"],
      callbacks: [{ onBegin }],
    });
    expect(then).toEqual(before);
    expect(run).toMatchObject({ epochs: 3, batchSize: 20, batches: 3, rows: 45 });
    expect(run.network).toBe(network);
    expect(run.metrics).toEqual([
      "loss",
      "accuracy",
      "f1",
      "validationLoss",
      "validationAccuracy",
      "validationF1",
    ]);
  });

  test("keep the methods of their class", async () => {
    class Counter {
      epochs = 0;
      onEpoch() {
        this.epochs++;
      }
    }
    const counter = new Counter();
    await makeClassifier().fit(x, classes, { epochs: 3, callbacks: [counter] });
    expect(counter.epochs).toBe(3);
  });

  test("may have a state for each fit: what onBegin returns", async () => {
    const counts: number[] = [];
    const counting: Callback = {
      onBegin() {
        let count = 0;
        return { onEpoch: () => void counts.push(++count) };
      },
      onEpoch: () => counts.push(-1),
      onEnd: () => counts.push(0),
    };
    const options = { epochs: 2, callbacks: [counting] };
    await makeClassifier().fit(x, classes, options);
    await makeClassifier().fit(x, classes, options);
    expect(counts).toEqual([1, 2, 0, 1, 2, 0]);
  });

  test.each(["onBegin", "onBatch", "onEpoch", "onEnd"] as const)(
    "that throw in %s make fit reject",
    async (hook) => {
      const network = makeClassifier();
      const error = new Error("no");
      await expect(
        network.fit(x, classes, { callbacks: [{ [hook]: () => Promise.reject(error) }] }),
      ).rejects.toBe(error);
      await network.fit(x, classes);
    },
  );

  test("are not told of the end of a training that fails", async () => {
    const onEnd = vi.fn();
    const training = makeClassifier().fit(x, classes, {
      learningRate: 1e300,
      epochs: 9,
      callbacks: [{ onEnd }],
    });
    await expect(training).rejects.toThrow("diverged");
    expect(onEnd).not.toHaveBeenCalled();
  });

  test.each([
    [{}, "callbacks is an object (Object), but must be an array, e.g. [earlyStopping()]"],
    [
      [5],
      "callbacks[0] is 5, but must be a function, or an object with some of onBegin, onBatch, onEpoch, onEnd",
    ],
    [[null], "callbacks[0] is null, but must be a function"],
    [
      [progress(), { onEpochEnd() {} }],
      "callbacks[1] is an object (Object), but must be a function, or an object with some of onBegin, onBatch, onEpoch, onEnd",
    ],
    [[{ onEpoch: 5 }], "callbacks[0].onEpoch is 5, but must be a function"],
  ])("that are none are an error: %#", async (callbacks, message) => {
    const network = makeClassifier();
    const before = parameters(network);
    await expect(network.fit(x, classes, { callbacks } as FitOptions)).rejects.toThrow(message);
    expect(parameters(network)).toEqual(before);
  });
});

describe("false", () => {
  test.each([
    ["the option onEpoch", (stop: (e: EpochEntry) => unknown): FitOptions => ({ onEpoch: stop })],
    ["a function", (stop: (e: EpochEntry) => unknown): FitOptions => ({ callbacks: [stop] })],
    ["a callback", (stop: (e: EpochEntry) => unknown): FitOptions => ({ callbacks: [{ onEpoch: stop }] })],
    [
      "a promise",
      (stop: (e: EpochEntry) => unknown): FitOptions => ({ callbacks: [async (entry) => stop(entry)] }),
    ],
  ])("of %s stops after the epoch, with the entries so far", async (_, options) => {
    const stopped = makeClassifier();
    const whole = makeClassifier();
    const history = await stopped.fit(x, classes, { epochs: 9, ...options(({ epoch }) => epoch < 3) });
    expect(history.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    await whole.fit(x, classes, { epochs: 3 });
    expect(parameters(stopped)).toEqual(parameters(whole));
    // It goes on as if nothing had been.
    await stopped.fit(x, classes);
    await whole.fit(x, classes);
    expect(parameters(stopped)).toEqual(parameters(whole));
  });

  test("lets all others be called, and the end", async () => {
    const calls: string[] = [];
    await makeClassifier().fit(x, classes, {
      epochs: 9,
      onEpoch: () => false,
      callbacks: [
        ({ epoch }) => void calls.push(`epoch ${epoch}`),
        { onEnd: (history) => void calls.push(`end ${history.length}`) },
      ],
    });
    expect(calls).toEqual(["epoch 1", "end 1"]);
  });

  test("and nothing but it stops", async () => {
    for (const value of [0, "", null, undefined, Number.NaN]) {
      expect(
        await makeClassifier().fit(x, classes, { epochs: 2, onEpoch: () => value, onBatch: () => value }),
      ).toHaveLength(2);
    }
  });

  test.each([1, 2])(
    "of onBatch stops after the step, without an entry for the epoch, on %i threads",
    async (threads) => {
      const stopped = makeClassifier({ threads });
      const watched = makeClassifier({ threads });
      const options = { epochs: 9, batchSize: 20 };
      const history = await stopped.fit(x, classes, {
        ...options,
        onBatch: ({ epoch, batch }) => !(epoch === 2 && batch === 2),
      });
      expect(history.map(({ epoch }) => epoch)).toEqual([1]);
      let then: Float64Array | undefined;
      await watched.fit(x, classes, {
        ...options,
        onBatch: ({ epoch, batch }) => {
          if (epoch === 2 && batch === 2) then = parameters(watched);
        },
      });
      expect(parameters(stopped)).toEqual(then);
      await stopped.fit(x, classes);
    },
  );

  test("of onBatch in the last step of an epoch leaves its entry", async () => {
    const history = await makeClassifier().fit(x, classes, {
      epochs: 9,
      batchSize: 20,
      validationSplit: 0.2,
      onBatch: ({ batch, batches }) => batch < batches!,
    });
    expect(history).toHaveLength(1);
    expect(history[0].validationLoss).toBeGreaterThan(0);
  });

  test("of onBegin trains nothing", async () => {
    const network = makeClassifier();
    const before = parameters(network);
    expect(await network.fit(x, classes, { callbacks: [{ onBegin: () => false }] })).toEqual([]);
    expect(parameters(network)).toEqual(before);
  });
});

describe("a snapshot", () => {
  test.each([1, 3])(
    "is put back to the bit, in the middle of a training with momentum on %i threads",
    async (threads) => {
      const network = makeClassifier({ threads });
      const seen: Float64Array[] = [];
      let run!: Run;
      let bytes!: Uint8Array;
      await network.fit(x, classes, {
        epochs: 4,
        batchSize: 20,
        optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }),
        callbacks: [
          {
            onBegin(given) {
              run = given;
            },
            onEpoch({ epoch }) {
              if (epoch === 2) bytes = run.snapshot();
              if (epoch === 3) run.restore(bytes);
              seen.push(parameters(network));
            },
          },
        ],
      });
      expect(seen[2]).toEqual(seen[1]);
      expect(seen[3]).not.toEqual(seen[2]);
      run.restore(bytes);
      expect(parameters(network)).toEqual(seen[1]);
    },
  );

  test("is refused while a step is under way, and can be taken then: of the step before", async () => {
    const network = makeClassifier({ threads: 2 });
    let run!: Run;
    let bytes: Uint8Array | undefined;
    let refused: unknown;
    const good: Uint8Array[] = [];
    const timer = setInterval(() => {
      if (!run) return;
      try {
        run.restore(good[0]);
      } catch (error) {
        refused = error;
        bytes ??= run.snapshot();
      }
    }, 0);
    await network.fit(randomValues(20_000 * INPUTS, 1), new Uint8Array(20_000), {
      epochs: 500,
      callbacks: [
        {
          onBegin(given) {
            good.push(given.snapshot());
            run = given;
          },
          onEpoch() {
            good.push(run.snapshot());
            return refused === undefined;
          },
        },
      ],
    });
    clearInterval(timer);
    expect(refused).toEqual(new Error("a step is under way: call restore in a callback, before it returns"));
    // Nobody has read before: it is the one that the epoch began with.
    expect(good.some((other) => Buffer.from(other).equals(bytes!))).toBe(true);
  });

  test("of something else is refused", async () => {
    await makeClassifier().fit(x, classes, {
      callbacks: [
        {
          onBegin(run) {
            expect(() => run.restore(new Uint8Array(3))).toThrow(
              "restore takes what snapshot of the same network",
            );
            expect(() => run.restore(undefined as unknown as Uint8Array)).toThrow(RangeError);
          },
        },
      ],
    });
  });
});

describe("earlyStopping", () => {
  /** How many epochs are trained while the figure takes these values. */
  async function epochsOf(values: number[], options = {}, name?: string): Promise<number> {
    const callbacks = [figures(values, name), earlyStopping(options)];
    const validationSplit = 0.2;
    return (await makeClassifier().fit(x, classes, { epochs: values.length, validationSplit, callbacks }))
      .length;
  }

  test.each([
    ["stops after the first epoch that is no better", [3, 2, 2, 1], {}, 3],
    ["waits for `patience` epochs", [3, 2, 4, 4, 4, 4], { patience: 3 }, 5],
    ["begins to wait anew after an improvement", [3, 2, 4, 1, 4, 4, 4], { patience: 2 }, 6],
    ["goes on to the end while the figure gets better", [5, 4, 3, 2, 1], {}, 5],
    ["takes less than minDelta for no improvement", [3, 2.5, 1.9, 1.8], { minDelta: 1 }, 2],
    ["takes more where more is better", [1, 2, 3, 2], { mode: "max" }, 4],
    ["does not watch the first epochs", [1, 2, 3, 2, 3, 4], { startFrom: 2 }, 5],
    ["waits until the baseline is passed", [9, 8, 7, 6, 5], { baseline: 4, patience: 3 }, 5],
    ["stops where the baseline was never passed", [9, 10, 11, 12, 13], { baseline: 4, patience: 3 }, 3],
    ["takes NaN for no improvement", [1, Number.NaN, 0.5], {}, 2],
    ["never stops after the first epoch", [Number.NaN, 2, 1], {}, 3],
  ])("%s", async (_, values, options, epochs) => {
    expect(await epochsOf(values, options)).toBe(epochs);
  });

  test("watches the loss where there is no validation, and knows that an accuracy rises", async () => {
    const train = async (values: number[], name: string, options = {}) => {
      const callbacks = [figures(values, name), earlyStopping(options)];
      return (await makeClassifier().fit(x, classes, { epochs: 4, callbacks })).length;
    };
    expect(await train([4, 3, 3.5, 2], "loss")).toBe(3);
    expect(await train([0.1, 0.2, 0.3, 0.4], "accuracy", { monitor: "accuracy" })).toBe(4);
    expect(await train([0.4, 0.3, 0.2, 0.1], "accuracy", { monitor: "accuracy" })).toBe(2);
  });

  test.each([
    ["when it stops", [3, 1, 2, 2, 2, 2], 5],
    ["when all epochs are done", [3, 1, 2], 3],
  ])("puts the best weights back, to the bit, %s", async (_, values, trained) => {
    for (const threads of [1, 3]) {
      for (const momentum of [0, 0.9]) {
        const network = makeClassifier({ threads });
        const seen: Float64Array[] = [];
        const history = await network.fit(x, classes, {
          epochs: values.length,
          batchSize: 20,
          optimizer: sgd({ learningRate: 0.1, momentum }),
          validationSplit: 0.2,
          callbacks: [
            figures(values),
            () => void seen.push(parameters(network)),
            earlyStopping({ patience: 3, restoreBestWeights: true }),
          ],
        });
        expect(history).toHaveLength(trained);
        expect(parameters(network)).toEqual(seen[1]);
        expect(seen[2]).not.toEqual(seen[1]);
        // It goes on from there.
        const [entry] = await network.fit(x, classes, { batchSize: ROWS });
        expect(entry.loss).toBeGreaterThan(0);
        expect(parameters(network)).not.toEqual(seen[1]);
      }
    }
  });

  test("leaves the last weights unless it is asked for the best", async () => {
    const network = makeClassifier();
    let last: Float64Array | undefined;
    const callbacks = [
      figures([3, 1, 2]),
      () => {
        last = parameters(network);
      },
      earlyStopping({ patience: 5 }),
    ];
    await network.fit(x, classes, { epochs: 3, validationSplit: 0.2, callbacks });
    expect(parameters(network)).toEqual(last);
  });

  test("serves several fits, also at once", async () => {
    const stopping = earlyStopping({ patience: 1, restoreBestWeights: true });
    const train = (values: number[]) =>
      makeClassifier().fit(x, classes, {
        epochs: values.length,
        validationSplit: 0.2,
        callbacks: [figures(values), later, stopping],
      });
    const histories = await Promise.all([train([3, 2, 2, 2]), train([9, 8, 7, 6, 5, 4])]);
    expect(histories.map(({ length }) => length)).toEqual([3, 6]);
    expect(await train([99, 98, 97, 97])).toHaveLength(4);
  });

  test("refuses a figure that there is not, before the first step", async () => {
    const network = makeClassifier();
    const before = parameters(network);
    const callbacks = [earlyStopping({ monitor: "validationF1" })];
    await expect(network.fit(x, classes, { metrics: ["f1"], callbacks })).rejects.toThrow(
      'monitor is "validationF1", but this fit has loss, accuracy, f1: take one of them, or give fit the metrics or the ' +
        "validation data for it",
    );
    expect(parameters(network)).toEqual(before);
    await network.fit(x, classes, { metrics: ["f1"], validationSplit: 0.2, callbacks });
  });

  test.each([
    [{ patience: -1 }, "patience is -1, but must be an integer of at least 0"],
    [{ minDelta: -0.1 }, "minDelta is -0.1, but must be a finite number of at least 0"],
    [{ mode: "up" }, 'mode is "up", but must be one of "auto", "min", "max"'],
    [{ monitor: 5 }, 'monitor is 5, but must be the name of a figure, e.g. "validationLoss"'],
    [{ baseline: "low" }, 'baseline is "low", but must be a finite number'],
    [{ restoreBestWeights: 1 }, "restoreBestWeights is 1, but must be true or false"],
    [{ startFrom: 0.5 }, "startFrom is 0.5, but must be an integer of at least 0"],
    [{ restoreBest: true }, 'earlyStopping has no option "restoreBest": it takes monitor, mode, patience'],
  ])("refuses unusable options: %#", (options, message) => {
    expect(() => earlyStopping(options as object)).toThrow(message);
  });
});

describe("checkpoint", () => {
  async function savedAfter(values: number[], options = {}): Promise<number[]> {
    const saved: number[] = [];
    const network = makeClassifier();
    await network.fit(x, classes, {
      epochs: values.length,
      validationSplit: 0.2,
      callbacks: [
        figures(values),
        checkpoint(async (given: Network, entry) => {
          await later();
          expect(given).toBe(network);
          saved.push(entry.epoch);
        }, options),
      ],
    });
    return saved;
  }

  test("saves after each epoch that is the best so far", async () => {
    expect(await savedAfter([3, 4, 2, 2, 1])).toEqual([1, 3, 5]);
    expect(await savedAfter([3, 4, 2, 5, 1], { mode: "max" })).toEqual([1, 2, 4]);
  });

  test("saves after every, or every so many", async () => {
    expect(await savedAfter([3, 4, 2, 2, 1], { bestOnly: false })).toEqual([1, 2, 3, 4, 5]);
    expect(await savedAfter([3, 4, 2, 2, 1], { bestOnly: false, every: 2 })).toEqual([2, 4]);
    expect(await savedAfter([3, 4, 2, 5, 1, 1], { every: 2 })).toEqual([2, 6]);
  });

  test("that fails makes fit reject", async () => {
    const save = () => Promise.reject(new Error("the disk is full"));
    await expect(makeClassifier().fit(x, classes, { callbacks: [checkpoint(save)] })).rejects.toThrow(
      "the disk is full",
    );
  });

  test("refuses what is not usable", async () => {
    expect(() => checkpoint(undefined as never)).toThrow("save is undefined, but must be a function");
    expect(() => checkpoint(later, { every: 0 })).toThrow("every is 0, but must be an integer of at least 1");
    const callbacks = [checkpoint(later, { monitor: "f1" })];
    await expect(makeClassifier().fit(x, classes, { callbacks })).rejects.toThrow(
      'monitor is "f1", but this fit has loss',
    );
  });
});

describe("csvLogger", () => {
  const options = { epochs: 2, validationSplit: 0.2, metrics: ["f1"] } satisfies FitOptions;
  const header = "epoch,loss,accuracy,f1,validationLoss,validationAccuracy,validationF1,seconds";
  const rowOf = (entry: EpochEntry, separator = ",") =>
    [
      entry.epoch,
      entry.loss,
      entry.accuracy,
      entry.f1,
      entry.validationLoss,
      entry.validationAccuracy,
      entry.validationF1,
      entry.seconds,
    ].join(separator);

  test("gives a function a header and a line an epoch, and awaits it", async () => {
    const lines: string[] = [];
    const write = async (line: string) => {
      await later();
      lines.push(line);
    };
    const history = await makeClassifier().fit(x, classes, { ...options, callbacks: [csvLogger(write)] });
    expect(lines).toEqual([header, ...history.map((entry) => rowOf(entry))]);
  });

  test("writes a file, anew or behind what is in it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "csv-"));
    try {
      const path = join(folder, "log.csv");
      writeFileSync(path, "old\n");
      const train = (more = {}) =>
        makeClassifier().fit(x, classes, { ...options, callbacks: [csvLogger(path, more)] });
      const first = await train({ separator: ";" });
      const text = [header.replaceAll(",", ";"), ...first.map((entry) => rowOf(entry, ";")), ""].join("\n");
      expect(readFileSync(path, "utf8")).toBe(text);
      const second = await train({ separator: ";", append: true });
      const appended = second.map((entry) => `${rowOf(entry, ";")}\n`).join("");
      expect(readFileSync(path, "utf8")).toBe(text + appended);
      rmSync(path);
      const third = await train({ append: true });
      expect(readFileSync(path, "utf8")).toBe([header, ...third.map((entry) => rowOf(entry)), ""].join("\n"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("that cannot write makes fit reject, before the first step", async () => {
    const network = makeClassifier();
    const before = parameters(network);
    const callbacks = [csvLogger(join(tmpdir(), "no", "such", "folder", "log.csv"))];
    await expect(network.fit(x, classes, { callbacks })).rejects.toThrow("ENOENT");
    expect(parameters(network)).toEqual(before);
  });

  test("refuses a path where there are no files, and what is neither a path nor a function", () => {
    expect(() => csvLogger(5 as never)).toThrow("csvLogger writes to a path or a function, but got 5");
    expect(() => csvLogger(later, { separator: 1 } as never)).toThrow(
      'separator is 1, but must be text, e.g. ";"',
    );
    vi.stubGlobal("process", undefined);
    expect(() => csvLogger("log.csv")).toThrow(
      'csvLogger cannot write the file "log.csv", for there are none here: pass a function, which gets the lines',
    );
  });
});

describe("progress", () => {
  const options = { epochs: 2, batchSize: 20, validationSplit: 0.2, metrics: ["f1"] } satisfies FitOptions;
  /** Times and rates are those of the machine. */
  const masked = (text: string) =>
    text.replace(/ *\d+\.\d\d s +[\d,]+$/gm, " TIME").replace(/ +\d+ s left +[\d,]+/g, " LEFT");

  /** A terminal: what it is given, and what it then shows, line by line. */
  function terminal(properties: object, env: Record<string, string> = {}) {
    let text = "";
    const stdout = {
      isTTY: true,
      columns: 100,
      hasColors: () => false,
      write: (more: string) => {
        text += more;
      },
      ...properties,
    };
    vi.stubGlobal("process", { ...process, stdout, env });
    vi.spyOn(console, "log").mockImplementation((line: string) => {
      text += `${line}\n`;
    });
    return {
      get text() {
        return text;
      },
      /** What stays: each carriage return begins its line anew. */
      get lines() {
        const kept = text
          .split("\n")
          .map((line) => line.slice(line.lastIndexOf("\r") + 1).replace("\x1b[K", ""));
        return kept.filter((line) => line !== "");
      },
    };
  }

  const train = async (more: Parameters<typeof progress>[0] = {}, changed: FitOptions = {}) =>
    await makeClassifier().fit(x, classes, { ...options, ...changed, callbacks: [progress(more)] });

  const percent = (share: number) => `${(share * 100).toFixed(2)} %`.padStart(8);
  const header = "epoch    loss  accuracy      f1  validation loss  accuracy      f1       time  samples/s";
  const rowOf = (e: EpochEntry) =>
    `  ${e.epoch}/2  ${e.loss.toFixed(4)}  ${percent(e.accuracy!)}  ${e.f1!.toFixed(4)}  ` +
    `         ${e.validationLoss!.toFixed(4)}  ${percent(e.validationAccuracy!)}  ${e.validationF1!.toFixed(4)} TIME`;

  test("gives a function a table of the figures that there are", async () => {
    const lines: string[] = [];
    const history = await train({
      write: async (line) => {
        await later();
        lines.push(line);
      },
    });
    expect(lines[0]).toBe(header);
    expect(lines.slice(1).map(masked)).toEqual(history.map(rowOf));
    expect(lines[1]).toMatch(/ {2}\d+\.\d\d s {2} *[\d,]+$/);
  });

  test("shows the same in a pipe, without a line under way", async () => {
    const out = terminal({ isTTY: undefined, columns: undefined });
    const history = await train({}, { metrics: [] });
    expect(out.text).not.toContain("\r");
    expect(out.lines[0]).toBe("epoch    loss  accuracy  validation loss  accuracy       time  samples/s");
    expect(out.lines).toHaveLength(1 + history.length);
  });

  test("shows the epoch under way in a terminal, and the table in its place", async () => {
    const out = terminal({});
    const history = await train();
    expect(out.lines[0]).toBe(header);
    expect(out.lines.slice(1).map(masked)).toEqual(history.map(rowOf));
    // After the first of two batches.
    const visible = masked(stripVTControlCharacters(out.text));
    expect(visible).toMatch(/\r {2}1\/2 {2}\d\.\d{4} {2} *\d+\.\d\d % {2}━{13}─{12} LEFT\r/);
    expect(out.text.replaceAll("\x1b[K", "")).not.toContain("\x1b");
  });

  test("has colours where the terminal has, or as it is told", async () => {
    const coloured = terminal({ hasColors: () => true });
    await train();
    expect(coloured.text).toContain("\x1b[1mepoch ");
    expect(coloured.text).toContain("\x1b[32m━");
    expect(coloured.text).toContain("━\x1b[0m\x1b[2m─");
    const plain = terminal({ hasColors: () => true });
    await train({ colours: false });
    expect(plain.text.replaceAll("\x1b[K", "")).not.toContain("\x1b");
    const lines: string[] = [];
    await train({ colours: true, write: (line) => lines.push(line) });
    expect(lines[0]).toBe(`\x1b[1m${header}\x1b[0m`);
  });

  test("leaves out the last columns of a narrow terminal", async () => {
    for (const columns of [20, 40, 60]) {
      const out = terminal({ columns, hasColors: () => true });
      await train();
      const visible = stripVTControlCharacters(out.text).split(/[\r\n]/);
      expect(Math.max(...visible.map(({ length }) => length)), `${columns}`).toBeLessThan(columns);
      expect(visible[0]).toBe(header.slice(0, visible[0].length));
    }
  });

  test("has no line under way in a terminal that cannot rewrite one", async () => {
    const out = terminal({}, { TERM: "dumb" });
    await train();
    expect(out.text).not.toContain("\r");
    expect(out.lines).toHaveLength(3);
  });

  test("works where there is no process", async () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const { process } = globalThis;
    const callback = progress();
    const lines: string[] = [];
    vi.stubGlobal("process", undefined);
    const hooks = (await callback.onBegin!({ metrics: ["loss"], epochs: 1, rows: 10 } as never)) as Callback;
    await hooks.onEpoch!({ epoch: 1, loss: 12345.678, learningRate: 0.1, seconds: 0.5 });
    vi.stubGlobal("process", process);
    for (const [line] of log.mock.calls) lines.push(line);
    expect(lines).toEqual(["epoch    loss       time  samples/s", "  1/1   12346     0.50 s         20"]);
    expect(hooks.onBatch).toBeUndefined();
  });

  test("writes a line every so many epochs, and of the last", async () => {
    const lines: string[] = [];
    await train({ every: 2, write: (line) => lines.push(line) }, { epochs: 5 });
    expect(lines.slice(1).map((line) => line.trim().slice(0, 3))).toEqual(["2/5", "4/5", "5/5"]);
  });

  test("clears its line when a training is stopped in the middle of an epoch", async () => {
    const out = terminal({});
    await makeClassifier().fit(x, classes, {
      ...options,
      callbacks: [progress(), { onBatch: ({ epoch }) => epoch < 2 }],
    });
    expect(out.text.endsWith("\r\x1b[K")).toBe(true);
  });

  test("shows small and large figures in a few digits", async () => {
    const lines: string[] = [];
    const callback = progress({ write: (line) => lines.push(line) });
    const hooks = (await callback.onBegin!({
      metrics: ["loss", "rootMeanSquaredError"],
      epochs: 3,
      rows: 10,
    } as never)) as Callback;
    await hooks.onEpoch!({
      epoch: 1,
      loss: 0.000012345,
      rootMeanSquaredError: 123.456,
      learningRate: 0.1,
      seconds: 1,
    });
    await hooks.onEpoch!({ epoch: 2, loss: 0, rootMeanSquaredError: 0.5, learningRate: 0.1, seconds: 1 });
    expect(lines).toEqual([
      "epoch    loss  root mean squared error       time  samples/s",
      "  1/3  1.2e-5                   123.46     1.00 s         10",
      "  2/3  0.0000                   0.5000     1.00 s         10",
    ]);
  });

  test.each([
    [{ write: 5 }, "write is 5, but must be a function"],
    [{ every: 0 }, "every is 0, but must be an integer of at least 1"],
    [{ colours: "yes" }, 'colours is "yes", but must be true or false'],
    [{ color: true }, 'progress has no option "color": it takes write, every, colours'],
  ])("refuses unusable options: %#", (given, message) => {
    expect(() => progress(given as object)).toThrow(message);
  });
});
