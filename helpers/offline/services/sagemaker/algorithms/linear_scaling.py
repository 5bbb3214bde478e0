"""Linear Learner's scaling of features and labels, and the way back to the units of the data."""

from __future__ import annotations

from typing import Any

import numpy


class Scaler:
    """Learnt from the first num_point_for_scaler rows after a shuffle. Shapes: features (rows, columns)."""

    def __init__(self, rows: Any, labels: Any, settings: dict[str, Any], random: Any) -> None:
        points = random.permutation(len(rows))[: settings["num_point_for_scaler"]]
        sample, of_labels = rows[points].astype("float64"), labels[points].astype("float64")
        self.mean, self.scale = numpy.zeros(rows.shape[1]), numpy.ones(rows.shape[1])
        self.label_mean, self.label_scale = 0.0, 1.0
        if settings["normalize_data"]:
            self.scale = numpy.where(sample.std(0) > 0, sample.std(0), 1.0)
        if settings["unbias_data"]:
            self.mean = sample.mean(0)
        if settings["normalize_label"]:
            self.label_scale = float(of_labels.std()) or 1.0
        if settings["unbias_label"]:
            self.label_mean = float(of_labels.mean())

    def scaled(self, rows: Any, labels: Any) -> tuple[Any, Any]:
        features = (rows.astype("float64") - self.mean) / self.scale
        return features, (labels - self.label_mean) / self.label_scale

    def unscaled(self, weights: Any, bias: Any) -> tuple[Any, Any]:
        """Weights (columns, classes) and bias (classes,) that take rows and give labels as they are in the data."""
        slope = weights / self.scale[:, None] * self.label_scale
        return slope, bias * self.label_scale + self.label_mean - self.mean @ slope
