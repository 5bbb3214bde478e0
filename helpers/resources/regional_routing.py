"""Each fulfillment centre asks the endpoint nearest to it, and the next nearest while that one is down."""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from helpers.resources.model_training import ENDPOINT
from helpers.workshop import Workshop

PLACES = {  # degrees north and east of where AWS says the region is
    "us-east-1": (38, -77),
    "us-east-2": (40, -83),
    "us-west-1": (37, -122),
    "us-west-2": (45, -120),
    "ca-central-1": (45, -74),
    "sa-east-1": (-24, -47),
    "eu-west-1": (53, -6),
    "eu-west-2": (51, 0),
    "eu-west-3": (49, 2),
    "eu-central-1": (50, 9),
    "eu-north-1": (59, 18),
    "ap-south-1": (19, 73),
    "ap-southeast-1": (1, 104),
    "ap-southeast-2": (-34, 151),
    "ap-northeast-1": (36, 140),
    "ap-northeast-2": (37, 127),
}
DOWN_S = 5.0  # so long a region that did not answer is not asked again
THREADS = 128  # that may ask at once
NOT_THERE = ("ValidationError", "ServiceUnavailable", "InternalFailure", "InternalDependencyException", "Throttling")


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer: which region gave it, which were asked in vain before, and how long all of that took (ms)."""

    duration_ms: float
    region: str
    failed: tuple[str, ...]
    latency_ms: float


class NoRegionAnswers(RuntimeError):
    """Every region was asked in vain; the message holds what each said."""


class Router:
    """Asks the live endpoints of several regions.

    Parameters
    ----------
    ws : the workshop object
    regions : where there is a live endpoint, for instance (ws.region, "eu-west-1")
    """

    def __init__(self, ws: Workshop, regions: Iterable[str]) -> None:
        self.regions = tuple(regions)
        if not self.regions:
            raise ValueError("A router needs at least one region with an endpoint.")
        self._endpoint = ws.name(ENDPOINT)
        config = Config(
            max_pool_connections=THREADS, connect_timeout=3, read_timeout=65, retries={"total_max_attempts": 1}
        )
        for region in self.regions:
            ws.client("sagemaker", region)  # so that teardown looks there
        self._runtimes = {
            region: ws.session.client("sagemaker-runtime", region_name=region, config=config) for region in self.regions
        }
        self._down_until = dict.fromkeys(self.regions, 0.0)

    def order(self, fc: str) -> list[str]:
        """The regions for this fulfillment centre, nearest first. Raises KeyError where there is no such centre."""
        from helpers.fulfillment.columns import REGIONS

        home = REGIONS[fc]
        return sorted(self.regions, key=lambda region: distance_km(home, region))

    def ask(self, fc: str, features: str) -> Prediction:
        """The predicted duration for twelve features as CSV.

        Raises
        ------
        NoRegionAnswers : no region has an endpoint that answers
        ClientError : the endpoint answers that the question is wrong: another region would say the same
        """
        started, failed, reasons, last = time.perf_counter(), [], [], None
        nearest_first = self.order(fc)
        now = time.monotonic()
        rested = [region for region in nearest_first if self._down_until[region] <= now]
        for region in rested or nearest_first:
            try:
                answer = self._runtimes[region].invoke_endpoint(
                    EndpointName=self._endpoint, ContentType="text/csv", Body=features
                )
                value = duration_of(answer["Body"].read().decode())
            except (ClientError, BotoCoreError) as error:
                if not is_down(error):
                    raise
                self._down_until[region] = time.monotonic() + DOWN_S
                failed.append(region)
                reasons.append(f"{region}: {error}")
                last = error
                continue
            skipped = [region for region in nearest_first if region not in rested] if rested else []
            took_ms = 1000 * (time.perf_counter() - started)
            return Prediction(value, region, tuple(skipped + failed), took_ms)
        raise NoRegionAnswers(f"No region answers {fc}: {'; '.join(reasons)}") from last


def duration_of(body: str) -> float:
    """The three algorithms answer in two formats: XGBoost a bare number, Linear Learner and k-NN JSON."""
    if body.lstrip().startswith("{"):
        first = json.loads(body)["predictions"][0]
        return float(first.get("score", first.get("predicted_label")))
    return float(body)


def is_down(error: Exception) -> bool:
    """Is this the fault of the region (no endpoint, no answer, a server's error) and not of the question?"""
    if not isinstance(error, ClientError):
        return True
    if error.response["Error"]["Code"] == "ModelError":
        return not 400 <= int(error.response.get("OriginalStatusCode", 500)) < 500
    return error.response["Error"]["Code"].startswith(NOT_THERE)


def distance_km(one: str, other: str) -> float:
    """Along the surface of the earth between two regions (haversine formula); infinite where a place is not known."""
    if one == other:
        return 0.0
    if one not in PLACES or other not in PLACES:
        return math.inf
    (north, east), (north2, east2) = (map(math.radians, PLACES[region]) for region in (one, other))
    half = math.sin((north2 - north) / 2) ** 2
    half += math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(half))
