"""Where a tuning job looks, and when it ends a training job early; no server."""

import pytest

from helpers.offline.kernel import AwsError
from helpers.offline.services.sagemaker.algorithms.suggest import suggestion
from helpers.offline.services.sagemaker.tuning_search import Search, Space
from helpers.offline.services.sagemaker.tuning_stopping import Halving, MedianRule


def reals(low: str, high: str, scaling: str = "Linear") -> dict:
    entry = {"Name": "b", "MinValue": low, "MaxValue": high, "ScalingType": scaling}
    return {"ContinuousParameterRanges": [entry]}


def test_a_space_keeps_to_its_ranges():
    integers = {"IntegerParameterRanges": [{"Name": "a", "MinValue": "1", "MaxValue": "3"}]}
    space = Space(integers | reals("0.01", "1", "Logarithmic"))
    low, high = space.values([0.0, 0.0]), space.values([1.0, 1.0])
    assert (low["a"], high["a"]) == ("1", "3")
    assert 0.01 <= float(low["b"]) < 0.0101 and 0.999 < float(high["b"]) <= 1
    middle = space.values([1.0, 0.5])
    assert middle["a"] == "3" and float(middle["b"]) == pytest.approx(0.1)


@pytest.mark.parametrize(("scaling", "middle"), [("Linear", 0.495), ("Auto", 0.495), ("ReverseLogarithmic", 0.9)])
def test_scalings(scaling, middle):
    assert float(Space(reals("0", "0.99", scaling)).values([0.5])["b"]) == pytest.approx(middle)


@pytest.mark.parametrize("scaling", ["Linear", "Auto", "Logarithmic", "ReverseLogarithmic"])
def test_the_point_of_hyperparameters_is_where_they_came_from(scaling):
    categories = {"CategoricalParameterRanges": [{"Name": "c", "Values": ["x", "y", "z"]}]}
    space = Space(reals("0.1", "0.9", scaling) | categories)
    for coordinate in (0.0, 0.3, 1.0):
        found = space.point(space.values([coordinate, 0.5]))
        assert found == pytest.approx([coordinate, 0.5], abs=1e-9)
    for strange in ({"b": "0.95", "c": "x"}, {"b": "0.5", "c": "w"}, {"b": "much", "c": "x"}, {"c": "x"}):
        assert space.point(strange) is None
    assert Space(reals("0.5", "0.5")).point({"b": "0.5"}) == [0.5]


@pytest.mark.parametrize(
    ("low", "high", "scaling"),
    [("2", "1", "Linear"), ("0", "1", "Logarithmic"), ("0", "1", "ReverseLogarithmic")],
)
def test_a_range_that_cannot_be_is_refused(low, high, scaling):
    with pytest.raises(AwsError, match="b"):
        Space(reals(low, high, scaling))


def test_a_grid_is_walked_once_through_all_its_categories(tmp_path):
    ranges = [{"Name": "a", "Values": ["x", "y"]}, {"Name": "b", "Values": ["1", "2", "3"]}]
    space = Space({"CategoricalParameterRanges": ranges})
    with Search("Grid", space, 0, tmp_path) as search:
        points = [search.next(number, []) for number in range(7)]
    assert points.pop() is None
    assert {tuple(space.values(point).values()) for point in points} == {(a, b) for a in "xy" for b in "123"}
    with pytest.raises(AwsError, match="Grid search only supports categorical parameters"):
        Search("Grid", Space(reals("0", "1")), 0, tmp_path)


def test_the_same_seed_makes_the_same_random_search(tmp_path):
    def points(seed: int) -> list:
        search = Search("Random", Space(reals("0", "1")), seed, tmp_path)
        return [search.next(number, []) for number in range(4)]

    assert points(1) == points(1) != points(2)


@pytest.mark.filterwarnings("ignore")
def test_a_bayesian_search_learns_where_the_minimum_is():
    tried = [([x / 10], (x / 10 - 0.3) ** 2) for x in range(0, 11, 2)]
    assert suggestion(tried, 0)[0] == pytest.approx(0.3, abs=0.1)


def test_a_bayesian_search_asks_one_process_and_finds_more_than_chance(tmp_path):
    """The bottom of a bowl in three dimensions, in 20 tries: within 0.02; chance gets there once in a thousand."""
    ranges = [{"Name": name, "MinValue": "0", "MaxValue": "1"} for name in "abc"]
    tried: list = []
    with Search("Bayesian", Space({"ContinuousParameterRanges": ranges}), 1, tmp_path) as search:
        for number in range(20):
            point = search.next(number, tried)
            tried.append((point, sum((coordinate - 0.6) ** 2 for coordinate in point)))
        process = search.process
    assert min(value for _, value in tried) < 0.02
    assert process.poll() is not None


def test_a_search_whose_process_is_gone_says_so(tmp_path):
    with Search("Bayesian", Space(reals("0", "1")), 1, tmp_path) as search:
        search.process.kill()
        search.process.wait()
        with pytest.raises(RuntimeError, match="has ended"):
            search.next(9, [([0.1], 1.0), ([0.2], 2.0), ([0.3], 3.0)])


def test_the_median_rule_stops_what_is_worse_than_the_median_of_earlier_averages():
    before = {"a": [4.0, 2.0, 1.0], "b": [6.0, 4.0, 2.0], "c": [9.0, 8.0, 7.0]}  # averages to epoch 2: 3, 5, 8.5
    rule = MedianRule()
    assert not rule.is_hopeless("d", [9.0, 4.9], before)
    assert rule.is_hopeless("d", [1.0, 5.1], before)
    assert not rule.is_hopeless("d", [], before)
    assert not rule.is_hopeless("d", [99.0], {name: before[name] for name in "ab"})  # too few have ended


def test_halving_lets_the_best_third_go_on_at_each_rung():
    rule = Halving(2, most=18)
    assert not rule.is_hopeless("a", [9.0], {}) and not rule.is_hopeless("a", [9.0, 5.0], {})
    assert rule.is_hopeless("b", [9.0, 6.0], {})  # the second of two
    assert not rule.is_hopeless("c", [9.0, 4.0], {})  # the first of three
    assert not rule.is_hopeless("a", [9.0, 5.0, 4.0], {})  # was judged at this rung already
    assert not rule.is_hopeless("c", [9.0, 4.0, 3.0, 3.0, 3.0, 3.0], {})  # the rung of six epochs is empty
    assert rule.is_hopeless("a", [9.0, 5.0, 4.0, 4.0, 4.0, 4.0], {})
    assert rule.is_hopeless("c", [1.0] * 18, {})  # MaxResource
