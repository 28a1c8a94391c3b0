// jax-js on its wasm backend: one jit-compiled training step from valueAndGrad, as in its README and its MNIST
// example, on batches that are arrays already. Node has no web workers, so it runs on one thread. argv: dtype.
import { readFileSync } from "node:fs";
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { agreement, dtype, FloatArray, glorot, serve, targets } from "./peer.mjs";

await init("wasm");
defaultDevice("wasm");
const { version } = JSON.parse(
  readFileSync(new URL("../node_modules/@jax-js/jax/package.json", import.meta.url)),
);
const matrix = (values, columns) => np.array(values, { dtype }).reshape([-1, columns]);

class Model {
  constructor(task, { images, labels }) {
    this.task = task;
    const { sizes, batch, rows, hidden, output, learningRate } = task;
    const [inputs, outputs] = [sizes[0], sizes.at(-1)];
    this.parameters = glorot(task, FloatArray).map((layer) => ({
      weights: matrix(layer.weights, layer.outputs),
      bias: np.array(layer.bias, { dtype }),
    }));
    const hot = targets(labels, outputs, FloatArray);
    this.images = images;
    this.batches = [];
    for (let i = 0; i < rows; i += batch) {
      this.batches.push([
        matrix(images.slice(i * inputs, (i + batch) * inputs), inputs),
        matrix(hot.slice(i * outputs, (i + batch) * outputs), outputs),
      ]);
    }

    const scores = (parameters, x) =>
      parameters.reduce((x, { weights, bias }, i) => {
        const z = np.matmul(x, weights).add(bias);
        if (i === parameters.length - 1) return z;
        return hidden === "relu" ? nn.relu(z) : np.tanh(z);
      }, x);
    const loss = (parameters, x, y) => {
      const z = scores(parameters, x);
      // Binary cross-entropy is softplus(z) - y z.
      const sum =
        output === "sigmoid" ? nn.softplus(z.ref).sub(z.mul(y)).sum() : nn.logSoftmax(z).mul(y).sum().neg();
      return sum.mul(1 / batch);
    };
    this.step = jit((parameters, x, y) => {
      const [value, gradients] = valueAndGrad(loss)(tree.ref(parameters), x, y);
      value.dispose();
      return tree.map((p, g) => p.sub(g.mul(learningRate)), parameters, gradients);
    });
    this.scores = jit(scores);
    this.probabilities = jit((parameters, x) =>
      output === "sigmoid" ? nn.sigmoid(scores(parameters, x)) : nn.softmax(scores(parameters, x)),
    );
  }

  async train(samples) {
    const { batch, rows } = this.task;
    for (let start = 0; start < samples; start += batch) {
      const [x, y] = this.batches[(start % rows) / batch];
      this.parameters = this.step(this.parameters, x.ref, y.ref);
      // At every step, as its documentation advises: steps that queue up become slower and slower.
      await blockUntilReady(this.parameters);
    }
  }

  predict(times) {
    const { sizes, rows } = this.task;
    for (let i = 0; i < times; i++) {
      const start = (i % rows) * sizes[0];
      const row = matrix(this.images.slice(start, start + sizes[0]), sizes[0]);
      this.probabilities(tree.ref(this.parameters), row).dataSync();
    }
  }

  accuracy(images, labels) {
    const { sizes } = this.task;
    const scores = this.scores(tree.ref(this.parameters), matrix(images, sizes[0]));
    return agreement(scores.dataSync(), labels, sizes.at(-1));
  }

  dispose() {
    tree.dispose(this.parameters);
    tree.dispose(this.batches);
    for (const f of [this.step, this.scores, this.probabilities]) f.dispose();
  }
}

serve((task, data) => new Model(task, data), `jax-js ${version}`, FloatArray);
