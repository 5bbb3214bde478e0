"""Filter patterns find the lines that AWS's documentation says, and no others."""

import json

import pytest

from helpers.offline.kernel import AwsError
from helpers.offline.services.logs.filter_pattern import compiled

WORDS = ["[ERROR 400] BAD REQUEST", "[ERROR 401] UNAUTHORIZED REQUEST", "[WARN] slow", "[INFO] done"]
COLUMNS = [
    '127.0.0.1 - frank [10/Oct/2026:13:25:15 -0700] "GET /index.html HTTP/1.0" 200 1534',
    '127.0.0.1 - frank [10/Oct/2026:13:35:22 -0700] "GET /index.html HTTP/1.0" 404 5324',
    '10.1.0.1 - wendy [10/Oct/2026:13:36:00 -0700] "GET /about.html HTTP/1.0" 500 12',
    "short line",
]
DOCUMENTS = [
    {"n": 0, "type": "UpdateTrail", "ip": "123.123.1.1", "list": ["a", "b"], "ok": True, "none": None},
    {"n": 1, "type": "CreateUser", "ip": "123.124.1.1", "list": ["c"], "ok": False, "deep": {"ms": 12.5}},
    {"n": 2, "type": "Up*date", "objects": [{"id": 1}, {"id": 2}], "deep": {"ms": 99}},
]
JSON_LINES = [json.dumps(document) for document in DOCUMENTS] + ["no JSON", "[1]"]


def found(pattern, lines):
    test = compiled(pattern)
    return [number for number, line in enumerate(lines) if test(line)]


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("", [0, 1, 2, 3]),
        ("ERROR", [0, 1]),
        ("error", []),
        ("ERROR REQUEST", [0, 1]),
        ("REQUEST BAD", [0]),
        ('"BAD REQUEST"', [0]),
        ('"REQUEST BAD"', []),
        ("ERROR -BAD", [1]),
        ("-ERROR", [2, 3]),
        ('-"BAD REQUEST"', [1, 2, 3]),
        ("?ERROR ?WARN", [0, 1, 2]),
        ('?BAD ?"[INFO]"', [0, 3]),
        ("%40[01]%", [0, 1]),
        ("%^.WARN%", [2]),
    ],
)
def test_words(pattern, lines):
    assert found(pattern, WORDS) == lines


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ('{ $.type = "UpdateTrail" }', [0]),
        ('{ $.type = "Up*" }', [0, 2]),
        ("{ $.type = UpdateTrail }", [0]),
        ('{ $.type != "UpdateTrail" }', [1, 2]),
        ('{ $.ip != "123.123.*" }', [1]),
        ('{ $.list[0] = "a" }', [0]),
        ('{ $.list[*] = "b" }', [0]),
        ("{ $.objects[1].id = 2 }", [2]),
        ("{ $.objects[*].id = 1 }", [2]),
        ("{ $.deep.ms > 12.5 }", [2]),
        ("{ $.deep.ms >= 12.5 }", [1, 2]),
        ("{ $.n < 1 }", [0]),
        ("{ $.ok IS TRUE }", [0]),
        ("{ $.ok IS FALSE }", [1]),
        ("{ $.none IS NULL }", [0]),
        ("{ $.ok NOT EXISTS }", [2]),
        ("{ $.n = 1 || $.n = 2 }", [1, 2]),
        ('{ ($.n = 1 || $.n = 2) && $.type = "CreateUser" }', [1]),
        ('{ $.n = 0 || $.n = 1 && $.type = "UpdateTrail" }', [0]),
        ("{ $.ip = %^123.12[34]% }", [0, 1]),
    ],
)
def test_json(pattern, lines):
    assert [number for number in found(pattern, JSON_LINES) if number < 3] == lines
    assert not compiled(pattern)("no JSON")


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("[ip, user, name, time, request, status, bytes]", [0, 1, 2]),
        ("[ip, user, name, time, request, status=4*, bytes]", [1]),
        ("[ip, user, name, time, request, status=500, bytes]", [2]),
        ("[ip, user, name, time, request, status, bytes > 1000]", [0, 1]),
        ("[..., status >= 404, bytes]", [1, 2]),
        ("[ip = 127.*, ...]", [0, 1]),
        ('[ip, user, name="wendy", ...]', [2]),
        ("[one, two]", [3]),
    ],
)
def test_columns(pattern, lines):
    assert found(pattern, COLUMNS) == lines


@pytest.mark.parametrize(
    "pattern", ["{", "{ }", "{ $.a }", "{ $.a = }", "{ ($.a = 1 }", '{ $.a > "x" }', "[a, b", "%(%", '"open', "a & b"]
)
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(AwsError, match="Invalid filter pattern"):
        compiled(pattern)
