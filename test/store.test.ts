// The registry of tensors: names, shapes, places, what is trained, and what optimizers keep.

import { describe, expect, test } from "vitest";
import { ReferenceExecutor } from "../src/executors/reference/executor.js";
import { Heap } from "../src/heap.js";
import { modelOf } from "../src/network.js";
import { Store } from "../src/store.js";
import { makeClassifier } from "./helpers.js";

function makeStore(): Store {
  return new Store(new Heap(new ReferenceExecutor({ dtype: "float64" }), "float64"));
}

describe("the store", () => {
  test("knows a network's tensors by name and shape, in order", () => {
    const { store } = modelOf(makeClassifier());
    expect(store.tensors.map(({ name, shape, trainable }) => [name, shape, trainable])).toEqual([
      ["layers.0.weights", [4, 5], true],
      ["layers.0.biases", [5], true],
      ["layers.1.weights", [5, 3], true],
      ["layers.1.biases", [3], true],
    ]);
  });

  test("has them all in one region, each at a cache line of its own", () => {
    const store = makeStore();
    store.reserve("a", { w: { shape: [3, 5] }, b: { shape: [9] } });
    store.reserve("c", { w: { shape: [1] } });
    const { offset, bytes } = store.region;
    const regions = store.tensors.map(({ region }) => region);
    expect(regions.map((region) => region.offset - offset)).toEqual([0, 128, 256]);
    expect(regions.map((region) => region.bytes)).toEqual([120, 72, 8]);
    expect(bytes).toBe(320);
  });

  test("says what is trained, in runs", () => {
    const store = makeStore();
    const frozen = { shape: [8], trainable: false };
    const trained = { shape: [8] };
    store.reserve("layers.0", { a: frozen, b: trained, c: trained, d: frozen, e: frozen, f: trained });
    const { offset } = store.region;
    expect(store.trained.map((run) => [run.offset - offset, run.bytes])).toEqual([
      [64, 128],
      [320, 64],
    ]);
  });

  test("keeps a slot, of zeros at first, and gives it out again", () => {
    const store = makeStore();
    store.reserve("layers.0", { weights: { shape: [8] } });
    store.heap.u8.fill(7, store.heap.top, store.heap.top + 1000);
    const slot = store.slot("sgd.velocity");
    expect(slot.bytes).toBe(store.region.bytes);
    expect([...store.heap.elements(slot.offset, 8)]).toEqual(Array(8).fill(0));
    store.heap.elements(slot.offset, 8).fill(3);
    expect(store.slot("sgd.velocity")).toBe(slot);
    expect([...store.heap.elements(slot.offset, 8)]).toEqual(Array(8).fill(3));
    expect(store.slot("other").offset).toBeGreaterThanOrEqual(slot.offset + slot.bytes);
  });

  test("puts back what a snapshot has: the parameters, and the slots if asked for them", () => {
    for (const slots of [false, true]) {
      const store = makeStore();
      const { weights } = store.reserve("layers.0", { weights: { shape: [8] } });
      const slot = store.slot("sgd.velocity");
      const views = () => [store.view(weights), store.heap.elements(slot.offset, 8)];
      for (const [i, view] of views().entries()) view.fill(i + 1);
      const snapshot = new Uint8Array(store.snapshotBytes({ slots }));
      store.snapshot(snapshot);
      for (const view of views()) view.fill(9);
      store.restore(snapshot);
      expect(views().map(([first]) => first)).toEqual([1, slots ? 2 : 9]);
    }
  });

  test("names the first value that is not finite as a user would write it", () => {
    const network = makeClassifier();
    expect(modelOf(network).store.firstNotFinite()).toBeUndefined();
    network.layers[1].biases[2] = Number.NaN;
    expect(modelOf(network).store.firstNotFinite()).toBe("layers[1].biases[2] is NaN");
  });
});
