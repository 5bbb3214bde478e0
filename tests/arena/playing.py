"""An arena in this process, on a real socket, with a small world of its own."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pandas as pd
import uvicorn

from helpers.arena.guard import Guard
from helpers.arena.rounds import Settings
from helpers.arena.server import Arena
from helpers.arena.store import Store

FEATURES = (
    *("fc_avg", "item_length", "item_width", "item_height", "item_quantity", "item_weight", "bin_location"),
    *("bin_width", "bin_height", "bin_depth", "bin_fullness", "bin_clutter"),
)
TOKEN = "the-instructor's-token-for-tests-0123456789"
QUICK = Settings(
    seconds=5, rate=20, warm_up_seconds=0, window=50, minimum=10, speed=100, hide_seconds=0, seed=5, deadline_seconds=1
)


def world(rows, seed, scenario):
    """A small stand-in for the simulated world: same columns, lognormal durations, one missing value now and then."""
    random = np.random.default_rng([seed, len(scenario)])
    frame = pd.DataFrame({"duration": np.round(random.lognormal(9, 0.5, rows) * (1.5 if scenario else 1.0))})
    for name in FEATURES:
        frame[name] = random.integers(1, 100, rows).astype(float)
    frame["fc_avg"] = random.choice([8800.0, 9100.0, 9500.0], rows)
    frame.loc[random.random(rows) < 0.05, "item_weight"] = np.nan
    frame["event_id"] = np.arange(rows)
    return frame


class Running:
    """An arena that serves; `call` speaks to it."""

    def __init__(self, path, settings=QUICK, allow=("loopback",), **options):
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(256)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self.store = Store(path)
        options.setdefault("source", world)
        self._wrap = options.pop("wrap", lambda app: app)
        self.arena = Arena(self.store, Guard.parse(allow), TOKEN, settings, **options)

    def __enter__(self):
        config = uvicorn.Config(self._wrap(self.arena.app), log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]}, daemon=True)
        self._thread.start()
        poll(lambda: self._server.started)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(15)
        self.store.close()

    def call(self, method, path, body=None, token="", headers=None):
        """(status, JSON or text)."""
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("X-Arena-Token", token)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text, kind = answer.status, answer.read().decode(), answer.headers["content-type"]
        except urllib.error.HTTPError as error:
            status, text, kind = error.code, error.read().decode(), error.headers["content-type"]
        return status, json.loads(text) if kind.startswith("application/json") else text

    def act(self, action, body=None):
        return self.call("POST", f"api/instructor/round/{action}", body or {}, TOKEN)

    def enter(self, url, alias=None):
        return self.call("POST", "api/entries", {"url": url, "alias": alias})

    def block(self, seconds):
        """Nothing runs in the arena's event loop for so long, as on a machine that is busy with something else."""
        self.arena.engine._play.get_loop().call_soon_threadsafe(time.sleep, seconds)

    def state(self):
        return self.call("GET", "api/state")[1]

    def wait(self, condition, seconds=60):
        return poll(lambda: (lambda s: s if condition(s) else None)(self.state()), seconds)


def poll(condition, seconds=60):
    """What `condition` returns as soon as it is true; fails the test when it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.03)
    raise AssertionError(f"not true within {seconds} s")
