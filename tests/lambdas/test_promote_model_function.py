"""The promotion function measures both models on the same held-back samples and promotes only what is better."""

import io

import pytest
from botocore.exceptions import ClientError

ENVIRONMENT = {
    "ENDPOINT_NAME": "live",
    "ROLE_ARN": "arn:aws:iam::123456789012:role/sagemaker",
    "INSTANCE_TYPE": "ml.m5.large",
    "TAGS": "[]",
    "SMALLEST_GAIN": "0.01",
}
EVENT = {"detail": {"TrainingJobName": "job-1", "TrainingJobStatus": "Completed"}}


class SageMaker:
    def __init__(self, new_rmse, config="first", there=()):
        self.new_rmse, self.config, self.there, self.updates, self.variants = new_rmse, config, set(there), [], {}

    def describe_training_job(self, TrainingJobName):
        source = {"S3Uri": "s3://models/retraining/job-1/holdout/"}
        return {
            "TrainingJobName": TrainingJobName,
            "FinalMetricDataList": [
                {"MetricName": "train:rmse", "Value": 1.0},
                {"MetricName": "validation:rmse", "Value": self.new_rmse},
            ],
            "InputDataConfig": [{"ChannelName": "validation", "DataSource": {"S3DataSource": source}}],
            "AlgorithmSpecification": {"TrainingImage": "image"},
            "ModelArtifacts": {"S3ModelArtifacts": "s3://models/model.tar.gz"},
        }

    def describe_endpoint(self, EndpointName):
        return {"EndpointConfigName": self.config}

    def describe_endpoint_config(self, EndpointConfigName):
        return {"ProductionVariants": [{"VariantName": "v1"}]}

    def create_model(self, ModelName, **request):
        self._create("model")

    def create_endpoint_config(self, EndpointConfigName, ProductionVariants, **request):
        self._create("endpoint configuration")
        self.variants[EndpointConfigName] = ProductionVariants[0]["VariantName"]

    def _create(self, kind):
        if kind in self.there:
            message = f'Cannot create already existing {kind} "arn".'
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "Create")

    def update_endpoint(self, EndpointName, EndpointConfigName):
        self.updates.append((EndpointName, EndpointConfigName))


class Runtime:
    """A live endpoint that always predicts 1000 ms; counts its requests."""

    requests = 0

    def invoke_endpoint(self, Body, **request):
        self.requests += 1
        return {"Body": io.BytesIO(b"1000.0\n" * len(Body.splitlines()))}


class Holdout:
    """5,000 held-back samples of 1,500 ms, the first feature missing in each."""

    def get_object(self, Bucket, Key):
        assert (Bucket, Key) == ("models", "retraining/job-1/holdout/samples.csv")
        return {"Body": io.BytesIO(b"1500,,1,2,3,4,5,6,7,8,9,10,11\n" * 5000)}


@pytest.fixture
def function(load, monkeypatch):
    loaded = load("promote_model", **ENVIRONMENT)
    monkeypatch.setattr(loaded, "s3", Holdout())
    monkeypatch.setattr(loaded, "runtime", Runtime())

    def run(sagemaker):
        monkeypatch.setattr(loaded, "sagemaker", sagemaker)
        return loaded.handler(EVENT, None)

    run.module = loaded
    return run


def test_a_better_model_is_promoted_under_the_next_version(function):
    sagemaker = SageMaker(new_rmse=400.0)
    said = function(sagemaker)
    assert said == {
        "decision": "promote the new model", "version": "v2", "job": "job-1", "new_rmse_ms": 400, "live_rmse_ms": 500
    }  # fmt: skip
    assert sagemaker.updates == [("live", "job-1")]
    assert sagemaker.variants == {"job-1": "v2"}


@pytest.mark.parametrize("new_rmse", [500.0, 496.0, 900.0])
def test_a_model_that_is_not_better_by_enough_is_not_promoted(function, new_rmse):
    sagemaker = SageMaker(new_rmse=new_rmse)
    assert function(sagemaker)["decision"] == "keep the live model"
    assert sagemaker.updates == [] and sagemaker.variants == {}


def test_the_same_event_twice_changes_nothing_the_second_time(function):
    sagemaker = SageMaker(new_rmse=400.0, config="job-1")
    assert function(sagemaker)["decision"] == "nothing to do"
    assert sagemaker.updates == []


def test_a_promotion_that_broke_off_half_way_is_finished(function):
    sagemaker = SageMaker(new_rmse=400.0, there=("model", "endpoint configuration"))
    assert function(sagemaker)["decision"] == "promote the new model"
    assert sagemaker.updates == [("live", "job-1")]


def test_many_held_back_samples_go_in_several_requests(function):
    function(SageMaker(new_rmse=400.0))
    assert function.module.runtime.requests == 3
