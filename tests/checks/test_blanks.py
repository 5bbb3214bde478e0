"""A learner's edition shows cells with blanks: they run without an error, and the check says "not attempted"."""

import builtins
import importlib
import re
from pathlib import Path

import nbformat
import pytest

from helpers.checks import Outcome, ____

LABS = Path(__file__).resolve().parents[2] / "labs"


class Names(dict):
    """A namespace in which whatever earlier cells would have made is a blank."""

    def __missing__(self, name):
        if hasattr(builtins, name):
            raise KeyError(name)
        return ____


def answers(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if "solution" in cell.metadata.get("tags", []):
            yield cell


CELLS = [
    pytest.param(cell, id=f"{path.stem}-{number}")
    for path in sorted(LABS.glob("*.ipynb"))
    for number, cell in enumerate(answers(path), start=1)
]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_with_its_blanks_runs_and_counts_as_not_attempted(cell, capsys):
    names = Names()
    exec(cell.metadata["blank"], names, names)
    lab, name = re.search(r"^(lab\d)\.(\w+)\.check\(\)", cell.source, re.MULTILINE).groups()
    exercise = getattr(importlib.import_module(f"helpers.checks.{lab}"), name)
    known = {variable: names.get(variable, ____) for variable in exercise.variables}
    assert exercise.judge(known).outcome is Outcome.NOT_ATTEMPTED


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_exercise_has_its_cell(number):
    (path,) = LABS.glob(f"0{number}_*.ipynb")
    asked = re.findall(rf"lab{number}\.(\w+)\.check\(\)", "\n".join(cell.source for cell in answers(path)))
    exercises = importlib.import_module(f"helpers.checks.lab{number}").EXERCISES
    assert asked == [exercise.name.split(".")[1] for exercise in exercises]


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_blank_cell_shows_has_a_blank_and_lacks_the_answer(cell):
    assert "____" in cell.metadata["blank"].replace("import ____", "")
    assert cell.metadata["blank"] != cell.source
