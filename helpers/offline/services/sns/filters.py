"""Filter policies: which of a topic's messages a subscription gets.

https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from moto.sns.models import Subscription

from helpers.offline import patterns
from helpers.offline.kernel import AwsError
from helpers.offline.services.sns.message import Message

OPERATORS = patterns.ALL_OPERATORS - {"wildcard"}  # that one is EventBridge's alone
SCOPES = ("MessageAttributes", "MessageBody")
KEY_LIMIT, COMBINATION_LIMIT = 5, 150


def check(text: str, scope: str) -> None:
    """Raises AwsError for what is no filter policy."""
    if scope not in SCOPES:
        raise AwsError("InvalidParameter", f"Invalid parameter: FilterPolicyScope: Invalid value [{scope}].")
    if not text:
        return
    try:
        policy = json.loads(text)
    except ValueError:
        raise AwsError("InvalidParameter", "Invalid parameter: FilterPolicy: failed to parse JSON.") from None
    if policy == {}:
        return
    wrong = patterns.problem(policy, OPERATORS, nested=scope == "MessageBody")
    if wrong is None and len(policy) > KEY_LIMIT:
        wrong = f"Filter policy can not have more than {KEY_LIMIT} keys"
    if wrong is None and combinations(policy) > COMBINATION_LIMIT:
        wrong = "Filter policy is too complex"
    if wrong:
        raise AwsError("InvalidParameter", f"Invalid parameter: FilterPolicy: {wrong}")


def combinations(policy: Mapping[str, Any], depth: int = 1) -> int:
    """Of each list the number of its values times how deep it stands, all multiplied."""
    found = 1
    for key, wanted in policy.items():
        if isinstance(wanted, Mapping):
            found *= combinations(wanted, depth + 1)
        elif key == "$or" and all(isinstance(one, Mapping) for one in wanted):
            found *= sum(combinations(one, depth) for one in wanted)
        else:
            found *= len(wanted) * depth
    return found


def passed(subscription: Subscription, messages: Sequence[Message]) -> Sequence[Message]:
    """Those of `messages` that the subscription's filter policy lets through."""
    policy = subscription._filter_policy
    if not policy:
        return messages
    of_body = subscription.attributes.get("FilterPolicyScope") == "MessageBody"
    return [one for one in messages if _passes(policy, one, of_body=of_body)]


def _passes(policy: Mapping[str, Any], message: Message, *, of_body: bool) -> bool:
    if not of_body:
        return patterns.matches(policy, attributes_of(message))
    try:
        body = json.loads(message.text)
    except ValueError:
        return False
    return isinstance(body, Mapping) and patterns.matches(policy, body)


def attributes_of(message: Message) -> dict[str, Any]:
    """The message's attributes as values: binary ones take no part."""
    found: dict[str, Any] = {}
    for name, attribute in message.attributes.items():
        kind, value = attribute["Type"], attribute["Value"]
        if kind == "String.Array":
            try:
                found[name] = json.loads(value)
            except ValueError:
                found[name] = value
        elif kind != "Binary" and not isinstance(value, bytes):
            found[name] = value
    return found
