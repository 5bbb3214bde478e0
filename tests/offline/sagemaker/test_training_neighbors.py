"""The contract of k-NN: hyperparameters, sampling, projections, the index, and its log."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.nearest_neighbors import fit, settings_of
from helpers.offline.services.sagemaker.algorithms.neighbors_index import Index
from helpers.offline.services.sagemaker.images import Image
from helpers.offline.services.sagemaker.job_metrics import Extraction, injected

GIVEN = {"feature_dim": "4", "k": "5", "predictor_type": "regressor", "sample_size": "300"}
LABELLED = "text/csv;label_size=1"


def table(count: int = 300, seed: int = 0, features: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(seed).normal(0, 1, (count, features)).astype("float32")
    return rows, np.round(rows[:, 0] * 2).astype("float32")


def as_csv(rows: np.ndarray, labels: np.ndarray) -> str:
    return "\n".join(",".join(map(str, [label, *row])) for row, label in zip(rows, labels, strict=True)) + "\n"


@pytest.mark.parametrize(("metric", "theirs"), [("L2", "sqeuclidean"), ("COSINE", "cosine")])
def test_neighbors_are_scikit_learns(metric, theirs):
    rows, asked = table()[0], table(20, 1)[0]
    index = fit(settings_of(GIVEN | {"index_metric": metric}), rows, np.arange(len(rows)))
    distances, found = index.neighbors(asked)
    right = NearestNeighbors(n_neighbors=5, metric=theirs, algorithm="brute").fit(rows)
    expected, nearest = right.kneighbors(asked)
    assert (found == nearest).all()
    assert distances == pytest.approx(1 - expected if metric == "COSINE" else expected, rel=1e-4, abs=1e-6)


def test_an_inner_product_prefers_the_largest():
    rows, asked = table()[0], table(20, 1)[0]
    index = fit(settings_of(GIVEN | {"index_metric": "INNER_PRODUCT"}), rows, np.arange(len(rows)))
    assert (index.neighbors(asked)[1] == np.argsort(-(asked @ rows.T), axis=1)[:, :5]).all()


def test_a_regressor_takes_the_mean_and_a_classifier_the_majority():
    rows = np.array([[0.0], [0.1], [0.2], [9.0]])
    settings = {"k": 3, "index_metric": "L2"}
    labels = np.array([1.0, 1.0, 4.0, 7.0])
    for kind, expected in (("regressor", 2.0), ("classifier", 1.0)):
        index = Index(rows, labels, settings | {"predictor_type": kind})
        assert index.predict(index.neighbors([[0.1]])[1])[0] == expected


def test_as_many_rows_are_kept_as_the_sample_size_says():
    rows, labels = table(300)
    assert len(fit(settings_of(GIVEN | {"sample_size": "40"}), rows, labels).rows) == 40
    assert len(fit(settings_of(GIVEN | {"sample_size": "4000"}), rows, labels).rows) == 300


@pytest.mark.parametrize("kind", ["sign", "fjlt"])
def test_a_projection_keeps_distances_roughly(kind):
    rows, labels = table(200, 0, 64)
    given = GIVEN | {"feature_dim": "64", "dimension_reduction_type": kind, "dimension_reduction_target": "48"}
    index = fit(settings_of(given), rows, labels)
    assert index.rows.shape == (200, 48) and index.features == 64
    before = ((rows[:100] - rows[100:]) ** 2).sum(1)
    after = ((index.rows[:100] - index.rows[100:]) ** 2).sum(1)
    assert (after / before).mean() == pytest.approx(1, abs=0.1) and (after / before).std() < 0.4
    assert index.predict(index.neighbors(rows[:3])[1]).shape == (3,)


@pytest.mark.parametrize("kind", ["faiss.IVFFlat", "faiss.IVFPQ"])
def test_an_index_of_another_type_is_exact_and_the_log_says_so(train_alone, kind):
    channels = {"train": {"a": as_csv(*table())}, "test": {"a": as_csv(*table(100, 1))}}
    more = {"index_type": kind, "faiss_index_pq_m": "2", "faiss_index_ivf_nlists": "auto"}
    job, flat = (train_alone("knn", GIVEN | changes, channels, LABELLED) for changes in (more, {}))
    assert job.code == flat.code == 0 and job.model == flat.model
    assert f"index_type {kind} is served by the exact index too" in job.log and "exact index" in flat.log


@pytest.mark.parametrize(("kind", "metric"), [("regressor", "mse"), ("classifier", "accuracy")])
def test_a_job_logs_what_the_injected_definitions_extract(train_alone, kind, metric):
    channels = {"train": {"a": as_csv(*table())}, "test": {"a": as_csv(*table(100, 1))}}
    job = train_alone("knn", GIVEN | {"predictor_type": kind}, channels, LABELLED)
    assert job.code == 0 and list(job.model) == ["model_algo-1"]
    assert f"#test_score (algo-1) : ('{metric}', " in job.log and "Using per-worker sample size = 300" in job.log
    extraction = Extraction(injected(Image("knn", "1")))
    for line in job.log.splitlines():
        extraction.read(line, 0.0)
    assert set(extraction.seen) == {f"test:{metric}"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        *(({name: None}, f"No value(s) were specified for '{name}'") for name in GIVEN),
        ({"dimension_reduction_type": "sign"}, "No value(s) were specified for 'dimension_reduction_target'"),
        ({"index_type": "faiss.IVFPQ"}, "No value(s) were specified for 'faiss_index_pq_m'"),
        ({"index_type": "faiss.IVFPQ", "faiss_index_pq_m": "5"}, "'5' is not valid under any of the given schemas"),
        (
            {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": "2", "index_metric": "COSINE"},
            "index_type faiss.IVFPQ does not support index_metric COSINE",
        ),
        ({"k": "0"}, "'0' is not valid under any of the given schemas"),
        ({"predictor_type": "binary_classifier"}, "'binary_classifier' is not valid under any"),
        ({"dimension_reduction_type": "pca", "dimension_reduction_target": "2"}, "'pca' is not valid under any"),
        ({"dimension_reduction_type": "sign", "dimension_reduction_target": "4"}, "must be smaller than feature_dim"),
        ({"epochs": "3"}, "Additional properties are not allowed ('epochs' was unexpected)"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_wrong_hyperparameters_are_refused(given, text):
    with pytest.raises(CustomerError) as error:
        settings_of({name: value for name, value in (GIVEN | given).items() if value is not None})
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("files", "content_type", "text"),
    [
        ("1,2,3,4,\n", LABELLED, "Found missing (NaN) values"),
        ("1,2,3\n", LABELLED, "feature_dim"),
        ("y,a,b,c,d\n1,2,3,4,5\n", LABELLED, "Requested content-type is 'text/csv'"),
        ("1,2,3,4,5\n", "csv", "No iterator has been registered for ContentType (u'csv', '1.0')"),
        ("1,2,3,4,5\n", "text/csv;label_size=0", "No iterator has been registered"),
        ("1,2,3,4,5\n", LABELLED, "k (5) is larger than the number of sampled rows (1)"),
    ],
)
def test_wrong_data_end_with_code_2(train_alone, files, content_type, text):
    job = train_alone("knn", GIVEN, {"train": {"a": files}}, content_type)
    assert job.code == 2 and text in job.failure and not job.model


def test_a_validation_channel_is_refused(train_alone):
    rows = as_csv(*table())
    job = train_alone("knn", GIVEN, {"train": {"a": rows}, "validation": {"a": rows}}, LABELLED)
    assert job.code == 2 and "validation" in job.failure
