"""Filter patterns of CloudWatch Logs: words, JSON selectors and columns.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from helpers.offline.kernel import AwsError

Test = Callable[[str], bool]

WORD = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"]+))')
TOKEN = re.compile(
    r"""\s*(?:(?P<join>&&|\|\||\(|\))|(?P<compare>!=|<=|>=|=|<|>)|(?P<path>\$[^\s=!<>()&|]*)"""
    r"""|(?P<word>IS|NOT|EXISTS|NULL|TRUE|FALSE)\b|"(?P<text>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<bare>[^\s()&|]+))"""
)
STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+|\*|\"[^\"]+\")\]")
ABSENT = object()


@lru_cache(512)
def compiled(pattern: str) -> Test:
    """What tells whether a line matches. Raises AwsError InvalidParameterException for what is no pattern."""
    pattern = pattern.strip()
    if not pattern:
        return lambda line: True
    if pattern.startswith("{"):
        if not pattern.endswith("}"):
            raise invalid(pattern)
        return _json(pattern)
    if pattern.startswith("["):
        if not pattern.endswith("]"):
            raise invalid(pattern)
        return _columns(pattern)
    return _words(pattern)


def invalid(pattern: str) -> AwsError:
    return AwsError("InvalidParameterException", f"Invalid filter pattern: {pattern}")


# --- Words ------------------------------------------------------------------------------------------------------------


def _words(pattern: str) -> Test:
    """All plain words, none of those with a minus, and one of those with a question mark, if there are any."""
    needed: list[Test] = []
    unwanted: list[Test] = []
    optional: list[Test] = []
    position = 0
    while position < len(pattern):
        match = WORD.match(pattern, position)
        if match is None:
            raise invalid(pattern)
        sign, quoted, regex, bare = match.groups()
        if bare is not None and not re.fullmatch(r"[\w./:@$=,-]+", bare):
            raise invalid(pattern)  # other characters stand in quotes
        test = _regex(regex, pattern) if regex is not None else _contains(_unescaped(quoted) if bare is None else bare)
        {"": needed, "-": unwanted, "?": optional}[sign].append(test)
        position = match.end()
        while position < len(pattern) and pattern[position].isspace():
            position += 1

    def matches(line: str) -> bool:
        return (
            all(test(line) for test in needed)
            and not any(test(line) for test in unwanted)
            and (not optional or bool(needed) or any(test(line) for test in optional))
        )

    return matches


def _contains(word: str) -> Test:
    return lambda line: word in line


def _regex(text: str, pattern: str) -> Test:
    try:
        found = re.compile(text)
    except re.error:
        raise invalid(pattern) from None
    return lambda line: found.search(line) is not None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


# --- JSON -------------------------------------------------------------------------------------------------------------

Condition = Callable[[Any], bool]  # of a document


def _json(pattern: str) -> Test:
    tokens = _tokens(pattern[1:-1], pattern)
    condition, left = _either(tokens, 0, pattern)
    if left != len(tokens):
        raise invalid(pattern)

    def matches(line: str) -> bool:
        try:
            document = json.loads(line)
        except ValueError:
            return False
        return condition(document)

    return matches


def _tokens(text: str, pattern: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise invalid(pattern)
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind]))
        position = match.end()
    if not tokens:
        raise invalid(pattern)
    return tokens


def _either(tokens: list[tuple[str, str]], at: int, pattern: str) -> tuple[Condition, int]:
    first, at = _both(tokens, at, pattern)
    parts = [first]
    while at < len(tokens) and tokens[at] == ("join", "||"):
        part, at = _both(tokens, at + 1, pattern)
        parts.append(part)
    return (lambda document: any(part(document) for part in parts)), at


def _both(tokens: list[tuple[str, str]], at: int, pattern: str) -> tuple[Condition, int]:
    first, at = _single(tokens, at, pattern)
    parts = [first]
    while at < len(tokens) and tokens[at] == ("join", "&&"):
        part, at = _single(tokens, at + 1, pattern)
        parts.append(part)
    return (lambda document: all(part(document) for part in parts)), at


def _single(tokens: list[tuple[str, str]], at: int, pattern: str) -> tuple[Condition, int]:
    following = [*tokens[at : at + 3], *[("end", "")] * 3][:3]
    match following:
        case [("join", "("), *_]:
            condition, at = _either(tokens, at + 1, pattern)
            if at >= len(tokens) or tokens[at] != ("join", ")"):
                raise invalid(pattern)
            return condition, at + 1
        case [("path", path), ("word", "NOT"), ("word", "EXISTS")]:
            return (lambda document: not list(_values(document, path))), at + 3
        case [("path", path), ("word", "IS"), ("word", "NULL" | "TRUE" | "FALSE" as word)]:
            wanted = {"NULL": None, "TRUE": True, "FALSE": False}[word]
            return (lambda document: any(value is wanted for value in _values(document, path))), at + 3
        case [("path", path), ("compare", operator), ("text" | "bare" | "regex" | "word" as kind, value)]:
            test = _comparison(operator, kind, value, pattern)
            return (lambda document: any(test(held) for held in _values(document, path))), at + 3
    raise invalid(pattern)


def _values(document: Any, path: str) -> Iterator[Any]:
    """What stands at `$.a.b[0]` or `$.a[*]`."""
    held, position = [document], 1
    while position < len(path):
        match = STEP.match(path, position)
        if match is None:
            return
        name, index = match.groups()
        held = [one for value in held for one in _step(value, name, index)]
        position = match.end()
    yield from held


def _step(value: Any, name: str | None, index: str | None) -> list[Any]:
    key = name if name is not None else (index or "")
    if key.startswith('"'):
        key = key.strip('"')
    elif name is None:
        if not isinstance(value, list):
            return []
        return value if key == "*" else value[int(key) : int(key) + 1]
    return [value[key]] if isinstance(value, dict) and key in value else []


def _comparison(operator: str, kind: str, wanted: str, pattern: str) -> Callable[[Any], bool]:
    if kind == "regex":
        if operator not in ("=", "!="):
            raise invalid(pattern)
        test = _regex(wanted, pattern)
        return lambda held: isinstance(held, str) and test(held) == (operator == "=")
    number = _number(wanted) if kind == "bare" else None
    if operator in ("=", "!="):
        if number is not None:
            return lambda held: _is_number(held) and (held == number) == (operator == "=")
        parts = [re.escape(part) for part in _unescaped(wanted).split("*")]
        text = re.compile(".*".join(parts), re.DOTALL)
        return lambda held: isinstance(held, str) and (text.fullmatch(held) is not None) == (operator == "=")
    if number is None:
        raise invalid(pattern)
    compare = {
        "<": lambda held: held < number,
        "<=": lambda held: held <= number,
        ">": lambda held: held > number,
        ">=": lambda held: held >= number,
    }[operator]
    return lambda held: _is_number(held) and compare(held)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- Columns ----------------------------------------------------------------------------------------------------------

COLUMN = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\S+')
FIELD = re.compile(r'\s*(\.\.\.|[\w*-]*)\s*(?:(!=|<=|>=|=|<|>)\s*(?:"([^"]*)"|(\S+)))?\s*')


def _columns(pattern: str) -> Test:
    """`[ip, user, status = 4*, ...]`: as many columns as names, or with `...` at least as many."""
    if "&&" in pattern or "||" in pattern:
        raise AwsError("NotImplemented", f"Offline, columns of filter patterns have one condition each: {pattern}", 501)
    fields = []
    for text in pattern[1:-1].split(","):
        match = FIELD.fullmatch(text)
        if match is None:
            raise invalid(pattern)
        name, operator, quoted, bare = match.groups()
        test = None
        if operator:
            test = _of_column(
                _comparison(operator, "bare" if quoted is None else "text", quoted or bare or "", pattern)
            )
        fields.append((name == "...", test))
    gaps = sum(is_gap for is_gap, _ in fields)
    if gaps > 1:
        raise invalid(pattern)

    def matches(line: str) -> bool:
        columns = [column.strip('"[]') for column in COLUMN.findall(line)]
        tests = [test for is_gap, test in fields if not is_gap]
        if len(columns) < len(tests) or (not gaps and len(columns) != len(tests)):
            return False
        if gaps:
            before = next(number for number, (is_gap, _) in enumerate(fields) if is_gap)
            after = len(tests) - before
            columns = columns[:before] + columns[len(columns) - after :]
        return all(test is None or test(column) for test, column in zip(tests, columns, strict=True))

    return matches


def _of_column(test: Callable[[Any], bool]) -> Test:
    """Columns are text: a condition with a number asks for the number that it stands for."""

    def holds(column: str) -> bool:
        number = _number(column)
        return test(column) or (number is not None and test(number))

    return holds
