"""The error metric when there is more of it in a second than one request holds."""

from collections import Counter

import pytest

from helpers.fulfillment.counts import Counts
from helpers.fulfillment.error_metrics import DATA_PER_REQUEST, VALUES_PER_DATUM, ErrorMetrics

ERRORS = [float(i) for i in range(4_000)]


class CloudWatch:
    """Takes what boto3's client takes, but for the requests whose turn it is to fail."""

    def __init__(self, failing=()):
        self.turn, self.failing, self.values = 0, set(failing), Counter()

    def put_metric_data(self, *, Namespace, MetricData):
        assert len(MetricData) <= DATA_PER_REQUEST
        assert all(len(datum["Values"]) <= VALUES_PER_DATUM for datum in MetricData)
        self.turn += 1
        if self.turn in self.failing:
            raise ConnectionError("no network")
        for datum in MetricData:
            self.values.update((datum["MetricName"], len(datum["Dimensions"]), value) for value in datum["Values"])


@pytest.mark.parametrize("failing", [(), (1,), (2,), (2, 3, 5)], ids=str)
def test_each_error_arrives_once_in_each_metric_whichever_request_fails(failing):
    cloudwatch, counts = CloudWatch(failing), Counts(("metrics", "metrics_unsent", "metric_errors"))
    metrics = ErrorMetrics(cloudwatch, "Test", "FC-ASPEN", counts, interval_s=60)
    for error in ERRORS:
        metrics.add(error, "v1")
    metrics.close(patience_s=60)
    assert counts.copy() == {"metrics": len(ERRORS), "metrics_unsent": 0, "metric_errors": len(failing)}
    assert cloudwatch.turn > 2
    names = ("PredictionError", "AbsolutePredictionError")
    expected = {(name, dimensions, error) for name in names for dimensions in (1, 2) for error in ERRORS}
    assert set(cloudwatch.values) == expected
    assert set(cloudwatch.values.values()) == {1}
