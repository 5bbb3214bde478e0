import subprocess
import sys

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def tuning(sagemaker, channels, unique, eventually):
    return Tuning(sagemaker, channels, unique, eventually)


class Tuning:
    """Requests for tuning jobs, and waiting for their ends."""

    def __init__(self, sagemaker, channels, unique, eventually):
        self.sagemaker, self.channels, self.unique, self.eventually = sagemaker, channels, unique, eventually

    def request(self, strategy="Random", ranges=None, static=None, jobs=3, parallel=3, **config):
        given = self.sagemaker.request({key: self.channels[key] for key in ("train", "validation")}, {})
        definition = {key: given[key] for key in ("RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig")}
        return {
            "HyperParameterTuningJobName": self.unique("tune"),
            "HyperParameterTuningJobConfig": {
                "Strategy": strategy,
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel},
                "ParameterRanges": ranges or whole("max_depth", "2", "6"),
                "RandomSeed": 1,
            }
            | config,
            "TrainingJobDefinition": definition
            | {
                "StaticHyperParameters": {"num_round": "5"} if static is None else static,
                "AlgorithmSpecification": given["AlgorithmSpecification"],
                "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            },
        }

    def start(self, request) -> str:
        self.sagemaker.client.create_hyper_parameter_tuning_job(**request)
        return request["HyperParameterTuningJobName"]

    def describe(self, name: str) -> dict:
        return self.sagemaker.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    def ended(self, name: str) -> dict:
        def found():
            job = self.describe(name)
            return job["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping") and job

        return self.eventually(found, 240)

    def children(self, name: str, **more) -> list[dict]:
        list_children = self.sagemaker.client.list_training_jobs_for_hyper_parameter_tuning_job
        return list_children(HyperParameterTuningJobName=name, MaxResults=100, **more)["TrainingJobSummaries"]


def whole(name: str, low: str, high: str) -> dict:
    return {"IntegerParameterRanges": [{"Name": name, "MinValue": low, "MaxValue": high}]}


def real(name: str, low: str, high: str) -> dict:
    return {"ContinuousParameterRanges": [{"Name": name, "MinValue": low, "MaxValue": high}]}


def value(child: dict) -> float:
    return child["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]


def test_children_are_trained_counted_and_the_best_is_named(tuning, sagemaker):
    name = tuning.start(tuning.request())
    done = tuning.ended(name)
    assert done["HyperParameterTuningJobStatus"] == "Completed"
    assert done["TrainingJobStatusCounters"]["Completed"] == done["ObjectiveStatusCounters"]["Succeeded"] == 3
    assert done["HyperParameterTuningEndTime"] >= done["CreationTime"] and "LastModifiedTime" in done
    children = tuning.children(name, SortBy="FinalObjectiveMetricValue", SortOrder="Ascending")
    values = [value(child) for child in children]
    assert values == sorted(values)
    assert done["BestTrainingJob"]["TrainingJobName"] == children[0]["TrainingJobName"]
    child = sagemaker.client.describe_training_job(TrainingJobName=children[0]["TrainingJobName"])
    assert child["HyperParameters"]["_tuning_objective_metric"] == "validation:rmse"
    assert child["HyperParameters"]["max_depth"] == children[0]["TunedHyperParameters"]["max_depth"]
    assert child["TuningJobArn"] == done["HyperParameterTuningJobArn"]
    definitions = {entry["Name"]: entry["Regex"] for entry in child["AlgorithmSpecification"]["MetricDefinitions"]}
    assert definitions["ObjectiveMetric"] == definitions["validation:rmse"]
    for number, one in enumerate(sorted(one["TrainingJobName"] for one in children), start=1):
        start, counted, code = one.rsplit("-", 2)
        assert (start, counted, len(code)) == (name, f"{number:03d}", 8)
    completed = tuning.children(name, StatusEquals="Completed", SortBy="Name", SortOrder="Descending")
    assert [one["TrainingJobName"] for one in completed] == sorted(
        (c["TrainingJobName"] for c in children), reverse=True
    )
    assert tuning.children(name, StatusEquals="Failed") == []
    shown = sagemaker.client.list_hyper_parameter_tuning_jobs(NameContains=name, StatusEquals="Completed")
    assert [one["Strategy"] for one in shown["HyperParameterTuningJobSummaries"]] == ["Random"]


def test_a_bayesian_search_comes_close_to_the_best_rate(tuning):
    """With five rounds a rate near 0.5 is best, one below 0.2 hopeless."""
    name = tuning.start(tuning.request("Bayesian", real("eta", "0.01", "1"), jobs=8, parallel=2))
    done = tuning.ended(name)
    assert done["TrainingJobStatusCounters"]["Completed"] == 8
    assert float(done["BestTrainingJob"]["TunedHyperParameters"]["eta"]) > 0.3
    starts = sorted((child["TrainingStartTime"], child["TrainingEndTime"]) for child in tuning.children(name))
    for begin, _ in starts:
        assert sum(other <= begin < end for other, end in starts) <= 2


def test_a_grid_needs_no_number_of_jobs_beyond_its_size(tuning):
    ranges = {"CategoricalParameterRanges": [{"Name": "max_depth", "Values": ["1", "3"]}]}
    request = tuning.request("Grid", ranges, jobs=10)
    del request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"]
    name = tuning.start(request)
    assert tuning.ended(name)["TrainingJobStatusCounters"]["Completed"] == 2
    assert {child["TunedHyperParameters"]["max_depth"] for child in tuning.children(name)} == {"1", "3"}


@pytest.mark.parametrize(
    ("strategy", "jobs", "more"),
    [
        ("Random", 8, {"TrainingJobEarlyStoppingType": "Auto"}),
        ("Hyperband", 4, {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 10, "MaxResource": 100000}}}),
    ],
)
def test_hopeless_children_are_stopped_early(tuning, strategy, jobs, more):
    """A rate of almost nothing leaves the error where it was; a job of so many rounds would take minutes."""
    ranges = {"CategoricalParameterRanges": [{"Name": "eta", "Values": ["0.3", "0.000001"]}]}
    static = {"num_round": "2000", "max_depth": "3"}
    request = tuning.request(strategy, ranges, static, jobs=jobs, parallel=2, **more)
    name = tuning.start(request)
    done = tuning.ended(name)
    children = tuning.children(name)
    stopped = [child for child in children if child["TrainingJobStatus"] == "Stopped"]
    assert done["HyperParameterTuningJobStatus"] == "Completed" and stopped
    assert done["TrainingJobStatusCounters"]["Stopped"] == len(stopped)
    assert done["BestTrainingJob"]["TunedHyperParameters"]["eta"] == "0.3"


@pytest.mark.parametrize("several", [False, True], ids=["one kind", "several kinds"])
def test_the_resources_of_a_search_are_those_of_its_jobs(tuning, sagemaker, several):
    request = tuning.request(jobs=1)
    definition = request["TrainingJobDefinition"]
    asked = definition.pop("ResourceConfig")
    other = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}
    given = {"InstanceConfigs": [asked, other], "AllocationStrategy": "Prioritized"} if several else asked
    definition["HyperParameterTuningResourceConfig"] = given
    name = tuning.start(request)
    assert tuning.ended(name)["TrainingJobDefinition"]["HyperParameterTuningResourceConfig"] == given
    (child,) = tuning.children(name)
    described = sagemaker.client.describe_training_job(TrainingJobName=child["TrainingJobName"])
    assert described["ResourceConfig"] == asked


def test_a_target_ends_the_search(tuning):
    request = tuning.request(jobs=30, parallel=1, TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 1000.0})
    done = tuning.ended(tuning.start(request))
    assert done["HyperParameterTuningJobStatus"] == "Completed"
    assert sum(done["ObjectiveStatusCounters"].values()) <= 3


def test_a_search_can_be_stopped(tuning, sagemaker):
    name = tuning.start(tuning.request(static={"num_round": "1000000"}, jobs=5, parallel=2))
    tuning.eventually(lambda: tuning.describe(name)["TrainingJobStatusCounters"]["InProgress"] == 2)
    sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    done = tuning.ended(name)
    assert done["HyperParameterTuningJobStatus"] == "Stopped"
    assert done["TrainingJobStatusCounters"]["Stopped"] == 2
    with pytest.raises(ClientError, match="in status Stopped"):
        sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_a_deleted_search_leaves_its_training_jobs(tuning, sagemaker):
    name = tuning.start(tuning.request(static={"num_round": "1000000"}, jobs=2, parallel=2))
    delete = sagemaker.client.delete_hyper_parameter_tuning_job
    with pytest.raises(ClientError, match="in status InProgress"):
        delete(HyperParameterTuningJobName=name)
    sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    tuning.ended(name)
    children = [child["TrainingJobName"] for child in tuning.children(name)]
    delete(HyperParameterTuningJobName=name)
    with pytest.raises(ClientError, match="can't find a tuning job"):
        tuning.describe(name)
    for child in children:  # one that began as the search was stopped is stopped too
        assert sagemaker.client.describe_training_job(TrainingJobName=child)["TrainingJobStatus"] == "Stopped"
    delete(HyperParameterTuningJobName=name)


def test_a_search_without_any_success_fails(tuning):
    done = tuning.ended(tuning.start(tuning.request(static={}, jobs=2)))  # num_round is missing
    assert done["HyperParameterTuningJobStatus"] == "Failed"
    assert done["FailureReason"] == (
        "No training job succeeded after 2 attempts. For additional details, please take a look at the training job "
        "failures by listing training jobs for the hyperparameter tuning job."
    )
    assert done["TrainingJobStatusCounters"]["NonRetryableError"] == done["ObjectiveStatusCounters"]["Failed"] == 2
    assert "BestTrainingJob" not in done


def test_a_name_is_used_once_and_an_unknown_one_is_not_found(tuning, sagemaker):
    request = tuning.request(jobs=1)
    tuning.ended(tuning.start(request))
    with pytest.raises(ClientError) as error:
        tuning.start(request)
    assert error.value.response["Error"]["Code"] == "ResourceInUse"
    name = request["HyperParameterTuningJobName"]
    told = f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name."
    assert error.value.response["Error"]["Message"] == told
    for call in ("describe", "stop"):
        with pytest.raises(ClientError, match="Amazon SageMaker can't find a tuning job") as error:
            getattr(sagemaker.client, f"{call}_hyper_parameter_tuning_job")(HyperParameterTuningJobName="none")
        assert error.value.response["Error"]["Code"] == "ResourceNotFound"


BOOSTERS = {"CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart"]}]}
MANY = real("eta", "0.1", "1") | {
    "CategoricalParameterRanges": [{"Name": "max_depth", "Values": [str(depth) for depth in range(1, 31)]}]
}
HYPERBAND = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 9, "MaxResource": 9}}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"ranges": BOOSTERS}, "booster cannot be tuned", id="not tunable"),
        pytest.param({"ranges": real("max_depth", "1", "6")}, "max_depth does not belong to Continuous", id="kind"),
        pytest.param({"ranges": real("eta", "0", "2")}, r"MaxValue 2.0 of .* eta is not in \[0, 1\]", id="bounds"),
        pytest.param({"ranges": real("eta", "a", "1")}, "MinValue .* eta is no float: 'a'", id="no number"),
        pytest.param({"ranges": whole("num_round", "1", "9")}, "num_round is both static and tuned", id="static"),
        pytest.param({"strategy": "Grid"}, "Grid search only supports categorical", id="grid of numbers"),
        pytest.param({"strategy": "Hyperband", **HYPERBAND}, "MinResource must be smaller", id="resources"),
        pytest.param(
            {"strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}, "must be Off", id="Hyperband and early"
        ),
        pytest.param({"jobs": 751}, "MaxNumberOfTrainingJobs of a hyperparameter tuning job' is 750", id="quota"),
        pytest.param(
            {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "test:rmse"}},
            r"The objective metric, \[test:rmse\], isn't valid for the \[.*/sagemaker-xgboost:3.2-0\] algorithm",
            id="objective",
        ),
        pytest.param(
            {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:rmse"}},
            r"The objective metric type, \[Maximize\], that you specified for objective metric, \[validation:rmse\]",
            id="direction",
        ),
        pytest.param({"ranges": MANY}, "each value of a category counts as one; these are 31", id="values"),
        pytest.param({"ranges": whole("max_depth", "6", "2")}, "MinValue .* is larger", id="least above most"),
        pytest.param(
            {"TuningJobCompletionCriteria": {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}},
            "does not support TuningJobCompletionCriteria.ConvergenceDetected",
            id="convergence",
        ),
        pytest.param({"strategy": "Best"}, r"Member must satisfy enum value set: \[.*Bayesian", id="enum"),
    ],
)
def test_what_cannot_be_searched_is_refused(tuning, changes, text):
    with pytest.raises(ClientError, match=text):
        tuning.start(tuning.request(**changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"HyperParameterTuningJobName": "a" * 33}, "Member must have length less than or equal to 32"),
        ({"Autotune": {"Mode": "Enabled"}}, "does not support Autotune"),
    ],
    ids=["name", "autotune"],
)
def test_what_the_request_itself_may_not_hold_is_refused(tuning, changes, text):
    with pytest.raises(ClientError, match=text):
        tuning.start(tuning.request() | changes)


@pytest.fixture
def warm(tuning):
    """warm(parent, type, …) -> a Bayesian request for one job that begins where the parent ended."""

    def request(parent, kind="TransferLearning", ranges=None, **config):
        start = {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}], "WarmStartType": kind}
        ranges = ranges or real("eta", "0.01", "1")
        return tuning.request("Bayesian", ranges, jobs=1, **config) | {"WarmStartConfig": start}

    return request


def test_a_warm_start_begins_where_its_parent_ended(tuning, warm):
    """The first try of this seed is a rate of 0.14, which is hopeless with five rounds."""
    cold = tuning.start(tuning.request("Bayesian", real("eta", "0.01", "1"), jobs=5, parallel=1))
    parent = tuning.ended(cold)
    first = min(tuning.children(cold), key=lambda child: child["CreationTime"])
    assert float(first["TunedHyperParameters"]["eta"]) < 0.2
    for kind in ("TransferLearning", "IdenticalDataAndAlgorithm"):
        name = tuning.start(warm(cold, kind))
        done = tuning.ended(name)
        (child,) = tuning.children(name)
        assert float(child["TunedHyperParameters"]["eta"]) > 0.3
        assert done["WarmStartConfig"]["WarmStartType"] == kind
        if kind == "TransferLearning":
            assert "OverallBestTrainingJob" not in done
            continue
        both = {cold: parent["BestTrainingJob"], name: done["BestTrainingJob"]}
        best = min(both, key=lambda job: value(both[job]))
        assert done["OverallBestTrainingJob"] == both[best] | {"TuningJobName": best}


def test_what_cannot_be_a_parent_is_refused(tuning, warm, sagemaker):
    with pytest.raises(ClientError, match="can't find a tuning job named nobody") as error:
        tuning.start(warm("nobody"))
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"
    busy = tuning.start(tuning.request(ranges=real("eta", "0.1", "1"), static={"num_round": "1000000"}, jobs=1))
    with pytest.raises(ClientError, match=f"parent tuning job {busy} is in status InProgress"):
        tuning.start(warm(busy))
    sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=busy)
    tuning.ended(busy)
    objective = {"Type": "Minimize", "MetricName": "validation:mae"}
    for changes, text in (
        ({"HyperParameterTuningJobObjective": objective}, "must be the one of the parent"),
        ({"static": {"num_round": "5", "alpha": "1"}}, "must be, in number, those of the parent"),
    ):
        with pytest.raises(ClientError, match=text):
            tuning.start(warm(busy, **changes))
    other = warm(busy, "IdenticalDataAndAlgorithm")
    other["TrainingJobDefinition"]["InputDataConfig"].pop()
    with pytest.raises(ClientError, match="input data and the training image must be those"):
        tuning.start(other)


PROGRAM = """
import sys
bucket, role, train, validation, name = sys.argv[1:]
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.train.tuner import HyperparameterTuner

trainer = ModelTrainer(
    training_image=image_uris.retrieve("xgboost", "us-east-1", version="3.2-0"), role=role,
    sagemaker_session=Session(default_bucket=bucket),
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/out"),
    hyperparameters={"num_round": 5, "objective": "reg:squarederror"},
)
tuner = HyperparameterTuner(
    model_trainer=trainer, objective_metric_name="validation:rmse", objective_type="Minimize", max_jobs=4,
    max_parallel_jobs=2, strategy="Bayesian", early_stopping_type="Auto",
    hyperparameter_ranges={"eta": ContinuousParameter(0.1, 0.9), "max_depth": IntegerParameter(1, 5)},
)
tuner.tune(
    inputs=[InputData(channel_name="train", data_source=train, content_type="text/csv"),
            InputData(channel_name="validation", data_source=validation, content_type="text/csv")],
    job_name=name, wait=False,
)
tuner.latest_tuning_job.wait(poll=1)
print("status", tuner.describe().hyper_parameter_tuning_job_status)
print("best", tuner.best_training_job())
table = tuner.analytics().dataframe()
print("rows", len(table), sorted(table.columns))
print("objective", table["FinalObjectiveValue"].min())
"""


def test_the_sdks_tuner_searches(tuning, sagemaker, channels, unique):
    name = unique("sdk")
    places = [sagemaker.bucket, sagemaker.role, channels["train"], channels["validation"], name]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *places],
        env=sagemaker.offline.process_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = dict(
        line.split(" ", 1) for line in done.stdout.splitlines() if line.split(" ")[0] in {"status", "best", "rows"}
    )
    assert found["status"] == "Completed"
    assert found["best"] == tuning.describe(name)["BestTrainingJob"]["TrainingJobName"]
    assert found["rows"].startswith("4 ") and "'eta'" in found["rows"] and "'max_depth'" in found["rows"]
