import json
import math

import pytest
from botocore.exceptions import ClientError

ROW = "5,5,5"  # 3 * 5 - 2 * 5 + 50 = 55


def test_csv_in_one_number_a_line_out(sagemaker, endpoint):
    content_type, body = sagemaker.ask(endpoint, f"{ROW}\n0,10,\n")
    assert content_type == "text/csv; charset=utf-8" and body.endswith("\n")
    first, second = map(float, body.splitlines())
    assert first == pytest.approx(55, abs=2)
    assert second == pytest.approx(30, abs=6)  # a corner of the data, and c is missing


def test_json_on_request_and_nothing_for_nothing(sagemaker, endpoint):
    content_type, body = sagemaker.ask(endpoint, ROW, Accept="application/json")
    assert content_type == "application/json"
    assert json.loads(body)["predictions"][0]["score"] == pytest.approx(55, abs=2)
    answer = sagemaker.runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"")
    assert answer["Body"].read() == b""


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        ({"ContentType": "application/json"}, 415, "application/json is not an accepted ContentType: csv, libsvm, "),
        ({"Accept": "text/html"}, 406, "Accept type text/html is not supported."),
        ({"Body": b"a,b,c"}, 415, "could not convert string to float: np.str_('a')"),
        ({"Body": b"55,5,5,5"}, 400, "Number of columns does not match number of features in booster."),
        ({"ContentType": "text/csv;label_size=0"}, 415, "Optional parameter label_size must be equal to 1"),
    ],
)
def test_what_the_container_refuses_is_a_model_error(sagemaker, endpoint, request_, status, text):
    with pytest.raises(ClientError, match=r"Received client error \(\d+\) from primary with message") as error:
        sagemaker.ask(endpoint, ROW, **request_)
    answer = error.value.response
    assert answer["Error"]["Code"] == "ModelError" and answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status and text in answer["OriginalMessage"]


def test_too_few_columns_are_accepted_silently(sagemaker, endpoint):
    assert math.isfinite(float(sagemaker.ask(endpoint, "5,5")[1]))


def test_limits_and_unknown_endpoints(sagemaker, endpoint):
    with pytest.raises(ClientError, match="HTTP content length exceeded 6291456 bytes"):
        sagemaker.ask(endpoint, "1" * 6_291_457)
    with pytest.raises(ClientError, match="Endpoint nowhere of account 123456789012 not found") as error:
        sagemaker.ask("nowhere", ROW)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(
        ClientError, match='Could not find endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/'
    ):
        sagemaker.client.describe_endpoint(EndpointName="nowhere")


def test_a_broken_model_fails_the_endpoint_with_its_reason(sagemaker):
    sagemaker.put("broken/model.tar.gz", b"nonsense")
    name = sagemaker.deploy(f"s3://{sagemaker.bucket}/broken/model.tar.gz")
    found = sagemaker.client.describe_endpoint(EndpointName=name)
    assert found["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]
    assert "not a tar.gz archive" in found["FailureReason"]
    sagemaker.client.delete_endpoint(EndpointName=name)


def test_models_need_their_data_and_names_are_used_once(sagemaker, endpoint, trained):
    with pytest.raises(ClientError, match="Could not find model data at s3://"):
        sagemaker.model("nodata", f"s3://{sagemaker.bucket}/nothing.tar.gz")
    with pytest.raises(ClientError, match='Cannot create already existing model "arn:'):
        sagemaker.model(endpoint, trained["ModelArtifacts"]["S3ModelArtifacts"])
    with pytest.raises(ClientError, match='Cannot create already existing endpoint configuration "arn:'):
        sagemaker.config(endpoint, ("a", endpoint, 1.0))


def test_traffic_goes_by_weight_or_to_the_variant_asked_for(sagemaker, endpoint, unique):
    name = unique("weights")
    sagemaker.config(name, ("big", endpoint, 3.0), ("small", endpoint, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)

    def variant(**more):
        return sagemaker.runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=ROW, **more)[
            "InvokedProductionVariant"
        ]

    assert variant(TargetVariant="small") == "small"
    share = sum(variant() == "big" for _ in range(200)) / 200
    assert 0.6 < share < 0.9  # 0.75, standard deviation 0.03
    wanted = [{"VariantName": "big", "DesiredWeight": 0.0}, {"VariantName": "small", "DesiredInstanceCount": 3}]
    sagemaker.client.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=wanted)
    found = {one["VariantName"]: one for one in sagemaker.settled(name)["ProductionVariants"]}
    assert found["small"]["CurrentInstanceCount"] == 3
    assert {variant() for _ in range(20)} == {"small"}


def test_an_update_that_fails_leaves_the_old_variant_serving(sagemaker, trained, unique):
    name = sagemaker.deploy(trained["ModelArtifacts"]["S3ModelArtifacts"])
    broken = unique("broken")
    sagemaker.put("broken2/model.tar.gz", b"nonsense")
    sagemaker.model(broken, f"s3://{sagemaker.bucket}/broken2/model.tar.gz")
    sagemaker.config(broken, ("new", broken, 1.0))
    sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=broken)
    found = sagemaker.settled(name)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", name)
    assert "ping health check" in found["FailureReason"]
    good = unique("good")
    sagemaker.config(good, ("v2", name, 1.0))
    sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=good)
    found = sagemaker.settled(name)
    assert (found["EndpointConfigName"], found["ProductionVariants"][0]["VariantName"]) == (good, "v2")


def test_an_alarm_rolls_a_canary_back(sagemaker, endpoint, unique, offline):
    name, alarm = unique("canary"), unique("alarm")
    sagemaker.config(name, ("old", endpoint, 1.0))
    sagemaker.config(name + "-new", ("new", endpoint, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    cloudwatch = offline.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="Test",
        MetricName=alarm,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    size = {"Type": "CAPACITY_PERCENT", "Value": 10}
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 30, "CanarySize": size}
    sagemaker.client.update_endpoint(
        EndpointName=name,
        EndpointConfigName=name + "-new",
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
        },
    )
    found = sagemaker.settled(name, seconds=20)
    assert found["EndpointConfigName"] == name and alarm in found["FailureReason"]


def test_captured_data_and_metrics_tell_what_was_asked(sagemaker, endpoint, unique, offline, eventually):
    name = unique("capture")
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{sagemaker.bucket}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    sagemaker.config(name, ("one", endpoint, 1.0), DataCaptureConfig=capture)
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    _, body = sagemaker.ask(name, ROW)
    found = eventually(
        lambda: sagemaker.s3.list_objects_v2(Bucket=sagemaker.bucket, Prefix=f"capture/{name}/one/").get("Contents")
    )
    line = json.loads(sagemaker.s3.get_object(Bucket=sagemaker.bucket, Key=found[0]["Key"])["Body"].read())
    assert line["captureData"]["endpointInput"]["data"] == ROW
    assert line["captureData"]["endpointOutput"]["data"] == body
    metrics = offline.client("cloudwatch").list_metrics(
        Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointName", "Value": name}]
    )
    assert {"Invocations", "ModelLatency"} <= {metric["MetricName"] for metric in metrics["Metrics"]}


def test_selectable_inference(sagemaker, trained):
    name = sagemaker.deploy(
        trained["ModelArtifacts"]["S3ModelArtifacts"], SAGEMAKER_INFERENCE_OUTPUT="predicted_score,labels"
    )
    _, body = sagemaker.ask(name, ROW, Accept="application/jsonlines")
    entry = json.loads(body)
    assert entry["predicted_score"] == pytest.approx(55, abs=2) and math.isnan(entry["labels"])
