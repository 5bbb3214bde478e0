"""Whom the arena calls, and whom it never does."""

import asyncio
import socket
from urllib.parse import urlsplit

import pytest

from helpers.arena.caller import Caller
from helpers.arena.guard import ForbiddenAddress, Guard, NotAllowed
from helpers.arena.scoring import Outcome
from tests.arena.participants import STAGE

LOCAL = Guard.parse(["loopback"])
AWS = Guard.parse(["aws"])
ROOM = Guard.parse(["loopback", "192.168.7.0/24", "*.local", "192.168.9.9:8000", "localhost:9000"])
API = f"{STAGE}/liveinference"


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "[::1]:9", "127.9.9.9", "LocalHost:8080", "localhost."])
def test_apis_on_this_machine_are_called_when_loopback_is_named(host):
    LOCAL.check_url(f"http://{host}{API}")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/restapis/abc/live/liveinference",
        "/2015-03-31/functions/f/invocations",
        "/x/restapis/abc/live/_user_request_/liveinference",
        f"{STAGE}/../../../../admin",
        f"{STAGE}/%2e%2e/%2E%2E/admin",
        f"{STAGE}/%252e%252e/admin",
        f"{STAGE}/..%2fadmin",
        f"{STAGE}/..%5cadmin",
        f"{STAGE}/./x",
        f"{STAGE}//x",
        "/restapis/../live/_user_request_/x",
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1:9000", "192.168.7.1"])
def test_other_services_on_this_machine_and_in_the_room_are_not_called(host, path):
    with pytest.raises(NotAllowed, match="APIs of an offline AWS only"):
        Guard.parse(["loopback", "192.168.7.0/24"]).check_url(f"http://{host}{path}")


def test_a_port_that_the_instructor_names_is_called_whatever_its_path():
    ROOM.check_url("http://192.168.9.9:8000/predict")
    ROOM.check_url("http://localhost:9000/predict")
    for elsewhere in ("http://192.168.9.9:8001/predict", "http://192.168.9.9/predict", "http://localhost:9001/predict"):
        with pytest.raises(NotAllowed):
            ROOM.check_url(elsewhere)
    gateway = Guard.parse(["*.execute-api.*.localhost:4566", "[::1]:7000"])
    gateway.check_url("http://abc123.execute-api.us-east-1.localhost:4566/live/liveinference")
    gateway.check_url("http://[::1]:7000/x")
    assert gateway.allows_address("127.0.0.1", 4566) and gateway.allows_address("::1", 7000)
    assert not gateway.allows_address("127.0.0.1", 4567) and not gateway.allows_address("127.0.0.1", 7000)


def test_an_api_gateway_is_called_at_its_own_port_only():
    AWS.check_url("https://abc123.execute-api.eu-west-1.amazonaws.com:443/prod/liveinference")
    AWS.check_url("https://abc123.execute-api.cn-north-1.amazonaws.com.cn/prod/liveinference")
    for port in (22, 80, 8443):
        with pytest.raises(NotAllowed, match=f":{port}"):
            AWS.check_url(f"https://abc123.execute-api.eu-west-1.amazonaws.com:{port}/prod/liveinference")


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "169.254.169.254",
        "10.0.0.1",
        "example.com",
        "0.0.0.0",
        "127.0.0.1.example.com",
        "localhost.example",
        "[::ffff:10.0.0.1]",
        "[::]",
        "[fe80::1%25eth0]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "①②⑦.0.0.1",
    ],
)
def test_what_the_instructor_did_not_name_is_refused(host):
    with pytest.raises(NotAllowed):
        LOCAL.check_url(f"http://{host}{API}")


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
    for pattern in ("*", "*.*", "?*", "", "*:80", "*.*:443"):
        with pytest.raises(ValueError, match="any host"):
            Guard.parse([pattern])


@pytest.mark.parametrize(
    ("guard", "address", "allowed"),
    [
        (LOCAL, "127.0.0.1", True),
        (LOCAL, "::ffff:127.0.0.1", True),
        (AWS, "::ffff:127.0.0.1", False),
        (AWS, "::127.0.0.1", False),
        (AWS, "64:ff9b::7f00:1", False),
        (AWS, "64:ff9b::a9fe:a9fe", False),
        (AWS, "2002:7f00:1::", False),
        (AWS, "2002:a00:1::1", False),
        (AWS, "2001:0:53aa:64c:0:0:80ff:fffe", False),
        (AWS, "fd00:ec2::254", False),
        (AWS, "fe80::1%eth0", False),
        (AWS, "100.64.0.1", False),
        (AWS, "192.0.0.192", False),
        (AWS, "240.0.0.1", False),
        (AWS, "2600:1f18::1", True),
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
    assert guard.allows_address(address, 80) == allowed
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    info = (family, socket.SOCK_STREAM, 0, "", (address, 80))
    if allowed:
        guard.open_socket(info).close()
    else:
        with pytest.raises(ForbiddenAddress):
            guard.open_socket(info)


def test_a_name_that_leads_elsewhere_is_not_connected_to(participants, monkeypatch):
    """DNS rebinding: the name fits the pattern, and then resolves to an address that is not allowed."""
    port = urlsplit(participants.url).port
    guard = Guard.parse([f"*.execute-api.*.amazonaws.com:{port}"])
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
