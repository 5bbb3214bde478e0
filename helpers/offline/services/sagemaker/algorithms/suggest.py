"""The next point of a Bayesian search: a Gaussian process over what was tried, and its expected improvement.

A process of its own, because scikit-learn is too heavy for the server. Reads {"tried": [[…]], "values": […],
"dimensions": n, "seed": n} with all points in the unit cube and smaller values better; writes one point.
"""

from __future__ import annotations

import json
import sys
from typing import Any

CANDIDATES = 2000


def suggestion(tried: list[list[float]], values: list[float], dimensions: int, seed: int) -> list[float]:
    import numpy
    from scipy.stats import norm
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    random = numpy.random.default_rng(seed)
    candidates = random.random((CANDIDATES, dimensions))
    points, results = numpy.array(tried), numpy.array(values)
    kernel: Any = ConstantKernel(1.0) * Matern(numpy.full(dimensions, 0.5), (0.05, 5.0), nu=2.5) + WhiteKernel(1e-3)
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=seed)
    process.fit(points, results)
    mean, deviation = process.predict(candidates, return_std=True)
    gain = results.min() - mean
    ratio = gain / numpy.maximum(deviation, 1e-12)
    improvement = gain * norm.cdf(ratio) + deviation * norm.pdf(ratio)
    return candidates[int(improvement.argmax())].tolist()


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    json.dump(suggestion(**json.load(sys.stdin)), sys.stdout)
