"""Golden learning rates of schedules, computed by PyTorch.

Writes schedules.json beside this file: for each schedule the learning rate of every step of a fit, as PyTorch's own
schedulers set it. Those by epochs step once an epoch, the others once a step.

Run: python3 schedules.py  (PyTorch 1.13 or later; running it again writes the same bytes)
"""

import json
import pathlib
import random

import torch
from torch.optim import lr_scheduler

HERE = pathlib.Path(__file__)


def optimizer_at(rate):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


def rates(make, rate, steps, each=1):
    """The rates of `steps` steps, of which the scheduler steps after `each`."""
    optimizer = optimizer_at(rate)
    scheduler = make(optimizer)
    found = []
    for step in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % each == 0 and step + 1 < steps:
            scheduler.step()
    return found


def warm(warmup, make):
    """A line from 0 first."""

    def scheduler(optimizer):
        line = lr_scheduler.LambdaLR(optimizer, lambda step: step / warmup)
        return lr_scheduler.SequentialLR(optimizer, [line, make(optimizer)], [warmup])

    return scheduler


def cosine(steps, minimum=0):
    return lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, steps, minimum)


def restarts(period, multiplier=1, minimum=0):
    return lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, period, multiplier, minimum)


def one_cycle(maximum, **options):
    return lambda optimizer: lr_scheduler.OneCycleLR(optimizer, maximum, cycle_momentum=False, **options)


# wasmgrad's factory, rate, options, epochs, steps an epoch, steps that the scheduler steps after, the scheduler
SCHEDULES = [
    ("constant", 0.3, None, 2, 3, 1, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    ("stepDecay", 0.3, {"every": 3}, 10, 2, 2, lambda o: lr_scheduler.StepLR(o, 3)),
    ("stepDecay", 0.3, {"every": 1, "factor": 0.75}, 6, 3, 3, lambda o: lr_scheduler.StepLR(o, 1, 0.75)),
    ("exponentialDecay", 0.3, {"factor": 0.9}, 20, 2, 2, lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    ("exponentialDecay", 0.3, {"factor": 0.9, "per": "step"}, 5, 4, 1, lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    ("cosineDecay", 0.3, {}, 5, 4, 1, cosine(20)),
    ("cosineDecay", 0.3, {"minimum": 0.1}, 5, 4, 1, cosine(20, 0.1)),
    ("cosineDecay", 0.3, {"warmup": 7}, 5, 4, 1, warm(7, cosine(13))),
    ("cosineDecay", 0.3, {"steps": 20, "warmup": 3, "minimum": 0.1}, 4, 5, 1, warm(3, cosine(17, 0.1))),
    ("cosineDecay", 0.3, {"restarts": {"period": 6}}, 5, 4, 1, restarts(6)),
    ("cosineDecay", 0.3, {"restarts": {"period": 3, "multiplier": 2}, "minimum": 0.1}, 10, 4, 1, restarts(3, 2, 0.1)),
    ("oneCycle", 0.3, {}, 5, 8, 1, one_cycle(0.3, total_steps=40)),
    ("oneCycle", 0.3, {}, 1, 2, 1, one_cycle(0.3, total_steps=2)),
    ("oneCycle", 0.3, {"annealStrategy": "linear"}, 5, 8, 1, one_cycle(0.3, total_steps=40, anneal_strategy="linear")),
    ("oneCycle", 0.3, {"threePhase": True}, 5, 8, 1, one_cycle(0.3, total_steps=40, three_phase=True)),
    (
        "oneCycle",
        0.3,
        {"steps": 33, "pctStart": 0.45, "divFactor": 4, "finalDivFactor": 8, "threePhase": True},
        3,
        11,
        1,
        one_cycle(0.3, total_steps=33, pct_start=0.45, div_factor=4, final_div_factor=8, three_phase=True),
    ),
]

# options, PyTorch's
PLATEAUS = [
    ({}, {}),
    ({"factor": 0.5, "patience": 2}, {"factor": 0.5, "patience": 2}),
    ({"factor": 0.5, "patience": 0, "cooldown": 3}, {"factor": 0.5, "patience": 0, "cooldown": 3}),
    ({"factor": 0.5, "patience": 1, "minimum": 0.1}, {"factor": 0.5, "patience": 1, "min_lr": 0.1}),
    ({"factor": 0.5, "patience": 1, "threshold": 0.05}, {"factor": 0.5, "patience": 1, "threshold": 0.05}),
    (
        {"factor": 0.5, "patience": 1, "minDelta": 0.02},
        {"factor": 0.5, "patience": 1, "threshold": 0.02, "threshold_mode": "abs"},
    ),
    ({"factor": 0.01, "patience": 0}, {"factor": 0.01, "patience": 0}),
]


def plateau(losses, rate, options):
    optimizer = optimizer_at(rate)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    found = []
    for loss in losses:
        found.append(optimizer.param_groups[0]["lr"])
        scheduler.step(loss)
    return found


def main():
    schedules = [
        {"schedule": name, "rate": rate, "options": options, "epochs": epochs, "stepsPerEpoch": steps}
        | {"rates": rates(make, rate, epochs * steps, each)}
        for name, rate, options, epochs, steps, each, make in SCHEDULES
    ]
    rng = random.Random(1)
    losses = [round(0.5 + 0.5 * 0.8**epoch + 0.1 * rng.random(), 4) for epoch in range(50)]
    plateaus = [{"options": own, "rates": plateau(losses, 0.3, theirs)} for own, theirs in PLATEAUS]
    assert all(len(set(one["rates"])) > 1 for one in plateaus), "a rate is never reduced"
    golden = {"schedules": schedules, "losses": losses, "plateaus": plateaus}
    text = json.dumps(golden, separators=(",", ":"), allow_nan=False) + "\n"
    HERE.with_name("schedules.json").write_text(text)


if __name__ == "__main__":
    main()
