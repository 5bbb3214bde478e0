"""The exercises of lab 1: which columns may be features, how Firehose batches, and which lines are samples."""

from helpers.checks.exercise import exercise, holds, number, wrong
from helpers.checks.exercise import summary as show_summary
from helpers.fulfillment import COLUMNS, CONTEXT_COLUMNS, FEATURES

BUFFER_INTERVAL_S = 1
SECONDS_PER_HOUR = 3600
A_SAMPLE = "9840,9650,212,140,61,1,388,1240,290,220,400,63,35"
STRAY_LINES = (
    "hello, is this the right topic?",
    '{"duration": 9840}',
    A_SAMPLE.replace("9840", "fast", 1),
    A_SAMPLE.replace("9840", "", 1),
    A_SAMPLE.rsplit(",", 3)[0],
    "",
)


@exercise(
    "lab1.features",
    "Choose the features",
    hints=[
        "For each column ask: WHEN is it known? The prediction is needed before the person begins.",
        "What a catalogue, a map of the pod or yesterday's average says is known before. "
        "What somebody measures during or after the interaction is not.",
    ],
    solution="""
    only_later = {"duration", "units_found", "damage_report", "screen_looks"}
    chosen = [name for name in candidates if name not in only_later]
    """,
)
def features(chosen: object) -> str:
    names = (
        list(chosen) if isinstance(chosen, (list, tuple, set)) else wrong("chosen", chosen, "a list is needed here.")
    )
    for name in names:
        if not isinstance(name, str):
            wrong("chosen", names, "a list of names is needed, each in quotes.")
        if name == "duration":
            wrong("chosen", names, "`duration` is what the model has to predict; it is known only at the end.")
        if name not in FEATURES:
            wrong("chosen", names, f"{name!r} is not known before the interaction begins.")
    if missing := len(set(FEATURES) - set(names)):
        wrong("chosen", names, f"{missing} more columns are known before the interaction, and they help.")
    return "These twelve columns are all that edge compute knows before the interaction begins."


@exercise(
    "lab1.batching",
    "Predict how Firehose batches",
    hints=[
        "A sample has about 150 bytes, and 200 of them come every second. How long does 1 MiB take to fill?",
        "Time wins: the stream writes an object every second. How many seconds has an hour?",
    ],
    solution="objects_per_hour = 3600 / 1",
)
def batching(objects_per_hour: object) -> str:
    given = number("objects_per_hour", objects_per_hour, "a number is needed here.")
    expected = SECONDS_PER_HOUR / BUFFER_INTERVAL_S
    if abs(given - 200 * SECONDS_PER_HOUR) < 1:
        wrong("objects_per_hour", objects_per_hour, "that would be one object for each sample.")
    if abs(given - expected) > 1:
        wrong("objects_per_hour", objects_per_hour, "find which limit is reached first, size or time, and count.")
    return "3,600 objects an hour instead of 720,000: that is what the buffer is for."


@exercise(
    "lab1.stray",
    "Tell samples from stray messages",
    hints=[
        "Split the line at its commas: a sample has at least 13 cells. What should hold for the first one?",
        "`duration` comes first and is never missing, so its text consists of digits: `cells[0].isdigit()`.",
    ],
    solution="""
    def is_sample(line):
        cells = line.split(",")
        return len(cells) >= 13 and cells[0].isdigit()
    """,
)
def stray(is_sample: object) -> str:
    with_context = A_SAMPLE + "," * len(CONTEXT_COLUMNS)
    with_gap = A_SAMPLE.replace(",388,", ",,")
    for line in (A_SAMPLE, with_context, with_gap):
        if not holds("is_sample", is_sample, line):
            wrong("is_sample", is_sample, f"it turns the sample {line!r} away.")
    for line in STRAY_LINES:
        if holds("is_sample", is_sample, line):
            wrong("is_sample", is_sample, f"it lets {line!r} pass, which is no sample of {len(COLUMNS)} columns.")
    return "Nothing but samples gets through, and a sample with a gap still does."


EXERCISES = (features, batching, stray)


def summary() -> None:
    """Shows which exercises of this lab are done."""
    show_summary("Lab 1", EXERCISES)
