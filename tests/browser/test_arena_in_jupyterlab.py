"""The arena's pages through the real JupyterLab and its proxy, as a learner or an instructor in Studio opens them."""

import dataclasses
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from tests.arena.playing import QUICK, TOKEN, poll

LAB_TOKEN = "a-token-for-tests"


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """A JupyterLab with nothing of this user's configuration; its URL."""
    home = tmp_path_factory.mktemp("jupyter")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1"]
    command += [
        f"--IdentityProvider.token={LAB_TOKEN}",
        f"--ServerApp.root_dir={home}",
        "--ServerApp.base_url=/user/ada/",
    ]
    rooms = {f"JUPYTER_{room}_DIR": str(home / room.lower()) for room in ("CONFIG", "DATA", "RUNTIME")}
    with (home / "log").open("w") as log:
        running = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **rooms, "HOME": str(home)}
        )
    url = f"http://127.0.0.1:{port}/user/ada/"
    try:
        poll(lambda: answers(f"{url}api"), 120)
        yield url
    finally:
        running.terminate()
        running.wait(60)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=30):
            return True
    except OSError:
        return False


def proxied(jupyterlab, running, path=""):
    return f"{jupyterlab}proxy/{urlsplit(running.url).port}/{path}"


def open_page(visit, jupyterlab, running, path="", **options):
    page = visit(f"{jupyterlab}lab?token={LAB_TOKEN}", **options)  # signs in, as one does in JupyterLab
    page.locator("#jp-main-dock-panel").wait_for()
    page.context.route("**/api/state*", lambda route: route.abort())  # where the stream is held back, the page polls
    page.goto(proxied(jupyterlab, running, path))
    return page


def test_who_is_not_signed_in_does_not_come_through(arena, jupyterlab):
    running = arena()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(proxied(jupyterlab, running, "api/rounds"), method="POST"))
    assert refused.value.code in (403, 405)


def test_a_round_is_seen_from_the_first_entry_to_the_reveal(arena, participants, jupyterlab, visit):
    running = arena(settings=dataclasses.replace(QUICK, seconds=8, patient=True))
    page = open_page(visit, jupyterlab, running)
    page.get_by_text("Open for entries", exact=True).wait_for()
    assert proxied(jupyterlab, running, "phone") in page.locator("#qr-image").get_attribute("alt")
    poll(lambda: page.evaluate("document.getElementById('qr-image').naturalWidth > 0"))
    for i in range(4):
        assert running.enter(f"{participants.url}/good/{i * 400}", f"player {i}")[0] == 201
    page.locator(".row .alias", has_text="player 3").wait_for()  # the stream came through: polling was cut off
    running.act("start")
    page.locator("#phase", has_text="live").wait_for()
    page.locator("#phase", has_text="locked").wait_for(timeout=40_000)
    running.act("reveal")
    page.locator(".card.is-winner").wait_for(timeout=40_000)  # frames are fetched through the proxy, too


def test_one_enters_from_the_phone_page(arena, participants, jupyterlab, visit):
    running = arena()
    page = open_page(visit, jupyterlab, running, "phone", size=(390, 844))
    page.get_by_text("Enter the arena").click()
    page.get_by_label("URL of your live-inference API").fill(f"{participants.url}/good/0")
    page.get_by_label("Alias (leave empty to get one)").fill("Ada")
    page.get_by_role("button", name="Enter").click()
    page.get_by_text("You are in, as Ada.").wait_for()
    page.locator(".list .alias", has_text="Ada").wait_for()


def test_the_instructor_plays_a_round(arena, participants, jupyterlab, visit):
    running = arena(settings=dataclasses.replace(QUICK, seconds=60))
    assert running.enter(f"{participants.url}/good/0", "player")[0] == 201
    page = open_page(visit, jupyterlab, running, f"instructor#{TOKEN}")
    page.get_by_role("button", name="Start the round").click()
    page.locator("#phase", has_text="live").wait_for()
    page.get_by_role("button", name="Rename player").click()
    page.locator("#reply").fill("renamed")
    page.get_by_role("button", name="Yes", exact=True).click()
    page.get_by_role("cell", name="renamed", exact=True).wait_for()
    page.get_by_role("button", name="Remove renamed").click()
    page.get_by_role("button", name="Yes", exact=True).click()
    page.get_by_text("Removed.").wait_for()
    page.get_by_role("button", name="Lock results").click()
    page.locator("#phase", has_text="locked").wait_for()
