"""Every matcher of EventBridge's rules and SNS's filter policies, one by one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.offline.patterns import matches, problem

EVENT = {
    "source": "aws.cloudwatch",
    "resources": ["arn:aws:pod:::7", "arn:aws:pod:::8"],
    "detail": {
        "state": "ALARM",
        "weight": 12.5,
        "count": 3,
        "fragile": False,
        "note": None,
        "empty": "",
        "file": "data/lib/pod.png",
        "ip": "10.0.0.7",
        "tags": ["heavy", "Glass"],
        "items": [{"fc": "NORTH", "kg": 1}, {"fc": "SOUTH", "kg": 9}],
    },
}
YES = [
    {"source": ["aws.cloudwatch"]},
    {"source": ["other", "aws.cloudwatch"]},
    {"resources": ["arn:aws:pod:::8"]},
    {"detail": {"state": [{"anything-but": "OK"}]}},
    {"detail": {"state": [{"anything-but": ["OK", "INSUFFICIENT_DATA"]}]}},
    {"detail": {"state": [{"anything-but": {"prefix": "OK"}}]}},
    {"detail": {"file": [{"anything-but": {"suffix": ".jpg"}}]}},
    {"detail": {"state": [{"anything-but": {"equals-ignore-case": "ok"}}]}},
    {"detail": {"file": [{"anything-but": {"wildcard": "*/src/*"}}]}},
    {"detail": {"count": [{"anything-but": [1, 2]}]}},
    {"detail": {"tags": [{"anything-but": ["heavy"]}]}},  # one element is another
    {"detail": {"file": [{"prefix": "data/"}]}},
    {"detail": {"file": [{"prefix": {"equals-ignore-case": "DATA/"}}]}},
    {"detail": {"file": [{"suffix": ".png"}]}},
    {"detail": {"file": [{"suffix": {"equals-ignore-case": ".PNG"}}]}},
    {"detail": {"file": [{"wildcard": "data/*/pod.*"}]}},
    {"detail": {"file": [{"wildcard": "*"}]}},
    {"detail": {"state": [{"equals-ignore-case": "alarm"}]}},
    {"detail": {"weight": [{"numeric": ["=", 12.5]}]}},
    {"detail": {"weight": [{"numeric": [">", 12, "<=", 12.5]}]}},
    {"detail": {"count": [3.0]}},
    {"detail": {"count": [3.000001]}},  # five digits
    {"detail": {"fragile": [False]}},
    {"detail": {"note": [None]}},
    {"detail": {"empty": [""]}},
    {"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}},
    {"detail": {"missing": [{"exists": False}]}},
    {"detail": {"note": [{"exists": True}]}},
    {"gone": {"deep": [{"exists": False}]}},
    {"detail": {"items": {"fc": ["SOUTH"], "kg": [{"numeric": [">", 5]}]}}},
    {"$or": [{"source": ["x"]}, {"detail": {"count": [3]}}]},
    {"detail": {"$or": [{"count": [3]}, {"state": ["OK"]}], "fragile": [False]}},
]
NO = [
    {"source": ["AWS.CLOUDWATCH"]},
    {"source": ["aws.cloudwatch"], "detail": {"state": ["OK"]}},
    {"detail": {"state": [{"anything-but": ["ALARM", "OK"]}]}},
    {"detail": {"state": [{"anything-but": {"prefix": "AL"}}]}},
    {"detail": {"missing": [{"anything-but": "OK"}]}},
    {"detail": {"missing": ["OK"]}},
    {"detail": {"file": [{"prefix": "lib"}]}},
    {"detail": {"file": [{"wildcard": "data/*.jpg"}]}},
    {"detail": {"weight": [{"numeric": ["<", 12.5]}]}},
    {"detail": {"state": [{"numeric": [">", 1]}]}},
    {"detail": {"count": ["3"]}},
    {"detail": {"fragile": [0]}},
    {"detail": {"count": [True]}},
    {"detail": {"note": [""]}},
    {"detail": {"ip": [{"cidr": "10.1.0.0/16"}]}},
    {"detail": {"count": [{"cidr": "10.0.0.0/24"}]}},
    {"detail": {"state": [{"exists": False}]}},
    {"detail": {"missing": [{"exists": True}]}},
    {"detail": {"items": [{"exists": True}], "count": [4]}},
    {"detail": {"items": {"fc": ["NORTH"], "kg": [{"numeric": [">", 5]}]}}},  # not in one element
    {"$or": [{"source": ["x"]}, {"detail": {"count": [4]}}]},
]


@pytest.mark.parametrize("pattern", YES, ids=json.dumps)
def test_matches(pattern):
    assert problem(pattern) is None
    assert matches(pattern, EVENT)


@pytest.mark.parametrize("pattern", NO, ids=json.dumps)
def test_does_not_match(pattern):
    assert problem(pattern) is None
    assert not matches(pattern, EVENT)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ([], "not an object"),
        ({}, "Empty objects"),
        ({"a": []}, "Empty arrays"),
        ({"a": "b"}, '"a" must be an object or an array'),
        ({"a": [["b"]]}, "Match value must be"),
        ({"a": [{"regex": "b"}]}, "Unrecognized match type regex"),
        ({"a": [{"prefix": "b", "suffix": "c"}]}, "Only one key"),
        ({"a": [{"prefix": 1}]}, "prefix match pattern must be a string"),
        ({"a": [{"exists": "yes"}]}, "exists match pattern must be either true or false"),
        ({"a": [{"numeric": []}]}, "Invalid member in numeric match"),
        ({"a": [{"numeric": ["~", 1]}]}, "Unrecognized numeric range operator: ~"),
        ({"a": [{"numeric": ["<", "1"]}]}, "Value of < must be numeric"),
        ({"a": [{"numeric": ["<", 1, ">", 0]}]}, "Too many elements"),
        ({"a": [{"numeric": [">", 1, ">", 2]}]}, "Bad numeric range operator: >"),
        ({"a": [{"numeric": [">", 2, "<", 1]}]}, "Bottom must be less than top"),
        ({"a": [{"anything-but": ["b", 1]}]}, "mixed type"),
        ({"a": [{"anything-but": {"numeric": [">", 1]}}]}, "Unsupported anything-but pattern: numeric"),
        ({"a": [{"cidr": "10.0.0.0/64"}]}, "Malformed CIDR"),
        ({"a": [{"wildcard": "a**b"}]}, "Consecutive wildcard"),
        ({"a": [2e9]}, "is not between"),
        ({"a": {"b": {"c": [{"regex": "x"}]}}}, "Unrecognized match type regex"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
def test_what_is_no_pattern_is_named(pattern, words):
    assert words in problem(pattern)


@given(st.text(alphabet="ab*\\.", max_size=8))
def test_a_text_matches_itself_as_a_wildcard_pattern_when_its_specials_are_escaped(text):
    escaped = text.replace("\\", "\\\\").replace("*", "\\*")
    assert matches({"a": [{"wildcard": escaped}]}, {"a": text})


@given(st.dictionaries(st.text(max_size=4), st.one_of(st.text(max_size=4), st.integers(-9, 9), st.booleans())))
def test_a_document_matches_the_pattern_of_its_own_values(document):
    document.pop("$or", None)
    assert matches({key: [value] for key, value in document.items()}, document)
