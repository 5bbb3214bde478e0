"""One client process that asks as fast as it can: says `ready`, waits for a line, asks, prints how often.

`python -m benchmarks.asking URL CONTENT_TYPE SECONDS`, the body in BENCHMARK_BODY; where there are AWS credentials in
the environment, every request is signed for SageMaker. Imports little, so that many of these start quickly.
"""

import os
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

from benchmarks.signed import SignedClient, post


def caller(url: str, content_type: str, body: bytes, keys: tuple[str, str] | None) -> Callable[[], bytes]:
    """One POST over a kept connection; signed with `keys`, the access key id and its secret, where they are given."""
    place = urlsplit(url)
    if keys is None:
        connection = HTTPConnection(place.netloc)
        return lambda: post(connection, place.path, body, {"Content-Type": content_type})
    client = SignedClient(f"http://{place.netloc}", keys, "sagemaker", "us-east-1")
    return lambda: client.post(place.path, body, content_type)


def main() -> None:
    url, content_type, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    keys = None
    if "AWS_ACCESS_KEY_ID" in os.environ:
        keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    call = caller(url, content_type, os.environ["BENCHMARK_BODY"].encode(), keys)
    for _ in range(10):
        call()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + seconds
    count = 0
    while time.perf_counter() < end:
        call()
        count += 1
    print(count, flush=True)


if __name__ == "__main__":
    main()
