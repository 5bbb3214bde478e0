"""How long a rule's target is tried again, and what the dead-letter queue hears of the end."""

import threading
import time
from types import SimpleNamespace

import pytest

from helpers.offline.services.events.bus import Bus, Delivery


@pytest.mark.parametrize(
    ("policy", "attempts", "old_s", "exhausted"),
    [
        ({}, 1, 0, None),
        ({"MaximumRetryAttempts": 2}, 2, 0, None),
        ({"MaximumRetryAttempts": 2}, 3, 0, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 0}, 1, 0, "MaximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 60}, 1, 50, None),
        ({"MaximumEventAgeInSeconds": 60}, 1, 60, "MaximumEventAgeInSeconds"),
        ({}, 185, 86_400, "MaximumEventAgeInSeconds"),
        ({}, 186, 0, "MaximumRetryAttempts"),
    ],
)
def test_the_part_of_the_retry_policy_that_ends_it_is_named(policy, attempts, old_s, exhausted):
    put = []
    bus = SimpleNamespace(
        _lock=threading.Lock(), _waiting=[], outbox=SimpleNamespace(put=lambda *given: put.append(given))
    )
    target = {"Arn": "arn:aws:sqs:us-east-1:123456789012:queue", "RetryPolicy": policy}
    delivery = Delivery("us-east-1", "rule", target, "{}", {}, time.time() - old_s, attempts)
    assert Bus._put_off(bus, delivery) == exhausted
    assert len(put) == len(bus._waiting) == (exhausted is None)
