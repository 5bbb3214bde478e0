"""connect() finds or starts the offline AWS, and says in one sentence what is missing."""

import subprocess
import sys

import pytest

CARD = "from helpers import workshop; ws = workshop.connect(lab={lab})"


def run(offline, code, **environment):
    """A notebook kernel, in short: a process of its own that runs this code in the workspace of the test run."""
    clean = {k: v for k, v in offline.process_environment.items() if not k.startswith(("AWS_", "WORKSHOP_"))}
    settings = clean | {"WORKSHOP_DIR": str(offline.directory), "WORKSHOP_PARTICIPANT": "amber-falcon"} | environment
    return subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, timeout=100)


def test_the_card_tells_mode_region_account_and_participant(offline):
    done = run(offline, CARD.format(lab=1))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Lab 1 of 4: Sample collection"
    assert [line.split()[0] for line in lines[1:]] == ["Mode", "Region", "Account", "Participant", "Given"]
    assert "offline" in lines[1]
    assert "amber-falcon" in lines[4]


def test_the_card_is_the_same_each_time_and_connecting_again_makes_nothing(offline):
    count = "; print(ws.calls.count('CreateRole'), [c.outcome for c in ws.calls if c.operation == 'CreateRole'])"
    run(offline, CARD.format(lab=1))
    once, again = (run(offline, CARD.format(lab=1) + count).stdout for _ in range(2))
    assert once == again
    assert "EntityAlreadyExists" in again
    assert "'ok'" not in again


def test_plain_boto3_reaches_the_offline_aws_whatever_the_learner_has_configured(offline):
    code = (
        CARD.format(lab=1)
        + "; import boto3; print(boto3.client('sts').get_caller_identity()['Account'] == ws.account_id)"
    )
    theirs = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "theirs",
        "AWS_ENDPOINT_URL_S3": "https://example.invalid",
        "AWS_REGION": "eu-west-3",
        "HTTP_PROXY": "http://proxy.invalid:3128",
        "http_proxy": "http://proxy.invalid:3128",
    }
    done = run(offline, code, **theirs)
    assert done.stdout.splitlines()[-1] == "True", done.stderr


def test_the_region_can_be_chosen(offline):
    done = run(offline, CARD.format(lab=1) + "; print(ws.region, ws.topic_arn)", WORKSHOP_REGION="eu-central-1")
    assert done.stdout.splitlines()[-1].startswith("eu-central-1 arn:aws:sns:eu-central-1:"), done.stderr


@pytest.mark.parametrize(
    ("lab", "environment", "sentence"),
    [
        ("5", {}, "There are labs 1 to 4"),
        ("'one'", {}, "got 'one'"),
        ("1", {"WORKSHOP_MODE": "azure"}, "WORKSHOP_MODE is offline or aws; got 'azure'."),
        ("1", {"WORKSHOP_PARTICIPANT": "Amber Falcon!"}, "two words"),
        ("1", {"WORKSHOP_DIR": "/proc/nowhere"}, "cannot be written"),
        (
            "1",
            {"WORKSHOP_MODE": "aws", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"},
            "no AWS credentials were found",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(offline, lab, environment, sentence):
    done = run(offline, CARD.format(lab=lab), **environment)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("helpers.workshop.errors.WorkshopError: ")
    assert sentence in last


def test_a_server_that_cannot_start_is_told_with_the_place_of_its_log(offline, tmp_path):
    (tmp_path / "occupied").mkdir()
    code = (
        "from helpers.workshop import local_aws; import pathlib, sys;"
        "sys.executable = '/bin/false'; local_aws.enter(pathlib.Path('/tmp/somewhere'))"
    )
    done = run(offline, code)
    assert "The offline AWS could not start: exit status 1" in done.stderr
    assert "/tmp/somewhere" in done.stderr.splitlines()[-1]


def test_a_notebook_shows_the_sentence_instead_of_a_traceback():
    from helpers.workshop import WorkshopError

    assert WorkshopError("Do this.")._render_traceback_() == ["Workshop: Do this."]


def test_offline_and_aws_do_not_mix_in_one_kernel(offline):
    code = CARD.format(lab=1) + "; import os; os.environ['WORKSHOP_MODE'] = 'aws'; workshop.connect(lab=1)"
    assert "restart the kernel" in run(offline, code).stderr.splitlines()[-1]
