"""A training job of k-NN: sample the rows, reduce their dimensions if asked, index them, and test.

Whatever index_type says, the index is exact: no neighbour is ever missed for speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.first_party import (
    Setting,
    auto_or,
    greet,
    info,
    integer,
    one_of,
    one_of_integers,
    read,
    validate,
)
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory
from helpers.offline.services.sagemaker.algorithms.neighbors_index import Index

MODEL_NAME = "model_algo-1"
SCHEMA: dict[str, Setting] = {
    "feature_dim": Setting(None, integer(1)),
    "k": Setting(None, integer(1)),
    "predictor_type": Setting(None, one_of("classifier", "regressor")),
    "sample_size": Setting(None, integer(1)),
    "dimension_reduction_type": Setting(None, one_of("sign", "fjlt")),
    "dimension_reduction_target": Setting(None, integer(1)),
    "index_type": Setting("faiss.Flat", one_of("faiss.Flat", "faiss.IVFFlat", "faiss.IVFPQ")),
    "index_metric": Setting("L2", one_of("L2", "INNER_PRODUCT", "COSINE")),
    "mini_batch_size": Setting(5000, integer(1)),
    "faiss_index_ivf_nlists": Setting("auto", auto_or(integer(1))),
    "faiss_index_pq_m": Setting(None, one_of_integers(1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96)),
}
REQUIRED = ("feature_dim", "k", "predictor_type", "sample_size")


def main(job: JobDirectory) -> int:
    greet(job, SCHEMA, "Offline, k-NN is trained by a program of the offline AWS, with an exact index.")
    settings = settings_of(job.hyperparameters)
    if set(job.channels) - {"train", "test"}:
        extra = sorted(set(job.channels) - {"train", "test"})
        raise CustomerError(
            f"Additional properties are not allowed ({extra} were unexpected) (caused by ValidationError)"
        )
    train = read(job, "train", feature_dim=settings["feature_dim"])
    if train is None:
        raise CustomerError("The train channel is required (caused by ValidationError)")
    test = read(job, "test", feature_dim=settings["feature_dim"])
    index = fit(settings, *train)
    job.model.mkdir(parents=True, exist_ok=True)
    (job.model / MODEL_NAME).write_bytes(index.save())
    if test is None:
        info("Test data is not provided.")
    else:
        _report(index, *test, threads=job.resources["threads"])
    return 0


def settings_of(given: Mapping[str, str]) -> dict[str, Any]:
    """Raises CustomerError."""
    required = [*REQUIRED]
    if "dimension_reduction_type" in given:
        required.append("dimension_reduction_target")
    if given.get("index_type") == "faiss.IVFPQ":
        required.append("faiss_index_pq_m")
    settings = validate(given, SCHEMA, tuple(required))
    if settings["index_type"] == "faiss.IVFPQ" and settings["index_metric"] != "L2":
        raise CustomerError(f"index_type faiss.IVFPQ does not support index_metric {settings['index_metric']}.")
    if settings["dimension_reduction_type"] and settings["dimension_reduction_target"] >= settings["feature_dim"]:
        raise CustomerError("dimension_reduction_target must be smaller than feature_dim.")
    if settings["index_type"] != "faiss.Flat":
        info(
            f"Offline, index_type {settings['index_type']} is served by the exact index too: its neighbours are those "
            "of faiss.Flat, where on AWS some may be missed; its own hyperparameters have no effect."
        )
    return settings


def fit(settings: dict[str, Any], rows: Any, labels: Any) -> Index:
    """Raises CustomerError."""
    random = numpy.random.default_rng(0)
    size = min(settings["sample_size"], len(rows))
    info(f"Using per-worker sample size = {size} (Available virtual memory is not looked at offline)")
    if size < len(rows):
        chosen = numpy.sort(random.choice(len(rows), size, replace=False))
        rows, labels = rows[chosen], labels[chosen]
    if settings["k"] > size:
        raise CustomerError(f"k ({settings['k']}) is larger than the number of sampled rows ({size}).")
    projection = None
    if settings["dimension_reduction_type"]:
        target = settings["dimension_reduction_target"]
        projection = _projection(settings["dimension_reduction_type"], settings["feature_dim"], target, random)
        rows = rows.astype("float64") @ projection
    kept = {name: settings[name] for name in ("k", "predictor_type", "index_metric")}
    return Index(rows, labels, kept, projection)


def _projection(kind: str, features: int, target: int, random: Any) -> Any:
    """Random signs; or a fast Johnson-Lindenstrauss transform: signs, Hadamard, a choice of rows."""
    if kind == "sign":
        return random.choice((-1.0, 1.0), (features, target)) / target**0.5
    from scipy.linalg import hadamard

    size = 1 << (features - 1).bit_length()
    signs = random.choice((-1.0, 1.0), features)
    mixed = hadamard(size)[:features] * signs[:, None]
    return mixed[:, random.choice(size, target, replace=False)] / target**0.5


def _report(index: Index, rows: Any, labels: Any, threads: int) -> None:
    predicted = numpy.concatenate(
        [
            index.predict(index.neighbors(rows[start : start + 2000], workers=threads)[1])
            for start in range(0, len(rows), 2000)
        ]
    )
    if index.settings["predictor_type"] == "regressor":
        value, name = float(((predicted - labels.astype("float64")) ** 2).mean()), "mse"
    else:
        value, name = float((predicted == labels).mean()), "accuracy"
    info(f"#quality_metric: host=algo-1, test {name} <score>={value}")
    info(f"#test_score (algo-1) : ('{name}', {value})")
