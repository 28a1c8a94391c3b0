// TensorFlow.js on its wasm backend (SIMD; it has no threads on Node), on batches that are tensors already.
// argv: dtype (float32 only), threads (1 only), and optionally "by-hand":
//  - without it: optimizer.minimize(), which is faster here than model.fit();
//  - by hand: forward pass, gradients and (of plain SGD) update written out with fused and explicitly transposed
//    products. The library's own gradient of matMul() takes a slow path on this backend; the documentation does not tell.
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

const outputKinds = {
  sigmoid: { loss: tf.losses.sigmoidCrossEntropy, probability: tf.sigmoid },
  softmax: { loss: tf.losses.softmaxCrossEntropy, probability: tf.softmax },
  linear: { loss: tf.losses.meanSquaredError, probability: (x) => x },
};

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
    this.hot = hot;
    this.adam = task.optimizer === "adam";
    this.optimizer = this.adam ? tf.train.adam(learningRate, 0.9, 0.999, 1e-8) : tf.train.sgd(learningRate);
    // The derivative of the loss by the scores is (probability - target) times this; plain SGD takes its rate in.
    this.scale = tf.scalar(
      ((output === "linear" ? 2 / outputs : 1) / batch) * (this.adam ? 1 : learningRate),
    );
    Object.assign(this, outputKinds[output]);
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
    const gradients = {};
    let delta = this.probability(outputs.at(-1)).sub(y).mul(this.scale);
    for (let i = this.layers.length - 1; i >= 0; i--) {
      const { weights, bias } = this.layers[i];
      const input = i > 0 ? outputs[i - 1] : x;
      const weightsStep = tf.matMul(tf.transpose(input), delta);
      const biasStep = delta.sum(0);
      if (i > 0) {
        const slope = this.hidden === "relu" ? tf.step(input) : tf.sub(1, tf.square(input));
        delta = tf.matMul(delta, tf.transpose(weights)).mul(slope);
      }
      if (this.adam) {
        gradients[weights.name] = weightsStep;
        gradients[bias.name] = biasStep;
      } else {
        weights.assign(weights.sub(weightsStep));
        bias.assign(bias.sub(biasStep));
      }
    }
    if (this.adam) this.optimizer.applyGradients(gradients);
    return outputs.at(-1);
  }

  train(samples) {
    const { batch, rows } = this.task;
    for (let start = 0; start < samples; start += batch) {
      const [x, y] = this.batches[(start % rows) / batch];
      if (byHand) tf.tidy(() => void this.handWrittenStep(x, y));
      else this.optimizer.minimize(() => this.loss(y, this.forward(x).at(-1)));
    }
    this.layers[0].bias.dataSync();
  }

  /** A step on rows that come as numbers; returns the loss. */
  trainBatch(images, hot) {
    const { batch } = this.task;
    return tf.tidy(() => {
      const x = tf.tensor2d(images, [batch, this.inputs]);
      const y = tf.tensor2d(hot, [batch, this.outputs]);
      if (byHand) return this.loss(y, this.handWrittenStep(x, y)).dataSync()[0];
      return this.optimizer.minimize(() => this.loss(y, this.forward(x).at(-1)), true).dataSync()[0];
    });
  }

  turn(times) {
    const { batch, rows, predicts } = this.task;
    for (let i = 0; i < times; i++) {
      if (predicts) this.predictRow(i % rows);
      const start = (i * batch) % rows;
      this.trainBatch(
        this.images.subarray(start * this.inputs, (start + batch) * this.inputs),
        this.hot.subarray(start * this.outputs, (start + batch) * this.outputs),
      );
    }
  }

  predict(times) {
    for (let i = 0; i < times; i++) this.predictRow(i % this.task.rows);
  }

  predictRow(index) {
    const row = this.images.subarray(index * this.inputs, (index + 1) * this.inputs);
    return tf.tidy(() =>
      this.probability(this.forward(tf.tensor2d(row, [1, this.inputs])).at(-1)).dataSync(),
    );
  }

  accuracy(images, labels) {
    return tf.tidy(() => {
      const scores = this.forward(tf.tensor2d(images, [labels.length, this.inputs])).at(-1);
      return agreement(scores.dataSync(), labels, this.outputs);
    });
  }

  dispose() {
    this.optimizer.dispose();
    tf.dispose([this.batches, this.scale, this.layers.map(({ weights, bias }) => [weights, bias])]);
  }
}

serve((task, data) => new Model(task, data), `TensorFlow.js ${tf.version.tfjs}`, FloatArray);
