"""A rush hour: the stations of a fulfillment centre ask their endpoint, and the instance count is watched meanwhile."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from helpers.resources import regional_endpoints
from helpers.resources.regional_routing import THREADS, NoRegionAnswers, Router
from helpers.workshop import Workshop

CLOCK_FACTOR = 180  # offline a second stands for three minutes
CLOCK_TAG = "offline-clock-factor"
HOUR = ((5, 3), (15, 34), (30, 3))  # minutes, requests per second: quiet, rush, quiet


@dataclass(frozen=True, slots=True)
class Course:
    """What happened, by the minutes of AWS's clock.

    `requests` has a row for each: minute (when it was asked), latency_ms, region (None: no answer); its
    attrs["seconds_per_minute"] tells how many real seconds a minute took.
    `instances` has a row for each look: minute, instances.
    """

    requests: pd.DataFrame
    instances: pd.DataFrame


def play(
    ws: Workshop,
    router: Router,
    fc: str,
    *,
    profile: Sequence[tuple[float, float]] = HOUR,
    clock_factor: float = CLOCK_FACTOR,
    seed: int = 3,
) -> Course:
    """Ask the predictions that `fc` needs, at the pace of the profile, whether or not earlier answers have come.

    Offline the profile's minutes pass `clock_factor` times faster; give the same factor to RegisterScalableTarget as
    the tag `offline-clock-factor`. On AWS an hour is an hour. Requests per second are of real seconds in both.

    Parameters
    ----------
    profile : (minutes, requests per second) one after the other
    seed : of the interactions
    """
    from helpers.fulfillment.interactions import Interactions
    from helpers.fulfillment.lines import features_line

    minute_s = 60 / clock_factor if ws.offline else 60.0
    moments = _moments(profile, minute_s)
    work = Interactions(fc, profile[0][1], seed)
    lines = [features_line(next(work)) for _ in moments]
    router.ask(fc, lines[0])  # the first connection takes longer than an answer
    region = router.order(fc)[0]
    asked: list[tuple] = []
    begin = time.perf_counter()

    def ask(moment: float, line: str) -> None:
        started = time.perf_counter()
        try:
            answered = router.ask(fc, line).region
        except (NoRegionAnswers, ClientError, BotoCoreError):
            answered = None
        asked.append((moment / minute_s, 1000 * (time.perf_counter() - started), answered))

    over = threading.Event()
    looks: list[tuple[float, int]] = []
    watcher = threading.Thread(target=_watch, args=(ws, region, begin, minute_s, over, looks), daemon=True)
    watcher.start()
    try:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="station") as stations:
            for moment, line in zip(moments, lines, strict=True):
                time.sleep(max(0.0, begin + moment - time.perf_counter()))
                stations.submit(ask, moment, line)
            end = sum(minutes for minutes, _ in profile) * minute_s
            time.sleep(max(0.0, begin + end - time.perf_counter()))
    finally:
        over.set()
        watcher.join()
    requests = pd.DataFrame(sorted(asked, key=lambda row: row[0]), columns=["minute", "latency_ms", "region"])
    requests.attrs["seconds_per_minute"] = minute_s
    return Course(requests, pd.DataFrame(looks, columns=["minute", "instances"]))


def _moments(profile: Sequence[tuple[float, float]], minute_s: float) -> list[float]:
    """When each request is made, in real seconds from the beginning: evenly spaced within each part."""
    moments: list[float] = []
    begin = 0.0
    for minutes, rate in profile:
        if minutes <= 0 or rate <= 0:
            raise ValueError(f"A part of the profile lasts some minutes at some rate; got {minutes} at {rate}/s.")
        seconds = minutes * minute_s
        moments += [begin + (number + 0.5) / rate for number in range(int(seconds * rate))]
        begin += seconds
    return moments


def _watch(
    ws: Workshop, region: str, begin: float, minute_s: float, over: threading.Event, looks: list[tuple[float, int]]
) -> None:
    while True:
        is_last = over.is_set()
        count = regional_endpoints.instances(ws, region)
        looks.append(((time.perf_counter() - begin) / minute_s, count))
        if is_last:
            return
        over.wait(0.2 if ws.offline else 15)
