"""What lab 2 leaves is really trained on the history and on the collected samples, and really answers."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from helpers.fulfillment import FEATURES, generate
from helpers.resources import buckets, fulfillment_center, live_inference, model_training, sample_collection

LAB_2 = Path(__file__).resolve().parents[2] / "labs" / "02_model_training.ipynb"
QUICK = {**model_training.XGBOOST, "num_round": "20"}


def ask(ws, frame):
    answer = ws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=ws.name(live_inference.ENDPOINT),
        ContentType="text/csv",
        Body=frame[list(FEATURES)].to_csv(index=False, header=False),
    )
    return np.array(answer["Body"].read().decode().split(), dtype=float), answer["InvokedProductionVariant"]


def trained(ws, frame, job, hyperparameters=QUICK):
    """The final validation error (ms) of a quick job on these rows, split by visit."""
    buckets.ensure(ws, "models")
    parts = model_training.split_by_visit(frame)
    for name in ("train", "validation"):
        model_training.upload(ws, parts[name], name)
    model_training.start_training(ws, ws.name(job), hyperparameters)
    description = model_training.wait_for_training(ws, ws.name(job))
    metrics = {metric["MetricName"]: metric["Value"] for metric in description["FinalMetricDataList"]}
    return metrics["validation:rmse"]


def test_no_visit_is_in_two_parts_and_no_row_is_lost():
    table = generate(5_000, seed=3)
    parts = model_training.split_by_visit(table)
    visits = [set(part["visit"]) for part in parts.values()]
    assert sum(map(len, parts.values())) == len(table)
    assert sum(map(len, visits)) == table["visit"].nunique()


def test_building_makes_a_live_endpoint_once_and_the_table_holds_history_and_collected_samples(ws):
    fulfillment_center.build(ws)
    sample_collection.build(ws)
    assert model_training.build(ws) == ["training data", "an XGBoost model", "the live endpoint"]
    assert model_training.build(ws) == []
    table = model_training.learning_table(ws)
    collected = sample_collection.read_samples(ws)
    assert len(table) == model_training.HISTORY_ROWS + len(collected)
    assert table["event_id"].tail(len(collected)).tolist() == collected["event_id"].tolist()
    test = model_training.split_by_visit(table)["test"].head(2000)
    predicted, version = ask(ws, test)
    assert version == "v1"
    errors = predicted - test["duration"].to_numpy()
    assert np.sqrt(np.mean(errors**2)) < 0.9 * test["duration"].std()


def test_changed_data_change_the_numbers_and_the_same_data_do_not(ws):
    table = generate(6_000, seed=3)
    collected = generate(1_000, seed=4)
    first = trained(ws, table, "first")
    assert trained(ws, table, "second") == first
    slower = table.assign(duration=np.where(table["bin_location"] < 500, table["duration"] * 2, table["duration"]))
    assert trained(ws, slower, "third") > first * 1.05
    both = trained(ws, pd.concat([table, collected], ignore_index=True), "fourth")
    assert both != first


def test_a_job_that_fails_tells_its_own_reason(ws):
    with pytest.raises(RuntimeError, match=r"(?s)Failed: AlgorithmError.*"):
        trained(ws, generate(2_000, seed=3), "failing", {**QUICK, "eta": "7"})


def test_a_second_deployment_updates_the_endpoint_under_the_next_version(ws):
    trained(ws, generate(3_000, seed=3), "one")
    job = ws.client("sagemaker").describe_training_job(TrainingJobName=ws.name("one"))
    model_training.deploy(ws, job, "v1")
    slow = generate(3_000, seed=3)
    trained(ws, slow.assign(duration=slow["duration"] * 3), "two")
    before, _ = ask(ws, slow.head(50))
    model_training.deploy(ws, ws.client("sagemaker").describe_training_job(TrainingJobName=ws.name("two")), "v2")
    after, version = ask(ws, slow.head(50))
    assert version == "v2"
    assert after.mean() > 2 * before.mean()


def test_the_lab_and_what_is_built_for_those_who_skip_it_train_the_same_model():
    source = "\n".join(cell.source for cell in nbformat.read(LAB_2, as_version=4).cells)
    assert f"history.tail({model_training.HISTORY_ROWS:_})" in source
    assert "np.random.default_rng(2).choice(" in source
    known, names = {}, ("xgboost_hyperparameters", "boosting")
    for cell in nbformat.read(LAB_2, as_version=4).cells:
        if cell.cell_type == "code" and ("xgboost_hyperparameters = " in cell.source or "boosting = " in cell.source):
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") in names:
                    exec(ast.unparse(statement), known)
    assert {name: str(value) for name, value in known["boosting"].items()} == model_training.XGBOOST
