"""Golden trajectories of layers that normalize, computed by PyTorch in float64.

Writes layers.json beside this file: for each network its parameters, data, the loss of each epoch of gradient descent in
batches, the last one smaller, and afterwards the parameters, the running statistics and the outputs in evaluation.

Run: python3 layers.py  (PyTorch 1.13 or later; running it again writes the same bytes)
"""

import json
import pathlib

import torch

HERE = pathlib.Path(__file__)
EPOCHS = 5
ROWS = 16
BATCH = 6

DENSE = lambda size, activation: {"layer": "Dense", "size": size, "activation": activation}
BATCH_NORM = lambda **options: {"layer": "BatchNormalization", "options": options}
LAYER_NORM = lambda **options: {"layer": "LayerNormalization", "options": options}

# name, input shape, momentum of the optimizer, layers
NETWORKS = [
    ("batch normalization", [4], 0, [DENSE(5, "tanh"), BATCH_NORM(), DENSE(3, "linear")]),
    ("batch normalization, momentum", [4], 0.9, [DENSE(5, "tanh"), BATCH_NORM(), DENSE(3, "linear")]),
    ("batch normalization of the inputs", [4], 0, [BATCH_NORM(momentum=0.3, epsilon=0.01), DENSE(2, "tanh")]),
    ("batch normalization at the end", [4], 0, [DENSE(3, "linear"), BATCH_NORM()]),
    ("layer normalization", [4], 0, [DENSE(7, "tanh"), LAYER_NORM(), DENSE(3, "linear")]),
    ("layer normalization, momentum", [4], 0.9, [LAYER_NORM(epsilon=0.01), DENSE(7, "tanh"), LAYER_NORM()]),
    ("both at every position", [3, 4], 0, [DENSE(5, "tanh"), BATCH_NORM(), LAYER_NORM(), DENSE(2, "linear")]),
    (
        "a frozen batch normalization",
        [4],
        0,
        [DENSE(5, "tanh"), BATCH_NORM(trainable=False), DENSE(3, "linear")],
    ),
]


def flat(tensor):
    return [float(value) for value in tensor.detach().reshape(-1)]


def random(*shape):
    """Values of three digits, so that the file stays small."""
    return torch.round(torch.randn(*shape) * 1000) / 1000


def build(shape, layers):
    """The modules, and of each the tensors by wasmgrad's names."""
    width = shape[-1]
    modules, tensors = [], []
    for layer in layers:
        options = layer.get("options", {})
        if layer["layer"] == "Dense":
            weights, biases = random(width, layer["size"]), random(layer["size"])
            width = layer["size"]
            own = {"weights": weights, "biases": biases}
            activation = {"tanh": torch.tanh, "linear": lambda z: z}[layer["activation"]]
            modules.append(lambda x, training, w=weights, b=biases, f=activation: f(x @ w + b))
        else:
            own = {"gamma": 1 + random(width) / 2, "beta": random(width)}
            epsilon = options.get("epsilon", 1e-5)
            if layer["layer"] == "LayerNormalization":

                def normalize(x, training, own=own, epsilon=epsilon):
                    return torch.nn.functional.layer_norm(x, x.shape[-1:], own["gamma"], own["beta"], epsilon)

            else:
                own["runningMean"] = random(width)
                own["runningVariance"] = 0.5 + random(width).abs()
                frozen = not options.get("trainable", True)
                momentum = options.get("momentum", 0.1)

                def normalize(x, training, own=own, epsilon=epsilon, frozen=frozen, momentum=momentum):
                    y = torch.nn.functional.batch_norm(
                        x.reshape(-1, x.shape[-1]),
                        own["runningMean"],
                        own["runningVariance"],
                        own["gamma"],
                        own["beta"],
                        training and not frozen,
                        momentum,
                        epsilon,
                    )
                    return y.reshape(x.shape)

            modules.append(normalize)
        tensors.append(own)
    return modules, tensors


def forward(modules, x, training):
    for module in modules:
        x = module(x, training)
    return x


def golden(name, shape, momentum, layers):
    modules, tensors = build(shape, layers)
    initial = [{key: flat(tensor) for key, tensor in own.items()} for own in tensors]
    trained = []
    for own, layer in zip(tensors, layers):
        if layer.get("options", {}).get("trainable", True):
            trained += [tensor for key, tensor in own.items() if not key.startswith("running")]
    for tensor in trained:
        tensor.requires_grad_(True)
    x = random(ROWS, *shape)
    targets = random(*forward(modules, x, False).shape)
    rate = 0.05 if momentum == 0 else 0.01
    optimizer = torch.optim.SGD(trained, lr=rate, momentum=momentum)
    losses = []
    for _ in range(EPOCHS):
        total = 0
        for first in range(0, ROWS, BATCH):
            rows = slice(first, first + BATCH)
            loss = ((forward(modules, x[rows], True) - targets[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x[rows])
        losses.append(total / ROWS)
    assert losses[-1] < losses[0], f"{name}: the loss does not fall, {losses}"
    outputs = forward(modules, x, False)
    return {
        "name": name,
        "inputs": shape,
        "momentum": momentum,
        "learningRate": rate,
        "batchSize": BATCH,
        "layers": layers,
        "x": flat(x),
        "targets": flat(targets),
        "initial": initial,
        "losses": losses,
        "final": [{key: flat(tensor) for key, tensor in own.items()} for own in tensors],
        "outputs": flat(outputs),
        "loss": ((outputs - targets) ** 2).mean().item(),
    }


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(12)
    text = json.dumps([golden(*network) for network in NETWORKS], separators=(",", ":"), allow_nan=False) + "\n"
    HERE.with_name("layers.json").write_text(text)


if __name__ == "__main__":
    main()
