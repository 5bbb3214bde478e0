"""Which lines of the bucket count as samples."""

import pytest

from helpers.resources.sample_collection import well_formed

SAMPLE = "9840,9650,212,140,61,1,388,1240,290,220,400,63,35,7,2026-01-05T00:00:00.250Z,FC-ASPEN,us-east-1,3,4,5,6,8"


def test_a_sample_passes_with_and_without_gaps():
    assert well_formed(SAMPLE)
    assert well_formed(SAMPLE.replace(",388,", ",,"))
    assert well_formed(SAMPLE.replace(",388,", ",388.5,"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello, is this the right topic?",
        SAMPLE.removeprefix("9840"),
        SAMPLE.replace(",388,", ",heavy,"),
        SAMPLE.rsplit(",", 1)[0],
        SAMPLE + ",1",
        SAMPLE.replace("9840", "-1", 1),
    ],
)
def test_everything_else_does_not(line):
    assert not well_formed(line)
