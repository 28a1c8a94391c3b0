"""Writes activations.json: every activation and its gradient, computed by PyTorch in float64.

python3 activations.py, with torch. For each name: points x from -30 to 30, y = f(x), and d, the gradient of sum(g * y)
by x, where g[i] = 1 + (i mod 5) / 4. What works row by row sees rows of 5.
"""

import json
from pathlib import Path

import torch
from torch import nn

FUNCTIONS = {
    "sigmoid": nn.Sigmoid(),
    "relu": nn.ReLU(),
    "tanh": nn.Tanh(),
    "softmax": nn.Softmax(dim=-1),
    "leakyRelu": nn.LeakyReLU(),
    "prelu": nn.PReLU(dtype=torch.float64),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "celu": nn.CELU(),
    "gelu": nn.GELU(),
    "geluTanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "softplus": nn.Softplus(threshold=1000),
    "softsign": nn.Softsign(),
    # The gradient of nn.Hardsigmoid has a sixth that is rounded to float32 in it.
    "hardSigmoid": lambda x: nn.functional.relu6(x + 3) / 6,
    "hardSwish": nn.Hardswish(),
    "relu6": nn.ReLU6(),
    "logSoftmax": nn.LogSoftmax(dim=-1),
    "exponential": torch.exp,
}
BY_ROWS = ("softmax", "logSoftmax")

torch.manual_seed(0)
points = torch.cat([
    *(
    sign * torch.tensor([30, 20.25, 12, 8.3, 6.5, 5, 3.5, 2.5, 1.25, 0.75, 0.5, 0.1, 1e-3, 1e-9], dtype=torch.float64)
    for sign in (-1, 1)
    ),
    (torch.rand(22, dtype=torch.float64) - 0.5) * 14,
])

golden = {}
for name, function in FUNCTIONS.items():
    x = points.reshape(-1, 5) if name in BY_ROWS else points
    x = x.clone().requires_grad_(True)
    y = function(x)
    weights = (1 + torch.arange(points.numel(), dtype=torch.float64) % 5 / 4).reshape(x.shape)
    (weights * y).sum().backward()
    golden[name] = {"x": x.flatten().tolist(), "y": y.flatten().tolist(), "d": x.grad.flatten().tolist()}

path = Path(__file__).with_name("activations.json")
path.write_text("{\n" + ",\n".join(f'"{name}": {json.dumps(values)}' for name, values in golden.items()) + "\n}\n")
