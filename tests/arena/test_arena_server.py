"""The doors: tokens, limits, headers, and words for those who knock."""

import hashlib
import hmac
import json
import re
import socket
import urllib.request

import pytest

from helpers.arena.__main__ import _token
from tests.arena.playing import TOKEN

ACTIONS = ("start", "pause", "resume", "lock", "end", "reveal", "conditions", "settings", "new")


def test_entering_gives_an_alias_and_a_token_that_is_never_shown_again(arena, participants):
    running = arena()
    status, made = running.enter(f"{participants.url}/good/0")
    assert status == 201
    assert re.fullmatch(r"[a-z]+-[a-z]+", made["alias"])
    everything = json.dumps([running.state(), running.call("GET", "api/instructor", token=TOKEN)[1]])
    assert made["token"] not in everything
    for file in running.store.path.parent.glob("arena.db*"):
        assert made["token"].encode() not in file.read_bytes()
    assert participants.url not in json.dumps(running.state())  # addresses are the instructor's to see


def test_a_url_that_does_not_work_is_refused_in_plain_words(arena, participants):
    status, answer = arena().enter(f"{participants.url}/status/502")
    assert status == 422
    assert "Its log says why" in answer["message"]


@pytest.mark.parametrize("alias", ["<script>", "x" * 25, "a\u202eb"])
def test_names_are_limited(arena, participants, alias):
    assert arena().enter(f"{participants.url}/good/0", alias)[0] == 422


def test_an_alias_is_taken_whatever_its_case(arena, participants):
    running = arena()
    assert running.enter(f"{participants.url}/good/0", "Amber Fox")[0] == 201
    assert running.enter(f"{participants.url}/good/0", "amber-fox")[0] in (409, 422)


def test_changing_and_withdrawing_need_the_entrys_own_token(arena, participants):
    running = arena()
    _, one = running.enter(f"{participants.url}/good/0", "one")
    _, two = running.enter(f"{participants.url}/good/0", "two")
    change = {"url": f"{participants.url}/good/1"}
    for token in ("", "x", two["token"], TOKEN):
        assert running.call("PATCH", f"api/entries/{one['id']}", change, token)[0] == 403
        assert running.call("DELETE", f"api/entries/{one['id']}", token=token)[0] == 403
    assert running.call("DELETE", "api/entries/999", token=one["token"])[0] == 403
    assert running.call("PATCH", f"api/entries/{one['id']}", change, one["token"])[0] == 200
    assert running.call("DELETE", f"api/entries/{one['id']}", token=one["token"])[0] == 200
    assert [r["alias"] for r in running.state()["rows"]] == ["FC average", "two"]
    assert running.call("PATCH", f"api/entries/{one['id']}", change, one["token"])[0] == 403
    assert running.enter(f"{participants.url}/good/0", "one")[0] == 201  # the alias is free again


@pytest.mark.parametrize("action", ACTIONS)
def test_every_instructors_action_needs_the_instructors_token(arena, action):
    running = arena()
    for token in ("", TOKEN[:-1], TOKEN + "x"):
        assert running.call("POST", f"api/instructor/round/{action}", {}, token)[0] == 403
    assert running.state()["phase"] == "open"


def test_instructors_rename_and_remove(arena, participants):
    running = arena()
    _, made = running.enter(f"{participants.url}/good/0", "one")
    path = f"api/instructor/entries/{made['id']}"
    assert running.call("PATCH", path, {"alias": "other"})[0] == 403
    assert running.call("PATCH", path, {"alias": "<b>"}, TOKEN)[0] == 422
    assert running.call("PATCH", path, {"alias": "other"}, TOKEN)[0] == 200
    assert running.state()["rows"][1]["alias"] == "other"
    assert running.call("DELETE", path, token=TOKEN)[0] == 200
    assert len(running.state()["rows"]) == 1
    unknown = running.call("DELETE", "api/instructor/entries/77", token=TOKEN)
    assert unknown == (404, {"message": "There is no entry 77."})


def test_guessing_tokens_is_slowed_down(arena):
    running = arena()
    statuses = [running.call("GET", "api/instructor", token=f"guess{i}")[0] for i in range(30)]
    assert statuses[0] == 403
    assert statuses[-1] == 429
    assert running.call("GET", "api/instructor", token=TOKEN)[0] == 200


def test_entering_is_rate_limited(arena, participants):
    running = arena(entries_per_minute=6)
    statuses = [running.enter(f"{participants.url}/good/0")[0] for _ in range(10)]
    assert statuses[0] == 201
    assert statuses[-1] == 429


def test_requests_are_bounded_and_json_only(arena):
    running = arena()
    post = {"Content-Type": "text/plain"}  # what a form of another site could send
    assert running.call("POST", "api/entries", {"url": "http://127.0.0.1/"}, headers=post)[0] == 415
    assert running.call("POST", "api/entries", {"url": "x" * 10_000})[0] == 413
    assert running.call("POST", "api/entries", {"url": 5})[0] == 400
    assert running.call("POST", "api/entries", {})[0] == 400
    assert running.call("POST", "api/instructor/round/settings", {"rate": 0}, TOKEN)[0] == 409
    assert running.call("POST", "api/instructor/round/dance", {}, TOKEN)[0] == 404


@pytest.mark.parametrize("path", ["", "phone", "instructor"])
def test_pages_hold_no_inline_script_and_only_relative_addresses(arena, path):
    with urllib.request.urlopen(arena().url + path) as answer:
        policy = answer.headers["content-security-policy"]
        text = answer.read().decode()
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|style=", text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert not re.match(r"[a-z]+:|/", address), address


def test_static_files_are_the_pages_own_and_no_other(arena):
    running = arena()
    for name in ("base.css", "projector.js", "robot.svg"):
        assert running.call("GET", f"static/{name}")[0] == 200
    for name in ("projector.html", "..%2fserver.py", "%2e%2e/server.py", "nothing.js"):
        assert running.call("GET", f"static/{name}")[0] == 404


def test_the_qr_code_is_a_picture_of_the_phone_view(arena):
    running = arena()
    status, picture = running.call("GET", "qr.svg?base=http://10.1.2.3:8765/proxy/8765/")
    assert status == 200
    assert picture.startswith("<svg")
    assert running.call("GET", "qr.svg?base=javascript:alert(1)")[0] == 400


def test_the_stream_sends_states_and_ends_with_its_viewer(arena):
    running = arena()
    host, port = running.url[7:-1].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as viewer:
        viewer.sendall(f"GET /events?view=phone HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        heard = b""
        while b"\n\n" not in heard.partition(b"event: state")[2]:
            heard += viewer.recv(4096)
        assert b"text/event-stream" in heard
        assert running.call("GET", "api/instructor", token=TOKEN)[1]["viewers"] == 1
    from tests.arena.playing import poll

    running.act("settings", {"rate": 7})
    running.act("settings", {"rate": 8})
    poll(lambda: running.call("GET", "api/instructor", token=TOKEN)[1]["viewers"] == 0)


def test_house_entries_play_and_their_urls_can_be_renewed(arena, participants):
    running = arena()
    assert running.call("POST", "api/instructor/house", {"k-NN": f"{participants.url}/good/0"})[0] == 403
    for path in ("good/0", "good/9"):
        status, _ = running.call("POST", "api/instructor/house", {"k-NN": f"{participants.url}/{path}"}, TOKEN)
        assert status == 200
    assert [(r["alias"], r["kind"]) for r in running.state()["rows"]] == [("FC average", "baseline"), ("k-NN", "house")]
    assert running.store.entries()[1].url.endswith("good/9")


def test_tokens_are_compared_in_constant_time(arena, participants, monkeypatch):
    running = arena()
    _, made = running.enter(f"{participants.url}/good/0", "a")
    compared = []

    def recorded(a, b):
        compared.append((a, b))
        return compare(a, b)

    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", recorded)
    assert running.call("GET", "api/instructor", token="wrong")[0] == 403
    assert running.call("DELETE", f"api/entries/{made['id']}", token="wrong")[0] == 403
    assert running.call("DELETE", "api/entries/777", token="wrong")[0] == 403  # as long, whether it exists or not
    assert [a for a, _ in compared] == [b"wrong", *[hashlib.sha256(b"wrong").hexdigest()] * 2]


def test_the_instructors_token_is_random_and_long(tmp_path):
    tokens = {_token(tmp_path / str(i)) for i in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 32
    assert _token(tmp_path / "0") in tokens  # kept
