"""Golden values for dense networks, computed by PyTorch in float64.

Writes networks.json beside this file: for each network its initial parameters and batch, the forward pass,
the loss, every gradient, and ten steps of plain full-batch gradient descent. networks.ts describes the
fields.

Convention: weights have shape (inputs, outputs), row-major; a layer computes activation(x @ W + b).
Losses: meanSquaredError and binaryCrossEntropy are means over all elements (batch x outputs), crossEntropy is
the mean over the rows of -sum(target * log(softmax)), with targets given as class indexes or as rows of
probabilities. The two cross entropies are computed from the logits, so no clipping constant is in the values.

Batches and initial parameters are multiples of 1/4096 (soft targets of 1/16), so they are exact in float32
too, and no relu in any of the ten steps has its kink within KINK of the pre-activation: float32 takes the
same branches.

Run: python3 networks.py  (PyTorch 1.13 or later; running it again writes the same bytes)
"""

import json
import math
import pathlib
import random

import torch
import torch.nn.functional as F

STEPS = 10
GRID = 4096
KINK = 1e-5

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "softmax": lambda z: torch.softmax(z, dim=1),
    "linear": lambda z: z,
}

# name, inputs, layers, loss, kind of targets, batch, learning rate
NETWORKS = [
    ("one weight, tanh", 1, [(1, "tanh")], "meanSquaredError", "signed", 1, 0.5),
    ("linear regression", 3, [(1, "linear")], "meanSquaredError", "real", 5, 0.1),
    ("logistic regression", 7, [(1, "sigmoid")], "binaryCrossEntropy", "bits", 32, 0.5),
    ("softmax regression", 10, [(5, "softmax")], "crossEntropy", "classes", 32, 0.5),
    ("xor", 2, [(3, "tanh"), (1, "sigmoid")], "binaryCrossEntropy", "xor", 4, 0.5),
    ("sigmoid layers, one row", 5, [(7, "sigmoid"), (2, "sigmoid")], "meanSquaredError", "unit", 1, 0.5),
    ("relu output", 7, [(10, "tanh"), (3, "relu")], "meanSquaredError", "unit", 4, 0.1),
    ("softmax, squared error", 3, [(10, "sigmoid"), (5, "softmax")], "meanSquaredError", "oneHot", 4, 1.0),
    ("soft targets", 5, [(10, "tanh"), (7, "softmax")], "crossEntropy", "soft", 5, 0.5),
    ("one-hot targets", 33, [(17, "linear"), (10, "softmax")], "crossEntropy", "oneHot", 32, 0.1),
    ("many labels", 10, [(33, "relu"), (5, "sigmoid")], "binaryCrossEntropy", "bits", 32, 0.5),
    ("soft labels", 5, [(3, "relu"), (2, "sigmoid")], "binaryCrossEntropy", "unit", 5, 0.5),
    ("relu regression", 7, [(17, "relu"), (5, "relu"), (3, "linear")], "meanSquaredError", "real", 32, 0.1),
    (
        "four layers",
        17,
        [(33, "relu"), (10, "tanh"), (7, "sigmoid"), (3, "softmax")],
        "crossEntropy",
        "classes",
        5,
        0.5,
    ),
    ("digits", 64, [(48, "relu"), (10, "softmax")], "crossEntropy", "classes", 50, 0.1),
]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def on_grid(rng, limit):
    """A uniform number in [-limit, limit], a multiple of 1/GRID, never zero."""
    while True:
        value = round((2 * rng.random() - 1) * limit * GRID) / GRID
        if value != 0:
            return value


def make_targets(kind, rng, batch, size):
    """The targets as JSON holds them: rows of floats, or a list of class indexes for "classes"."""
    rows = range(batch)
    if kind == "classes":
        return [rng.randrange(size) for _ in rows]
    if kind == "oneHot":
        classes = [rng.randrange(size) for _ in rows]
        return [[float(j == c) for j in range(size)] for c in classes]
    if kind == "soft":  # sixteen sixteenths dealt out at random: sums to exactly one
        table = [[0] * size for _ in rows]
        for row in table:
            for _ in range(16):
                row[rng.randrange(size)] += 1
        return [[n / 16 for n in row] for row in table]
    if kind == "bits":
        return [[float(rng.randrange(2)) for _ in range(size)] for _ in rows]
    if kind == "unit":
        return [[rng.randrange(17) / 16 for _ in range(size)] for _ in rows]
    if kind == "signed":
        return [[rng.randrange(-12, 13) / 16 for _ in range(size)] for _ in rows]
    if kind == "real":
        return [[on_grid(rng, 2) for _ in range(size)] for _ in rows]
    raise ValueError(kind)


def forward(layers, weights, biases, x):
    """Logits and outputs of the network, and the smallest |pre-activation| of any relu."""
    margin = math.inf
    for (_, activation), w, b in zip(layers, weights, biases):
        z = x @ w + b
        x = ACTIVATIONS[activation](z)
        if activation == "relu":
            margin = min(margin, z.detach().abs().min().item())
    return z, x, margin


def loss_of(loss, logits, outputs, targets):
    if loss == "meanSquaredError":
        return F.mse_loss(outputs, targets)
    if loss == "binaryCrossEntropy":
        return F.binary_cross_entropy_with_logits(logits, targets)
    return F.cross_entropy(logits, targets)


def flat(tensors):
    return [t.detach().reshape(-1).tolist() for t in tensors]


def golden(index, name, inputs, layers, loss, kind, batch, rate):
    rng = random.Random(20240701 + index)
    weights, biases, fan_in = [], [], inputs
    for size, _ in layers:
        limit = math.sqrt(6 / (fan_in + size))
        weights.append(tensor([[on_grid(rng, limit) for _ in range(size)] for _ in range(fan_in)]))
        biases.append(tensor([on_grid(rng, 0.5) for _ in range(size)]))
        fan_in = size
    if kind == "xor":
        x = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
        targets = [[0.0], [1.0], [1.0], [0.0]]
    else:
        x = [[on_grid(rng, 1) for _ in range(inputs)] for _ in range(batch)]
        targets = make_targets(kind, rng, batch, fan_in)

    parameters = weights + biases
    for p in parameters:
        p.requires_grad_(True)
    rows = tensor(x)
    wanted = torch.tensor(targets) if kind == "classes" else tensor(targets)
    result = {
        "name": name,
        "inputs": inputs,
        "layers": [{"size": size, "activation": activation} for size, activation in layers],
        "loss": loss,
        "learningRate": rate,
        "x": x,
        "targets": targets,
        "weights": flat(weights),
        "biases": flat(biases),
    }
    losses, margin = [], math.inf
    for step in range(STEPS):
        logits, outputs, gap = forward(layers, weights, biases, rows)
        margin = min(margin, gap)
        value = loss_of(loss, logits, outputs, wanted)
        gradients = torch.autograd.grad(value, parameters)
        losses.append(value.item())
        if step == 0:
            result["logits"] = logits.tolist()
            result["outputs"] = outputs.tolist()
            result["lossValue"] = value.item()
            result["weightGradients"] = flat(gradients[: len(layers)])
            result["biasGradients"] = flat(gradients[len(layers) :])
        with torch.no_grad():
            for p, g in zip(parameters, gradients):
                p -= rate * g
    result["losses"] = losses
    result["finalWeights"] = flat(weights)
    result["finalBiases"] = flat(biases)
    assert losses[-1] < losses[0], f"{name}: the loss does not fall, {losses}"
    assert margin > KINK, f"{name}: a relu input is {margin} from zero, change the seed"
    assert all(any(layer) for layer in result["weightGradients"]), f"{name}: a layer learns nothing"
    return result


def main():
    # the order of sums, hence the last digit, must not depend on the number of cores
    torch.set_num_threads(1)
    networks = [golden(i, *network) for i, network in enumerate(NETWORKS)]
    text = json.dumps(networks, separators=(",", ":"), allow_nan=False) + "\n"
    pathlib.Path(__file__).with_name("networks.json").write_text(text)


if __name__ == "__main__":
    main()
