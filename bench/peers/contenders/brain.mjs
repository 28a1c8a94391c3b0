// brain.js: NeuralNetwork.train() with its own loop. It trains sample by sample (there is no batch size), has
// one activation for all layers and squared error as its loss, and keeps float32. It runs with its defaults,
// sigmoid and a learning rate of 0.3; only the momentum, which it wants above 0, is next to none. argv: none used.
import { readFileSync } from "node:fs";
import brain from "brain.js";
import { agreement, serve, targets } from "./peer.mjs";

const { version } = JSON.parse(
  readFileSync(new URL("../node_modules/brain.js/package.json", import.meta.url)),
);

/** Rows as the plain arrays that brain.js wants: it takes typed arrays for hashes, which are much slower. */
function rows(values, columns) {
  return Array.from({ length: values.length / columns }, (_, i) => [
    ...values.subarray(i * columns, (i + 1) * columns),
  ]);
}

class Model {
  constructor(task, { images, labels }) {
    const { sizes } = task;
    Object.assign(this, { inputs: sizes[0], outputs: sizes.at(-1) });
    this.network = new brain.NeuralNetwork({ hiddenLayers: sizes.slice(1, -1), activation: "sigmoid" });
    const outputs = rows(targets(labels, this.outputs, Float32Array), this.outputs);
    this.patterns = rows(images, this.inputs).map((input, i) => ({ input, output: outputs[i] }));
    this.train(0);
  }

  train(samples) {
    const count = Math.min(samples, this.patterns.length) || 1;
    this.network.train(count < this.patterns.length ? this.patterns.slice(0, count) : this.patterns, {
      iterations: samples / count || 1,
      momentum: 1e-9,
      errorThresh: 1e-300,
    });
  }

  predict(times) {
    for (let i = 0; i < times; i++) this.network.run(this.patterns[i % this.patterns.length].input);
  }

  accuracy(images, labels) {
    const scores = rows(images, this.inputs).flatMap((row) => [...this.network.run(row)]);
    return agreement(Float32Array.from(scores), labels, this.outputs);
  }
}

serve((task, data) => new Model(task, data), `brain.js ${version}`, Float32Array);
