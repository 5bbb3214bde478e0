"""Thirty learners on one server: each with topic, stream, endpoint, function and an API asked 5 times a second."""

import asyncio
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from benchmarks.functions import create, rest_api
from benchmarks.live_inference import ASKING
from benchmarks.local_aws import local_aws
from benchmarks.messages import ENTRIES
from benchmarks.models import csv_line, deploy, role, rows, trained
from benchmarks.ratio import Ratio, percentile, show

LEARNERS, RATE, SECONDS = 30, 5, 30
P99_MS = 150


def set_up(aws, number: int, booster, role_arn: str, folder: Path) -> str:
    """One learner's resources; returns the URL of their API."""
    name = f"learner-{number:02d}"
    mine = folder / name
    mine.mkdir()
    deploy(aws, booster, role_arn, mine, name)
    aws.client("sns").create_topic(Name=name)
    aws.client("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={"RoleARN": role_arn, "BucketARN": f"arn:aws:s3:::models-{name}"},
    )
    source = ASKING.replace('EndpointName="bench"', f'EndpointName="{name}"')
    arn = create(aws.client("lambda"), name, source, role_arn)
    api = rest_api(aws.client("apigateway"), aws.client("lambda"), arn, "123456789012")
    return f"{aws.url}/restapis/{api}/live/_user_request_/ask"


async def ask_all(urls: list[str], features: str, seconds: float) -> tuple[list[float], int]:
    """Every URL, RATE times a second, on an absolute schedule; returns latencies in ms and the number of errors."""
    times: list[float] = []
    errors = 0
    async with httpx.AsyncClient(timeout=10, limits=httpx.Limits(max_connections=200)) as http:

        async def one(url: str) -> None:
            nonlocal errors
            started = time.perf_counter()
            try:
                answer = await http.get(url, params={"features": features})
                errors += answer.status_code != 200
            except httpx.HTTPError:
                errors += 1
            times.append((time.perf_counter() - started) * 1e3)

        async def learner(index: int, url: str) -> None:
            begin = time.perf_counter() + index / LEARNERS / RATE
            calls = []
            for tick in range(int(seconds * RATE)):
                await asyncio.sleep(max(0.0, begin + tick / RATE - time.perf_counter()))
                calls.append(asyncio.create_task(one(url)))
            await asyncio.gather(*calls)

        await asyncio.gather(*(learner(index, url) for index, url in enumerate(urls)))
    return times, errors


def main() -> None:
    features = csv_line(rows(1, seed=7)[0][0])
    booster = trained(20_000)
    with tempfile.TemporaryDirectory() as folder, local_aws() as aws:
        role_arn = role(aws.client("iam"))
        started = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            urls = list(pool.map(lambda n: set_up(aws, n, booster, role_arn, Path(folder)), range(LEARNERS)))
        print(f"{LEARNERS} learners set up in {time.perf_counter() - started:.0f} s")
        asyncio.run(ask_all(urls, features, 4))
        times, errors = asyncio.run(ask_all(urls, features, SECONDS))
        sns = aws.client("sns")
        for number in range(LEARNERS):
            arn = f"arn:aws:sns:us-east-1:123456789012:learner-{number:02d}"
            sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=ENTRIES)
        process = psutil.Process(aws.status["pid"])
        resident = process.memory_info().rss / 2**20
        family = sum(child.memory_full_info().pss for child in process.children(recursive=True)) / 2**20
    p99 = percentile(times, 99)
    show(
        "Thirty learners on one server",
        [
            Ratio(
                f"thirty learners at once, {LEARNERS * RATE} requests/s over API Gateway, Lambda and endpoint: p99",
                "an aim",
                p99,
                P99_MS,
                "ms",
                1,
                False,
            ),
        ],
        [
            f"Thirty learners: {errors} errors of {len(times):,} requests, p50 {percentile(times, 50):.1f} ms; memory "
            f"of the server {resident:.0f} MB, of its function processes together {family:.0f} MB."
        ],
    )
    if errors:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
