"""Scores, ranks and penalties, as pure functions."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.arena.scoring import Outcome, Tally, error_ms, quantile, ranking, read_prediction


@pytest.mark.parametrize(
    "body", [b'{"prediction_ms": 9876.5, "model": "v1"}', b"9876.5", b'{"prediction_ms": "9876.5"}']
)
def test_a_prediction_is_read_from_json_or_a_plain_number(body):
    assert read_prediction(body) == (Outcome.OK, 9876.5)


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"null", b"[1]", b"true", b"NaN", b"Infinity", b"{}", b'{"prediction_ms": null}', b"\xff\xfe"],
)
def test_what_is_no_number_is_told_so(body):
    assert read_prediction(body) == (Outcome.NOT_A_NUMBER, None)


@pytest.mark.parametrize("body", [b"-1", b"600001", b'{"prediction_ms": 1e300}'])
def test_negative_and_absurd_numbers_are_out_of_range(body):
    assert read_prediction(body) == (Outcome.OUT_OF_RANGE, None)


def test_a_deep_or_huge_answer_does_not_break_the_reader():
    assert read_prediction(b"[" * 4000)[0] == Outcome.NOT_A_NUMBER
    assert read_prediction(b"1" * 4000)[0] in (Outcome.NOT_A_NUMBER, Outcome.OUT_OF_RANGE)


@given(st.binary(max_size=200))
def test_any_body_gives_an_outcome_and_ok_means_a_number_in_range(body):
    outcome, value = read_prediction(body)
    assert (outcome == Outcome.OK) == (value is not None)
    assert value is None or 0 <= value <= 600_000


@given(
    st.sampled_from([o for o in Outcome if o != Outcome.OK]), st.floats(1, 1e5), st.floats(1, 1e5), st.floats(0, 6e4)
)
def test_no_answer_costs_the_fc_averages_error_plus_the_penalty(outcome, duration, fc_avg, penalty):
    assert abs(error_ms(outcome, None, duration, fc_avg, penalty)) == pytest.approx(abs(fc_avg - duration) + penalty)


def test_the_window_looks_back_on_the_last_n_and_the_round_on_all():
    tally = Tally(window=2)
    for error in (100.0, 3.0, 4.0):
        tally.add(error, answered=error < 50, latency_ms=error)
    assert tally.window_rmse == pytest.approx(math.sqrt((9 + 16) / 2))
    assert tally.round_rmse == pytest.approx(math.sqrt((10_000 + 9 + 16) / 3))
    assert tally.availability == pytest.approx(2 / 3)


def test_a_score_before_the_first_interaction_is_none_not_zero():
    tally = Tally(window=10)
    assert (tally.window_rmse, tally.round_rmse, tally.availability) == (None, None, None)


def test_equal_errors_go_to_the_earlier_entry():
    assert ranking([(7, 5.0, 50), (3, 5.0, 50), (5, 4.0, 50)], 50) == [(5, 1), (3, 2), (7, 3)]


def test_nobody_is_ranked_before_the_minimum():
    assert ranking([(1, 1.0, 49), (2, 9.0, 50), (3, None, 0)], 50) == [(2, 1), (1, None), (3, None)]


@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 100)), max_size=50))
def test_a_ranking_has_everybody_once_and_never_a_worse_one_before_a_better(scores):
    entries = [(i, error, count) for i, (error, count) in enumerate(scores)]
    order = ranking(entries, 50)
    assert sorted(i for i, _ in order) == list(range(len(entries)))
    errors = [entries[i][1] for i, rank in order if rank]
    assert errors == sorted(errors)
    assert [rank for _, rank in order if rank] == list(range(1, len(errors) + 1))


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_is_the_nearest_rank(values, share):
    found = quantile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values) - 1e-9


def test_predictions_survive_json():
    assert read_prediction(json.dumps({"prediction_ms": 0}).encode()) == (Outcome.OK, 0.0)
