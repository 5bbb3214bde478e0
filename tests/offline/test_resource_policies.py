"""Policies of resources about services, statement by statement: those of functions as the example."""

import pytest

from helpers.offline.policies import Decision
from helpers.offline.resource_policies import Source, of_statements

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
TOPIC = "arn:aws:sns:us-east-1:123456789012:samples"
STATEMENT = {
    "Effect": "Allow",
    "Action": "lambda:InvokeFunction",
    "Principal": {"Service": "sns.amazonaws.com"},
    "Resource": ARN,
}


def allows(statements: list[dict], resource: str, principal: str, source: str | None, account: str) -> bool:
    decision = of_statements(statements, account, Source(principal, source), "lambda:InvokeFunction", resource)
    return decision is Decision.ALLOW


def ask(
    statement: dict, *, resource: str = ARN, principal: str = "sns.amazonaws.com", source: str | None = TOPIC
) -> bool:
    return allows([statement], resource, principal, source, "123456789012")


@pytest.mark.parametrize(
    "changes,allowed",
    [
        ({}, True),
        ({"Action": "lambda:*"}, True),
        ({"Action": "lambda:GetFunction"}, False),
        ({"Effect": "Deny"}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": "events.amazonaws.com"}}, False),
        ({"Resource": ARN + ":live"}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": TOPIC}}}, True),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": TOPIC[:-3] + "*"}}}, True),
        ({"Condition": {"ArnLike": {"aws:SourceArn": TOPIC + "2"}}}, False),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}}}, True),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "210987654321"}}}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": TOPIC}, "StringEquals": {"AWS:SourceAccount": "1"}}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
        ({"Condition": {"Bool": {"AWS:SourceArn": "true"}}}, False),
    ],
)
def test_a_statement(changes, allowed):
    assert ask(STATEMENT | changes) is allowed


def test_a_condition_on_the_source_needs_a_source():
    assert not ask(STATEMENT | {"Condition": {"ArnLike": {"AWS:SourceArn": "*"}}}, source=None)


def test_a_deny_goes_before_an_allow():
    assert not allows([STATEMENT, STATEMENT | {"Effect": "Deny"}], ARN, "sns.amazonaws.com", TOPIC, "123456789012")


def test_no_statement_allows_nothing():
    assert not allows([], ARN, "sns.amazonaws.com", TOPIC, "123456789012")
