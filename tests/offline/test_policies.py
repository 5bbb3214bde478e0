"""The policy language, by the rules of AWS's documentation on policy evaluation."""

import json

import pytest

from helpers.offline.policies import Decision, Request, conditions_hold, evaluate, principal_matches

ALLOW, DENIED, IMPLICIT = Decision.ALLOW, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY
TOPIC = "arn:aws:sns:us-east-1:123456789012:fc-aspen"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def decide(documents, action="sns:Publish", resource=TOPIC, **context):
    return evaluate(documents, Request(action, (resource,), {key.replace("__", ":"): v for key, v in context.items()}))


def test_nothing_is_allowed_by_itself():
    assert decide([]) is IMPLICIT
    assert decide([policy(allow("sns:Subscribe"))]) is IMPLICIT
    assert decide(["not a policy", "[]", "{}"]) is IMPLICIT


@pytest.mark.parametrize(
    "action", ["sns:Publish", "SNS:publish", "sns:*", "sns:Pub*", "sns:Pub?ish", "*", ["s3:*", "sns:P*"]]
)
def test_actions_match_by_wildcard_and_whatever_their_case(action):
    assert decide([policy(allow(action))]) is ALLOW


@pytest.mark.parametrize(
    ("resource", "decision"),
    [
        (TOPIC, ALLOW),
        ("arn:aws:sns:*:*:fc-*", ALLOW),
        ("arn:aws:sns:us-east-1:123456789012:fc-ASPEN", IMPLICIT),
        ("arn:aws:sns:us-east-1:123456789012:fc", IMPLICIT),
        ("arn:aws:sns:us-east-1:123456789012:fc-aspe?", ALLOW),
        ("arn:aws:sns:us-east-1:123456789012:[fc]*", IMPLICIT),
    ],
)
def test_resources_match_by_wildcard_and_case(resource, decision):
    assert decide([policy(allow("sns:Publish", resource))]) is decision


def test_an_explicit_deny_wins_wherever_it_stands():
    deny = {"Effect": "Deny", "Action": "sns:*", "Resource": "arn:aws:sns:*:*:fc-a*"}
    for documents in ([policy(deny, allow("*"))], [policy(allow("*")), policy(deny)]):
        assert decide(documents) is DENIED
        assert decide(documents, resource="arn:aws:sns:us-east-1:123456789012:fc-birch") is ALLOW


def test_not_action_and_not_resource_turn_the_match_round():
    assert decide([policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})]) is ALLOW
    assert decide([policy({"Effect": "Allow", "NotAction": "sns:*", "Resource": "*"})]) is IMPLICIT
    assert decide([policy({"Effect": "Allow", "Action": "*", "NotResource": TOPIC})]) is IMPLICIT
    assert decide([policy({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}, allow("*"))]) is DENIED


def test_a_statement_may_stand_without_its_list():
    assert decide([json.dumps({"Statement": allow("sns:Publish")})]) is ALLOW


@pytest.mark.parametrize(
    ("operator", "expected", "actual", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", None, True),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringLike", "fc-*", "fc-aspen", True),
        ("StringNotLike", "fc-*", "fc-aspen", False),
        ("ArnLike", "arn:aws:sns:*:*:fc-*", TOPIC, True),
        ("ArnNotEquals", TOPIC, TOPIC, False),
        ("NumericLessThan", "10", "9.5", True),
        ("NumericLessThan", "10", "ten", False),
        ("NumericGreaterThanEquals", 10, "10", True),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00+00:00", True),
        ("DateLessThan", "2026-01-01", "1767225599", True),
        ("Bool", "true", "True", True),
        ("Bool", True, "true", True),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("IpAddress", "127.0.0.0/8", "127.0.0.1", True),
        ("NotIpAddress", ["10.0.0.0/8"], "127.0.0.1", True),
        ("NoSuchOperator", "a", "a", False),
    ],
)
def test_conditions(operator, expected, actual, holds):
    context = {} if actual is None else {"a:key": (actual,)}
    assert conditions_hold({operator: {"A:Key": expected}}, context) is holds


@pytest.mark.parametrize(
    ("operator", "expected", "actual", "holds"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ("a",), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a"], ("c", "a"), True),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("ForAnyValue:StringNotEquals", ["a"], ("a", "b"), True),
    ],
)
def test_conditions_over_sets(operator, expected, actual, holds):
    assert (
        conditions_hold({operator: {"aws:TagKeys": expected}}, {} if actual is None else {"aws:tagkeys": actual})
        is holds
    )


def test_all_conditions_of_a_statement_must_hold():
    both = {"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}}
    assert conditions_hold(both, {"a": ("1",), "b": ("2",), "c": ("true",)})
    assert not conditions_hold(both, {"a": ("1",), "b": ("3",), "c": ("true",)})


def test_variables_in_resources_and_conditions_are_filled_in():
    own = policy(allow("sns:*", "arn:aws:sns:*:*:${aws:PrincipalTag/team}-*"))
    assert decide([own], **{"aws__principaltag/team": ("fc",)}) is ALLOW
    assert decide([own], **{"aws__principaltag/team": ("other",)}) is IMPLICIT
    assert decide([own]) is IMPLICIT
    assert conditions_hold({"StringEquals": {"a": "${b}"}}, {"a": ("x",), "b": ("x",)})


@pytest.mark.parametrize(
    ("principal", "matches"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ["arn:aws:iam::123456789012:root"]}, True),
        ({"AWS": "arn:aws:iam::123456789012:role/other"}, False),
        ({"Service": "lambda.amazonaws.com"}, False),
    ],
)
def test_principals(principal, matches):
    names = ("arn:aws:iam::123456789012:role/mine", "arn:aws:iam::123456789012:root")
    assert principal_matches({"Principal": principal}, aws=names) is matches
