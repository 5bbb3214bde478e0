"""Checks, hints and solutions for the exercises of the labs.

In a notebook: `from helpers.checks import ____, lab2`, then `lab2.noise_floor.check()`, `.hint()`, `.solution()`,
and at the checkpoint `lab2.summary()`. A cell with an answer carries the tag `solution`; its metadata `blank` holds
the source with blanks (`____`) that a learner's edition shows instead.
"""

from helpers.checks.exercise import (
    Blank,
    Exercise,
    IncorrectError,
    Outcome,
    Verdict,
    ____,
    call,
    exercise,
    holds,
    number,
    shown,
    wrong,
)

__all__ = [
    "Blank",
    "Exercise",
    "IncorrectError",
    "Outcome",
    "Verdict",
    "____",
    "call",
    "exercise",
    "holds",
    "number",
    "shown",
    "wrong",
]
