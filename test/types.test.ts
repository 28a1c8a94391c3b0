// The public types: what they say of a network that is written out. The compiler checks them (npm run typecheck).

import { expectTypeOf, test } from "vitest";
import { Dense, type DType, type Figures, type FloatArray, focal, huber, Network } from "../src/index.js";

const softmax = () => [new Dense(4), new Dense(3, { activation: "softmax" })] as const;

test("predict gives arrays of the network's type", () => {
  const implicit = new Network({ inputs: 2, layers: softmax() });
  expectTypeOf(implicit.predict([1, 2])).toEqualTypeOf<Float64Array>();
  const single = new Network({ inputs: 2, layers: softmax(), dtype: "float32" });
  expectTypeOf(single.predict([1, 2])).toEqualTypeOf<Float32Array>();
  const either = new Network({ inputs: 2, layers: softmax(), dtype: "float32" as DType });
  expectTypeOf(either.predict([1, 2])).toEqualTypeOf<FloatArray>();
});

test("evaluate has an accuracy where the loss classifies", () => {
  const x = [[1, 2]];
  const classifier = new Network({ inputs: 2, layers: [new Dense(3, { activation: "softmax" })] });
  expectTypeOf(classifier.evaluate(x, [0]).accuracy).toEqualTypeOf<number>();
  const sigmoid = new Network({ inputs: 2, layers: [new Dense(8, { activation: "tanh" }), new Dense(1)] });
  expectTypeOf(sigmoid.evaluate(x, [0]).accuracy).toEqualTypeOf<number>();
  expectTypeOf(sigmoid.evaluate(x, [0], { loss: "meanSquaredError" })).toEqualTypeOf<Figures>();
  const linear = new Network({ inputs: 2, layers: [new Dense(1, { activation: "linear" })] });
  expectTypeOf(linear.evaluate(x, [0])).toEqualTypeOf<Figures>();
  const some: Dense[] = [new Dense(1)];
  const any = new Network({ inputs: 2, layers: some });
  expectTypeOf(any.evaluate(x, [0])).toEqualTypeOf<Figures>();
  expectTypeOf(any.evaluate(x, [0], { loss: "binaryCrossEntropy" }).accuracy).toEqualTypeOf<number>();
});

test("a loss with settings is typed as its name is", () => {
  const x = [[1, 2]];
  const linear = new Network({ inputs: 2, layers: [new Dense(1, { activation: "linear" })] });
  expectTypeOf(linear.evaluate(x, [0], { loss: huber() })).toEqualTypeOf<Figures>();
  expectTypeOf(linear.evaluate(x, [0], { loss: "logCosh" })).toEqualTypeOf<Figures>();
  expectTypeOf(linear.evaluate(x, [1], { loss: "hinge" }).accuracy).toEqualTypeOf<number>();
  const sigmoid = new Network({ inputs: 2, layers: [new Dense(1)] });
  expectTypeOf(sigmoid.evaluate(x, [0], { loss: focal({ gamma: 1 }) }).accuracy).toEqualTypeOf<number>();
});

test("a network of any kind is a Network", () => {
  const summary = (network: Network) => network.summary();
  expectTypeOf(summary).toBeCallableWith(new Network({ inputs: 2, layers: softmax(), dtype: "float32" }));
  expectTypeOf(summary).toBeCallableWith(new Network({ inputs: 2, layers: [new Dense(1)] }));
});
