"""The check before class tells what is there, what is missing, and what it could not look at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import preflight

ROOT = Path(__file__).resolve().parents[1]
ALIAS = "preflight-owl"


def run(offline, *arguments, **environment):
    clean = {k: v for k, v in offline.process_environment.items() if not k.startswith(("AWS_", "WORKSHOP_"))}
    settings = clean | {"WORKSHOP_DIR": str(offline.directory), "WORKSHOP_PARTICIPANT": ALIAS} | environment
    command = [sys.executable, "-m", "helpers.preflight", *arguments]
    done = subprocess.run(command, env=settings, cwd=ROOT, capture_output=True, text=True, timeout=100)
    return done, {line[13:26].strip(): line for line in done.stdout.splitlines() if line[:1].strip()}


def test_offline_everything_is_looked_at_but_what_only_aws_can_say(offline):
    done, lines = run(offline)
    assert [what for what, line in lines.items() if line.startswith("not checked")] == ["permissions", "quotas"]
    for what in ("Python", "packages", "identity", "region", "images", "leftovers"):
        assert lines[what].startswith("ok "), done.stdout
    assert ALIAS in lines["identity"] and "offline" in lines["identity"]


@pytest.fixture
def participant(offline):
    """Keys of a role that has the participant's policy of docs/policies, as an account on AWS would give it."""
    iam, account = offline.client("iam"), offline.client("sts").get_caller_identity()["Account"]
    name = "preflight-participant"
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    policy = json.loads((ROOT / "docs" / "policies" / "participant.json").read_text())
    policy["Statement"].append({"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": role["Arn"]})

    def may(document):
        text = json.dumps(document).replace("ACCOUNT", account).replace("PARTICIPANT", ALIAS)
        iam.put_role_policy(RoleName=name, PolicyName="participant", PolicyDocument=text)

    may(policy)
    keys = offline.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="amber")["Credentials"]
    environment = {
        "WORKSHOP_MODE": "aws",
        "AWS_ENDPOINT_URL": offline.endpoint_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    yield environment, policy, may
    iam.delete_role_policy(RoleName=name, PolicyName="participant")
    iam.delete_role(RoleName=name)


def test_with_the_documented_policy_a_participant_may_do_all_that_the_labs_need(offline, participant):
    environment, _, _ = participant
    done, lines = run(offline, **environment)
    assert lines["permissions"].startswith("ok "), done.stdout + done.stderr
    assert "all allowed" in lines["permissions"]
    assert lines["quotas"].startswith("not checked"), "the offline AWS has no quotas, so nothing may be claimed"


def test_a_right_that_is_missing_is_named(offline, participant):
    environment, policy, may = participant
    denied = {"Effect": "Deny", "Action": ["sagemaker:CreateEndpoint", "firehose:*"], "Resource": "*"}
    may({**policy, "Statement": [*policy["Statement"], denied]})
    done, lines = run(offline, **environment)
    assert done.returncode == 1
    assert lines["permissions"].startswith("PROBLEM")
    assert "sagemaker:CreateEndpoint" in lines["permissions"] and "firehose:CreateDeliveryStream" in done.stdout
    assert "docs/policies/participant.json" in done.stdout


def test_a_principal_that_cannot_be_simulated_is_not_called_fine(offline, participant):
    environment, _, _ = participant
    _, lines = run(offline, "--principal", "arn:aws:iam::123456789012:role/somebody-else", **environment)
    assert lines["permissions"].startswith("not checked")


def test_a_region_that_does_not_exist_is_told(offline):
    done, lines = run(offline, WORKSHOP_REGION="moon-west-1")
    assert lines["identity"].startswith("PROBLEM") and "moon-west-1" in lines["identity"]
    assert done.returncode == 1 and "Traceback" not in done.stderr


def test_no_credentials_are_one_sentence(offline):
    done, lines = run(offline, WORKSHOP_MODE="aws", AWS_EC2_METADATA_DISABLED="true", HOME="/nonexistent")
    assert lines["identity"].startswith("PROBLEM") and "aws configure" in lines["identity"]
    assert done.returncode == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("value", "learners", "state"), [(6, 1, "ok"), (5, 1, "PROBLEM"), (0, 1, "PROBLEM"), (60, 11, "PROBLEM")]
)
def test_quotas_are_compared_with_what_so_many_learners_need(value, learners, state):
    names = list(preflight.QUOTAS)
    found = list(preflight.judge_quotas({names[0]: 100.0, names[1]: float(value)}, learners))
    assert [finding.state for finding in found] == ["ok", state]
    assert bool(found[1].todo) == (state == "PROBLEM")


def test_a_quota_that_is_not_listed_is_not_called_enough():
    assert {finding.state for finding in preflight.judge_quotas({}, 1)} == {preflight.State.UNKNOWN}


def test_a_package_of_another_version_than_the_lock_is_a_problem(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.1")
    finding = preflight._packages()
    assert finding.state is preflight.State.PROBLEM and "instead of" in finding.told
