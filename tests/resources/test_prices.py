"""What collecting costs, worked out by hand for a rate that makes round numbers."""

import pytest

from helpers.resources import prices
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


@pytest.mark.parametrize("lab", [1, 2, 3, 4])
def test_a_lab_tells_its_parts_their_sum_and_the_date_of_the_prices(lab, capsys):
    prices.show(lab)
    *parts, together, source = capsys.readouterr().out.splitlines()
    assert len(parts) == len(prices.LABS[lab])
    expected = sum(count * price for _, count, _, price in prices.LABS[lab])
    assert together.split()[-1] == (f"${expected:.3f}" if expected >= 0.001 else "<$0.001")
    assert prices.AS_OF in source and prices.SOURCE in source


def test_there_is_no_fifth_lab():
    with pytest.raises(ValueError, match="got 5"):
        prices.show(5)
