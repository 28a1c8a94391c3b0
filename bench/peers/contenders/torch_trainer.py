"""PyTorch: nn.Sequential, torch.optim.SGD or Adam and slices of one tensor that is in memory (no DataLoader).
argv: dtype, threads, and optionally "foreach": Adam then updates all parameters with one call for each operation."""

import os
import sys

# Debian's build leaves the products to OpenBLAS, which has threads of its own. Then these are the only ones: two
# pools that spin on the same cores are several times slower than one.
os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[2]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from peer import glorot, has_openblas, serve  # noqa: E402

torch.set_num_threads(1 if has_openblas() else int(sys.argv[2]))
DTYPE, NP = {"float64": (torch.float64, np.float64), "float32": (torch.float32, np.float32)}[sys.argv[1]]


class Model:
    def __init__(self, task, data):
        self.batch, self.rows = task["batch"], task["rows"]
        self.predicts = task.get("predicts", False)
        output, classes = task["output"], task["sizes"][-1]
        self.images = torch.from_numpy(data[0])
        labels = torch.from_numpy(data[1])
        self.targets, self.loss, probability = {
            "sigmoid": lambda: (labels[:, None].to(DTYPE), F.binary_cross_entropy_with_logits, torch.nn.Sigmoid()),
            "softmax": lambda: (labels, F.cross_entropy, torch.nn.Softmax(1)),
            "linear": lambda: (F.one_hot(labels, classes).to(DTYPE), F.mse_loss, torch.nn.Identity()),
        }[output]()
        layers = []
        for weights, bias in glorot(task, NP):
            linear = torch.nn.Linear(*weights.shape, dtype=DTYPE)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weights.T))
                linear.bias.copy_(torch.from_numpy(bias))
            layers += [linear, torch.nn.ReLU() if task["hidden"] == "relu" else torch.nn.Tanh()]
        self.network = torch.nn.Sequential(*layers[:-1])
        self.probabilities = torch.nn.Sequential(self.network, probability)
        rate = task["learningRate"]
        if task.get("optimizer") == "adam":
            self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate, foreach="foreach" in sys.argv)
        else:
            # foreach=True was tried: no faster on the CPU.
            self.optimizer = torch.optim.SGD(self.network.parameters(), lr=rate)

    def step(self, start):
        end = start + self.batch
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.network(self.images[start:end]), self.targets[start:end])
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self, samples):
        for start in range(0, samples, self.batch):
            self.step(start % self.rows)

    def turn(self, times):
        for i in range(times):
            if self.predicts:
                row = i % self.rows
                with torch.no_grad():
                    self.network(self.images[row : row + 1]).numpy()
            self.step(i * self.batch % self.rows).item()

    @torch.inference_mode()
    def predict(self, times):
        for i in range(times):
            i %= self.rows
            self.probabilities(self.images[i : i + 1])

    @torch.inference_mode()
    def accuracy(self, images, labels):
        scores = self.network(torch.from_numpy(images))
        return float((scores.argmax(1) == torch.from_numpy(labels)).double().mean())


serve(Model, f"PyTorch {torch.__version__}{' with OpenBLAS' if has_openblas() else ''}", NP)
