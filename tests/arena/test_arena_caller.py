"""One question to one API, however it behaves."""

import asyncio
import time

import pytest

from helpers.arena.caller import Caller, explain
from helpers.arena.guard import Guard
from helpers.arena.scoring import Outcome
from tests.arena.participants import STAGE

GUARD = Guard.parse(["loopback"])


def ask(url, deadline=0.4):
    async def go():
        async with Caller(GUARD) as caller:
            return await caller.ask(url, "features=9000,1,2,3,4,,6,7,8,9,10,11", deadline)

    return asyncio.run(go())


def words(url):
    async def go():
        async with Caller(GUARD) as caller:
            return await explain(caller, url, "features=9000,1,2,3,4,5,6,7,8,9,10,11", 0.4)

    return asyncio.run(go())


def test_a_good_answer_has_its_prediction_and_latency(participants):
    reply = ask(f"{participants.url}/good/5")
    assert (reply.outcome, reply.prediction_ms) == (Outcome.OK, 9005.0)
    assert 0 < reply.latency_ms < 400


def test_a_query_in_the_url_is_kept(participants):
    assert ask(f"{participants.url}/good/5?stage=a").outcome == Outcome.OK
    assert "/good/5?stage=a&features=9000,1,2,3,4,,6" in participants.head


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("slow/5", Outcome.LATE),
        ("drip", Outcome.LATE),
        ("dead", Outcome.UNREACHABLE),
        ("status/500", Outcome.STATUS),
        ("status/404", Outcome.STATUS),
        ("redirect", Outcome.REDIRECT),
        ("long", Outcome.TOO_LONG),
        ("endless", Outcome.TOO_LONG),
        ("bomb", Outcome.TOO_LONG),
        ("bomb/short", Outcome.NOT_A_NUMBER),
        ("headers/100", Outcome.UNREACHABLE),
        ("headers/9999", Outcome.UNREACHABLE),
        ("continue", Outcome.LATE),
        ("body/6e6f", Outcome.NOT_A_NUMBER),
        ("body/2d31", Outcome.OUT_OF_RANGE),
    ],
)
def test_whatever_the_other_side_does_there_is_an_outcome_in_time(participants, path, outcome):
    began = time.monotonic()
    assert ask(f"{participants.url}/{path}").outcome == outcome
    assert time.monotonic() - began < 3


def test_nobody_listening_is_unreachable():
    reply = ask(f"http://127.0.0.1:1{STAGE}/x")
    assert reply.outcome == Outcome.UNREACHABLE
    assert "refused" in reply.detail


def test_no_credentials_cookies_or_compression_are_sent(participants, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    assert ask(f"{participants.url}/good/0").outcome == Outcome.OK
    names = {line.split(":")[0].lower() for line in participants.head.split("\r\n")[1:] if line}
    assert names == {"host", "accept", "user-agent"}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("dead", "Nothing answers"),
        ("status/403", "nothing at this path"),
        ("status/502", "function behind it failed"),
        ("status/400", "12 values"),
        ("redirect", "redirects elsewhere"),
        ("long", "longer than"),
        ("body/6e6f", "not a number"),
        ("body/2d31", "milliseconds"),
        ("slow/0.8", "no answer within 0.4 s"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_in_plain_words(participants, path, said):
    assert said in words(f"{participants.url}/{path}")


def test_nothing_is_said_of_a_url_that_answers(participants):
    assert words(f"{participants.url}/good/0") is None
