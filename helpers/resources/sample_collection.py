"""What lab 1 leaves: a bucket, a Firehose stream into it, a function that feeds it from the topic, and samples."""

import time
from collections.abc import Callable, Iterator

import pandas as pd

from helpers.resources import buckets, functions, roles, streams
from helpers.workshop import Workshop

STREAM = "SampleCollectionFirehose"
FUNCTION = "SampleCollectionLambdaFunction"
PREFIX = "samples/"
DIRECT_STREAM = "DirectCollectionFirehose"
DIRECT_PREFIX = "direct/"
LONGEST_WAIT_S = 60
EDGE_SPEED = 60  # warehouse seconds per real second, as EdgeCompute plays unless told otherwise


def build(ws: Workshop) -> list[str]:
    """Make what is missing of what lab 1 leaves, some samples included. Returns what was made, in words."""
    built = []
    roles.ensure(ws, "firehose", "sample_collection_lambda", "topic")
    if buckets.ensure(ws, "samples"):
        built.append("the samples bucket")
    if streams.ensure(ws, STREAM, PREFIX):
        built.append("the Firehose stream")
    if not functions.exists(ws, FUNCTION):
        functions.deploy(
            ws, FUNCTION, "sample_collection", "sample_collection_lambda", {"STREAM_NAME": ws.name(STREAM)}
        )
        built.append("the function that feeds it")
    if subscribe(ws):
        built.append("its subscription to the topic")
    if not any(buckets.keys(ws, ws.bucket("samples"), PREFIX)):
        built.append(f"{_put_samples(ws):,} samples")
    return built


def subscribe(ws: Workshop) -> bool:
    """Subscribe the function to the topic, if it is not. Returns whether it was needed."""
    functions.allow_invocation(ws, FUNCTION, "sns", ws.topic_arn)
    endpoint = ws.arn("lambda", f"function:{ws.name(FUNCTION)}")
    if endpoint in subscriptions(ws):
        return False
    ws.client("sns").subscribe(TopicArn=ws.topic_arn, Protocol="lambda", Endpoint=endpoint)
    return True


def subscriptions(ws: Workshop) -> dict[str, str]:
    """Who the topic delivers to: endpoint ARN -> subscription ARN."""
    pages = ws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=ws.topic_arn)
    return {entry["Endpoint"]: entry["SubscriptionArn"] for page in pages for entry in page["Subscriptions"]}


def remove_direct_path(ws: Workshop) -> None:
    """Take away the direct subscription of lab 1, its stream and its copies of the samples."""
    arn = ws.arn("firehose", f"deliverystream/{ws.name(DIRECT_STREAM)}")
    if subscription := subscriptions(ws).get(arn):
        ws.client("sns").unsubscribe(SubscriptionArn=subscription)
    if streams.status(ws, DIRECT_STREAM) is not None:
        ws.client("firehose").delete_delivery_stream(DeliveryStreamName=ws.name(DIRECT_STREAM))
        streams.wait_until_gone(ws, DIRECT_STREAM)
    buckets.empty(ws, ws.bucket("samples"), DIRECT_PREFIX)


def start_afresh(ws: Workshop) -> None:
    """Empty the bucket and take the direct path away, so that the lab counts from zero however often it is run."""
    remove_direct_path(ws)
    buckets.empty(ws, ws.bucket("samples"))


def sample_lines(ws: Workshop, prefix: str = PREFIX) -> list[str]:
    """The lines that lie in the bucket under a prefix, empty ones left out."""
    return [line for line in buckets.read_text(ws, ws.bucket("samples"), prefix).splitlines() if line]


def wait_for_lines(ws: Workshop, count: int, prefix: str = PREFIX) -> list[str]:
    """Wait until at least `count` lines have arrived under a prefix; return all that are there."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while True:
        lines = sample_lines(ws, prefix)
        if len(lines) >= count:
            return lines
        ws.refuse_full_disk()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(lines):,} of {count:,} samples have arrived after {LONGEST_WAIT_S} s.")
        time.sleep(0.5)


def well_formed(line: str) -> bool:
    """Whether a line has the cells of a sample: a duration, then numbers or nothing, then the context."""
    from helpers.fulfillment import COLUMNS, CONTEXT_COLUMNS

    cells = line.split(",")
    if len(cells) != len(COLUMNS) + len(CONTEXT_COLUMNS) or not cells[0]:
        return False
    return all(cell == "" or cell.replace(".", "", 1).isdigit() for cell in cells[: len(COLUMNS)])


def read_samples(ws: Workshop) -> pd.DataFrame:
    """The collected samples as a table: well-formed lines only, each once, in the order in which they happened."""
    from helpers.fulfillment import parse_samples

    lines = sorted({line for line in sample_lines(ws) if well_formed(line)})
    return parse_samples("\n".join(lines)).sort_values(["time", "fc", "event_id"], ignore_index=True)


class Arrivals:
    """The objects under a prefix: when each was first seen and how many samples it holds; each is read once."""

    def __init__(self, ws: Workshop, prefix: str = PREFIX) -> None:
        self.ws, self.prefix = ws, prefix
        self._known: dict[str, tuple[float, int]] = {}

    def __call__(self) -> list[tuple[float, int]]:
        """(when first seen, in seconds since 1970; number of samples) of every object, in that order."""
        self.ws.refuse_full_disk()
        s3, bucket = self.ws.client("s3"), self.ws.bucket("samples")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=self.prefix):
            for entry in page.get("Contents", []):
                if entry["Key"] not in self._known:
                    lines = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().splitlines()
                    self._known[entry["Key"]] = time.time(), sum(1 for line in lines if line)
        return sorted(self._known.values())


def race(ws: Workshop, send: Callable[[], int]) -> dict[str, float]:
    """Send samples while both paths are subscribed; prints and returns the seconds until each path has stored all.

    Parameters
    ----------
    send : sends, and returns how many samples it sent
    """
    paths = {"through Lambda": Arrivals(ws), "direct": Arrivals(ws, DIRECT_PREFIX)}
    before = {way: sum(number for _, number in look()) for way, look in paths.items()}
    began = time.monotonic()
    sent = send()
    published_s = time.monotonic() - began
    print(f"{sent:,} samples published after {published_s:.1f} s")
    through: dict[str, float] = {}
    while len(through) < len(paths) and time.monotonic() - began < LONGEST_WAIT_S:
        for way, look in paths.items():
            if way not in through and sum(number for _, number in look()) - before[way] >= sent:
                through[way] = time.monotonic() - began
                print(f"{way}: all in the bucket after {through[way]:.1f} s")
        time.sleep(0.1)
    return through


def _put_samples(ws: Workshop) -> int:
    """Put the samples that lab 1 would have collected into the bucket, as one object. Returns how many."""
    lines = list(lines_of_lab_1())
    body = "".join(f"{line}\n" for line in lines)
    ws.client("s3").put_object(Bucket=ws.bucket("samples"), Key=f"{PREFIX}prepared.csv", Body=body.encode())
    return len(lines)


def lines_of_lab_1() -> Iterator[str]:
    """The samples that edge compute sends in lab 1, without waiting for it: the same seeds give the same samples."""
    from helpers.fulfillment import FCS, generate, to_csv_line
    from helpers.fulfillment.interactions import Interactions

    yield to_csv_line(generate(1, seed=6).iloc[0])
    for fc, rate, seed, seconds in ((FCS[0], 200, 7, 20), (FCS[1], 1000, 8, 1)):
        interactions = Interactions(fc, rate / EDGE_SPEED, seed)
        yield from (to_csv_line(next(interactions)) for _ in range(rate * seconds))
