// What plans make of a network: the operations and phases of a step, as ARCHITECTURE.md draws them; and what can change
// without a new plan.

import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import * as ops from "../assembly/ops.js";
import { RECORD_WORDS, Word } from "../assembly/ops.js";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { WasmExecutor } from "../src/executors/wasm/executor.js";
import {
  Dense,
  Embedding,
  type FitOptions,
  Flatten,
  type Layer,
  Network,
  Normalization,
  Rescaling,
  Reshape,
  type Shape,
  sgd,
} from "../src/index.js";
import { modelOf } from "../src/network.js";
import { checkSettings } from "../src/optimizers.js";
import { planStep, Statistics } from "../src/plan.js";
import { planUpdate } from "../src/update.js";
import { expectSameBits, makeClassifier, parameters, randomValues, reference } from "./helpers.js";

/** The phases of a network's training step, as names of operations. */
async function phasesOf(network: Network, x: Float64Array, options: FitOptions): Promise<string[][]> {
  let step: string[][] = [];
  const run = ReferenceExecutor.prototype.run;
  const spy = vi.spyOn(ReferenceExecutor.prototype, "run").mockImplementation(function (
    this: ReferenceExecutor,
    program,
    ...steps
  ) {
    const words = modelOf(network).heap.u32.subarray(program.offset / 4);
    const nameAt = (record: number) => names[words[record * RECORD_WORDS + Word.opcode]];
    const phases = program.phases.map(({ first, count }) =>
      Array.from({ length: count }, (_, i) => nameAt(first + i)),
    );
    if (phases.flat().includes("report")) step = phases;
    run.call(this, program, ...steps);
  });
  const targets = Uint8Array.from({ length: x.length / network.inputs }, (_, i) => i % network.outputs);
  await network.fit(x, targets, options);
  spy.mockRestore();
  return step;
}

/** The names of opcodes: where enums are not inlined they know them. */
const names = Object.entries(ops).find(([name]) => name === "Op")![1] as unknown as Record<number, string>;

describe("a step of 784-128-10, batch 32,", () => {
  const layers = () => [new Dense(128, { activation: "relu" }), new Dense(10, { activation: "softmax" })];
  const x = randomValues(32 * 784, 1);
  const rows = ["product", "product", "crossEntropy", "product"];
  const updates = ["product", "columnSums", "product", "columnSums"];

  test("on two threads is two phases: what works on rows, and the updates", async () => {
    const network = new Network({ inputs: 784, layers: layers(), executor: reference, threads: 2 });
    const phases = await phasesOf(network, x, {});
    expect(phases).toEqual([
      ["gather", "oneHot", ...rows],
      ["report", ...updates],
    ]);
    // The page shows these.
    const page = readFileSync(new URL("../ARCHITECTURE.md", import.meta.url), "utf8");
    const drawn = page.split("```").find((block) => block.includes("crossEntropy"))!;
    const order = phases.flat().map((name) => new RegExp(`\\b${name}\\b`, "g"));
    let at = 0;
    for (const name of order) {
      name.lastIndex = at;
      expect(name.exec(drawn), `${name} in the drawing`).not.toBeNull();
      at = name.lastIndex;
    }
  });

  test("with a momentum has a third, for it needs all gradients", async () => {
    const network = new Network({ inputs: 784, layers: layers(), executor: reference, threads: 2 });
    const phases = await phasesOf(network, x, { optimizer: sgd({ momentum: 0.9 }) });
    expect(phases).toEqual([["gather", "oneHot", ...rows], ["report", ...updates], ["momentum"]]);
  });

  test("on sparse inputs sorts them beside the gathering", async () => {
    const network = new Network({ inputs: 784, layers: layers(), executor: reference, threads: 2 });
    const sparse = x.map((value, i) => (i % 5 ? 0 : value));
    const phases = await phasesOf(network, sparse, {});
    expect(phases).toEqual([
      ["gatherSparse", "sortByColumn", "oneHot", "sparseProduct", ...rows.slice(1)],
      ["report", "product", "columnSums", "sparseGradient", "columnSums"],
    ]);
  });

  test("on one thread is in the order in which layers emit it", async () => {
    const network = new Network({ inputs: 784, layers: layers(), executor: reference });
    const phases = await phasesOf(network, x, {});
    expect(phases.flat()).toEqual(["gather", "oneHot", ...rows.slice(0, 3), "report", "product", ...updates]);
  });
});

describe("layers that the gathering does add no operation to a step:", () => {
  const x = randomValues(32 * 12, 1);
  const classifier = () => new Dense(3, { activation: "softmax" });
  const plain = ["gather", "oneHot", "product", "crossEntropy", "report", "product", "columnSums"];
  const step = async (layers: Layer[], inputs: number | Shape = 12, values = x) => {
    const network = new Network({ inputs, layers, executor: reference });
    return (await phasesOf(network as unknown as Network, values, {})).flat();
  };

  test.each<[string, () => Layer[], Shape?]>([
    ["Flatten", () => [new Flatten(), classifier()], [3, 4]],
    ["Reshape", () => [new Reshape([4, 3]), new Flatten(), classifier()], [2, 6]],
    ["Rescaling", () => [new Rescaling(0.5), classifier()]],
    ["Rescaling with an offset", () => [new Rescaling(0.5, { offset: 1 }), classifier()]],
    ["Normalization", () => [new Normalization({ mean: 1, variance: 2 }), classifier()]],
    [
      "all of them",
      () => [
        new Reshape([2, -1]),
        new Rescaling(2),
        new Rescaling(0.5),
        new Normalization({ mean: 1, variance: 2 }),
        new Flatten(),
        classifier(),
      ],
      [3, 4],
    ],
  ])("%s", async (_, layers, inputs) => {
    expect(await step(layers(), inputs)).toEqual(plain);
  });

  test("without an offset they leave sparse inputs sparse", async () => {
    const sparse = x.map((value, i) => (i % 5 ? 0 : value));
    const layers = [new Rescaling(0.5), new Flatten(), classifier()];
    expect(await step(layers, [3, 4], sparse)).toEqual([
      ...["gatherSparse", "sortByColumn", "oneHot", "sparseProduct", "crossEntropy", "report"],
      ...["sparseGradient", "columnSums"],
    ]);
  });

  test("an Embedding is the batch's indices, a product and its gradient; elsewhere a layer is an operation", async () => {
    const words = x.map((_, i) => i % 7);
    const layers = [new Embedding(7, 2), new Flatten(), new Rescaling(3), classifier()];
    expect(await step(layers, 12, words)).toEqual([
      ...["indices", "oneHot", "sparseProduct", "standardize", "product", "crossEntropy", "report"],
      ...["transpose", "product", "product", "columnSums", "standardize", "sortByColumn", "sparseGradient"],
    ]);
  });

  test("before the first layer that has anything to train nothing goes back", async () => {
    const layers = [new Dense(12, { activation: "tanh" }), new Rescaling(2), classifier()];
    expect((await step(layers)).filter((name) => name === "standardize")).toHaveLength(2);
    const folded = new Normalization({ mean: 1, variance: 2 });
    const operations = await step([folded, new Rescaling(2), classifier()]);
    expect(operations).toEqual(["gather", "oneHot", "standardize", ...plain.slice(2)]);
  });
});

test("the learning rate changes without a new plan", () => {
  const [x, targets] = [randomValues(8 * 4, 1), [0, 1, 2, 0, 1, 2, 0, 1]];
  /** Steps at these rates: all of one plan, or each of its own. */
  const steps = (rates: number[], plans: number) => {
    const network = makeClassifier();
    const model = modelOf(network);
    const { heap } = model;
    const inputs = { data: heap.region(x.byteLength), dataType: 2, width: 4 };
    heap.f64.set(x, inputs.data.offset / 8);
    const classes = heap.region(32);
    heap.u32.set(targets, classes.offset / 4);
    const data = { inputs, targets: { classes }, visit: { order: undefined, batch: 8 } };
    const cells = { epoch: heap.cell(0), step: heap.cell(0) };
    const update = planUpdate(model, checkSettings(sgd()), 1);
    const purpose = { kind: "train", update, cells } as const;
    const { region } = new Statistics(heap);
    const make = () => planStep(model, network.facts.loss, data, 8, region, purpose).program;
    const programs = Array.from({ length: plans }, make);
    for (const [i, rate] of rates.entries()) {
      update.fill(1, () => rate);
      model.executor.run(programs[i % plans], 0, 1);
    }
    return parameters(network);
  };
  const rates = [0.1, 0.2, 0.05];
  expectSameBits(steps(rates, 1), steps(rates, 3));
  expect(steps(rates, 1)).not.toEqual(steps([0.1, 0.1, 0.1], 1));
});

test("a fit plans its programs once, whatever its epochs", async () => {
  const run = vi.spyOn(WasmExecutor.prototype, "run");
  const network = makeClassifier();
  run.mockClear();
  await network.fit(randomValues(8 * 4, 1), [0, 1, 2, 0, 1, 2, 0, 1], { epochs: 20, batchSize: 8 });
  const programs = new Set(run.mock.calls.map(([program]) => program));
  run.mockRestore();
  // The shuffle and the step.
  expect(programs.size).toBe(2);
});
