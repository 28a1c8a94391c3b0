"""Golden trajectories of an Embedding, computed by PyTorch in float64.

Writes embedding.json beside this file: for a network of Embedding, Flatten and a linear layer under softmax
cross-entropy, the outputs and the gradients of the first step, and the losses and the final parameters of twenty
full-batch steps of each optimizer. Indices come several times in a batch, within a row and between rows, and some never.

Run: python3 embedding.py  (PyTorch 1.13 or later; running it again writes the same bytes)
"""

import json
import pathlib

import torch

STEPS = 20
VOCABULARY, DIMENSIONS, LENGTH, CLASSES, ROWS = 11, 3, 4, 3, 8
HERE = pathlib.Path(__file__)

OPTIMIZERS = [
    ({}, lambda parameters: torch.optim.SGD(parameters, lr=0.5)),
    ({"momentum": 0.9}, lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9)),
]


def flat(tensor):
    return tensor.detach().flatten().tolist()


def trajectory(options, make):
    torch.manual_seed(12)
    embedding = torch.nn.Embedding(VOCABULARY, DIMENSIONS, dtype=torch.float64)
    linear = torch.nn.Linear(LENGTH * DIMENSIONS, CLASSES, dtype=torch.float64)
    indices = torch.randint(0, VOCABULARY - 2, (ROWS, LENGTH))
    indices[0] = indices[0, 0]
    targets = torch.randint(0, CLASSES, (ROWS,))
    result = {
        "options": options,
        "learningRate": 0.1 if options else 0.5,
        "indices": flat(indices),
        "targets": flat(targets),
        # The linear layer's as wasmgrad holds them, (inputs, outputs).
        "initial": [flat(embedding.weight), flat(linear.weight.T), flat(linear.bias)],
        "losses": [],
    }
    optimizer = make([embedding.weight, linear.weight, linear.bias])
    for step in range(STEPS):
        logits = linear(embedding(indices).flatten(1))
        loss = torch.nn.functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            result["outputs"] = flat(torch.softmax(logits, 1))
            result["gradients"] = [flat(embedding.weight.grad), flat(linear.weight.grad.T), flat(linear.bias.grad)]
        optimizer.step()
        result["losses"].append(loss.item())
    result["final"] = [flat(embedding.weight), flat(linear.weight.T), flat(linear.bias)]
    return result


def main():
    torch.set_num_threads(1)
    cases = [trajectory(*row) for row in OPTIMIZERS]
    shape = {"vocabulary": VOCABULARY, "dimensions": DIMENSIONS, "length": LENGTH, "classes": CLASSES}
    text = json.dumps({**shape, "cases": cases}, separators=(",", ":"), allow_nan=False) + "\n"
    HERE.with_name("embedding.json").write_text(text)


if __name__ == "__main__":
    main()
