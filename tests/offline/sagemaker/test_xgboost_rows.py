"""Few rows are predicted by XGBoost's C interface exactly as its Python interface predicts them."""

import numpy
import pytest
import xgboost

from helpers.offline.services.sagemaker.serving import xgboost_rows
from helpers.offline.services.sagemaker.serving.xgboost_container import XGBoostContainer

OBJECTIVES = {
    "reg:squarederror": {},
    "reg:absoluteerror": {},
    "count:poisson": {},
    "binary:logistic": {},
    "binary:hinge": {},
    "multi:softmax": {"num_class": 3},
    "multi:softprob": {"num_class": 3},
}


@pytest.fixture(scope="module")
def rows():
    table = numpy.random.default_rng(5).normal(size=(200, 4)).astype("float32")
    table[::7, 2] = numpy.nan
    return table


@pytest.mark.parametrize("booster", ["gbtree", "dart"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_and_many_rows_are_predicted_as_by_inplace_predict(objective, booster, rows):
    target = numpy.arange(len(rows)) % (2 if objective.startswith("binary") else 3)
    settings = {"objective": objective, "booster": booster, "nthread": 1, **OBJECTIVES[objective]}
    model = xgboost.train(settings, xgboost.DMatrix(rows, target), num_boost_round=5)
    for part in (rows[:1], rows[:3], rows[3:19].copy()):
        assert xgboost_rows.is_for_few(part)
        expected = model.inplace_predict(part, validate_features=False)
        got = xgboost_rows.predict(model, part)
        assert got.dtype == expected.dtype and got.shape == expected.shape
        numpy.testing.assert_array_equal(got, expected)


def test_a_linear_booster_is_served_too(rows):
    rows = numpy.nan_to_num(rows)
    settings = {"booster": "gblinear", "nthread": 1}
    model = xgboost.train(settings, xgboost.DMatrix(rows, rows[:, 0]), num_boost_round=5)
    container = XGBoostContainer({"xgboost-model": bytes(model.save_raw())}, {})
    reply = container.invoke(b"0.5,1,0,2\n1,1,1,1\n", "text/csv", None)
    expected = model.predict(xgboost.DMatrix(numpy.array([[0.5, 1, 0, 2], [1, 1, 1, 1]], "float32")))
    assert reply.status == 200 and [float(line) for line in reply.body.split()] == pytest.approx(expected.tolist())


def test_what_is_no_table_of_few_float32_rows_is_left_to_the_python_interface(rows):
    assert not xgboost_rows.is_for_few(rows)
    assert not xgboost_rows.is_for_few(rows[:2].astype("float64"))
    assert not xgboost_rows.is_for_few(rows[:8:2])


def test_an_error_says_what_xgboost_says(rows):
    with pytest.raises(xgboost.core.XGBoostError, match="columns"):
        model = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, numpy.arange(len(rows))), num_boost_round=2)
        xgboost_rows.predict(model, numpy.zeros((1, 9), "float32"))
