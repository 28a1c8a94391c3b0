// wasmgrad, as built in dist/. The seconds of training are those in fit's history: as with the others, the data
// is in memory (here the WebAssembly heap) when the clock starts. argv: dtype, threads.
import { readFileSync } from "node:fs";
import { Dense, Network } from "../../../dist/index.js";
import { dtype, FloatArray, serve, threads } from "./peer.mjs";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url)));

class Model {
  constructor(task, data) {
    const { sizes, hidden, output } = task;
    const layers = sizes
      .slice(1)
      .map((units, i) => new Dense(units, { activation: i === sizes.length - 2 ? output : hidden }));
    this.network = new Network({ inputs: sizes[0], layers, seed: 1, dtype, ...(threads > 1 && { threads }) });
    Object.assign(this, { task, data });
  }

  async train(samples) {
    const { sizes, batch, rows, learningRate } = this.task;
    const { images, labels } = this.data;
    const count = Math.min(samples, rows);
    const history = await this.network.fit(images.subarray(0, count * sizes[0]), labels.subarray(0, count), {
      epochs: samples / count,
      batchSize: batch,
      learningRate,
      shuffle: false,
    });
    return history.reduce((sum, epoch) => sum + epoch.seconds, 0);
  }

  predict(times) {
    const { sizes, rows } = this.task;
    for (let i = 0; i < times; i++) {
      const start = (i % rows) * sizes[0];
      this.network.predict(this.data.images.subarray(start, start + sizes[0]));
    }
  }

  accuracy(images, labels) {
    return this.network.evaluate(images, labels).accuracy;
  }
}

serve((task, data) => new Model(task, data), `wasmgrad ${version}`, FloatArray);
