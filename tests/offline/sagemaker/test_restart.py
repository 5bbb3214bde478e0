"""After `kill -9`: endpoints serve again, what they captured comes to S3, jobs say why they failed, nobody is left."""

import base64
import json

import psutil
import pytest

from helpers.offline import process

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
RIGHTS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


@pytest.fixture
def lonely(workspace_dir, start_offline, sagemaker):
    """The same helpers for an offline AWS of its own."""
    offline = start_offline(workspace_dir)
    iam = offline.client("iam")
    role = iam.create_role(RoleName="sm", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="sm", PolicyName="s3", PolicyDocument=json.dumps(RIGHTS))
    offline.client("s3").create_bucket(Bucket="lonely")
    return type(sagemaker)(offline, "lonely", role)


def test_a_killed_server_serves_again_and_says_what_became_of_its_jobs(lonely, start_offline, eventually):
    uri = lonely.put("train/a.csv", b"\n".join(b"%d,%d,%d" % (a + b, a, b) for a in range(30) for b in range(30)))
    job = lonely.train({"train": uri}, {"num_round": "5"})
    endpoint = lonely.deploy(job["ModelArtifacts"]["S3ModelArtifacts"])
    before = lonely.ask(endpoint, "5,5")
    request = lonely.request({"train": uri}, {"num_round": "1000000"})
    lonely.client.create_training_job(**request)
    name, directory = request["TrainingJobName"], lonely.offline.directory
    eventually(lambda: lonely.client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Training")
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://lonely/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    watched = lonely.deploy(job["ModelArtifacts"]["S3ModelArtifacts"], DataCaptureConfig=capture)
    for number in range(20):
        lonely.ask(watched, f"{number},7")
    config = lonely.client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    described = lonely.client.describe_endpoint_config(EndpointConfigName=config)
    lonely.client.delete_endpoint_config(EndpointConfigName=config)  # which does not touch what serves
    lonely.client.delete_model(ModelName=described["ProductionVariants"][0]["ModelName"])
    server = process.server_process(directory, process.read_state(directory))
    children = eventually(lambda: [child for child in server.children(recursive=True) if name in child.cwd()])
    server.kill()
    server.wait(10)
    again = type(lonely)(start_offline(directory), lonely.bucket, lonely.role)
    assert again.settled(endpoint)["EndpointStatus"] == "InService"
    assert again.ask(endpoint, "5,5") == before
    failed = again.client.describe_training_job(TrainingJobName=name)
    assert failed["TrainingJobStatus"] == "Failed"
    assert "The offline AWS ended while this training job was running" in failed["FailureReason"]
    assert (
        again.client.describe_training_job(TrainingJobName=job["TrainingJobName"])["TrainingJobStatus"] == "Completed"
    )
    s3 = again.offline.client("s3")
    kept = eventually(lambda: s3.list_objects_v2(Bucket="lonely", Prefix=f"captured/{watched}/").get("Contents"))
    text = b"".join(s3.get_object(Bucket="lonely", Key=one["Key"])["Body"].read() for one in kept).decode()
    captured = [json.loads(line)["captureData"]["endpointInput"]["data"] for line in text.splitlines()]
    assert {base64.b64decode(data).decode() for data in captured} == {f"{number},7" for number in range(20)}
    _, still_alive = psutil.wait_procs(children, timeout=10)
    assert still_alive == []


def test_a_job_that_was_told_to_stop_is_stopped_after_a_restart(lonely, start_offline, eventually):
    uri = lonely.put("train/a.csv", b"\n".join(b"%d,%d" % (2 * a, a) for a in range(30)))
    request = lonely.request({"train": uri}, {"num_round": "1000000"})
    lonely.client.create_training_job(**request)
    name, directory = request["TrainingJobName"], lonely.offline.directory
    eventually(lambda: lonely.client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Training", 60)
    server = process.server_process(directory, process.read_state(directory))
    (child,) = eventually(lambda: [child for child in server.children(recursive=True) if name in child.cwd()])
    child.suspend()  # so that it does not end by itself
    lonely.client.stop_training_job(TrainingJobName=name)
    server.kill()
    server.wait(10)
    child.kill()
    again = type(lonely)(start_offline(directory), lonely.bucket, lonely.role)
    job = again.client.describe_training_job(TrainingJobName=name)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped" and "FailureReason" not in job
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]
