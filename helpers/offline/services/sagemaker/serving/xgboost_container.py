"""The XGBoost container's /invocations: CSV in, one number a line out; JSON and selectable inference on request.

Source: aws/sagemaker-xgboost-container, algorithm_mode/serve.py and serve_utils.py, encoder.py.
"""

from __future__ import annotations

import csv
import json
import sys
from typing import Any, Literal

import numpy

from helpers.offline.services.sagemaker.serving.container import LoadError, Reply, crash, refusal

CONTENT_TYPES = (
    *("csv", "libsvm", "parquet", "recordio-protobuf", "text/csv", "text/libsvm", "text/x-libsvm"),
    *("application/x-parquet", "application/x-recordio-protobuf"),
)
ACCEPTS = ("text/csv", "application/json", "application/jsonlines", "application/x-recordio-protobuf")
_CSV_OUT = "text/csv; charset=utf-8"


class XGBoostContainer:
    """Raises LoadError where a file is no model."""

    def __init__(self, files: dict[str, bytes], environment: dict[str, str]) -> None:
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
        self.output = [name for name in environment.get("SAGEMAKER_INFERENCE_OUTPUT", "").split(",") if name]
        self.default_accept = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv")

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        if not body:
            return Reply(204, "", b"")
        wanted = self._accepted(accept)
        if isinstance(wanted, Reply):
            return wanted
        rows = _rows(body, content_type)
        if isinstance(rows, Reply):
            return rows
        try:
            predicted = self._predict(rows)
        except Exception as error:
            return refusal(400, f"Unable to evaluate payload provided: {error}")
        if self.output:
            return self._selected(rows, predicted, wanted)
        if wanted == "text/csv":
            lines = predicted.tolist()
            if predicted.ndim > 1:
                lines = [",".join(map(str, line)) for line in lines]
            return Reply(200, _CSV_OUT, "".join(f"{line}\n" for line in lines).encode())
        if wanted == "application/json":
            scores = [{"score": score} for score in predicted.tolist()]
            return Reply(200, "application/json", json.dumps({"predictions": scores}).encode())
        return crash(f"{wanted} is not supported without SAGEMAKER_INFERENCE_OUTPUT.")

    def _accepted(self, accept: str | None) -> str | Reply:
        wanted = (accept or "").partition(";")[0].strip()
        if wanted in ("", "*/*"):
            wanted = self.default_accept
        if wanted == "csv":
            wanted = "text/csv"
        if wanted not in ACCEPTS:
            return refusal(
                406,
                f"Accept type {wanted} is not supported. Please use supported accept types: {list(ACCEPTS)}",
            )
        return wanted

    def _predict(self, rows: numpy.ndarray, *, margin: bool = False) -> numpy.ndarray:
        if rows.shape[1] < self.features:
            missing = numpy.full((rows.shape[0], self.features - rows.shape[1]), numpy.nan, numpy.float32)
            rows = numpy.concatenate([rows, missing], axis=1)
        if rows.shape[1] > self.features:
            import xgboost

            self.boosters[0].predict(xgboost.DMatrix(rows, nthread=1), validate_features=False)
        results = [self._predict_with(booster, rows, "margin" if margin else "value") for booster in self.boosters]
        return results[0] if len(results) == 1 else numpy.mean(results, axis=0)

    def _predict_with(self, booster: Any, rows: numpy.ndarray, kind: Literal["value", "margin"]) -> numpy.ndarray:
        from helpers.offline.services.sagemaker.serving import xgboost_rows

        if not self.has_trees:  # such models are not predicted in place
            import xgboost

            matrix = xgboost.DMatrix(rows, nthread=1)
            return booster.predict(matrix, output_margin=kind == "margin", validate_features=False)
        if xgboost_rows.is_for_few(rows):
            return xgboost_rows.predict(booster, rows, kind)
        return booster.inplace_predict(rows, predict_type=kind, validate_features=False)

    # --- Selectable inference -----------------------------------------------------------------------------------------

    def _selected(self, rows: numpy.ndarray, predicted: numpy.ndarray, wanted: str) -> Reply:
        raw = self._predict(rows, margin=True)
        items = [self._item(predicted[row], raw[row]) for row in range(len(rows))]
        if wanted == "application/json":
            return Reply(200, wanted, json.dumps({"predictions": items}).encode())
        if wanted == "application/jsonlines":
            return Reply(200, wanted, "\n".join(json.dumps(item) for item in items).encode())
        if wanted != "text/csv":
            return crash(f"{wanted} is not supported offline.")
        lines = [",".join(_cell(item[name]) for name in self.output) for item in items]
        return Reply(200, _CSV_OUT, "\n".join(lines).encode())

    def _item(self, predicted: Any, raw: Any) -> dict[str, Any]:
        known: dict[str, Any] = {}
        if self.objective.startswith("binary:"):
            probability = float(predicted)
            score = float(raw)
            is_logistic = self.objective == "binary:logistic"
            known = {
                "predicted_label": int(probability > 0.5 if is_logistic else score > 0),
                "labels": [0, 1],
                "raw_score": score,
                "raw_scores": [-score, score],
            }
            if is_logistic:
                known |= {"probability": probability, "probabilities": [1 - probability, probability]}
        elif self.objective == "multi:softprob":
            best = int(numpy.argmax(predicted))
            known = {
                "predicted_label": best,
                "labels": list(range(self.classes)),
                "probability": float(predicted[best]),
                "probabilities": predicted.tolist(),
                "raw_score": float(raw[best]),
                "raw_scores": raw.tolist(),
            }
        elif self.objective == "multi:softmax":
            known = {
                "predicted_label": int(predicted),
                "labels": list(range(self.classes)),
                "raw_score": float(numpy.max(raw)),
                "raw_scores": raw.tolist(),
            }
        else:
            known = {"predicted_score": float(predicted)}
        return {name: known.get(name, float("nan")) for name in self.output}


def _cell(value: Any) -> str:
    return f'"{value}"' if isinstance(value, list) else str(value)


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


def _rows(body: bytes, content_type: str | None) -> numpy.ndarray | Reply:
    kind, _, parameters = (content_type or "text/libsvm").partition(";")
    kind = kind.strip().lower()
    if kind not in CONTENT_TYPES or "label_size=0" in parameters.replace(" ", ""):
        return refusal(415, f"{content_type} is not an accepted ContentType: {', '.join(CONTENT_TYPES)}")
    if kind in ("csv", "text/csv"):
        return _csv_rows(body)
    if "libsvm" in kind:
        return _libsvm_rows(body)
    return refusal(415, f"The offline AWS does not serve {kind}; use text/csv.")


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
        return refusal(
            415,
            f"Loading csv data failed with Exception, please ensure data is in csv format:\n {type(error)}\n {error}",
        )


def _sniffed(line: str) -> str:
    try:
        delimiter = csv.Sniffer().sniff(line[:512]).delimiter
    except csv.Error:
        return ","
    return "," if delimiter.isalnum() or delimiter in ".-+" else delimiter


def _libsvm_rows(body: bytes) -> numpy.ndarray | Reply:
    try:
        rows: list[dict[int, float]] = []
        for line in body.decode().strip().split("\n"):
            cells = [cell.split(":") for cell in line.split() if ":" in cell]
            if not cells:
                raise ValueError(f"no index:value in {line[:50]!r}")
            rows.append({int(index): float(value) for index, value in cells})
        filled = numpy.full((len(rows), 1 + max(max(row) for row in rows)), numpy.nan, numpy.float32)
        for position, row in enumerate(rows):
            filled[position, list(row)] = list(row.values())
        return filled
    except Exception as error:
        return refusal(
            415,
            "Loading libsvm data failed with Exception, please ensure data is in libsvm format:\n "
            f"{type(error)}\n {error}",
        )
