"""The XGBoost container's /invocations: CSV, libsvm or RecordIO in; one number a line, JSON or a selection out.

Source: aws/sagemaker-xgboost-container, algorithm_mode/serve.py and serve_utils.py, encoder.py.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from typing import Any

import numpy
from scipy.sparse import csr_matrix

from helpers.offline.services.sagemaker.images import ONE_LINE
from helpers.offline.services.sagemaker.serving import recordio_messages, xgboost_selection
from helpers.offline.services.sagemaker.serving.container import LoadError, Reply, crash, refusal

CONTENT_TYPES = (
    *("csv", "libsvm", "parquet", "recordio-protobuf", "text/csv", "text/libsvm", "text/x-libsvm"),
    *("application/x-parquet", "application/x-recordio-protobuf"),
)
ACCEPTS = ("application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv")
_CSV_OUT = "text/csv; charset=utf-8"


class XGBoostContainer:
    """Raises LoadError where a file is no model."""

    def __init__(self, files: dict[str, bytes], environment: dict[str, str], version: str = "3.2-0") -> None:
        self.is_one_line = version in ONE_LINE
        names = [name for name in sorted(files) if "/" not in name and not name.startswith(".")]
        if not names:
            raise LoadError("No model file in the model data: it should hold a file named xgboost-model.")
        if environment.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true").lower() != "true":
            names = names[:1]
        self.boosters = [_load(name, files[name]) for name in names]
        self.features = self.boosters[0].num_features()
        config = json.loads(self.boosters[0].save_config())["learner"]
        self.has_trees: bool = config["gradient_booster"]["name"] != "gblinear"
        self.objective: str = config["objective"]["name"]
        self.classes = max(int(config["learner_model_param"]["num_class"]), 2)
        self.selected = xgboost_selection.keys_of(environment)
        self.default_accept = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv")

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        if not body:
            return Reply(204, "", b"")
        rows = _rows(body, content_type)
        if isinstance(rows, Reply):
            return rows
        try:
            predicted = self._predict(rows)
        except Exception as error:
            return refusal(400, f"Unable to evaluate payload provided: {error}")
        wanted = self._accepted(accept)
        if isinstance(wanted, Reply):
            return wanted
        if self.selected is not None:
            return self._select(predicted, self.selected, wanted)
        if wanted == "text/csv":
            lines = predicted.tolist()
            if self.is_one_line:
                return Reply(200, _CSV_OUT, ",".join(map(str, lines)).encode())
            if predicted.ndim > 1:
                lines = [",".join(map(str, line)) for line in lines]
            return Reply(200, _CSV_OUT, "".join(f"{line}\n" for line in lines).encode())
        if wanted == "application/json":
            scores = [{"score": score} for score in predicted.tolist()]
            return Reply(200, "application/json", json.dumps({"predictions": scores}).encode())
        return crash(f"{wanted} is not supported without SAGEMAKER_INFERENCE_OUTPUT.")

    def _select(self, predicted: numpy.ndarray, keys: list[str], accept: str) -> Reply:
        try:
            items = xgboost_selection.select(predicted, keys, self.objective, self.classes)
            body = xgboost_selection.encode(items, keys, accept)
        except Exception as error:
            return refusal(500, str(error))
        return Reply(200, _CSV_OUT if accept == "text/csv" else accept, body)

    def _accepted(self, accept: str | None) -> str | Reply:
        wanted = (accept or "").partition(";")[0].strip()
        if wanted in ("", "*/*"):
            return self.default_accept
        if wanted.lower() not in ACCEPTS:
            return refusal(
                406, f"Accept type {wanted} is not supported. Please use supported accept types: {list(ACCEPTS)}."
            )
        return wanted.lower()

    def _predict(self, rows: Any) -> numpy.ndarray:
        """`rows`: an array, or a sparse matrix where what is not named is missing."""
        import xgboost

        is_sparse = not isinstance(rows, numpy.ndarray)
        if is_sparse or rows.shape[1] > self.features:  # the latter is refused in XGBoost's words
            matrix = xgboost.DMatrix(rows, nthread=1)
            results = [booster.predict(matrix, validate_features=False) for booster in self.boosters]
        else:
            if rows.shape[1] < self.features:
                missing = numpy.full((rows.shape[0], self.features - rows.shape[1]), numpy.nan, numpy.float32)
                rows = numpy.concatenate([rows, missing], axis=1)
            results = [self._predict_with(booster, rows) for booster in self.boosters]
        return results[0] if len(results) == 1 else numpy.mean(results, axis=0)

    def _predict_with(self, booster: Any, rows: numpy.ndarray) -> numpy.ndarray:
        from helpers.offline.services.sagemaker.serving import xgboost_rows

        if not self.has_trees:  # such models are not predicted in place
            import xgboost

            return booster.predict(xgboost.DMatrix(rows, nthread=1), validate_features=False)
        if xgboost_rows.is_for_few(rows):
            return xgboost_rows.predict(booster, rows)
        return booster.inplace_predict(rows, validate_features=False)


def _load(name: str, content: bytes) -> Any:
    if "xgboost" not in sys.modules:
        sys.modules.setdefault("sklearn", None)  # type: ignore[arg-type]
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(content))
    except Exception as error:
        if content.startswith(b"\x80"):
            raise LoadError(f"{name} is a pickle; the offline AWS serves models in xgboost's own formats.") from None
        first = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise LoadError(f"{name} is not an XGBoost model: {first}") from None
    booster.set_param({"nthread": 1})
    return booster


def _rows(body: bytes, content_type: str | None) -> Any:
    """An array, a sparse matrix, or a reply that is a refusal."""
    kind, _, parameters = (content_type or "text/libsvm").partition(";")
    kind = kind.strip().lower()
    if kind not in CONTENT_TYPES:
        return refusal(415, f"{content_type} is not an accepted ContentType: {', '.join(CONTENT_TYPES)}.")
    label_size = re.search(r"label_size=([^;]*)", parameters.lower())
    if kind in ("csv", "text/csv"):
        if label_size and label_size[1].strip() != "1":
            return refusal(
                415,
                f"{content_type} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1",
            )
        return _csv_rows(body)
    if "libsvm" in kind:
        return _libsvm_rows(body)
    if "recordio" in kind:
        return _recordio_rows(body)
    return refusal(415, f"Content-type {content_type} is not supported.")


def _csv_rows(body: bytes) -> numpy.ndarray | Reply:
    try:
        lines = body.decode().strip().split("\n")
        delimiter = "," if "," in lines[0] else _sniffed(lines[0])
        cells = [["nan" if cell == "" else cell for cell in line.split(delimiter)] for line in lines]
        try:
            return numpy.array([[float(cell) for cell in row] for row in cells], numpy.float32)
        except ValueError:
            return numpy.array(cells).astype(float).astype(numpy.float32)  # for numpy's own words
    except Exception as error:
        return _unreadable("csv", error)


def _sniffed(line: str) -> str:
    try:
        delimiter = csv.Sniffer().sniff(line[:512]).delimiter
    except csv.Error:
        return ","
    return "," if delimiter.isalnum() or delimiter in ".-+" else delimiter


def _libsvm_rows(body: bytes) -> Any:
    """Cells without a colon, a label among them, are not looked at."""
    try:
        lines = [line.split(" ") for line in body.decode().strip().split("\n")]
        cells = [(row, *cell.split(":")[:2]) for row, line in enumerate(lines) for cell in line if ":" in cell]
        rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
        numbers = numpy.array(values).astype(float)
        return csr_matrix((numbers, (numpy.array(rows), numpy.array(columns).astype(int))))
    except Exception as error:
        return _unreadable("libsvm", error)


def _recordio_rows(body: bytes) -> Any:
    try:
        return recordio_messages.rows_of(body)
    except Exception as error:
        return refusal(
            415,
            "Loading recordio-protobuf data failed with Exception, please ensure data is in recordio-protobuf format: "
            f"{type(error)} {error}",
        )


def _unreadable(kind: str, error: Exception) -> Reply:
    return refusal(
        415,
        f"Loading {kind} data failed with Exception, please ensure data is in {kind} format:\n {type(error)}\n {error}",
    )
