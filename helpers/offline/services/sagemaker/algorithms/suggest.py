"""The next point of a Bayesian search: a Gaussian process over what was tried, and its expected improvement.

A process of its own, because scikit-learn is too heavy for the server. Each line of its input is a question:
{"tried": [[point, value], …], "seed": n}, points in the unit cube and smaller values better; each line of its output
is a point.
"""

from __future__ import annotations

import json
import sys
from typing import Any

CANDIDATES = 2000


def suggestion(tried: list[tuple[list[float], float]], seed: int) -> list[float]:
    import numpy
    from scipy.stats import norm
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    random = numpy.random.default_rng(seed)
    points, results = numpy.array([point for point, _ in tried]), numpy.array([value for _, value in tried])
    dimensions = points.shape[1]
    kernel: Any = ConstantKernel(1.0) * Matern(numpy.full(dimensions, 0.5), (0.05, 5.0), nu=2.5) + WhiteKernel(1e-3)
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=1, random_state=seed)
    process.fit(points, results)
    candidates = random.random((CANDIDATES, dimensions))
    mean, deviation = process.predict(candidates, return_std=True)
    gain = results.min() - mean
    ratio = gain / numpy.maximum(deviation, 1e-12)
    improvement = gain * norm.cdf(ratio) + deviation * norm.pdf(ratio)
    return candidates[int(improvement.argmax())].tolist()


def main() -> None:
    import warnings

    warnings.simplefilter("ignore")
    suggestion([([0.0], 0.0), ([1.0], 1.0)], 0)  # loads what is slow to load, before the first question
    for line in sys.stdin:
        print(json.dumps(suggestion(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
