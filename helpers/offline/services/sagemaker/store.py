"""Where SageMaker's records are found: by region, kind and name."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

from helpers.offline import fallthrough
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker.records import Endpoint, EndpointConfig, Model, TrainingJob, TuningJob

# Kind in an ARN -> the attribute of moto's backend that holds the records.
_HELD = {
    "training-job": "training_jobs",
    "model": "_models",
    "endpoint-config": "endpoint_configs",
    "endpoint": "endpoints",
    "hyper-parameter-tuning-job": "hyper_parameter_tuning_jobs",
}
_NOUNS = {"model": "model", "endpoint-config": "endpoint configuration", "endpoint": "endpoint"}
PAGE = 10
BAD_TOKEN = "The NextToken is not one that this operation gave."


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


class Store:
    """`lock` guards every change of a record."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lock = threading.RLock()

    def models(self, region: str) -> dict[str, Model]:
        return self.held(region, "model")

    def configs(self, region: str) -> dict[str, EndpointConfig]:
        return self.held(region, "endpoint-config")

    def endpoints(self, region: str) -> dict[str, Endpoint]:
        return self.held(region, "endpoint")

    def training_jobs(self, region: str) -> dict[str, TrainingJob]:
        return self.held(region, "training-job")

    def tuning_jobs(self, region: str) -> dict[str, TuningJob]:
        return self.held(region, "hyper-parameter-tuning-job")

    def held(self, region: str, kind: str) -> dict[str, Any]:
        from moto.sagemaker.models import sagemaker_backends

        return getattr(sagemaker_backends[self.kernel.account_id][region], _HELD[kind])

    def regions(self) -> list[str]:
        """Those that hold anything, after a restart."""
        from moto.sagemaker.models import sagemaker_backends

        return list(fallthrough.regions_in_use(sagemaker_backends, self.kernel.account_id))

    def arn(self, region: str, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{region}:{self.kernel.account_id}:{kind}/{name.lower()}"

    def find(self, region: str, kind: str, name: str) -> Any:
        """Raises AwsError in the words of the kind."""
        record = self.held(region, kind).get(name)
        if record is not None:
            return record
        if kind == "training-job":
            raise invalid("Requested resource not found.")
        if kind == "hyper-parameter-tuning-job":
            raise AwsError("ResourceNotFound", f"Amazon SageMaker can't find a tuning job named {name}.")
        raise invalid(f'Could not find {_NOUNS[kind]} "{self.arn(region, kind, name)}".')

    def refuse_existing(self, region: str, kind: str, name: str) -> None:
        """Raises AwsError where the name, in any case of letters, is taken."""
        if any(taken.lower() == name.lower() for taken in self.held(region, kind)):
            arn = self.arn(region, kind, name)
            raise invalid(f'Cannot create already existing {_NOUNS[kind]} "{arn}".')

    def by_arn(self, arn: str) -> Any:
        """Raises AwsError."""
        _, _, service, region, account, resource = [*arn.split(":", 5), "", "", "", "", "", ""][:6]
        kind, _, name = resource.partition("/")
        if service == "sagemaker" and account == self.kernel.account_id and kind in _HELD:
            for taken, record in self.held(region, kind).items():
                if taken.lower() == name.lower():
                    return record
        raise invalid(f"The resource {arn} does not exist.")

    def changed(self) -> None:
        """Something changed outside a call: have it kept."""
        self.kernel.keep_now("sagemaker")


def page(
    items: list[Any],
    request: dict[str, Any],
    answer_name: str,
    summary: Callable[[Any], dict[str, Any]],
    *,
    name: Callable[[Any], str],
    times: dict[str, Callable[[Any], float]],
    sorts: dict[str, Callable[[Any], Any]],
    default_sort: str,
    default_order: str = "Descending",
    status_last: bool = False,
) -> dict[str, Any]:
    """One page of a List operation: NameContains, <Time>After/Before, StatusEquals, SortBy, SortOrder, MaxResults.

    `status_last`: where MaxResults is given too, StatusEquals chooses among what the page holds, and it may be empty.
    A page begins after the last item of the page before, whatever was made or deleted meanwhile.
    """
    contains = request.get("NameContains", "").lower()
    found = [item for item in items if contains in name(item).lower()]
    for label, time_of in times.items():
        after, before = request.get(f"{label}After"), request.get(f"{label}Before")
        found = [item for item in found if (after is None or _ms(time_of(item)) > _ms(after))]
        found = [item for item in found if (before is None or _ms(time_of(item)) < _ms(before))]
    wanted = request.get("StatusEquals")
    status_last = status_last and "MaxResults" in request
    if wanted and not status_last:
        found = [item for item in found if item.status == wanted]
    key, is_descending = sorts[request.get("SortBy", default_sort)], request.get("SortOrder", default_order)[0] == "D"

    def place(item: Any) -> tuple[Any, str]:
        return key(item), name(item)

    found.sort(key=place, reverse=is_descending)
    if "NextToken" in request:
        last = _place_of(request["NextToken"])
        try:
            found = [item for item in found if (place(item) < last if is_descending else place(item) > last)]
        except TypeError:  # the token of a list in another order
            raise invalid(BAD_TOKEN) from None
    size = request.get("MaxResults") or PAGE
    shown, rest = found[:size], found[size:]
    token = _token(place(shown[-1])) if rest else None
    if wanted and status_last:
        shown = [item for item in shown if item.status == wanted]
    answer: dict[str, Any] = {answer_name: [summary(item) for item in shown]}
    return answer | {"NextToken": token} if token else answer


def _ms(moment: float) -> int:
    return round(moment * 1000)


def _token(place: tuple[Any, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place_of(token: str) -> tuple[Any, str]:
    """Raises AwsError."""
    try:
        key, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        raise invalid(BAD_TOKEN) from None
    return key, name
