"""Where an object goes: Firehose's prefixes with their expressions, and the object's name.

https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from __future__ import annotations

import re
import secrets
import string
import uuid
from datetime import datetime

EXPRESSION = re.compile(r"!\{([a-zA-Z]+):([^}]*)\}")
# Java's DateTimeFormatter letters, the ones that a prefix has a use for.
LETTERS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "DDD": "%j"}
TOKEN = re.compile(r"'([^']*)'|yyyy|yy|MM|dd|HH|mm|ss|DDD")
RANDOM = string.ascii_letters + string.digits


def problem(prefix: str, error_prefix: str | None) -> str | None:
    """What AWS would refuse about these two prefixes; None where nothing is wrong."""
    for text, is_error in ((prefix, False), (error_prefix or "", True)):
        for namespace, what in EXPRESSION.findall(text):
            if namespace not in ("timestamp", "firehose"):
                return f"Prefix expressions of namespace {namespace} are not supported: {text}"
            if namespace == "firehose" and what not in ("random-string", "error-output-type"):
                return f"{what} is not an expression of namespace firehose: {text}"
            if namespace == "timestamp" and (left := unknown_letters(what)):
                return f"The timestamp pattern {what} has letters that are not supported: {left}"
        if "!{firehose:error-output-type}" in text and not is_error:
            return "Prefix cannot contain !{firehose:error-output-type}"
    if EXPRESSION.search(prefix):
        if not error_prefix:
            return "ErrorOutputPrefix can't be null when Prefix contains expressions"
        if "!{firehose:error-output-type}" not in error_prefix:
            return "ErrorOutputPrefix must contain !{firehose:error-output-type} when Prefix contains expressions"
    return None


def unknown_letters(pattern: str) -> str:
    """Letters of Java's patterns that have no value here."""
    return "".join(re.findall(r"[A-Za-z]+", TOKEN.sub("", pattern)))


def folder(prefix: str, when: datetime, error_type: str = "") -> str:
    """`prefix` with its expressions filled in; the date is appended where there is no timestamp expression."""
    if "!{timestamp:" not in prefix:
        prefix += "!{timestamp:yyyy/MM/dd/HH/}"

    def value(match: re.Match[str]) -> str:
        namespace, what = match.groups()
        if namespace == "timestamp":
            return timestamp(what, when)
        if what == "random-string":
            return "".join(secrets.choice(RANDOM) for _ in range(11))
        return error_type

    return EXPRESSION.sub(value, prefix)


def timestamp(pattern: str, when: datetime) -> str:
    """`pattern` in Java's letters; what stands 'between quotes' stays as it is."""

    def value(match: re.Match[str]) -> str:
        return match[1] if match[1] is not None else when.strftime(LETTERS[match.group()])

    return TOKEN.sub(value, pattern)


def object_key(prefix: str, stream: str, version: str, when: datetime, suffix: str = "", error_type: str = "") -> str:
    """`<folder><stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid><suffix>`; `when` is the oldest arrival, in UTC."""
    name = f"{stream}-{version}-{when:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{suffix}"
    return folder(prefix, when, error_type) + name
