"""Prefixes with their expressions, as AWS's documentation shows them."""

from datetime import UTC, datetime

import pytest

from helpers.offline.services.firehose.prefix import folder, problem

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", "2026/03/04/05/"),
        ("samples/", "samples/2026/03/04/05/"),
        ("year=!{timestamp:yyyy}/day=!{timestamp:MM-dd}/", "year=2026/day=03-04/"),
        ("!{timestamp:'year='yyyy'/month='MM}/", "year=2026/month=03/"),
        ("!{timestamp:yyyy/DDD/HH}/", "2026/063/05/"),
    ],
)
def test_the_folder(prefix, expected):
    assert folder(prefix, WHEN) == expected


def test_a_random_string_has_eleven_characters_and_differs():
    made = {folder("!{firehose:random-string}/!{timestamp:yyyy}", WHEN) for _ in range(10)}
    assert len(made) == 10 and all(len(one) == 11 + len("/2026") for one in made)


@pytest.mark.parametrize(
    ("prefix", "error_prefix", "words"),
    [
        ("a/", None, None),
        ("!{timestamp:yyyy}/", "errors/!{firehose:error-output-type}/", None),
        ("!{timestamp:yyyy}/", None, "can't be null"),
        ("!{timestamp:yyyy}/", "errors/", "must contain"),
        ("!{firehose:error-output-type}/", "e/", "cannot contain"),
        ("!{partitionKeyFromQuery:fc}/", None, "not supported"),
    ],
)
def test_what_is_wrong_with_a_prefix(prefix, error_prefix, words):
    found = problem(prefix, error_prefix)
    assert found is None if words is None else words in found
