"""Whom the arena calls, and whom it never does."""

import asyncio
import socket

import pytest

from helpers.arena.caller import Caller
from helpers.arena.guard import ForbiddenAddress, Guard, NotAllowed
from helpers.arena.scoring import Outcome

LOCAL = Guard.parse(["loopback"])
AWS = Guard.parse(["aws"])
ROOM = Guard.parse(["loopback", "192.168.7.0/24", "*.local"])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]:9/x", "https://127.9.9.9/"]
)
def test_loopback_is_allowed_when_named(url):
    assert LOCAL.check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://example.com/",
        "http://2130706433/",
        "http://0.0.0.0/",
        "http://127.0.0.1.example.com/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost.example/",
    ],
)
def test_what_the_instructor_did_not_name_is_refused(url):
    with pytest.raises(NotAllowed, match="does not call"):
        LOCAL.check_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://127.0.0.1/", "http://"),
        ("127.0.0.1", "http://"),
        ("http://", "http://"),
        ("http://a:b@127.0.0.1/", "credentials"),
        ("http://127.0.0.1:99999/", "not a URL"),
        ("http://127.0.0.1:0/", "Port 0"),
        ("http://127.0.0.1/ x", "space"),
        ("http://127.0.0.1/\r\nX: y", "space"),
        ("http://127.0.0.1/" + "x" * 500, "characters"),
        ("file:///etc/passwd", "http://"),
    ],
)
def test_a_url_that_is_none_is_told_why(url, why):
    with pytest.raises(NotAllowed, match=why):
        LOCAL.check_url(url)


def test_on_aws_only_api_gateways_are_called():
    AWS.check_url("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/liveinference")
    for url in (
        "https://abc.execute-api.eu-west-1.amazonaws.com.evil.example/",
        "https://s3.amazonaws.com/",
        "http://127.0.0.1/",
    ):
        with pytest.raises(NotAllowed):
            AWS.check_url(url)


def test_the_whole_world_cannot_be_allowed_by_accident():
    for pattern in ("*", "*.*", "?*", ""):
        with pytest.raises(ValueError, match="any host"):
            Guard.parse([pattern])


@pytest.mark.parametrize(
    ("guard", "address", "allowed"),
    [
        (LOCAL, "127.0.0.1", True),
        (LOCAL, "::ffff:127.0.0.1", True),
        (LOCAL, "10.0.0.1", False),
        (AWS, "3.5.140.1", True),
        (AWS, "127.0.0.1", False),
        (AWS, "10.1.2.3", False),
        (AWS, "169.254.169.254", False),
        (AWS, "::1", False),
        (ROOM, "192.168.7.9", True),
        (ROOM, "192.168.8.9", False),
        (Guard.parse(["169.254.0.0/16"]), "169.254.169.254", False),
        (Guard.parse(["0.0.0.0/0"]), "0.0.0.0", False),
        (Guard.parse(["0.0.0.0/0"]), "224.0.0.1", False),
    ],
)
def test_an_address_is_judged_when_a_connection_is_made(guard, address, allowed):
    assert guard.allows_address(address) == allowed
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    info = (family, socket.SOCK_STREAM, 0, "", (address, 80))
    if allowed:
        guard.open_socket(info).close()
    else:
        with pytest.raises(ForbiddenAddress):
            guard.open_socket(info)


def test_a_name_that_leads_elsewhere_is_not_connected_to(participants, monkeypatch):
    """DNS rebinding: the name fits the pattern, and then resolves to an address that is not allowed."""
    port = int(participants.url.rsplit(":", 1)[1])
    guard = Guard.parse(["*.execute-api.*.amazonaws.com"])
    name = "evil.execute-api.eu-west-1.amazonaws.com"
    before = dict(participants.asked)

    async def ask():
        async with Caller(guard) as caller:
            loop = asyncio.get_running_loop()

            async def resolve(host, *args, **kwargs):
                assert host == name
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

            monkeypatch.setattr(loop, "getaddrinfo", resolve)
            return await caller.ask(f"http://{name}:{port}/good/1", "features=1", 2)

    assert asyncio.run(ask()).outcome == Outcome.FORBIDDEN
    assert participants.asked == before


def test_the_stored_url_is_checked_again_when_it_is_called(participants):
    """An arena restarted with a narrower list does not call what it accepted before."""

    async def ask():
        async with Caller(Guard.parse(["192.168.7.0/24"])) as caller:
            return await caller.ask(f"{participants.url}/good/1", "features=1", 2)

    assert asyncio.run(ask()).outcome == Outcome.FORBIDDEN
