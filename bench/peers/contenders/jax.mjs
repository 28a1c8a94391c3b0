// jax-js on its wasm backend: one jit-compiled training step from valueAndGrad, as in its README and its MNIST
// example, on batches that are arrays already. Adam is part of that step, written by hand: its package of optimizers
// (@jax-js/optax) is one of its own. Node has no web workers, so it runs on one thread. argv: dtype.
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
    const { sizes, batch, rows, hidden, output, learningRate, optimizer } = task;
    const [inputs, outputs] = [sizes[0], sizes.at(-1)];
    const parameters = glorot(task, FloatArray).map((layer) => ({
      weights: matrix(layer.weights, layer.outputs),
      bias: np.array(layer.bias, { dtype }),
    }));
    const hot = targets(labels, outputs, FloatArray);
    Object.assign(this, { images, hot });
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
      if (output === "linear") return np.square(z.sub(y)).mean();
      const sum =
        output === "sigmoid" ? nn.softplus(z.ref).sub(z.mul(y)).sum() : nn.logSoftmax(z).mul(y).sum().neg();
      return sum.mul(1 / batch);
    };
    const sgd = ({ parameters }, x, y) => {
      const [value, gradients] = valueAndGrad(loss)(tree.ref(parameters), x, y);
      return [{ parameters: tree.map((p, g) => p.sub(g.mul(learningRate)), parameters, gradients) }, value];
    };
    const adam = ({ parameters, first, second }, x, y, rate, epsilon) => {
      const [value, gradients] = valueAndGrad(loss)(tree.ref(parameters), x, y);
      const m = tree.map((m, g) => m.mul(0.9).add(g.mul(1 - 0.9)), first, tree.ref(gradients));
      const v = tree.map((v, g) => v.mul(0.999).add(np.square(g).mul(1 - 0.999)), second, gradients);
      const update = (p, m, v) => p.sub(m.mul(rate.ref).div(np.sqrt(v).add(epsilon.ref)));
      const state = {
        parameters: tree.map(update, parameters, tree.ref(m), tree.ref(v)),
        first: m,
        second: v,
      };
      rate.dispose();
      epsilon.dispose();
      return [state, value];
    };
    this.state = { parameters };
    this.adam = optimizer === "adam";
    if (this.adam) {
      const zeros = () => tree.map((p) => np.zerosLike(p), tree.ref(parameters));
      Object.assign(this.state, { first: zeros(), second: zeros() });
    }
    this.steps = 0;
    this.step = jit(this.adam ? adam : sgd);
    this.scores = jit(scores);
    const probability = { sigmoid: nn.sigmoid, softmax: nn.softmax, linear: (z) => z }[output];
    this.probabilities = jit((parameters, x) => probability(scores(parameters, x)));
  }

  /** A step; returns the loss, as an array. */
  async advance(x, y) {
    const settings = [];
    if (this.adam) {
      // Adam's corrections of its averages, which start at 0, as factors of the rate and of epsilon.
      const t = ++this.steps;
      const root = Math.sqrt(1 - 0.999 ** t);
      const numbers = [(this.task.learningRate * root) / (1 - 0.9 ** t), 1e-8 * root];
      settings.push(...numbers.map((value) => np.array(value, { dtype })));
    }
    const [state, loss] = this.step(this.state, x, y, ...settings);
    this.state = state;
    // At every step, as its documentation advises: steps that queue up become slower and slower.
    await blockUntilReady(state);
    return loss;
  }

  async train(samples) {
    const { batch, rows } = this.task;
    for (let start = 0; start < samples; start += batch) {
      const [x, y] = this.batches[(start % rows) / batch];
      const loss = await this.advance(x.ref, y.ref);
      loss.dispose();
    }
  }

  async turn(times) {
    const { sizes, batch, rows, predicts } = this.task;
    const [inputs, outputs] = [sizes[0], sizes.at(-1)];
    for (let i = 0; i < times; i++) {
      if (predicts) this.predictRow(i % rows);
      const start = (i * batch) % rows;
      const x = matrix(this.images.slice(start * inputs, (start + batch) * inputs), inputs);
      const y = matrix(this.hot.slice(start * outputs, (start + batch) * outputs), outputs);
      const loss = await this.advance(x, y);
      loss.dataSync();
    }
  }

  predict(times) {
    for (let i = 0; i < times; i++) this.predictRow(i % this.task.rows);
  }

  predictRow(index) {
    const inputs = this.task.sizes[0];
    const row = matrix(this.images.slice(index * inputs, (index + 1) * inputs), inputs);
    return this.probabilities(tree.ref(this.state.parameters), row).dataSync();
  }

  accuracy(images, labels) {
    const { sizes } = this.task;
    const scores = this.scores(tree.ref(this.state.parameters), matrix(images, sizes[0]));
    return agreement(scores.dataSync(), labels, sizes.at(-1));
  }

  dispose() {
    tree.dispose(this.state);
    tree.dispose(this.batches);
    for (const f of [this.step, this.scores, this.probabilities]) f.dispose();
  }
}

serve((task, data) => new Model(task, data), `jax-js ${version}`, FloatArray);
