"""The record of every AWS call that the workshop's session makes, so that no helper hides what it did."""

import json
import shlex
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import boto3
from botocore import xform_name

KEPT_CALLS = 1000  # edge compute makes thousands; the table needs the first and the counts


@dataclass(slots=True)
class RecordedCall:
    """One AWS API request: what was asked, and how it ended ("ok", an error code, or "no answer")."""

    service: str
    operation: str
    region: str
    parameters: dict
    outcome: str = "no answer"

    def as_boto3(self) -> str:
        """The call as one boto3 statement."""
        arguments = ", ".join(f"{name}={_python_value(value)}" for name, value in self.parameters.items())
        return f'boto3.client("{self.service}").{xform_name(self.operation)}({arguments})'

    def as_cli(self) -> str:
        """The call as one AWS CLI command that a shell can run, except where bytes stand in for a file."""
        service = {"s3": "s3api", "cloudwatch": "cloudwatch"}.get(self.service, self.service)
        words = ["aws", service, xform_name(self.operation, "-")]
        for name, value in self.parameters.items():
            option = "--" + xform_name(name, "-")
            if value is True:
                words.append(option)
            elif value is False:
                words.append(option.replace("--", "--no-", 1))
            else:
                words += [option, shlex.quote(_cli_value(value))]
        return " ".join(words)


@dataclass
class Calls:
    """Records the calls of a boto3 session from the moment `watch` is called."""

    _kept: deque = field(default_factory=lambda: deque(maxlen=KEPT_CALLS))
    _counts: Counter = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, session: boto3.Session) -> None:
        """Record every call that clients made from `session` send from now on."""
        session.events.register("before-parameter-build.*.*", self._begin)
        session.events.register("after-call.*.*", self._end)
        session.events.register("after-call-error.*.*", self._fail)

    def count(self, operation: str | None = None) -> int:
        """How many calls were made: all of them, or those of one operation such as "CreateTopic"."""
        with self._lock:
            return sum(self._counts.values()) if operation is None else self._counts[operation]

    def clear(self) -> None:
        """Forget what was recorded, for instance before a cell that one wants to look at alone."""
        with self._lock:
            self._kept.clear()
            self._counts.clear()

    def show(self, form: str = "table", last: int | None = None) -> None:
        """Print the recorded calls as a "table", as "boto3" code or as AWS "cli" commands.

        Parameters
        ----------
        form : "table", "boto3" or "cli"
        last : how many of the latest calls; all that were kept (1,000) if not given
        """
        writers = {"table": self._table, "boto3": RecordedCall.as_boto3, "cli": RecordedCall.as_cli}
        if form not in writers:
            raise ValueError(f'show() knows the forms "table", "boto3" and "cli", got {form!r}.')
        calls = list(self)[-last:] if last else list(self)
        if form == "table":
            print(self._table(calls))
        else:
            print("\n".join(writers[form](call) for call in calls))

    def __iter__(self) -> Iterator[RecordedCall]:
        with self._lock:
            return iter(list(self._kept))

    def _table(self, calls: list[RecordedCall]) -> str:
        groups = Counter((call.service, call.operation, call.outcome) for call in calls)
        rows = [("service", "operation", "calls", "outcome")]
        rows += [(service, operation, str(n), outcome) for (service, operation, outcome), n in groups.items()]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _begin(self, params: dict, model: object, context: dict, **_: object) -> None:
        call = RecordedCall(
            model.service_model.service_name, model.name, context.get("client_region") or "", dict(params)
        )
        context["workshop_call"] = call
        with self._lock:
            self._kept.append(call)
            self._counts[model.name] += 1

    def _end(self, http_response: object, parsed: dict, context: dict, **_: object) -> None:
        if call := context.get("workshop_call"):
            call.outcome = "ok" if http_response.status_code < 300 else parsed.get("Error", {}).get("Code", "error")

    def _fail(self, exception: Exception, context: dict, **_: object) -> None:
        if call := context.get("workshop_call"):
            call.outcome = type(exception).__name__


def _python_value(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    text = repr(value)
    if isinstance(value, dict) and any(isinstance(part, (bytes, bytearray)) for part in value.values()):
        text = "{" + ", ".join(f"{name!r}: {_python_value(part)}" for name, part in value.items()) + "}"
    return text


def _cli_value(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return f"fileb://{len(value)}-bytes"
    return json.dumps(
        value, default=lambda part: f"fileb://{len(part)}-bytes" if isinstance(part, bytes) else str(part)
    )
