"""A bucket's notification configuration: read from its XML, checked as S3 checks it, written back.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
"""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from helpers.offline import resource_policies
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.policies import Decision

SERVICE = "s3.amazonaws.com"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# Member of the document -> the element that holds the ARN, the service in that ARN, what the destination must allow.
KINDS = {
    "TopicConfiguration": ("Topic", "sns", "sns:Publish"),
    "QueueConfiguration": ("Queue", "sqs", "sqs:SendMessage"),
    "CloudFunctionConfiguration": ("CloudFunction", "lambda", "lambda:InvokeFunction"),
}
HAPPENING = {
    "s3:ObjectCreated": ("Put", "Post", "Copy", "CompleteMultipartUpload"),
    "s3:ObjectRemoved": ("Delete", "DeleteMarkerCreated"),
    "s3:ObjectTagging": ("Put", "Delete"),
}
# Events that AWS has and nothing here makes happen.
ELSEWHERE = ("s3:ObjectRestore", "s3:Replication", "s3:LifecycleExpiration", "s3:LifecycleTransition")
ELSEWHERE += ("s3:IntelligentTiering", "s3:ObjectAcl", "s3:ReducedRedundancyLostObject")
UNREACHABLE = "Unable to validate the following destination configurations"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which events of which keys one destination is told."""

    kind: str  # a key of KINDS
    id: str
    arn: str
    events: tuple[str, ...]
    prefix: str | None = None
    suffix: str | None = None

    def matches(self, event: str, key: str) -> bool:
        """`event` such as s3:ObjectCreated:Put."""
        wanted = event in self.events or event.rpartition(":")[0] + ":*" in self.events
        return wanted and key.startswith(self.prefix or "") and key.endswith(self.suffix or "")


@dataclass(frozen=True, slots=True)
class Settings:
    rules: tuple[Rule, ...] = field(default=())
    event_bridge: bool = False


def parsed(document: bytes) -> Settings:
    """Raises AwsError MalformedXML, InvalidArgument, and NotImplemented for events that never happen offline."""
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError:
        raise malformed() from None
    rules: list[Rule] = []
    event_bridge = False
    for element in root:
        name = _tag(element)
        if name == "EventBridgeConfiguration":
            event_bridge = True
        elif name in KINDS:
            rules.append(_rule(name, element))
        else:
            raise malformed()
    for one, other in itertools.combinations(rules, 2):
        if _overlap(one, other):
            raise AwsError(
                "InvalidArgument",
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes "
                "are overlapping for the same event type.",
            )
    return Settings(tuple(rules), event_bridge)


def _rule(kind: str, element: ElementTree.Element) -> Rule:
    member, service, _ = KINDS[kind]
    texts = {_tag(child): child.text or "" for child in element}
    arn = texts.get(member, "")
    if not re.fullmatch(rf"arn:aws[\w-]*:{service}:[\w-]+:\d{{12}}:.+", arn):
        raise invalid("The ARN could not be parsed", member, arn)
    events = tuple(child.text or "" for child in element if _tag(child) == "Event")
    if not events:
        raise malformed()
    for event in events:
        _check_event(event)
    wanted: dict[str, str] = {}
    for rule in element.iter(f"{{{NAMESPACE}}}FilterRule"):
        parts = {_tag(child): child.text or "" for child in rule}
        name = parts.get("Name", "").lower()
        if name not in ("prefix", "suffix"):
            raise invalid("filter rule name must be either prefix or suffix", "FilterRule.Name", parts.get("Name", ""))
        if name in wanted:
            raise invalid(f"Cannot specify more than one {name} rule in a filter.", "FilterRule.Name", name)
        wanted[name] = parts.get("Value", "")
    return Rule(kind, texts.get("Id") or str(uuid.uuid4()), arn, events, wanted.get("prefix"), wanted.get("suffix"))


def _check_event(event: str) -> None:
    group, _, verb = event.rpartition(":")
    if group in HAPPENING and verb in ("*", *HAPPENING[group]):
        return
    if event.startswith(ELSEWHERE):
        raise AwsError("NotImplemented", f"The offline AWS's S3 never has an event {event} to tell.", 501)
    raise invalid("A specified event is not supported for notifications.", "Event", event)


def check_destinations(kernel: Kernel, bucket: str, region: str, settings: Settings) -> None:
    """That each is there and lets S3 in. Raises AwsError InvalidArgument, which names all that are not."""
    wrong: list[tuple[str, str]] = []
    source = resource_policies.Source(SERVICE, f"arn:aws:s3:::{bucket}")
    for rule in settings.rules:
        member, service, action = KINDS[rule.kind]
        if rule.arn.split(":")[3] != region:
            raise invalid(
                "The notification destination service region is not valid for the bucket location constraint",
                member,
                rule.arn,
            )
        if service == "lambda":
            if not _may_invoke(kernel, rule.arn, source.arn):
                wrong.append((f"{rule.arn}, null", f"Not authorized to invoke function [{rule.arn}]"))
            continue
        what = "queue" if service == "sqs" else "topic"
        if not _is_there(kernel.account_id, service, region, rule.arn):
            wrong.append((rule.arn, f"The destination {what} does not exist"))
        elif resource_policies.of_service(kernel.account_id, source, action, rule.arn) is not Decision.ALLOW:
            text = f"Permissions on the destination {what} do not allow S3 to publish notifications from this bucket"
            wrong.append((rule.arn, text))
        elif rule.arn.endswith(".fifo"):
            wrong.append((rule.arn, f"FIFO {what}s are not supported"))
    if wrong:
        extra: dict[str, Any] = {}
        for number, (name, value) in enumerate(wrong, 1):
            extra |= {f"ArgumentName{number}": name, f"ArgumentValue{number}": value}
        raise AwsError("InvalidArgument", UNREACHABLE, 400, **extra)


def written(settings: Settings) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<NotificationConfiguration xmlns="{NAMESPACE}">'
        + "".join(_members(settings))
        + "</NotificationConfiguration>"
    ).encode()


def _members(settings: Settings) -> Iterator[str]:
    for rule in settings.rules:
        rules = "".join(
            f"<FilterRule><Name>{name}</Name><Value>{escape(value)}</Value></FilterRule>"
            for name, value in (("Prefix", rule.prefix), ("Suffix", rule.suffix))
            if value is not None
        )
        member = KINDS[rule.kind][0]
        yield f"<{rule.kind}><Id>{escape(rule.id)}</Id><{member}>{escape(rule.arn)}</{member}>"
        yield "".join(f"<Event>{event}</Event>" for event in rule.events)
        yield (f"<Filter><S3Key>{rules}</S3Key></Filter>" if rules else "") + f"</{rule.kind}>"
    if settings.event_bridge:
        yield "<EventBridgeConfiguration/>"


def _overlap(one: Rule, other: Rule) -> bool:
    """Whether there are an event and a key that both rules would be told."""
    return (
        any(_same_event(a, b) for a in one.events for b in other.events)
        and _nested(one.prefix or "", other.prefix or "", str.startswith)
        and _nested(one.suffix or "", other.suffix or "", str.endswith)
    )


def _same_event(one: str, other: str) -> bool:
    is_group = one.endswith(":*") or other.endswith(":*")
    return one == other or (is_group and one.rpartition(":")[0] == other.rpartition(":")[0])


def _nested(one: str, other: str, holds: Any) -> bool:
    return holds(one, other) or holds(other, one)


def _may_invoke(kernel: Kernel, arn: str, source_arn: str | None) -> bool:
    try:
        return kernel.ports.functions.permits(arn, SERVICE, source_arn)
    except AwsError:
        return False


def _is_there(account_id: str, service: str, region: str, arn: str) -> bool:
    from moto.sns.models import sns_backends
    from moto.sqs.models import sqs_backends

    if service == "sqs":
        return arn.rpartition(":")[2] in sqs_backends[account_id][region].queues
    return arn in sns_backends[account_id][region].topics


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def invalid(message: str, name: str, value: str) -> AwsError:
    return AwsError("InvalidArgument", message, 400, ArgumentName=name, ArgumentValue=value)


def malformed() -> AwsError:
    return AwsError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
    )
