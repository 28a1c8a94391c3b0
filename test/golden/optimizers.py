"""Golden trajectories of optimizers, computed by PyTorch in float64.

Writes optimizers.json beside this file: for some of the networks of networks.json, from their initial parameters, the
losses and the final parameters of twenty full-batch steps of each optimizer. After ten steps the learning rate is
halved and the optimizer goes on, as in a second call of fit: what it keeps of each parameter must live on.

Run: python3 networks.py && python3 optimizers.py  (PyTorch 1.13 or later; running it again writes the same bytes)
"""

import json
import pathlib

import torch
from networks import flat, forward, loss_of, tensor

STEPS = 20
HERE = pathlib.Path(__file__)
# Without a relu: no step has a kink.
NETWORKS = ["one weight, tanh", "xor", "softmax regression", "soft targets", "sigmoid layers, one row"]

# name, options of wasmgrad's factory, the optimizer
OPTIMIZERS = [
    ("sgd", {}, lambda parameters, rate: torch.optim.SGD(parameters, lr=rate)),
    ("sgd", {"momentum": 0.9}, lambda parameters, rate: torch.optim.SGD(parameters, lr=rate, momentum=0.9)),
    (
        "sgd",
        {"momentum": 0.8, "nesterov": True},
        lambda parameters, rate: torch.optim.SGD(parameters, lr=rate, momentum=0.8, nesterov=True),
    ),
]


def trajectory(network, name, options, make):
    layers = [(layer["size"], layer["activation"]) for layer in network["layers"]]
    widths = [network["inputs"]] + [size for size, _ in layers]
    weights = [tensor(w).reshape(m, n) for w, m, n in zip(network["weights"], widths, widths[1:])]
    biases = [tensor(b) for b in network["biases"]]
    parameters = weights + biases
    for p in parameters:
        p.requires_grad_(True)
    targets = network["targets"]
    wanted = torch.tensor(targets) if isinstance(targets[0], int) else tensor(targets)
    rate = network["learningRate"] / 4
    optimizer = make(parameters, rate)
    losses = []
    for step in range(STEPS):
        if step == STEPS // 2:
            for group in optimizer.param_groups:
                group["lr"] = rate / 2
        logits, outputs, _ = forward(layers, weights, biases, tensor(network["x"]))
        value = loss_of(network["loss"], logits, outputs, wanted)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < losses[0], f"{network['name']}, {name} {options}: the loss does not fall, {losses}"
    return {
        "network": network["name"],
        "optimizer": name,
        "options": options,
        "learningRate": rate,
        "losses": losses,
        "finalWeights": flat(weights),
        "finalBiases": flat(biases),
    }


def main():
    torch.set_num_threads(1)
    networks = {network["name"]: network for network in json.loads(HERE.with_name("networks.json").read_text())}
    trajectories = [trajectory(networks[name], *row) for row in OPTIMIZERS for name in NETWORKS]
    text = json.dumps(trajectories, separators=(",", ":"), allow_nan=False) + "\n"
    HERE.with_name("optimizers.json").write_text(text)


if __name__ == "__main__":
    main()
