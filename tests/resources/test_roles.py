"""Every role is made once, trusts one service, and allows nothing beyond this participant's things."""

import json
import re

import pytest

from helpers.resources import roles

NOBODYS = {"cloudwatch:PutMetricData", "sagemaker:ListTrainingJobs"}  # AWS lets these be allowed on everything only


def statements(ws, purpose):
    return roles.policy(ws, purpose)["Statement"]


@pytest.mark.parametrize("purpose", roles.ROLES)
def test_a_role_reaches_only_what_is_this_participants(ws, purpose):
    for statement in statements(ws, purpose):
        actions = set(statement["Action"])
        resources = statement["Resource"]
        if resources == "*":
            assert {action for action in actions if not action.startswith("ecr:")} <= NOBODYS
        else:
            shared = r"log-group:/aws/sagemaker/\*$"
            assert all(ws.prefix in arn.lower() or re.search(shared, arn) for arn in resources), resources
        assert not any("*" in action for action in actions)


@pytest.mark.parametrize("purpose", roles.ROLES)
def test_a_role_fits_into_iams_limits(ws, purpose):
    ws.participant = "scarlet-dolphin99ab"
    assert len(roles.name(ws, purpose)) <= 64
    assert len(json.dumps(roles.policy(ws, purpose), separators=(",", ":"))) <= 10_240


def test_roles_are_made_once_and_kept_up_to_date(ws):
    assert roles.ensure(ws, "firehose", "topic") == [roles.name(ws, "firehose"), roles.name(ws, "topic")]
    assert roles.ensure(ws, "firehose") == []
    ws.roles_ready.clear()  # as in the next notebook
    assert roles.ensure(ws, "firehose") == []
    kept = ws.client("iam").get_role_policy(RoleName=roles.name(ws, "firehose"), PolicyName=roles.POLICY_NAME)
    assert kept["PolicyDocument"] == roles.policy(ws, "firehose")


def test_an_unknown_purpose_is_refused_with_the_known_ones(ws):
    with pytest.raises(KeyError, match="live_inference_lambda"):
        roles.arn(ws, "emperor")
