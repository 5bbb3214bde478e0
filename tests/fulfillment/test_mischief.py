"""Bad behaviours on demand: each does what it says, to the share asked for, to the same samples in every run."""

from collections import Counter

import pandas as pd
import pandera.errors
import pytest

from helpers.fulfillment import COLUMNS, CONTEXT_COLUMNS, SAMPLE_SCHEMA, EdgeCompute, Mischief, parse_samples
from helpers.fulfillment.mischief import STRAY_MESSAGE

ID, TIME = 13, 14  # positions in a message
SECONDS, RATE = 10, 200


def played(topic, **mischief):
    """Counts and messages of 2,000 interactions."""
    sink = type(topic)()
    edge = EdgeCompute(rate=RATE, sns=sink, topic_arn="topic", realtime=False, mischief=Mischief(**mischief))
    return edge.run(SECONDS), sink.messages


@pytest.fixture(scope="module")
def good():
    """What is published when nothing goes wrong, by event id."""
    from .conftest import Topic

    _, messages = played(Topic())
    return {message.split(",")[ID]: message for message in messages}


def test_duplicates_are_the_same_message_twice(topic, good):
    counts, messages = played(topic, duplicates=0.05)
    times = Counter(messages)
    assert set(times) == set(good.values())
    assert Counter(times.values()) == {2: counts["duplicates"], 1: len(good) - counts["duplicates"]}
    assert 60 < counts["duplicates"] < 145
    assert counts["sent"] == len(messages)
    assert Counter(played(topic, duplicates=0.05)[1]) == times  # the same ones in every run
    with pytest.raises(pandera.errors.SchemaError, match="event_id"):
        SAMPLE_SCHEMA.validate(parse_samples("\n".join(messages)))


def test_malformed_samples_are_each_caught_by_the_schema(topic, good):
    counts, messages = played(topic, malformed=0.03)
    bad = sorted(set(messages) - set(good.values()))
    assert len(messages) == len(good)
    assert len(bad) == counts["malformed"]
    assert 30 < len(bad) < 95
    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        SAMPLE_SCHEMA.validate(parse_samples("\n".join(bad)), lazy=True)
    assert set(caught.value.failure_cases["index"].dropna()) == set(range(len(bad)))
    text = sum(message.startswith("n/a,") for message in bad)
    cells = [message.count(",") + 1 for message in bad]
    short = cells.count(len(COLUMNS) + len(CONTEXT_COLUMNS) - 1)
    cut = sum(count <= len(COLUMNS) + 1 for count in cells)
    assert text + short + cut == len(bad)
    assert min(text, short, cut) > 5  # three kinds


def test_a_stray_message_comes_once_after_so_many_samples(topic, good):
    counts, messages = played(topic, stray_after=100)
    assert messages.count(STRAY_MESSAGE) == counts["stray"] == 1
    assert sorted(set(messages) - {STRAY_MESSAGE}) == sorted(good.values())
    before = messages[messages.index(STRAY_MESSAGE) - 1].split(",")[ID]
    begun = sorted(good.values(), key=lambda message: message.split(",")[TIME])
    assert begun[99].split(",")[ID] == before  # right after the sample of the hundredth interaction
    with pytest.raises(pandera.errors.SchemaErrors):
        SAMPLE_SCHEMA.validate(parse_samples(STRAY_MESSAGE), lazy=True)


def test_late_events_are_whole_and_come_after_those_that_ended_since(topic, good):
    late_by_s, speed = 120.0, 60.0  # warehouse seconds; 2 s of the edge's clock
    counts, messages = played(topic, late=0.1, late_by_s=late_by_s)
    assert sorted(messages) == sorted(good.values())
    assert 140 < counts["delayed"] < 260
    mischief = Mischief(late=0.1)
    order = list(good)
    place = {message.split(",")[ID]: i for i, message in enumerate(messages)}
    late = [number for number in order if mischief.delayed(int(number))]
    assert len(late) == counts["delayed"]
    behind = [place[number] - i for i, number in enumerate(order) if number in set(late) and i < 1_000]
    expected = RATE * late_by_s / speed * (1 - 0.1)  # so many others are published meanwhile, but for the late ones
    assert min(behind) > 0.7 * expected
    assert sum(behind) / len(behind) == pytest.approx(expected, rel=0.15)


def test_a_wrong_clock_moves_every_time_and_nothing_else(topic, good):
    _, messages = played(topic, clock_skew_s=-3600.5)
    assert len(messages) == len(good)
    for message in messages:
        cells, right = message.split(","), good[message.split(",")[ID]].split(",")
        assert (pd.Timestamp(right[TIME]) - pd.Timestamp(cells[TIME])).total_seconds() == pytest.approx(3600.5)
        assert cells[:TIME] + cells[TIME + 1 :] == right[:TIME] + right[TIME + 1 :]


def test_all_at_once_are_counted_apart(topic):
    counts, messages = played(topic, duplicates=0.05, malformed=0.03, late=0.1, clock_skew_s=60, stray_after=100)
    assert counts["started"] == counts["ended"] == SECONDS * RATE
    assert counts["sent"] == len(messages) == counts["started"] + counts["duplicates"] + counts["stray"]
    assert min(counts[name] for name in ("duplicates", "malformed", "delayed", "stray")) > 0


@pytest.mark.parametrize("settings", [{"duplicates": 1.5}, {"malformed": -0.1}, {"late": 2}, {"late_by_s": -1}])
def test_shares_that_cannot_be_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Mischief(**settings)
