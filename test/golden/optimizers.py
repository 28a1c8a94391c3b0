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



class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2, for PyTorch has none."""

    def __init__(self, parameters, lr, betas=(0.9, 0.99), weight_decay=0):
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = beta1 * m + (1 - beta1) * p.grad
                p.copy_(p - group["lr"] * (torch.sign(c) + group["weight_decay"] * p))
                m.copy_(beta2 * m + (1 - beta2) * p.grad)


# name of wasmgrad's factory, the optimizer, what the learning rate is multiplied by
MAKERS = {
    "sgd": (torch.optim.SGD, 1),
    "rmsprop": (torch.optim.RMSprop, 1 / 16),
    "adagrad": (torch.optim.Adagrad, 1 / 4),
    "adam": (torch.optim.Adam, 1 / 4),
    "adamW": (torch.optim.AdamW, 1 / 4),
    "lion": (Lion, 1 / 16),
}

# wasmgrad's names of options, PyTorch's
NAMES = {"rho": "alpha", "epsilon": "eps", "weightDecay": "weight_decay"}

# name, options of wasmgrad's factory, those of its layers, networks
FEW = ["xor", "softmax regression"]
ONE = ["xor"]
OPTIMIZERS = [
    ("sgd", {}, {}, NETWORKS),
    ("sgd", {"momentum": 0.9}, {}, NETWORKS),
    ("sgd", {"momentum": 0.8, "nesterov": True}, {}, NETWORKS),
    ("sgd", {"weightDecay": 0.1}, {}, FEW),
    ("sgd", {"momentum": 0.9, "weightDecay": 0.1}, {}, ONE),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weightDecay": 0.1}, {}, ONE),
    ("sgd", {"clipNorm": 0.125}, {}, FEW),
    ("sgd", {"clipValue": 0.03125}, {}, FEW),
    ("sgd", {"clipNorm": 0.125, "clipValue": 0.0625, "momentum": 0.5}, {}, ONE),
    ("sgd", {}, {"l1": 0.03125}, FEW),
    ("sgd", {}, {"l2": 0.0625}, FEW),
    ("sgd", {}, {"maxNorm": 0.75}, FEW),
    ("sgd", {"momentum": 0.5, "clipNorm": 0.125}, {"l1": 0.03125, "l2": 0.0625, "maxNorm": 0.75}, FEW),
    ("rmsprop", {}, {}, FEW),
    ("rmsprop", {"rho": 0.75, "epsilon": 0.125}, {}, ONE),
    ("rmsprop", {"weightDecay": 0.1}, {}, ONE),
    ("rmsprop", {"momentum": 0.5}, {}, ONE),
    ("rmsprop", {"centered": True}, {}, ONE),
    ("rmsprop", {"centered": True, "momentum": 0.5, "weightDecay": 0.1}, {}, FEW),
    ("rmsprop", {"clipNorm": 0.125}, {}, ONE),
    ("rmsprop", {"clipValue": 0.03125}, {}, ONE),
    ("adagrad", {}, {}, FEW),
    ("adagrad", {"epsilon": 0.125}, {}, ONE),
    ("adagrad", {"weightDecay": 0.1}, {}, ONE),
    ("adagrad", {"clipNorm": 0.125}, {}, ONE),
    ("adagrad", {"clipValue": 0.03125}, {}, ONE),
    ("adam", {}, {}, NETWORKS),
    ("adam", {"beta1": 0.5, "beta2": 0.75, "epsilon": 0.125}, {}, ONE),
    ("adam", {"weightDecay": 0.1}, {}, ONE),
    # The mean of squares must fall for the largest to be another.
    ("adam", {"beta2": 0.5, "amsgrad": True}, {}, FEW),
    ("adam", {"amsgrad": True, "weightDecay": 0.1}, {}, ONE),
    ("adam", {"clipNorm": 0.125}, {}, ONE),
    ("adam", {"clipValue": 0.03125}, {}, ONE),
    ("adam", {}, {"l1": 0.03125, "l2": 0.0625, "maxNorm": 0.75}, ONE),
    ("adamW", {}, {}, FEW),
    ("adamW", {"weightDecay": 0.5}, {}, FEW),
    ("adamW", {"weightDecay": 0}, {}, ONE),
    ("adamW", {"beta2": 0.5, "amsgrad": True, "weightDecay": 0.25}, {}, ONE),
    ("adamW", {"beta1": 0.5, "beta2": 0.75, "epsilon": 0.125}, {}, ONE),
    ("adamW", {"clipNorm": 0.125}, {}, ONE),
    ("adamW", {"clipValue": 0.03125}, {}, ONE),
    ("lion", {}, {}, FEW),
    ("lion", {"beta1": 0.5, "beta2": 0.75}, {}, ONE),
    ("lion", {"weightDecay": 0.5}, {}, FEW),
    ("lion", {"clipNorm": 0.125}, {}, ONE),
    ("lion", {"clipValue": 0.03125}, {}, ONE),
]


def arguments(options):
    """The options as PyTorch's optimizers take them; clipping is done before."""
    own = {NAMES.get(name, name): value for name, value in options.items() if not name.startswith(("beta", "clip"))}
    if "beta1" in options or "beta2" in options:
        own["betas"] = (options.get("beta1", 0.9), options.get("beta2", 0.999))
    return own


def clip(parameters, options):
    """What is done to gradients before a step: values first."""
    before = torch.cat([p.grad.reshape(-1).clone() for p in parameters])
    if "clipValue" in options:
        torch.nn.utils.clip_grad_value_(parameters, options["clipValue"])
    if "clipNorm" in options:
        torch.nn.utils.clip_grad_norm_(parameters, options["clipNorm"])
    return not torch.equal(before, torch.cat([p.grad.reshape(-1) for p in parameters]))


def penalty(weights, layers):
    """Keras's L1 and L2 regularizers."""
    return sum(layers.get("l1", 0) * w.abs().sum() + layers.get("l2", 0) * (w * w).sum() for w in weights)


def trajectory(network, name, options, layer_options):
    layers = [(layer["size"], layer["activation"]) for layer in network["layers"]]
    widths = [network["inputs"]] + [size for size, _ in layers]
    weights = [tensor(w).reshape(m, n) for w, m, n in zip(network["weights"], widths, widths[1:])]
    biases = [tensor(b) for b in network["biases"]]
    parameters = weights + biases
    for p in parameters:
        p.requires_grad_(True)
    targets = network["targets"]
    wanted = torch.tensor(targets) if isinstance(targets[0], int) else tensor(targets)
    make, scale = MAKERS[name]
    rate = network["learningRate"] / 4 * scale
    optimizer = make(parameters, lr=rate, **arguments(options))
    losses, clipped, bounded = [], 0, 0
    for step in range(STEPS):
        if step == STEPS // 2:
            for group in optimizer.param_groups:
                group["lr"] = rate / 2
        logits, outputs, _ = forward(layers, weights, biases, tensor(network["x"]))
        value = loss_of(network["loss"], logits, outputs, wanted)
        optimizer.zero_grad()
        (value + penalty(weights, layer_options) if layer_options else value).backward()
        clipped += clip(parameters, options)
        optimizer.step()
        if "maxNorm" in layer_options:
            with torch.no_grad():
                for w in weights:
                    bound = torch.renorm(w, 2, 1, layer_options["maxNorm"])
                    bounded += not torch.equal(w, bound)
                    w.copy_(bound)
        losses.append(value.item())
    what = f"{network['name']}, {name} {options} {layer_options}"
    assert losses[-1] < losses[0] or layer_options, f"{what}: the loss does not fall, {losses}"
    assert clipped > 0 or not any(key.startswith("clip") for key in options), f"{what}: nothing is clipped"
    assert bounded > 0 or "maxNorm" not in layer_options, f"{what}: no norm is bounded"
    result = {
        "network": network["name"],
        "optimizer": name,
        "options": options,
        "learningRate": rate,
        "losses": losses,
        "finalWeights": flat(weights),
        "finalBiases": flat(biases),
    }
    if layer_options:
        result["layers"] = layer_options
    return result


def main():
    torch.set_num_threads(1)
    networks = {network["name"]: network for network in json.loads(HERE.with_name("networks.json").read_text())}
    trajectories = [trajectory(networks[name], *row) for *row, names in OPTIMIZERS for name in names]
    text = json.dumps(trajectories, separators=(",", ":"), allow_nan=False) + "\n"
    HERE.with_name("optimizers.json").write_text(text)


if __name__ == "__main__":
    main()
