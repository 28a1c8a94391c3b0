// TensorFlow.js on its wasm backend (SIMD; it has no threads on Node), on batches that are tensors already.
// argv: dtype (float32 only), threads (1 only), and optionally "by-hand":
//  - without it: optimizer.minimize(), which is faster here than model.fit();
//  - by hand: forward pass, gradients and update written out with fused and explicitly transposed products. The
//    library's own gradient of matMul() takes a slow path on this backend; the documentation does not tell.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { agreement, FloatArray, glorot, serve, targets } from "./peer.mjs";

const require = createRequire(import.meta.url);
console.warn = console.log = () => {}; // stdout is the protocol's
const tf = require("@tensorflow/tfjs");
const { setWasmPaths } = require("@tensorflow/tfjs-backend-wasm");
setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
await tf.setBackend("wasm");
await tf.ready();

const byHand = process.argv[4] === "by-hand";

class Model {
  constructor(task, { images, labels }) {
    const { sizes, batch, rows, learningRate, hidden, output } = task;
    const [inputs, outputs] = [sizes[0], sizes.at(-1)];
    Object.assign(this, { task, images, inputs, outputs, hidden });
    this.layers = glorot(task, FloatArray).map((layer) => ({
      weights: tf.variable(tf.tensor2d(layer.weights, [layer.inputs, layer.outputs])),
      bias: tf.variable(tf.tensor1d(layer.bias)),
    }));
    const hot = targets(labels, outputs, FloatArray);
    this.batches = [];
    for (let i = 0; i < rows; i += batch) {
      this.batches.push([
        tf.tensor2d(images.slice(i * inputs, (i + batch) * inputs), [batch, inputs]),
        tf.tensor2d(hot.slice(i * outputs, (i + batch) * outputs), [batch, outputs]),
      ]);
    }
    this.optimizer = tf.train.sgd(learningRate);
    this.rate = tf.scalar(learningRate / batch);
    this.loss = output === "sigmoid" ? tf.losses.sigmoidCrossEntropy : tf.losses.softmaxCrossEntropy;
    this.probability = output === "sigmoid" ? tf.sigmoid : tf.softmax;
  }

  /** The outputs of every layer; the last one's are the scores, before softmax or sigmoid. */
  forward(x) {
    return this.layers.map(({ weights, bias }, i) => {
      const activation = i === this.layers.length - 1 ? "linear" : this.hidden;
      if (activation === "tanh") x = tf.tanh(tf.fused.matMul({ a: x, b: weights, bias }));
      else x = tf.fused.matMul({ a: x, b: weights, bias, activation });
      return x;
    });
  }

  handWrittenStep(x, y) {
    const outputs = this.forward(x);
    let delta = this.probability(outputs.at(-1)).sub(y).mul(this.rate);
    for (let i = this.layers.length - 1; i >= 0; i--) {
      const { weights, bias } = this.layers[i];
      const input = i > 0 ? outputs[i - 1] : x;
      const weightsStep = tf.matMul(tf.transpose(input), delta);
      const biasStep = delta.sum(0);
      if (i > 0) {
        const slope = this.hidden === "relu" ? tf.step(input) : tf.sub(1, tf.square(input));
        delta = tf.matMul(delta, tf.transpose(weights)).mul(slope);
      }
      weights.assign(weights.sub(weightsStep));
      bias.assign(bias.sub(biasStep));
    }
  }

  train(samples) {
    const { batch, rows } = this.task;
    for (let start = 0; start < samples; start += batch) {
      const [x, y] = this.batches[(start % rows) / batch];
      if (byHand) tf.tidy(() => this.handWrittenStep(x, y));
      else this.optimizer.minimize(() => this.loss(y, this.forward(x).at(-1)));
    }
    this.layers[0].bias.dataSync();
  }

  predict(times) {
    for (let i = 0; i < times; i++) {
      const start = (i % this.task.rows) * this.inputs;
      const row = this.images.subarray(start, start + this.inputs);
      tf.tidy(() => this.probability(this.forward(tf.tensor2d(row, [1, this.inputs])).at(-1)).dataSync());
    }
  }

  accuracy(images, labels) {
    return tf.tidy(() => {
      const scores = this.forward(tf.tensor2d(images, [labels.length, this.inputs])).at(-1);
      return agreement(scores.dataSync(), labels, this.outputs);
    });
  }

  dispose() {
    tf.dispose([this.batches, this.rate, this.layers.map(({ weights, bias }) => [weights, bias])]);
  }
}

serve((task, data) => new Model(task, data), `TensorFlow.js ${tf.version.tfjs}`, FloatArray);
