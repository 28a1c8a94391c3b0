// Whole networks against PyTorch: outputs, loss, every gradient, and ten steps of gradient descent.

import { describe, expect, test } from "vitest";
import type { DType } from "../src/index.js";
import { goldenNetworks } from "./golden/networks.js";
import { buildGolden, executors, expectClose, parameters } from "./helpers.js";

// Both compute in float64 but sum in different orders: values of about 1, sums of at most 64 terms, at most
// four layers and ten steps. Measured: 1e-14.
const float64 = { relative: 1e-10, absolute: 1e-10 };
// The same with 2^-24 instead of 2^-53 a rounding. Measured: 3e-7.
const float32 = { relative: 3e-6, absolute: 3e-6 };

const settings = [
  ...executors.map((executor) => ({ executor, dtype: "float64" as DType, tolerance: float64 })),
  { executor: "wasm" as const, dtype: "float32" as DType, tolerance: float32 },
].map((setting) => [`${setting.executor} in ${setting.dtype}`, setting] as const);

describe.each(settings)("%s agrees with PyTorch", (_, { executor, dtype, tolerance }) => {
  describe.each(goldenNetworks.map((golden) => [golden.name, golden] as const))("on %s:", (_, golden) => {
    const { x, targets, loss, learningRate } = golden;

    test("outputs", () => {
      const outputs = buildGolden(golden, { executor, dtype }).predict(x);
      expectClose(outputs, golden.outputs.flat(), tolerance);
    });

    test("loss", () => {
      const figures = buildGolden(golden, { executor, dtype }).evaluate(x, targets, { loss });
      expectClose([figures.loss], [golden.lossValue], tolerance);
    });

    test("every gradient", () => {
      const gradients = buildGolden(golden, { executor, dtype }).gradients(x, targets, { loss });
      expectClose([gradients.loss], [golden.lossValue], tolerance);
      for (const [i, { weights, biases }] of gradients.layers.entries()) {
        expectClose(weights, golden.weightGradients[i], { ...tolerance, label: `weights of layer ${i}` });
        expectClose(biases, golden.biasGradients[i], { ...tolerance, label: `biases of layer ${i}` });
      }
    });

    test("the losses and the parameters of ten steps", async () => {
      const network = buildGolden(golden, { executor, dtype });
      const epochs = golden.losses.length;
      const options = { epochs, batchSize: x.length, learningRate, loss, shuffle: false };
      const history = await network.fit(x, targets, options);
      expect(history).toHaveLength(10);
      // One step an epoch: an epoch's loss is the one before its step.
      expectClose(
        history.map((entry) => entry.loss),
        golden.losses,
        tolerance,
      );
      for (const [i, { weights, biases }] of network.layers.entries()) {
        expectClose(weights, golden.finalWeights[i], { ...tolerance, label: `weights of layer ${i}` });
        expectClose(biases, golden.finalBiases[i], { ...tolerance, label: `biases of layer ${i}` });
      }
    });
  });
});

test("on the reference executor float32 gives the bits of the wasm executor", async () => {
  for (const golden of goldenNetworks) {
    const { x, targets, loss, learningRate } = golden;
    const [wasm, reference] = await Promise.all(
      executors.map(async (executor) => {
        const network = buildGolden(golden, { executor, dtype: "float32", deterministic: true });
        await network.fit(x, targets, { epochs: 10, batchSize: x.length, learningRate, loss });
        return parameters(network);
      }),
    );
    expect(wasm, golden.name).toEqual(reference);
  }
});
