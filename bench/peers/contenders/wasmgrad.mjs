// wasmgrad, as built in dist/. The seconds of training are those in fit's history: as with the others, the data
// is in memory (here the WebAssembly heap) when the clock starts. argv: dtype, threads, and optionally "sgd": plain SGD
// whatever the task says.
import { readFileSync } from "node:fs";
import { adam, Dense, Network, sgd } from "../../../dist/index.js";
import { agreement, dtype, FloatArray, serve, targets, threads } from "./peer.mjs";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url)));

class Model {
  constructor(task, data) {
    const { sizes, hidden, output, learningRate } = task;
    const layers = sizes
      .slice(1)
      .map((units, i) => new Dense(units, { activation: i === sizes.length - 2 ? output : hidden }));
    this.network = new Network({ inputs: sizes[0], layers, seed: 1, dtype, ...(threads > 1 && { threads }) });
    const plain = task.optimizer !== "adam" || process.argv[4] === "sgd";
    // One optimizer for all calls.
    this.options = { optimizer: (plain ? sgd : adam)({ learningRate }) };
    this.hot = targets(data.labels, sizes.at(-1), FloatArray);
    Object.assign(this, { task, data });
  }

  async train(samples) {
    const { sizes, batch, rows } = this.task;
    const { images, labels } = this.data;
    const count = Math.min(samples, rows);
    const history = await this.network.fit(images.subarray(0, count * sizes[0]), labels.subarray(0, count), {
      epochs: samples / count,
      batchSize: batch,
      ...this.options,
      shuffle: false,
    });
    return history.reduce((sum, epoch) => sum + epoch.seconds, 0);
  }

  turn(times) {
    const { sizes, batch, rows, predicts } = this.task;
    const [inputs, outputs] = [sizes[0], sizes.at(-1)];
    const { images } = this.data;
    for (let i = 0; i < times; i++) {
      if (predicts) this.predictRow(i % rows);
      const start = (i * batch) % rows;
      const x = images.subarray(start * inputs, (start + batch) * inputs);
      const y = this.hot.subarray(start * outputs, (start + batch) * outputs);
      this.network.trainBatch(x, y, this.options);
    }
  }

  predict(times) {
    for (let i = 0; i < times; i++) this.predictRow(i % this.task.rows);
  }

  predictRow(index) {
    const inputs = this.task.sizes[0];
    return this.network.predict(this.data.images.subarray(index * inputs, (index + 1) * inputs));
  }

  accuracy(images, labels) {
    return agreement(this.network.predict(images), labels, this.task.sizes.at(-1));
  }
}

serve((task, data) => new Model(task, data), `wasmgrad ${version}`, FloatArray);
