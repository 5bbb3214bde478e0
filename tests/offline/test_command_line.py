"""Other people's program: the AWS CLI works against the offline AWS with the exports of `env`."""

import json
import subprocess
import sys
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def aws(offline):
    def run(*arguments, check=True):
        completed = subprocess.run(
            [sys.executable, "-m", "awscli", *arguments],
            env=offline.process_environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check:
            assert completed.returncode == 0, completed.stderr
        return completed

    return run


def test_s3(aws, tmp_path):
    aws("s3", "mb", "s3://from-the-cli")
    file = tmp_path / "samples.csv"
    file.write_text("1,2,3\n")
    aws("s3", "cp", str(file), "s3://from-the-cli/a/samples.csv")
    assert "samples.csv" in aws("s3", "ls", "s3://from-the-cli/a/").stdout
    assert aws("s3", "cp", "s3://from-the-cli/a/samples.csv", "-").stdout == "1,2,3\n"
    aws("s3", "rb", "--force", "s3://from-the-cli")
    assert "from-the-cli" not in aws("s3", "ls").stdout


def test_s3_sync_presign_and_remove(aws, tmp_path):
    aws("s3", "mb", "s3://synced")
    (tmp_path / "sub").mkdir()
    for name in ("a.csv", "sub/b.csv"):
        (tmp_path / name).write_text("1,2,3\n")
    aws("s3", "sync", str(tmp_path), "s3://synced/data", "--exclude", "a.*")
    url = aws("s3", "presign", "s3://synced/data/sub/b.csv").stdout.strip()
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == b"1,2,3\n"
    assert aws("s3", "rm", "s3://synced", "--recursive").stdout.count("delete:") == 1


def test_sqs_where_version_1_of_the_cli_must_be_told_the_address(aws, offline):
    """It has addresses of its own for SQS, which go before AWS_ENDPOINT_URL; version 2 has not."""
    here = ("--endpoint-url", offline.endpoint_url)
    made = aws("sqs", "create-queue", "--queue-name", "from-the-cli", "--output", "text", *here)
    url = made.stdout.strip()
    aws("sqs", "send-message", "--queue-url", url, "--message-body", "hello", *here)
    query = ("--query", "Messages[].Body", "--output", "text")
    assert aws("sqs", "receive-message", "--queue-url", url, *query, *here).stdout == "hello\n"


def test_statistics_as_a_table(aws):
    aws("cloudwatch", "put-metric-data", "--namespace", "CommandLine", "--metric-name", "m", "--value", "3")
    now = datetime.now(UTC)
    span = (
        "--start-time",
        (now - timedelta(hours=1)).isoformat(),
        "--end-time",
        (now + timedelta(minutes=1)).isoformat(),
    )
    what = ("--namespace", "CommandLine", "--metric-name", "m", "--period", "3600", "--statistics", "Sum")
    shown = aws("cloudwatch", "get-metric-statistics", *what, *span, "--output", "table").stdout
    assert "GetMetricStatistics" in shown
    assert "3.0" in shown


def test_sns(aws):
    topic = json.loads(aws("sns", "create-topic", "--name", "from-the-cli").stdout)["TopicArn"]
    assert "MessageId" in aws("sns", "publish", "--topic-arn", topic, "--message", "hello").stdout


def test_who_am_i_and_what_is_not_supported(aws):
    assert json.loads(aws("sts", "get-caller-identity").stdout)["Account"] == "123456789012"
    failed = aws("ec2", "describe-instances", check=False)
    assert failed.returncode != 0
    assert "The offline AWS does not support ec2:DescribeInstances" in failed.stderr


def test_training_jobs_and_functions(aws, offline, service_role, tmp_path):
    assert json.loads(aws("sagemaker", "list-training-jobs").stdout)["TrainingJobSummaries"] is not None
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", "def handler(event, context):\n    return event['a'] + event['b']\n")
    arguments = ["--function-name", "adds", "--runtime", "python3.12", "--handler", "app.handler"]
    aws("lambda", "create-function", *arguments, "--role", service_role("lambda"), "--zip-file", f"fileb://{archive}")
    answer = tmp_path / "answer.json"
    aws("lambda", "invoke", "--function-name", "adds", "--payload", '{"a": 20, "b": 1}', str(answer))
    assert answer.read_text() == "21"


def test_the_exports_are_what_a_shell_evaluates(offline, offline_command):
    exports = offline_command(offline.directory, "env").stdout
    script = f'{exports}\nexec "{sys.executable}" -m awscli s3 ls'
    listing = subprocess.run(["sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert listing.returncode == 0, listing.stderr
