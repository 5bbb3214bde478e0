"""Tiny real servers and clients for the edge compute's tests."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from helpers.fulfillment import generate


@pytest.fixture(scope="session")
def samples():
    """100,000 ordinary samples, other ones than the shipped history."""
    return generate(100_000, 42)


class InferenceServer:
    """Answers like the live-inference API; how, is set by its attributes."""

    def __init__(self):
        self.delay_s, self.status, self.body, self.asked = 0.0, 200, None, []
        self.busy = self.most_at_once = 0
        self.answers = []  # (status, body) in turn, instead of those two; status 0 hangs up
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                features = parse_qs(urlsplit(self.path).query, keep_blank_values=True)["features"][0]
                with lock:
                    outer.asked.append(features)
                    outer.busy += 1
                    outer.most_at_once = max(outer.most_at_once, outer.busy)
                time.sleep(outer.delay_s)
                with lock:
                    outer.busy -= 1
                status, body = outer.status, outer.body
                if outer.answers:
                    status, body = outer.answers[len(outer.asked) % len(outer.answers)]
                if not status:
                    self.close_connection = True
                    return
                body = (
                    body
                    if body is not None
                    else json.dumps({"prediction_ms": float(features.split(",")[0]), "model": "v1"})
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # with 5, the sixth connection at a time waits a second
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/prod/liveinference"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@contextlib.contextmanager
def serving(server):
    """The server, until the end of the block."""
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()


@pytest.fixture
def inference():
    with serving(InferenceServer()) as server:
        yield server


class Topic:
    """Takes what boto3's SNS client takes; refuses while `broken`, and rejects single entries in `reject`."""

    def __init__(self):
        self.messages, self.attributes, self.broken, self.reject = [], [], False, 0
        self._lock = threading.Lock()

    def publish_batch(self, *, TopicArn, PublishBatchRequestEntries):
        with self._lock:
            if self.broken:
                raise ConnectionError("no network")
            assert 1 <= len(PublishBatchRequestEntries) <= 10
            failed = []
            for entry in PublishBatchRequestEntries:
                if self.reject:
                    self.reject -= 1
                    failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
                    continue
                self.messages.append(entry["Message"])
                self.attributes.append(entry["MessageAttributes"])
            return {"Successful": [], "Failed": failed}


@pytest.fixture
def topic():
    return Topic()


class Metrics:
    """Takes what boto3's CloudWatch client takes."""

    def __init__(self):
        self.data = []

    def put_metric_data(self, *, Namespace, MetricData):
        assert Namespace == "FulfillmentWorkshop"
        assert all(len(datum["Values"]) <= 150 for datum in MetricData)
        self.data.extend(MetricData)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def until():
    """Waits until something holds, and fails if it does not within a minute."""

    def wait(condition):
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it did not come true within a minute"
            time.sleep(0.01)

    return wait
