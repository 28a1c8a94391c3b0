"""Real tables, and what scikit-learn's multilayer perceptron reaches on them.

Writes tables.json beside this file: the rows of five tables that come with scikit-learn, split and scaled, and for each
of ten seeds the test score of MLPClassifier (accuracy) or MLPRegressor (R^2) after training on the first rows.
tables.ts describes the fields.

Inputs are standardised with the mean and the standard deviation of the training rows, as the targets of the regression
are, and rounded to 1/1024; the pixels of digits are divided by 16 instead. So they are small integers over a power of
two: exact in float32, and the same numbers for both libraries.

The tables, from the UCI Machine Learning Repository under CC BY 4.0: Iris (Fisher), Wine (Aeberhard and Forina), Breast
Cancer Wisconsin Diagnostic (Wolberg and others), Optical Recognition of Handwritten Digits (Alpaydin and Kaynak; its test
set); diabetes is that of Efron, Hastie, Johnstone and Tibshirani 2004, "Least Angle Regression".

Run: python3 tables.py  (scikit-learn 1.2 or later; running it again writes the same bytes)
"""

import base64
import json
import pathlib
import warnings
import zlib

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

SEEDS = 10
GRID = 1024
TEST_SHARE = 1 / 3

# name, how scikit-learn loads it, units of the hidden layer, epochs, rows a step, learning rate of Adam
TABLES = [
    ("iris", datasets.load_iris, 16, 60, 16, 0.01),
    ("wine", datasets.load_wine, 16, 30, 16, 0.01),
    ("breast cancer", datasets.load_breast_cancer, 32, 30, 32, 0.003),
    ("digits", datasets.load_digits, 64, 40, 32, 0.003),
    ("diabetes", datasets.load_diabetes, 32, 30, 32, 0.003),
]


def rounded(values, scale):
    """The integers that stand for values in steps of 1 / scale."""
    integers = np.rint(values * scale)
    assert np.abs(integers).max() < 2**15
    return integers.astype("<i2")


def packed(integers):
    return base64.b64encode(zlib.compress(integers.tobytes(), 9)).decode()


def standardised(values, training_rows):
    kept = values[:training_rows]
    return (values - kept.mean(axis=0)) / kept.std(axis=0)


def table(name, load, hidden, epochs, batch, rate):
    x, y = load(return_X_y=True)
    regression = name == "diabetes"
    split = train_test_split(
        x, y, test_size=TEST_SHARE, random_state=0, stratify=None if regression else y
    )
    rows = len(split[0])
    x, y = np.concatenate(split[:2]), np.concatenate(split[2:])
    scale = 16 if name == "digits" else GRID
    inputs = rounded(x / 16 if name == "digits" else standardised(x, rows), scale)
    targets = rounded(standardised(y, rows), GRID) if regression else y.astype("<i2")

    x = inputs / scale
    y = targets / GRID if regression else targets
    scores = []
    for seed in range(SEEDS):
        model = (MLPRegressor if regression else MLPClassifier)(
            (hidden,), activation="relu", solver="adam", alpha=0, batch_size=batch, learning_rate_init=rate,
            max_iter=epochs, tol=0, n_iter_no_change=epochs, random_state=seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[:rows], y[:rows])
        assert model.n_iter_ == epochs
        scores.append(round(float(model.score(x[rows:], y[rows:])), 4))
    print(f"{name}: {np.mean(scores):.4f} +- {np.std(scores, ddof=1):.4f}, {min(scores)} to {max(scores)}")
    return {
        "name": name,
        "columns": inputs.shape[1],
        "trainingRows": rows,
        "classes": 0 if regression else int(y.max()) + 1,
        "scale": scale,
        "targetScale": GRID if regression else 1,
        "inputs": packed(inputs),
        "targets": packed(targets),
        "hidden": hidden,
        "epochs": epochs,
        "batchSize": batch,
        "learningRate": rate,
        "scores": scores,
    }


path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps([table(*row) for row in TABLES], indent=1) + "\n")
