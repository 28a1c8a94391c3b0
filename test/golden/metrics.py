"""Metrics by scikit-learn 1.2: writes metrics.json, which metrics.test.ts compares with.

Run it with: python3 test/golden/metrics.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

warnings.simplefilter("ignore")
HERE = Path(__file__)
random = np.random.default_rng(12)


def value(f, *args, **kwargs):
    """A figure, or None where scikit-learn refuses or has none."""
    try:
        figure = float(f(*args, **kwargs))
    except ValueError:
        return None
    return figure if np.isfinite(figure) else None


def averages(t, predicted, kinds):
    figures = {}
    for name, f in [("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)]:
        for kind in kinds:
            key = name if kind in ("binary", "macro") else f"{name} {kind}"
            figures[key] = value(f, t, predicted, average=kind, zero_division=0)
    return figures


def binary(name, t, y):
    predicted = (y >= 0.5).astype(int)
    return case(name, "labels", t, y, 1, {
        "accuracy": value(sk.accuracy_score, t, predicted),
        **averages(t, predicted, ["binary"]),
        "auc": value(sk.roc_auc_score, t, y),
        "auc PR": value(sk.average_precision_score, t, y),
        "logLoss": value(sk.log_loss, t, y, labels=[0, 1]),
    })


def multiclass(name, t, y):
    width = y.shape[1]
    labels = np.arange(width)
    predicted = y.argmax(axis=1)
    figures = {
        "accuracy": value(sk.accuracy_score, t, predicted),
        **averages(t, predicted, ["macro", "micro", "weighted"]),
        "logLoss": value(sk.log_loss, t, y, labels=labels),
    }
    # Two classes are another case to these: they take one score a row.
    if width > 2:
        figures["auc PR"] = value(sk.average_precision_score, label_binarize(t, classes=labels), y)
        figures["auc"] = value(sk.roc_auc_score, t, y, multi_class="ovr", labels=labels)
        for k in range(1, width):
            figures[f"topKAccuracy {k}"] = value(sk.top_k_accuracy_score, t, y, k=k, labels=labels)
    return case(name, "classes", t, y, width, figures)


def multilabel(name, t, y):
    predicted = (y >= 0.5).astype(int)
    return case(name, "labels", t, y, y.shape[1], {
        "accuracy": float((t == predicted).mean()),
        **averages(t, predicted, ["macro", "micro", "weighted"]),
        "auc": value(sk.roc_auc_score, t, y),
        "auc PR": value(sk.average_precision_score, t, y),
    })


def regression(name, t, y):
    width = 1 if t.ndim == 1 else t.shape[1]
    return case(name, "numbers", t, y, width, {
        "meanAbsoluteError": value(sk.mean_absolute_error, t, y),
        "rootMeanSquaredError": value(sk.mean_squared_error, t, y, squared=False),
        "meanAbsolutePercentageError": value(sk.mean_absolute_percentage_error, t, y),
        "r2": value(sk.r2_score, t, y),
    })


def case(name, kind, t, y, width, figures):
    return {
        "name": name,
        "kind": kind,
        "width": width,
        "targets": np.asarray(t).ravel().tolist(),
        "outputs": np.asarray(y).ravel().tolist(),
        "figures": figures,
    }


def scores(*shape, decimals=4):
    return np.round(random.random(shape), decimals)


def distributions(rows, width, decimals=3):
    y = random.dirichlet(np.ones(width), rows)
    y = np.round(y, decimals)
    y[:, -1] = np.round(1 - y[:, :-1].sum(axis=1), decimals)
    return np.abs(y)


def cases():
    t = random.integers(0, 2, 60)
    yield binary("yes or no", t, scores(60))
    yield binary("yes or no with many ties", t, scores(60, decimals=1))
    yield binary("yes or no, all right", t, 0.1 + 0.8 * t)
    yield binary("yes or no, all wrong", t, 0.9 - 0.8 * t)
    yield binary("yes or no, all alike", t, np.full(60, 0.5))
    yield binary("no alone", np.zeros(20, int), scores(20))
    yield binary("yes alone", np.ones(20, int), scores(20))
    yield binary("yes and no at the ends", np.array([0, 1, 1, 0]), np.array([0.0, 1.0, 0.0, 1.0]))
    yield binary("a single row", np.array([1]), np.array([0.7]))

    t = random.integers(0, 4, 80)
    y = distributions(80, 4)
    yield multiclass("four classes", t, y)
    yield multiclass("four classes with many ties", t, distributions(80, 4, decimals=1))
    yield multiclass("four classes, all right", t, np.round(0.1 + 0.6 * np.eye(4)[t], 1))
    yield multiclass("four classes, of which one is nowhere true", t % 3, y)
    nowhere = y.copy()
    nowhere[:, 0] += nowhere[:, 3]
    nowhere[:, 3] = 0
    yield multiclass("four classes, of which one is nowhere at all", t % 3, nowhere)
    yield multiclass("one class of four alone", np.full(20, 2), y[:20])
    yield multiclass("two classes", t[:30] % 2, distributions(30, 2))
    yield multiclass("twelve classes", random.integers(0, 12, 40), distributions(40, 12))

    t = random.integers(0, 2, (40, 3))
    yield multilabel("three yes or no", t, scores(40, 3))
    yield multilabel("three yes or no with many ties", t, scores(40, 3, decimals=1))
    yield multilabel("three yes or no, one never predicted", t, scores(40, 3) * [1, 1, 0.4])

    t = np.round(random.normal(size=50), 4)
    yield regression("numbers", t, np.round(t + random.normal(size=50), 4))
    yield regression("numbers, all right", t, t)
    yield regression("numbers, of which some are 0", np.where(t > 0, t, 0), np.zeros(50))
    yield regression("numbers all alike", np.full(10, 2.0), np.round(random.normal(size=10), 3))
    yield regression("numbers all alike and right", np.full(10, 2.0), np.full(10, 2.0))
    t = np.round(random.normal(size=(40, 3)) * [1, 10, 0.1], 4)
    yield regression("three numbers a row", t, np.round(t + random.normal(size=(40, 3)), 4))
    yield regression("a single row of numbers", np.array([1.0]), np.array([0.5]))


if __name__ == "__main__":
    text = json.dumps(list(cases()), separators=(",", ":"), allow_nan=False) + "\n"
    HERE.with_name("metrics.json").write_text(text)
