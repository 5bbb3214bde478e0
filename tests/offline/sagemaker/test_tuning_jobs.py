import pytest
from botocore.exceptions import ClientError

from helpers.offline.services.sagemaker.algorithms.suggest import suggestion
from helpers.offline.services.sagemaker.tuning_search import Space


def request(sagemaker, channels, name, strategy="Random", **ranges):
    given = sagemaker.request({key: channels[key] for key in ("train", "validation")}, {})
    definition = {key: given[key] for key in ("RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig")}
    ranges = ranges or {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "6"}]}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 3},
            "ParameterRanges": ranges,
            "RandomSeed": 1,
        },
        "TrainingJobDefinition": definition
        | {
            "StaticHyperParameters": {"num_round": "5"},
            "AlgorithmSpecification": given["AlgorithmSpecification"],
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }


def test_children_are_trained_counted_and_the_best_is_named(sagemaker, channels, unique, eventually):
    name = unique("tune")
    sagemaker.client.create_hyper_parameter_tuning_job(**request(sagemaker, channels, name))
    describe = sagemaker.client.describe_hyper_parameter_tuning_job
    done = eventually(
        lambda: (
            (found := describe(HyperParameterTuningJobName=name))["HyperParameterTuningJobStatus"] != "InProgress"
            and found
        ),
        90,
    )
    assert done["TrainingJobStatusCounters"]["Completed"] == done["ObjectiveStatusCounters"]["Succeeded"] == 3
    children = sagemaker.client.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, SortBy="FinalObjectiveMetricValue", SortOrder="Ascending"
    )["TrainingJobSummaries"]
    values = [child["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for child in children]
    assert values == sorted(values)
    assert done["BestTrainingJob"]["TrainingJobName"] == children[0]["TrainingJobName"]
    child = sagemaker.client.describe_training_job(TrainingJobName=children[0]["TrainingJobName"])
    assert child["HyperParameters"]["_tuning_objective_metric"] == "validation:rmse"
    assert child["TuningJobArn"] == done["HyperParameterTuningJobArn"]


def test_what_cannot_be_tuned_is_refused(sagemaker, channels, unique):
    create = sagemaker.client.create_hyper_parameter_tuning_job
    ranges = {"CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart"]}]}
    with pytest.raises(ClientError, match="booster cannot be tuned"):
        create(**request(sagemaker, channels, unique("tune"), **ranges))
    with pytest.raises(ClientError, match="does not support the Hyperband strategy"):
        create(**request(sagemaker, channels, unique("tune"), "Hyperband"))
    with pytest.raises(ClientError, match="can't find a tuning job") as error:
        sagemaker.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="none")
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"


@pytest.mark.filterwarnings("ignore")
def test_the_search_learns_where_the_minimum_is():
    tried = [[x / 10] for x in range(0, 11, 2)]
    values = [(point[0] - 0.3) ** 2 for point in tried]
    assert suggestion(tried, values, 1, 0)[0] == pytest.approx(0.3, abs=0.1)


def test_a_space_keeps_to_its_ranges():
    integers = [{"Name": "a", "MinValue": "1", "MaxValue": "3"}]
    reals = [{"Name": "b", "MinValue": "0.01", "MaxValue": "1", "ScalingType": "Logarithmic"}]
    space = Space({"IntegerParameterRanges": integers, "ContinuousParameterRanges": reals})
    low, high = space.values([0.0, 0.0]), space.values([1.0, 1.0])
    assert (low["a"], high["a"]) == ("1", "3")
    assert 0.01 <= float(low["b"]) < 0.0101 and 0.999 < float(high["b"]) <= 1
    middle = space.values([1.0, 0.5])
    assert middle["a"] == "3" and float(middle["b"]) == pytest.approx(0.1)
