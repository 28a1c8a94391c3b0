// Schedules: against PyTorch's own, in a fit, and what they refuse.

import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import {
  adam,
  constant,
  cosineDecay,
  type EpochEntry,
  exponentialDecay,
  type FitOptions,
  type LearningRate,
  type Network,
  oneCycle,
  reduceOnPlateau,
  type Schedule,
  sgd,
  stepDecay,
} from "../src/index.js";
import { Rates } from "../src/rates.js";
import {
  expectClose,
  expectSameBits,
  makeClassifier as make,
  parameters,
  randomValues,
  reference,
} from "./helpers.js";

interface Golden {
  schedules: {
    schedule: keyof typeof factories;
    rate: number;
    options: object | null;
    epochs: number;
    stepsPerEpoch: number;
    /** Of every step. */
    rates: number[];
  }[];
  /** Of every epoch. */
  losses: number[];
  plateaus: { options: object; rates: number[] }[];
}

const factories = { constant, stepDecay, exponentialDecay, cosineDecay, oneCycle };
const golden: Golden = JSON.parse(readFileSync(new URL("./golden/schedules.json", import.meta.url), "utf8"));

/** The rates of all steps of a fit. */
function ratesOf(learningRate: LearningRate, epochs: number, stepsPerEpoch: number): number[] {
  const steps = epochs * stepsPerEpoch;
  const rates = new Rates(learningRate, { steps, epochs, stepsPerEpoch });
  return Array.from({ length: steps }, (_, step) => rates.at(step, Math.floor(step / stepsPerEpoch)));
}

const ROWS = 40;
const x = randomValues(ROWS * 4, 1);
const classes = Array.from({ length: ROWS }, (_, r) => r % 3);

describe("PyTorch's own rates are those of", () => {
  test.each(golden.schedules.map((one) => [one.schedule, one.options, one] as const))(
    "%s(rate, %j)",
    (_, __, one) => {
      const { schedule, rate, options, epochs, stepsPerEpoch, rates } = one;
      const made = (factories[schedule] as (rate: number, options?: object) => Schedule)(
        rate,
        ...(options ? [options] : []),
      );
      // PyTorch makes each of these rates of the one before.
      expectClose(ratesOf(made, epochs, stepsPerEpoch), rates, { relative: 1e-12, absolute: 1e-16 });
    },
  );

  test.each(golden.plateaus.map(({ options, rates }) => [options, rates] as const))(
    "reduceOnPlateau(rate, %j)",
    (options, expected) => {
      for (const key of ["loss", "validationLoss"] as const) {
        const rates = new Rates(reduceOnPlateau(0.3, options), { steps: 50, epochs: 50, stepsPerEpoch: 1 });
        const found = golden.losses.map((loss, epoch) => {
          const rate = rates.at(epoch, epoch);
          rates.epochEnded(key === "loss" ? { loss } : { loss: 1 / (epoch + 1), validationLoss: loss });
          return rate;
        });
        expectClose(found, expected, { relative: 1e-15 });
      }
    },
  );
});

describe("a schedule", () => {
  test("stays at its end after the steps that it was given", () => {
    expect(ratesOf(cosineDecay(1, { steps: 4, minimum: 0.25 }), 1, 8).slice(4)).toEqual([
      0.25, 0.25, 0.25, 0.25,
    ]);
    const cycle = ratesOf(oneCycle(1, { steps: 4, divFactor: 2, finalDivFactor: 2 }), 1, 8);
    expectClose(cycle.slice(3), new Array(5).fill(0.25), { relative: 1e-12 });
  });

  test("is computed without what may differ from engine to engine", () => {
    const steps = 1000;
    const expected = Array.from({ length: steps }, (_, t) => (1 + Math.cos((Math.PI * t) / steps)) / 2);
    const own = (["cos", "sin", "exp", "pow", "log"] as const).map((name) =>
      vi.spyOn(Math, name).mockImplementation(() => {
        throw new Error(`Math.${name} was called`);
      }),
    );
    try {
      expectClose(ratesOf(cosineDecay(1), 1, steps), expected, { absolute: 1e-15 });
      for (const schedule of [
        oneCycle(1),
        exponentialDecay(1, { factor: 0.999, per: "step" }),
        stepDecay(1, { every: 3 }),
      ])
        ratesOf(schedule, 3, steps);
    } finally {
      for (const spy of own) spy.mockRestore();
    }
  });

  test("of one step or two is a number", () => {
    for (const steps of [1, 2, 3]) {
      for (const threePhase of [false, true])
        expect(ratesOf(oneCycle(1, { threePhase }), 1, steps).every(Number.isFinite)).toBe(true);
      expect(ratesOf(cosineDecay(1), 1, steps)[0]).toBe(1);
    }
  });

  test("of a step each is that of one fit a step, at that rate, with plain SGD and with adam", async () => {
    for (const factory of [sgd, adam]) {
      const [one, other] = [make(), make()];
      const rates = [0.1, 0.3, 0.2, 0.05, 0.4, 0.1, 0.2, 0.15];
      const shuffle = false;
      const learningRate: Schedule = (step) => rates[step];
      await one.fit(x, classes, { optimizer: factory({ learningRate }), batchSize: 10, epochs: 2, shuffle });
      const optimizer = factory();
      for (const [step, rate] of rates.entries()) {
        const from = (step % 4) * 10;
        optimizer.learningRate = rate;
        const rows = [x.subarray(4 * from, 4 * (from + 10)), classes.slice(from, from + 10)] as const;
        await other.fit(...rows, { optimizer, batchSize: 10, shuffle });
      }
      expectSameBits(parameters(other), parameters(one));
    }
  });

  test("of 0 in a step leaves the parameters as they are in it", async () => {
    const [one, other] = [make(), make()];
    const shuffle = false;
    await one.fit(x, classes, { learningRate: (step) => (step === 0 ? 0.1 : 0), batchSize: 10, shuffle });
    await other.fit(x.subarray(0, 40), classes.slice(0, 10), { learningRate: 0.1, batchSize: 10, shuffle });
    expectSameBits(parameters(one), parameters(other));
  });

  test("is asked with the step, the epoch and how long the fit is", async () => {
    const asked: unknown[] = [];
    const learningRate: Schedule = (...all) => {
      asked.push(all);
      return 0.1;
    };
    await make().fit(x, classes, { learningRate, batchSize: 16, epochs: 2 });
    const fit = { steps: 6, epochs: 2, stepsPerEpoch: 3 };
    const all = [0, 1, 2, 3, 4, 5].map((step) => [step, Math.floor(step / 3), fit]);
    // Once before the fit, and then as each epoch begins.
    expect(asked).toEqual([...all, ...all]);
  });

  test("of a number is what the number is", async () => {
    for (const optimizer of [sgd, adam]) {
      const [one, other] = [make(), make()];
      await one.fit(x, classes, { optimizer: optimizer({ learningRate: 0.05 }), epochs: 3 });
      await other.fit(x, classes, { optimizer: optimizer({ learningRate: constant(0.05) }), epochs: 3 });
      expectSameBits(parameters(other), parameters(one));
    }
  });

  test("shows in the history as the rate of each epoch's last step", async () => {
    const history = await make().fit(x, classes, {
      learningRate: (step) => 0.1 / (step + 1),
      epochs: 3,
      batchSize: 20,
    });
    expect(history.map(({ learningRate }) => learningRate)).toEqual([0.1 / 2, 0.1 / 4, 0.1 / 6]);
  });

  test("leaves the same bits on both executors and on 1, 2 and 5 threads", async () => {
    const networks = [
      make({ deterministic: true }),
      make({ executor: reference }),
      ...[2, 5].map((threads) => make({ threads, deterministic: true })),
    ];
    for (const network of networks)
      await network.fit(x, classes, {
        learningRate: cosineDecay(0.1, { warmup: 2 }),
        epochs: 3,
        batchSize: 7,
      });
    for (const network of networks) expectSameBits(parameters(network), parameters(networks[0]));
  });

  test("may read what onEpoch changes", async () => {
    let rate = 0.1;
    const onEpoch = () => {
      rate /= 2;
    };
    const history = await make().fit(x, classes, { learningRate: () => rate, epochs: 3, onEpoch });
    expect(history.map(({ learningRate }) => learningRate)).toEqual([0.1, 0.05, 0.025]);
  });
});

describe("reduceOnPlateau", () => {
  test("begins anew in each fit", async () => {
    const network = make();
    const learningRate = reduceOnPlateau(0.1, { patience: 0, minDelta: 1e9, factor: 0.5 });
    const optimizer = sgd({ learningRate });
    for (let call = 0; call < 2; call++) {
      const history = await network.fit(x, classes, { optimizer, epochs: 4 });
      // The first loss is better than none.
      expect(history.map((entry: EpochEntry) => entry.learningRate)).toEqual([0.1, 0.1, 0.05, 0.025]);
    }
  });

  test("looks at the validation data where there are some, or at what it is told to", async () => {
    const seen: string[] = [];
    for (const monitor of [undefined, "loss", "validationLoss"] as const) {
      const schedule = reduceOnPlateau(0.1, { monitor });
      const begun = schedule.begin();
      begun.epochEnded(
        new Proxy(
          { loss: 1, validationLoss: 2 },
          {
            get: (entry, key) => {
              seen.push(String(key));
              return entry[key as "loss"];
            },
          },
        ),
      );
    }
    expect(seen).toEqual(["validationLoss", "loss", "validationLoss"]);
  });
});

describe("a fit refuses, before anything changes,", () => {
  const bad = (value: unknown, from = 0) => ({
    learningRate: (step: number) => (step < from ? 0.1 : (value as number)),
  });
  const saying = (value: string, step: number, epoch: number) =>
    `learningRate returned ${value} for step ${step} of epoch ${epoch}, counted from 0, but must return a finite ` +
    "number of at least 0";

  test.each<[string, FitOptions, string]>([
    ["a rate of NaN", bad(Number.NaN), saying("NaN", 0, 0)],
    ["a negative one in its last step", bad(-1, 5), saying("-1", 5, 1)],
    ["an infinite one", bad(Number.POSITIVE_INFINITY, 3), saying("Infinity", 3, 1)],
    ["a text", bad("0.1", 1), saying('"0.1"', 1, 0)],
    ["a promise", bad(Promise.resolve(1), 1), saying("an object (Promise)", 1, 0)],
    ["none", bad(undefined), saying("undefined", 0, 0)],
    ["rates of 0 alone", bad(0), "learningRate is 0, which is 0 in the network's float64"],
    [
      "reduceOnPlateau on validation data that it has not",
      { learningRate: reduceOnPlateau(0.1, { monitor: "validationLoss" }) },
      'reduceOnPlateau monitors "validationLoss", but there are no validation data: pass validationData or',
    ],
    [
      "a schedule's factory",
      { learningRate: {} as never },
      "learningRate is an object (Object), but must be a finite number above 0, or a schedule, e.g. cosineDecay(0.01)",
    ],
  ])("%s", async (_, options, message) => {
    for (const optimizer of ["sgd", "adam"] as const) {
      const network = make();
      const before = parameters(network);
      await expect(
        network.fit(x, classes, { ...options, optimizer, batchSize: 16, epochs: 2 }),
      ).rejects.toThrow(message);
      expectSameBits(parameters(network), before);
      await expect(network.fit(x, classes)).resolves.toHaveLength(1);
    }
  });

  test("an error of the function's own", async () => {
    const learningRate = () => {
      throw new Error("on purpose");
    };
    await expect(make().fit(x, classes, { learningRate })).rejects.toThrow("on purpose");
  });
});

test("a rate that turns into none in a later epoch ends the fit with the weights of the epoch before", async () => {
  const [one, other] = [make(), make()];
  let rate = 0.1;
  const onEpoch = () => {
    rate = Number.NaN;
  };
  const all = { epochs: 2, shuffle: false };
  await expect(one.fit(x, classes, { ...all, learningRate: () => rate, onEpoch })).rejects.toThrow(
    "learningRate returned NaN for step 2 of epoch 1",
  );
  await other.fit(x, classes, { shuffle: false, learningRate: 0.1 });
  expectSameBits(parameters(one), parameters(other));
});

test("a training that diverges names the highest rate of its epoch", async () => {
  const network: Network = make();
  const learningRate = (step: number) => (step === 1 ? 1e308 : 1e-3);
  await expect(network.fit(x, classes, { learningRate, batchSize: 4, epochs: 3 })).rejects.toThrow(
    /The likely cause is a learningRate \(1e\+308\) too high/,
  );
});

describe("refused are", () => {
  test.each<[string, () => unknown, string]>([
    ["a rate of 0", () => constant(0), "learningRate is 0, but must be a finite number above 0"],
    ["a negative rate", () => cosineDecay(-1), "learningRate is -1, but must be a finite number above 0"],
    ["no options of stepDecay", () => stepDecay(1, undefined as never), "stepDecay takes an options object"],
    ["every 0 epochs", () => stepDecay(1, { every: 0 }), "every is 0, but must be an integer of at least 1"],
    [
      "a factor of 0",
      () => stepDecay(1, { every: 1, factor: 0 }),
      "factor is 0, but must be a finite number above 0",
    ],
    [
      "no factor",
      () => exponentialDecay(1, {} as never),
      "factor is undefined, but must be a finite number above 0",
    ],
    [
      "another period",
      () => exponentialDecay(1, { factor: 0.5, per: "batch" as never }),
      'per is "batch", but must be one of "epoch", "step"',
    ],
    [
      "half a step",
      () => cosineDecay(1, { steps: 1.5 }),
      "steps is 1.5, but must be an integer of at least 1",
    ],
    [
      "a warm-up longer than all",
      () => cosineDecay(1, { steps: 10, warmup: 10 }),
      "steps is 10, but must be an integer of at least 11",
    ],
    [
      "a minimum below 0",
      () => cosineDecay(1, { minimum: -1 }),
      "minimum is -1, but must be a finite number of at least 0",
    ],
    [
      "steps beside restarts",
      () => cosineDecay(1, { steps: 10, restarts: { period: 2 } }),
      "both steps and restarts are given: pass one of them",
    ],
    [
      "a period of 0",
      () => cosineDecay(1, { restarts: { period: 0 } }),
      "period is 0, but must be an integer of at least 1",
    ],
    [
      "restarts as a number",
      () => cosineDecay(1, { restarts: 5 as never }),
      "restarts takes an options object, but got 5",
    ],
    ["a rise of all steps", () => oneCycle(1, { pctStart: 1 }), "pctStart is 1, but must be below 1"],
    [
      "a rise of half",
      () => oneCycle(1, { pctStart: 0.5, threePhase: true }),
      "pctStart is 0.5, but must be below 0.5",
    ],
    [
      "another curve",
      () => oneCycle(1, { annealStrategy: "sine" as never }),
      'annealStrategy is "sine", but must be one of',
    ],
    ["a factor of 1", () => reduceOnPlateau(1, { factor: 1 }), "factor is 1, but must be below 1, e.g. 0.1"],
    [
      "another figure",
      () => reduceOnPlateau(1, { monitor: "accuracy" as never }),
      'monitor is "accuracy", but must be one of "loss", "validationLoss"',
    ],
    [
      "an unknown option",
      () => oneCycle(1, { max: 1 } as never),
      'oneCycle has no option "max": it takes steps, pctStart',
    ],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(message);
  });
});
