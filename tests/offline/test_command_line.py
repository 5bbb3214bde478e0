"""Other people's program: the AWS CLI works against the offline AWS with the exports of `env`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def aws(offline):
    program = Path(sys.executable).with_name("aws")

    def run(*arguments, check=True):
        completed = subprocess.run(
            [program, *arguments], env=offline.process_environment, capture_output=True, text=True, timeout=60
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


def test_sns(aws):
    topic = json.loads(aws("sns", "create-topic", "--name", "from-the-cli").stdout)["TopicArn"]
    assert "MessageId" in aws("sns", "publish", "--topic-arn", topic, "--message", "hello").stdout


def test_who_am_i_and_what_is_not_supported(aws):
    assert json.loads(aws("sts", "get-caller-identity").stdout)["Account"] == "123456789012"
    failed = aws("ec2", "describe-instances", check=False)
    assert failed.returncode != 0
    assert "The offline AWS does not support ec2:DescribeInstances" in failed.stderr
