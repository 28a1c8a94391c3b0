// The public types: what they say of a network that is written out. The compiler checks them (npm run typecheck).

import { expectTypeOf, test } from "vitest";
import {
  Activation,
  type ActivationName,
  type Callback,
  checkpoint,
  Dense,
  Dropout,
  type DType,
  type EpochEntry,
  earlyStopping,
  elu,
  type Figures,
  type FitOptions,
  type FloatArray,
  f1,
  focal,
  huber,
  leakyRelu,
  Network,
  type SetActivation,
} from "../src/index.js";

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

test("entries and figures have the metrics by name", () => {
  expectTypeOf<EpochEntry["f1"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf<EpochEntry["validationTopKAccuracy"]>().toEqualTypeOf<number | undefined>();
  const classifier = new Network({ inputs: 2, layers: softmax() });
  const figures = classifier.evaluate([[1, 2]], [0], { metrics: ["auc", f1({ average: "micro" })] });
  expectTypeOf(figures.auc).toEqualTypeOf<number | undefined>();
  expectTypeOf(figures.accuracy).toEqualTypeOf<number>();
  // @ts-expect-error no such metric
  () => classifier.evaluate([[1, 2]], [0], { metrics: ["mse"] });
});

test("callbacks take a network of any kind, so that options serve all networks", () => {
  const network = new Network({ inputs: 2, layers: softmax(), dtype: "float32" });
  () =>
    network.fit([1, 2], [0], {
      callbacks: [
        { onBegin: (run) => expectTypeOf(run.network.predict([1, 2])).toEqualTypeOf<FloatArray>() },
        checkpoint((saved: typeof network) => saved.layers[0].weights),
        earlyStopping(),
        ({ loss }) => loss > 0,
      ],
    });
  const stopping: Callback = { onEpoch: ({ loss }) => loss > 0.1 };
  const options: FitOptions = { callbacks: [stopping] };
  () => network.fit([1, 2], [0], options);
  () => new Network({ inputs: 2, layers: [new Dropout(0.5), new Dense(1)] }).fit([1, 2], [0], options);
  () => network.fit([1, 2], [0], { callbacks: [stopping] });
  const summaries: Callback = { onBegin: ({ network }) => void network.summary() };
  () => network.fit([1, 2], [0], { callbacks: [summaries] });
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
  const mixed = new Network({ inputs: 2, layers: [new Dense(4), new Dropout(0.5), new Dense(1)] });
  expectTypeOf(summary).toBeCallableWith(mixed);
  () => mixed.copyWeightsFrom(new Network({ inputs: 2, layers: softmax() }));
});

test("a layer has weights for certain where the type of the network says which layers it has", () => {
  const { layers } = new Network({ inputs: 2, layers: [new Dense(4), new Dropout(0.5)] });
  expectTypeOf(layers[0].weights).toEqualTypeOf<FloatArray>();
  // @ts-expect-error: a Dropout has none
  () => layers[1].weights;
  expectTypeOf<Network["layers"][0]["weights"]>().toEqualTypeOf<FloatArray | undefined>();
  expectTypeOf<Network<DType, readonly Dense[]>["layers"][0]["weights"]>().toEqualTypeOf<FloatArray>();
  expectTypeOf<Network>().not.toExtend<Network<DType, readonly Dense[]>>();
});

test("an activation with a parameter is taken as its name is, and the layer knows the name", () => {
  expectTypeOf(elu({ alpha: 0.5 })).toEqualTypeOf<SetActivation<"elu">>();
  expectTypeOf(new Dense(3, { activation: elu() })).toEqualTypeOf<Dense<"elu">>();
  expectTypeOf(new Dense(3, { activation: leakyRelu() }).activation).toEqualTypeOf<"leakyRelu">();
  expectTypeOf(new Activation(elu())).toEqualTypeOf<Activation<"elu">>();
  expectTypeOf(new Dense(3, { activation: "relu" as ActivationName })).toEqualTypeOf<Dense>();
  // @ts-expect-error: no such activation
  expectTypeOf(() => new Activation("swish")).toBeFunction();
  // @ts-expect-error: of elu and celu
  expectTypeOf(() => leakyRelu({ alpha: 1 })).toBeFunction();
});

test("a last layer that is an activation says whether there is an accuracy", () => {
  const last = <A extends ActivationName>(activation: A | SetActivation<A>) =>
    new Network({ inputs: 2, layers: [new Dense(3, { activation: "linear" }), new Activation(activation)] });
  expectTypeOf(last("softmax").evaluate([[1, 2]], [0]).accuracy).toEqualTypeOf<number>();
  expectTypeOf(last(elu()).evaluate([[1, 2]], [[1, 2, 3]])).toEqualTypeOf<Figures>();
});
