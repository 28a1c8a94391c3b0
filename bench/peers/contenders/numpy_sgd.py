"""NumPy, trained by hand: every product goes to the BLAS it is linked with, every result to a buffer that is
allocated once, and no step makes an array that it does not need. argv: dtype, threads."""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = sys.argv[2]

import numpy as np  # noqa: E402  (the number of threads is read on import)

from peer import glorot, has_openblas, serve  # noqa: E402

DTYPE = {"float64": np.float64, "float32": np.float32}[sys.argv[1]]


class Layer:
    def __init__(self, weights, bias, batch):
        inputs, outputs = weights.shape
        self.weights, self.bias = weights, bias
        self.output = np.empty((batch, outputs), DTYPE)
        self.delta = np.empty((batch, outputs), DTYPE)
        self.scratch = np.empty((batch, outputs), DTYPE)
        self.positive = np.empty((batch, outputs), bool)
        self.weights_step, self.bias_step = np.empty_like(weights), np.empty_like(bias)


class Model:
    def __init__(self, task, data):
        self.batch, self.rows, self.hidden = task["batch"], task["rows"], task["hidden"]
        self.binary = task["output"] == "sigmoid"
        self.images, labels = data
        classes = task["sizes"][-1]
        self.targets = (labels[:, None] if self.binary else np.eye(classes)[labels]).astype(DTYPE)
        self.rate = DTYPE(task["learningRate"] / self.batch)
        self.layers = [Layer(w, b, self.batch) for w, b in glorot(task, DTYPE)]
        self.single = [Layer(layer.weights, layer.bias, 1) for layer in self.layers]
        self.column = np.empty((self.batch, 1), DTYPE)
        self.one = np.empty((1, 1), DTYPE)

    def forward(self, layers, rows, column):
        """The outputs of the last layer: probabilities."""
        for layer in layers:
            out = layer.output
            np.matmul(rows, layer.weights, out=out)
            np.add(out, layer.bias, out=out)
            if layer is not layers[-1]:
                if self.hidden == "relu":
                    np.maximum(out, 0, out=out)
                else:
                    np.tanh(out, out=out)
            rows = out
        if self.binary:
            np.negative(out, out=out)
            np.exp(out, out=out)
            np.add(out, 1, out=out)
            np.reciprocal(out, out=out)
        else:
            np.maximum.reduce(out, axis=1, keepdims=True, out=column)
            np.subtract(out, column, out=out)
            np.exp(out, out=out)
            np.add.reduce(out, axis=1, keepdims=True, out=column)
            np.divide(out, column, out=out)
        return out

    def train(self, samples):
        layers, last = self.layers, self.layers[-1]
        for start in range(0, samples, self.batch):
            start %= self.rows
            images = self.images[start : start + self.batch]
            self.forward(layers, images, self.column)
            # Softmax with cross-entropy, or sigmoid with binary cross-entropy; the learning rate goes in here.
            np.subtract(last.output, self.targets[start : start + self.batch], out=last.delta)
            np.multiply(last.delta, self.rate, out=last.delta)
            for i in range(len(layers) - 1, -1, -1):
                layer, before = layers[i], layers[i - 1]
                inputs = before.output if i else images
                if i:
                    np.matmul(layer.delta, layer.weights.T, out=before.delta)
                    if self.hidden == "relu":
                        np.greater(inputs, 0, out=before.positive)
                        np.multiply(before.delta, before.positive, out=before.delta)
                    else:
                        np.multiply(inputs, inputs, out=before.scratch)
                        np.subtract(1, before.scratch, out=before.scratch)
                        np.multiply(before.delta, before.scratch, out=before.delta)
                np.matmul(inputs.T, layer.delta, out=layer.weights_step)
                np.subtract(layer.weights, layer.weights_step, out=layer.weights)
                np.add.reduce(layer.delta, axis=0, out=layer.bias_step)
                np.subtract(layer.bias, layer.bias_step, out=layer.bias)

    def predict(self, times):
        for i in range(times):
            i %= self.rows
            self.forward(self.single, self.images[i : i + 1], self.one)

    def accuracy(self, images, labels):
        for layer in self.layers[:-1]:
            images = np.maximum(images @ layer.weights + layer.bias, 0)
        scores = images @ self.layers[-1].weights + self.layers[-1].bias
        return float(np.mean(scores.argmax(axis=1) == labels))


serve(Model, f"NumPy {np.__version__} with {'OpenBLAS' if has_openblas() else 'its BLAS'}", DTYPE)
