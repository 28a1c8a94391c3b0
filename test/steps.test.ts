// Loops of users' own: single steps, gradients, steps by gradients, and parameters taken over from another network.

import { describe, expect, test, vi } from "vitest";
import {
  adam,
  BatchNormalization,
  cosineDecay,
  Dense,
  Dropout,
  type Loss,
  Network,
  type NetworkOptions,
  oneCycle,
  reduceOnPlateau,
  sgd,
} from "../src/index.js";
import { dtypes, executors, expectClose, makeClassifier, parameters, randomValues } from "./helpers.js";

const ROWS = 12;
const x = randomValues(ROWS * 4, 1);
const classes = Array.from({ length: ROWS }, (_, r) => r % 3);
const momentum = () => sgd({ learningRate: 0.1, momentum: 0.9 });

/** 4-5-2 of linear outputs. */
function makeRegressor(options: Partial<NetworkOptions> = {}): Network {
  const layers = [new Dense(5, { activation: "tanh" }), new Dense(2, { activation: "linear" })];
  return new Network({ inputs: 4, layers, seed: 7, ...options });
}

describe.each(executors)("trainBatch on the %s executor", (executor) => {
  test.each(dtypes)("makes the steps of fit, bit for bit, in %s", async (dtype) => {
    for (const optimizer of [sgd({ learningRate: 0.1 }), momentum()]) {
      const [one, other] = [0, 1].map(() => makeClassifier({ executor, dtype }));
      const history = await one.fit(x, classes, { epochs: 5, batchSize: ROWS, shuffle: false, optimizer });
      const losses = history.map(() => other.trainBatch(x, classes, { optimizer }));
      expect(losses).toEqual(history.map(({ loss }) => loss));
      expect(parameters(other)).toEqual(parameters(one));
    }
  });

  test("goes on with what the optimizer kept in fit, and fit with what it left", async () => {
    const [one, other] = [0, 1].map(() => makeClassifier({ executor }));
    const options = { batchSize: ROWS, shuffle: false, optimizer: momentum() };
    await one.fit(x, classes, { ...options, epochs: 4 });
    await other.fit(x, classes, { ...options, epochs: 1 });
    other.trainBatch(x, classes, { optimizer: momentum() });
    await other.fit(x, classes, { ...options, epochs: 2 });
    expect(parameters(other)).toEqual(parameters(one));
  });

  test("takes a new learning rate without a new plan", () => {
    const [one, other] = [0, 1].map(() => makeClassifier({ executor }));
    const { heap } = one;
    one.trainBatch(x, classes, { learningRate: 0.1 });
    const { top } = heap;
    one.trainBatch(x, classes, { learningRate: 0.3 });
    expect(heap.top).toBe(top);
    other.trainBatch(x, classes, { optimizer: sgd({ learningRate: 0.1 }) });
    other.trainBatch(x, classes, { optimizer: sgd({ learningRate: 0.3 }) });
    expect(parameters(other)).toEqual(parameters(one));
  });

  test("allocates nothing in the heap once all plans are made, also in turns with predict and gradients", () => {
    const network = makeRegressor({ executor });
    const targets = randomValues(ROWS * 2, 2);
    const turn = () => {
      network.predict(x.subarray(0, 4));
      network.trainBatch(x, targets, { optimizer: momentum() });
      network.gradients(x, targets);
      network.predict(x);
    };
    turn();
    // The first trainBatch took room for the velocity, below all plans that were there.
    turn();
    const { top } = network.heap;
    const allocate = vi.spyOn(network.heap, "allocate");
    for (let i = 0; i < 3; i++) turn();
    expect(allocate).not.toHaveBeenCalled();
    expect(network.heap.top).toBe(top);
    vi.restoreAllMocks();
  });

  test("gives way to fit, and has its plan again afterwards", async () => {
    const [one, other] = [0, 1].map(() => makeClassifier({ executor }));
    for (const network of [one, other]) {
      network.trainBatch(x, classes, { optimizer: momentum() });
      if (network === other) network.predict(x);
      await network.fit(x, classes, { optimizer: momentum() });
      network.trainBatch(x, classes, { optimizer: momentum() });
    }
    expect(parameters(other)).toEqual(parameters(one));
  });

  test("changes nothing where the loss is not finite, and says so", () => {
    const network = makeRegressor({ executor, dtype: "float32" });
    network.trainBatch(x, randomValues(ROWS * 2, 2), { optimizer: momentum() });
    const before = parameters(network);
    const huge = new Float64Array(ROWS * 2).fill(1e38);
    expect(() => network.trainBatch(x, huge, { optimizer: momentum() })).toThrow(
      "a step with a loss, or gradients, of Infinity overflows float32: nothing was changed",
    );
    expect(parameters(network)).toEqual(before);
    expect(network.trainBatch(x, randomValues(ROWS * 2, 2), { optimizer: momentum() })).toBeLessThan(10);
  });
});

describe("trainBatch", () => {
  test("undoes a step that overflows the optimizer's means, and states that the batch has spoilt", () => {
    const linear = () => new Dense(1, { activation: "linear" });
    const one = new Network({ inputs: 1, layers: [linear()], dtype: "float32", seed: 1 });
    one.trainBatch([1], [0], { optimizer: "adam" });
    const before = parameters(one);
    expect(() => one.trainBatch([1e10], [0], { optimizer: "adam" })).toThrow("nothing was changed");
    expect(() => one.trainBatch([1e18], [0], { learningRate: 1e30 })).toThrow("nothing was changed");
    const huge = [{ weights: Float32Array.of(1e30), biases: Float32Array.of(0) }];
    expect(() => one.applyGradients({ layers: huge }, { optimizer: "adam" })).toThrow("nothing was changed");
    expect(parameters(one)).toEqual(before);
    expect(one.trainBatch([1], [0], { optimizer: "adam" })).toBeLessThan(10);

    for (const layers of [
      [new Dense(4, { activation: "tanh" }), new BatchNormalization(), linear()],
      [new BatchNormalization(), linear()],
    ]) {
      const network = new Network({ inputs: 2, layers, seed: 1 });
      const inputs = [1, 2, -1, 0];
      const expected = network.predict(inputs);
      const bad = layers.length === 3 ? inputs : [1e200, 0, -1e200, 1];
      const targets = layers.length === 3 ? [1e200, 1] : [0, 1];
      expect(() => network.trainBatch(bad, targets)).toThrow("nothing was changed");
      expect(() => network.gradients(bad, targets, { training: true })).toThrow("nothing was changed");
      expect(network.predict(inputs)).toEqual(expected);
    }
  });

  test("has a plan for each type of targets with gaps", () => {
    const make = () => makeRegressor();
    const gaps = Float64Array.from({ length: ROWS * 2 }, (_, i) => (i % 3 ? 0.5 : Number.NaN));
    const [one, other] = [make(), make()];
    one.trainBatch(x, Float32Array.from(gaps));
    const loss = one.trainBatch(x, gaps);
    other.trainBatch(x, gaps);
    expect(other.trainBatch(x, gaps)).toBe(loss);
  });

  test("may have a schedule that calls predict", () => {
    const [one, other] = [makeClassifier(), makeClassifier()];
    for (let step = 0; step < 3; step++) {
      const learningRate = () => {
        for (let rows = 1; rows < 100; rows++) one.predict(new Float64Array(4 * rows * 7));
        return 0.1;
      };
      one.trainBatch(x, classes, { optimizer: sgd({ learningRate }) });
      other.trainBatch(x, classes, { learningRate: 0.1 });
    }
    expect(parameters(other)).toEqual(parameters(one));
  });

  test("is refused during a fit, and leaves it alone", async () => {
    const [one, other] = [makeClassifier(), makeClassifier()];
    await one.fit(x, classes);
    await other.fit(x, classes, {
      onBatch: () => {
        expect(() => other.trainBatch(x, classes)).toThrow("this network is in fit");
        expect(() => other.copyWeightsFrom(one)).toThrow("this network is in fit");
        const zeros = { layers: other.gradients(x, classes).layers };
        expect(() => other.applyGradients(zeros)).toThrow("this network is in fit");
      },
    });
    expect(parameters(other)).toEqual(parameters(one));
  });

  test("refuses what fit refuses", () => {
    const network = makeClassifier();
    const before = parameters(network);
    expect(() => network.trainBatch(x.subarray(1), classes)).toThrow(
      "not a multiple of the network's 4 inputs",
    );
    expect(() => network.trainBatch(x, [9])).toThrow("targets");
    expect(() => network.trainBatch(x, classes, { epochs: 2 } as object)).toThrow("trainBatch has no option");
    expect(() => network.trainBatch(x, classes, { learningRate: -1 })).toThrow("learningRate is -1");
    expect(() => network.trainBatch(x, classes, { loss: "binaryCrossEntropy" })).toThrow("sigmoid");
    expect(parameters(network)).toEqual(before);
  });

  test("refuses schedules that go by epochs, or by a length that there is not", () => {
    const network = makeClassifier();
    const before = parameters(network);
    const rates = [cosineDecay(0.1), oneCycle(0.1), reduceOnPlateau(0.1)];
    const messages = ["cosineDecay must know", "oneCycle must know", "reduceOnPlateau goes by epochs"];
    for (const [i, learningRate] of rates.entries()) {
      expect(() => network.trainBatch(x, classes, { optimizer: adam({ learningRate }) })).toThrow(
        messages[i],
      );
    }
    expect(parameters(network)).toEqual(before);
    const optimizer = adam({ learningRate: cosineDecay(0.1, { steps: 10 }) });
    expect(network.trainBatch(x, classes, { optimizer })).toBeGreaterThan(0);
  });

  test("leaves its loss to evaluate, as fit does", () => {
    const network = makeRegressor();
    const targets = randomValues(ROWS * 2, 2);
    const loss = network.trainBatch(x, targets, { learningRate: 1e-9 });
    expect(network.evaluate(x, targets).loss).toBeCloseTo(loss, 6);
  });
});

describe.each(dtypes)("gradients in %s", (dtype) => {
  test.each<[Loss, () => Network, ArrayLike<number>]>([
    ["crossEntropy", () => makeClassifier({ dtype }), classes],
    ["meanSquaredError", () => makeRegressor({ dtype, inputScale: 0.5 }), randomValues(ROWS * 2, 2)],
  ])("of the inputs are those of finite differences, with %s", (loss, make, targets) => {
    const network = make();
    const { inputs } = network.gradients(x, targets as number[], { loss });
    const lossAt = (values: Float64Array) => network.evaluate(values, targets as number[], { loss }).loss;
    // In float32 the differences of losses have three digits or so.
    const h = dtype === "float64" ? 1e-5 : 1e-2;
    const expected = x.map((_, i) => {
      const [up, down] = [x.slice(), x.slice()];
      up[i] += h;
      down[i] -= h;
      return (lossAt(up) - lossAt(down)) / (2 * h);
    });
    expectClose(inputs, expected, { absolute: dtype === "float64" ? 1e-9 : 1e-4 });
    expect(Math.max(...inputs.map(Math.abs))).toBeGreaterThan(0.005);
  });

  test("make the step of trainBatch when they are applied", () => {
    for (const optimizer of [sgd({ learningRate: 0.1 }), momentum()]) {
      const [one, other] = [0, 1].map(() => makeClassifier({ dtype }));
      for (let i = 0; i < 3; i++) {
        const loss = one.trainBatch(x, classes, { optimizer });
        const gradients = other.gradients(x, classes);
        expectClose([gradients.loss], [loss], { relative: dtype === "float64" ? 1e-14 : 1e-6 });
        other.applyGradients(gradients, { optimizer });
      }
      // A folded step multiplies by the rate before the sums are made.
      expectClose(parameters(other), parameters(one), { absolute: dtype === "float64" ? 1e-14 : 1e-6 });
    }
  });
});

describe("gradients of a training step", () => {
  const make = () =>
    new Network({
      inputs: 4,
      layers: [
        new Dense(6),
        new BatchNormalization(),
        new Dropout(0.5),
        new Dense(3, { activation: "softmax" }),
      ],
      seed: 5,
    });

  test("make the steps of trainBatch, with noise and running statistics", () => {
    const [one, other] = [make(), make()];
    const optimizer = adam({ learningRate: 0.01 });
    for (let i = 0; i < 4; i++) {
      one.trainBatch(x, classes, { optimizer });
      other.applyGradients(other.gradients(x, classes, { training: true }), { optimizer });
    }
    expect(other.predict(x)).toEqual(one.predict(x));
  });

  test("are those of evaluate unless asked for", () => {
    const network = make();
    const { loss } = network.gradients(x, classes);
    expect(loss).toBe(network.evaluate(x, classes).loss);
    expect(network.gradients(x, classes, { training: true }).loss).not.toBe(loss);
    expect(() => network.gradients(x.slice(0, 4), [0], { training: true })).toThrow("at least 2");
  });
});

describe("applyGradients", () => {
  test("takes sums of gradients: two halves of a batch are the whole", () => {
    const [one, other] = [makeClassifier(), makeClassifier()];
    one.trainBatch(x, classes, { learningRate: 0.1 });
    const halves = [0, 1].map((half) => {
      const rows = [(half * ROWS) / 2, ((half + 1) * ROWS) / 2] as const;
      return other.gradients(x.slice(rows[0] * 4, rows[1] * 4), classes.slice(...rows));
    });
    const layers = halves[0].layers.map((layer, index) =>
      Object.fromEntries(
        Object.entries(layer).map(([name, values]) => [
          name,
          values.map((value, i) => (value + halves[1].layers[index][name][i]) / 2),
        ]),
      ),
    );
    other.applyGradients({ layers }, { learningRate: 0.1 });
    expectClose(parameters(other), parameters(one), { absolute: 1e-14 });
  });

  test("refuses gradients of another form, and such as are not finite", () => {
    const network = makeClassifier();
    const before = parameters(network);
    const { layers } = network.gradients(x, classes);
    expect(() => network.applyGradients({ layers: layers.slice(1) })).toThrow(
      "gradients.layers[0].weights is Float64Array(120 bytes), but must be an array of 20 numbers",
    );
    expect(() => network.applyGradients({ layers: [] })).toThrow("gradients.layers[0].weights is undefined");
    layers[1].biases[2] = Number.NaN;
    expect(() => network.applyGradients({ layers })).toThrow("gradients.layers[1].biases[2] is NaN");
    expect(parameters(network)).toEqual(before);
  });
});

describe("copyWeightsFrom", () => {
  test("takes over all parameters to the bit", async () => {
    const [one, other] = [makeClassifier({ seed: 1 }), makeClassifier({ seed: 2 })];
    await one.fit(x, classes);
    other.copyWeightsFrom(one);
    expect(parameters(other)).toEqual(parameters(one));
    expect(other.predict(x)).toEqual(one.predict(x));
  });

  test("with tau moves so far towards them", () => {
    const [one, other] = [makeClassifier({ seed: 1 }), makeClassifier({ seed: 2 })];
    const [from, to] = [parameters(other), parameters(one)];
    other.copyWeightsFrom(one, { tau: 0.25 });
    const expected = from.map((value, i) => 0.75 * value + 0.25 * to[i]);
    expectClose(parameters(other), expected, { absolute: 1e-15 });
  });

  test("takes those of another element type", () => {
    const [one, other] = [makeClassifier({ seed: 1 }), makeClassifier({ seed: 2, dtype: "float32" })];
    other.copyWeightsFrom(one);
    expect(parameters(other)).toEqual(parameters(one).map(Math.fround));
  });

  test("reads whole steps of a network that trains", async () => {
    const [one, other] = [makeClassifier({ threads: 2 }), makeClassifier({ seed: 2 })];
    const seen: boolean[] = [];
    await one.fit(x, classes, {
      epochs: 3,
      onEpoch: () => {
        other.copyWeightsFrom(one);
        seen.push(parameters(one).every((value, i) => value === parameters(other)[i]));
      },
    });
    expect(seen).toEqual([true, true, true]);
  });

  test("refuses another architecture and an unusable tau, and changes nothing", () => {
    const network = makeClassifier();
    const before = parameters(network);
    expect(() => network.copyWeightsFrom(makeRegressor())).toThrow("layers.1.weights has shape [5, 3], but");
    for (const tau of [0, 2, Number.NaN, "1" as unknown as number]) {
      expect(() => network.copyWeightsFrom(makeClassifier(), { tau })).toThrow("tau is");
    }
    expect(() => network.copyWeightsFrom({} as Network)).toThrow();
    expect(parameters(network)).toEqual(before);
  });
});
