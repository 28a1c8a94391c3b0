"""NumPy, trained by hand: every product goes to the BLAS it is linked with, every result to a buffer that is
allocated once, and no step makes an array that it does not need. argv: dtype, threads."""

import os
import sys
from itertools import accumulate

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = sys.argv[2]

import numpy as np  # noqa: E402  (the number of threads is read on import)

from peer import glorot, has_openblas, serve  # noqa: E402

DTYPE = {"float64": np.float64, "float32": np.float32}[sys.argv[1]]


class Layer:
    def __init__(self, weights, bias, weights_step, bias_step, batch):
        inputs, outputs = weights.shape
        self.weights, self.bias = weights, bias
        self.weights_step, self.bias_step = weights_step, bias_step
        self.output = np.empty((batch, outputs), DTYPE)
        self.delta = np.empty((batch, outputs), DTYPE)
        self.scratch = np.empty((batch, outputs), DTYPE)
        self.positive = np.empty((batch, outputs), bool)


class Sgd:
    """weights -= step, where the learning rate is in the step already."""

    def __init__(self, size, rate):
        self.factor = rate

    def update(self, weights, step):
        np.subtract(weights, step, out=weights)


class Adam:
    """Beta1 0.9, beta2 0.999, epsilon 1e-8, with as few passes over the arrays as it takes. With g the gradient:

        first = beta1 first + (1 - beta1) g          the factor is in the step already
        second = beta2 second + ((1 - beta1) g)^2    this is the usual one times a = (1 - beta1)^2 / (1 - beta2)
        weights -= rate c first / (sqrt(second) + e)

    where c = sqrt(a (1 - beta2^t)) / (1 - beta1^t) and e = epsilon sqrt(a (1 - beta2^t)). In pieces that fit the caches
    it was slower."""

    def __init__(self, size, rate):
        self.factor = 1 - 0.9
        self.rate, self.t = rate, 0
        self.first, self.second = np.zeros(size, DTYPE), np.zeros(size, DTYPE)

    def update(self, weights, step):
        self.t += 1
        a = ((1 - 0.9) ** 2 / (1 - 0.999) * (1 - 0.999**self.t)) ** 0.5
        first, second = self.first, self.second
        np.multiply(first, DTYPE(0.9), out=first)
        np.add(first, step, out=first)
        np.multiply(step, step, out=step)
        np.multiply(second, DTYPE(0.999), out=second)
        np.add(second, step, out=second)
        np.sqrt(second, out=step)
        np.add(step, DTYPE(1e-8 * a), out=step)
        np.divide(first, step, out=step)
        np.multiply(step, DTYPE(self.rate * a / (1 - 0.9**self.t)), out=step)
        np.subtract(weights, step, out=weights)


class Model:
    def __init__(self, task, data):
        self.batch, self.rows, self.hidden = task["batch"], task["rows"], task["hidden"]
        self.output, self.predicts = task["output"], task.get("predicts", False)
        self.images, labels = data
        classes = task["sizes"][-1]
        self.targets = (labels[:, None] if self.output == "sigmoid" else np.eye(classes)[labels]).astype(DTYPE)

        # The parameters and the gradients are one array each, of which the layers have views.
        initial = [array for layer in glorot(task, DTYPE) for array in layer]
        ends = list(accumulate(array.size for array in initial))
        self.parameters = np.concatenate([array.ravel() for array in initial])
        self.steps = np.empty_like(self.parameters)
        views = [
            [flat[end - array.size : end].reshape(array.shape) for array, end in zip(initial, ends)]
            for flat in (self.parameters, self.steps)
        ]
        blocks = list(zip(views[0][::2], views[0][1::2], views[1][::2], views[1][1::2]))
        self.layers = [Layer(*block, self.batch) for block in blocks]
        self.single = [Layer(*block, 1) for block in blocks]
        self.column = np.empty((self.batch, 1), DTYPE)
        self.one = np.empty((1, 1), DTYPE)

        kind = Adam if task.get("optimizer") == "adam" else Sgd
        self.optimizer = kind(self.parameters.size, task["learningRate"])
        # What the derivative of the loss by the scores is of probability - target, with the optimizer's factor.
        mean = 2 / classes if self.output == "linear" else 1
        self.scale = DTYPE(mean / self.batch * self.optimizer.factor)

    def forward(self, layers, rows, column):
        """The outputs of the last layer: probabilities, or values where the output is linear."""
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
        if self.output == "sigmoid":
            np.negative(out, out=out)
            np.exp(out, out=out)
            np.add(out, 1, out=out)
            np.reciprocal(out, out=out)
        elif self.output == "softmax":
            np.maximum.reduce(out, axis=1, keepdims=True, out=column)
            np.subtract(out, column, out=out)
            np.exp(out, out=out)
            np.add.reduce(out, axis=1, keepdims=True, out=column)
            np.divide(out, column, out=out)
        return out

    def step(self, start):
        layers, last = self.layers, self.layers[-1]
        images = self.images[start : start + self.batch]
        self.forward(layers, images, self.column)
        # Softmax with cross-entropy, sigmoid with binary cross-entropy, or values with squared error.
        np.subtract(last.output, self.targets[start : start + self.batch], out=last.delta)
        np.multiply(last.delta, self.scale, out=last.delta)
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
            np.add.reduce(layer.delta, axis=0, out=layer.bias_step)
        self.optimizer.update(self.parameters, self.steps)

    def loss(self, start):
        """Of the step that was just done."""
        outputs, targets = self.layers[-1].output, self.targets[start : start + self.batch]
        if self.output == "linear":
            errors = (outputs - targets).ravel()
            return float(errors @ errors) / errors.size
        if self.output == "sigmoid":
            return -float(np.log(np.where(targets, outputs, 1 - outputs)).mean())
        return -float(np.log(outputs[targets > 0]).mean())

    def train(self, samples):
        for start in range(0, samples, self.batch):
            self.step(start % self.rows)

    def turn(self, times):
        for i in range(times):
            if self.predicts:
                self.predict_row(i % self.rows)
            start = i * self.batch % self.rows
            self.step(start)
            self.loss(start)

    def predict(self, times):
        for i in range(times):
            self.predict_row(i % self.rows)

    def predict_row(self, i):
        return self.forward(self.single, self.images[i : i + 1], self.one)

    def accuracy(self, images, labels):
        for layer in self.layers[:-1]:
            images = np.maximum(images @ layer.weights + layer.bias, 0)
        scores = images @ self.layers[-1].weights + self.layers[-1].bias
        return float(np.mean(scores.argmax(axis=1) == labels))


serve(Model, f"NumPy {np.__version__} with {'OpenBLAS' if has_openblas() else 'its BLAS'}", DTYPE)
