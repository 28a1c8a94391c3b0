"""Golden means, variances and outputs of Normalization, computed by scikit-learn's StandardScaler in float64.

Writes normalization.json beside this file: data with columns far from 0, of very different widths, constant, constant but
for rounding, and of two values; mean and variance of each column, and the scaled data.

Run: python3 normalization.py  (scikit-learn 1.2 or later; running it again writes the same bytes)
"""

import json
import pathlib

import numpy
from sklearn.preprocessing import StandardScaler

ROWS = 40
HERE = pathlib.Path(__file__)


def main():
    random = numpy.random.RandomState(5)
    normal = random.standard_normal((ROWS, 3))
    columns = [
        normal[:, 0],
        1e6 + normal[:, 1],
        -3e-5 + 1e-9 * normal[:, 2],
        numpy.full(ROWS, 0.1),
        numpy.where(numpy.arange(ROWS) % 3 == 0, 0.3, 0.1 + 0.2),
        (numpy.arange(ROWS) % 4 == 0).astype(float),
    ]
    x = numpy.stack(columns, axis=1)
    scaler = StandardScaler().fit(x)
    result = {
        "columns": x.shape[1],
        "x": x.flatten().tolist(),
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
        "outputs": scaler.transform(x).flatten().tolist(),
    }
    HERE.with_name("normalization.json").write_text(json.dumps(result, separators=(",", ":"), allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
