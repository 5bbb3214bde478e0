"""The policy simulator and the server decide alike, whatever the policies say."""

import json
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam.models import iam_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from helpers.offline.actions import Need
from helpers.offline.authorization import Authorizer
from helpers.offline.kernel import Call, Principal
from helpers.offline.services.iam.simulation import simulate_principal_policy

ACCOUNT = "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tested"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/tested/session"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:tested"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:tested"
STREAM = f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/tested"
ASKED = [("sns:Publish", TOPIC), ("sqs:SendMessage", QUEUE), ("firehose:PutRecord", STREAM)]

actions = st.sampled_from(
    ["*", "sns:*", "sns:Publish", "SNS:publish", "sqs:Send*", "sqs:?endMessage", "firehose:*", "s3:*"]
)
resources = st.sampled_from(
    ["*", TOPIC, QUEUE, STREAM, "arn:aws:sns:*", f"arn:aws:sqs:us-east-1:{ACCOUNT}:t?sted", "arn:aws:s3:::*"]
)
conditions = st.sampled_from(
    [
        None,
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/test*"}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Null": {"aws:TokenIssueTime": "true"}},
    ]
)


def of(kind):
    """One element or a list of them."""
    return st.one_of(kind, st.lists(kind, min_size=1, max_size=3))


def statements(**fixed):
    @st.composite
    def draw(drawn):
        statement = {"Effect": drawn(st.sampled_from(["Allow", "Allow", "Allow", "Deny"])), **fixed}
        statement[drawn(st.sampled_from(["Action", "Action", "NotAction"]))] = drawn(of(actions))
        statement[drawn(st.sampled_from(["Resource", "Resource", "NotResource"]))] = drawn(of(resources))
        condition = drawn(conditions)
        if condition:
            statement["Condition"] = condition
        return statement

    return draw()


def documents(**fixed):
    return st.lists(statements(**fixed), max_size=3).map(lambda found: {"Version": "2012-10-17", "Statement": found})


principals = st.sampled_from(
    [{"AWS": ROLE}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "*", {"Service": "sns.amazonaws.com"}]
)


@pytest.fixture(scope="module")
def account():
    """A role, a topic and a queue in an account of their own, in moto's stores."""
    iam = iam_backends[ACCOUNT]["aws"]
    iam.create_role("tested", "{}", "/", None, "", [], 3600)
    whole = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    iam.create_policy("", "/", whole, "boundary", [])
    topic = sns_backends[ACCOUNT]["us-east-1"].create_topic("tested")
    queue = sqs_backends[ACCOUNT]["us-east-1"].create_queue("tested")
    return iam, topic, queue


def simulated(action, resource, resource_policy):
    form = {"Action": "SimulatePrincipalPolicy", "PolicySourceArn": ROLE, "CallerArn": SESSION}
    form |= {"ActionNames.member.1": action, "ResourceArns.member.1": resource}
    entries = {"aws:RequestedRegion": "us-east-1", "aws:SecureTransport": "true"}
    for number, (name, value) in enumerate(entries.items(), start=1):
        start = f"ContextEntries.member.{number}."
        form |= {start + "ContextKeyName": name, start + "ContextKeyValues.member.1": value}
        form[start + "ContextKeyType"] = "string"
    if resource_policy is not None:
        form["ResourcePolicy"] = json.dumps(resource_policy)
    call = Call(
        "iam", "SimulatePrincipalPolicy", "us-east-1", ACCOUNT, Principal("owner"), "POST", "/", "", {},
        urlencode(form).encode(), protocol="query",
    )  # fmt: skip
    tree = ElementTree.fromstring(simulate_principal_policy(call).body)
    (decision,) = [node.text for node in tree.iter() if node.tag.endswith("EvalDecision")]
    return decision


@settings(max_examples=250, deadline=None)
@given(
    documents(),
    documents(),
    st.one_of(st.none(), documents()),
    principals.flatmap(lambda one: documents(Principal=one)),
)
def test_the_simulator_agrees_with_real_decisions(account, first, second, boundary, of_resource):
    iam, topic, queue = account
    role = iam.get_role("tested")
    role.policies = {"first": json.dumps(first), "second": json.dumps(second)}
    limit = iam.get_policy(f"arn:aws:iam::{ACCOUNT}:policy/boundary")
    limit.versions[0].document = json.dumps(boundary)
    role.permissions_boundary_arn = limit.arn if boundary is not None else None
    topic.policy = json.dumps(of_resource)
    queue.policy = json.dumps(of_resource)
    authorizer = Authorizer(ACCOUNT)
    for action, resource in ASKED:
        why = authorizer.explain(Principal(SESSION, ROLE), "us-east-1", Need(action, (resource,)))
        has_policy = not action.startswith("firehose")
        decision = simulated(action, resource, of_resource if has_policy else None)
        assert (why == "") == (decision == "allowed"), (action, why, decision)
        assert ("explicit deny" in why) == (decision == "explicitDeny"), (action, why, decision)
