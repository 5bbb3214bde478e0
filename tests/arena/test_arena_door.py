"""The door in a learner's laptop: one API goes through, nothing else does."""

import ipaddress
import socket
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import psutil
import pytest
import uvicorn

from helpers import arena
from helpers.arena import place
from helpers.arena.caller import BODY_BYTES
from helpers.arena.client import ArenaError, close_door
from helpers.arena.door import Door
from helpers.arena.listening import address_towards, listen
from tests.arena.participants import STAGE
from tests.arena.playing import poll


@pytest.fixture
def door(participants):
    opened = []

    def open_door(path, **options):
        listening = listen("127.0.0.1", 0)
        made = Door(f"{participants.url}/{path}", **options)
        server = uvicorn.Server(uvicorn.Config(made.app, log_level="warning", server_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        opened.append((server, thread))
        poll(lambda: server.started)
        return made.public_url("127.0.0.1", listening.getsockname()[1])

    yield open_door
    for server, thread in opened:
        server.should_exit = True
        thread.join(10)


def ask(url, method="GET", headers=None):
    request = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_question_goes_through_as_it_is_and_without_headers(door, participants):
    url = door("good/5")
    assert ask(f"{url}?features=9000,1,,3", headers={"Cookie": "secret"}) == (200, '{"prediction_ms": 9005.0}')
    assert f"GET {STAGE}/good/5?features=9000,1,,3 " in participants.head
    assert "secret" not in participants.head
    assert f"Host: {urlsplit(participants.url).netloc}" in participants.head


@pytest.mark.parametrize("other", ["/", f"{STAGE}/good/6", f"{STAGE}/good/5/x", f"{STAGE}/good/../good/6", "/x"])
def test_nothing_else_goes_through(door, participants, other):
    url = door("good/5")
    before = dict(participants.asked)
    base = url.removesuffix(urlsplit(url).path)
    assert ask(base + other)[0] == 404
    assert ask(url, method="POST")[0] == 405
    assert participants.asked == before


def test_an_answer_that_comes_in_pieces_goes_through_whole(door):
    assert ask(door("pieces")) == (200, '{"prediction_ms": 9000 }')


def test_answers_are_bounded_and_failures_told(door):
    assert ask(door("status/502"))[0] == 502
    assert len(ask(door("long"))[1]) == BODY_BYTES + 1  # so that the arena says that it is too long
    assert ask(door("redirect"))[0] == 302  # without the place it leads to
    assert ask(door("dead")) == (502, "The API behind this door does not answer.")


def test_a_door_passes_on_only_so_many_questions_a_second(door):
    url = door("good/5", per_second=3)
    statuses = [ask(f"{url}?features=1")[0] for _ in range(12)]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses


def room_address():
    """This machine's address in a network, when it is in one."""
    for addresses in psutil.net_if_addrs().values():
        for found in addresses:
            if found.family == socket.AF_INET:
                address = ipaddress.ip_address(found.address)
                if not address.is_loopback and not address.is_link_local:
                    return found.address
    return pytest.skip("this machine is in no network")


def test_a_learner_on_another_machine_enters_the_rooms_arena(tmp_path, participants, monkeypatch):
    monkeypatch.setenv("WORKSHOP_DIR", str(tmp_path))
    monkeypatch.delenv("ARENA_URL", raising=False)
    own = room_address()
    assert address_towards(own) == own
    try:
        client = arena.start("--host", "0.0.0.0", "--allow", f"{own}/32", "--port", "0")
        room = client.url.replace("127.0.0.1", own)
        entry = arena.join(None, f"{participants.url}/good/5", "ada", arena=room)
        address = client.call("GET", "api/instructor")["urls"][str(entry.id)]
        assert address.startswith(f"http://{own}:") and address.endswith(f"{STAGE}/good/5")
        assert place.read_address(place.folder() / place.DOOR)["target"] == f"{participants.url}/good/5"
        entry.change(f"{participants.url}/good/6")  # the old door closes, another opens
        assert client.call("GET", "api/instructor")["urls"][str(entry.id)].endswith("/good/6")
        assert ask(address)[0] == 404
        with pytest.raises(ArenaError, match="nothing at this path"):
            entry.change(f"{participants.url}/status/404")
        address = place.read_address(place.folder() / place.DOOR)["url"]
        entry.withdraw()
    finally:
        assert arena.stop()
        close_door()
    with pytest.raises(urllib.error.URLError):
        ask(address)
