"""What collecting costs, worked out by hand for a rate that makes round numbers."""

import pytest

from helpers.resources.prices import collection_per_month

ONE_PER_SECOND = 30 * 24 * 3600


def test_a_month_of_one_sample_a_second_through_lambda():
    bill = collection_per_month(1, through_lambda=True, lambda_ms=100, lambda_mb=1024)
    assert bill["SNS requests"] == pytest.approx(ONE_PER_SECOND / 10 * 0.50 / 1e6)
    assert bill["Lambda requests"] == pytest.approx(ONE_PER_SECOND * 0.20 / 1e6)
    assert bill["Lambda time"] == pytest.approx(ONE_PER_SECOND * 0.1 * 0.0000166667)
    assert bill["Firehose"] == pytest.approx(ONE_PER_SECOND * 5 / 1024 / 1024 * 0.029)


def test_without_lambda_delivery_is_paid_instead():
    bill = collection_per_month(1, through_lambda=False)
    assert "Lambda requests" not in bill
    assert bill["SNS delivery"] == pytest.approx(ONE_PER_SECOND * 0.19 / 1e6)
