"""An exercise has four outcomes, says what is wrong without the answer, and never raises at the learner."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.checks import Exercise, Outcome, ____, call, exercise, wrong
from helpers.checks.exercise import BlankError, summary


def doubles() -> Exercise:
    @exercise("lab9.doubles", "Write a doubling function", ["Think of twice.", "x + x"], "twice = lambda x: 2 * x")
    def doubles(twice, start):
        if start < 0:
            wrong("start", start, "it cannot be negative.")
        answer = call("twice", twice, 21)
        if answer != 42:
            wrong("twice(21)", answer, "that is not the double.")
        return "Twice as good."

    return doubles


def test_a_right_answer_is_correct_and_gets_the_closing_sentence():
    verdict = doubles().judge({"twice": lambda x: 2 * x, "start": 1})
    assert verdict.outcome is Outcome.CORRECT
    assert str(verdict) == "✔ Correct. Twice as good."


def test_a_wrong_answer_names_the_variable_and_the_value_but_not_the_answer():
    verdict = doubles().judge({"twice": lambda x: 3 * x, "start": 1})
    assert verdict.outcome is Outcome.INCORRECT
    assert "`twice(21)` is 63" in verdict.message
    assert "42" not in verdict.message
    assert "`lab9.doubles.hint()`" in verdict.message


def test_an_answer_that_raises_is_incorrect_and_its_error_is_told():
    verdict = doubles().judge({"twice": lambda x: x / 0, "start": 1})
    assert verdict.outcome is Outcome.INCORRECT
    assert "`twice(21)` ended with ZeroDivisionError: division by zero" in verdict.message


@pytest.mark.parametrize(
    "blank", [____, ..., [1, ____], {"k": ____}, (1, {"deep": [____]}), ____ + 1, -____, ____.x(3)["y"]]
)
def test_a_blank_is_not_attempted_wherever_it_hides(blank):
    verdict = doubles().judge({"twice": lambda x: 2 * x, "start": blank})
    assert verdict.outcome is Outcome.NOT_ATTEMPTED
    assert "`start` is still blank" in verdict.message


def test_a_cell_that_was_not_run_is_not_attempted():
    verdict = doubles().judge({})
    assert verdict.outcome is Outcome.NOT_ATTEMPTED
    assert "`twice` and `start` are not defined yet" in verdict.message


def test_a_check_that_breaks_is_uncheckable_not_an_exception():
    verdict = doubles().judge({"twice": lambda x: 2 * x, "start": object()})
    assert verdict.outcome is Outcome.UNCHECKABLE
    assert "`start` is <object object at" in verdict.message and "(an object)" in verdict.message
    assert "Error" not in verdict.message


def test_an_exercise_without_a_check_is_to_think_about():
    thought = Exercise("lab9.why", "Why?", [], "Because.", None)
    assert thought.judge({}).outcome is Outcome.UNCHECKABLE


@given(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.lists(st.integers()), st.binary(), st.booleans()))
def test_no_answer_makes_the_check_raise(answer):
    verdict = doubles().judge({"twice": answer, "start": answer})
    assert verdict.outcome in set(Outcome) - {Outcome.CORRECT}


def test_a_blank_where_a_number_is_needed_says_so():
    for use in (float, int, len, list, bool):
        with pytest.raises(BlankError, match=r"blank \(____\)"):
            use(____)
    assert BlankError()._render_traceback_() == [str(BlankError())]


def test_a_blank_survives_being_shown_copied_and_compared():
    assert repr(____) == "____" and copy.deepcopy(____) == ____ and len({____, ____}) == 1


def test_each_hint_says_how_to_get_the_next(capsys):
    one = doubles()
    one.hint()
    assert capsys.readouterr().out == "→ Hint 1 of 2.\nThink of twice.\n`lab9.doubles.hint(2)` shows the next hint.\n"
    one.hint(2)
    assert "That was the last one: `lab9.doubles.solution()` shows" in capsys.readouterr().out
    one.hint(99)
    assert "Hint 2 of 2" in capsys.readouterr().out
    one.solution()
    assert capsys.readouterr().out == "→ One answer that works:\ntwice = lambda x: 2 * x\n"


def test_check_reads_the_notebooks_variables(monkeypatch, capsys):
    import __main__

    monkeypatch.setattr(__main__, "twice", lambda x: 2 * x, raising=False)
    monkeypatch.setattr(__main__, "start", 1, raising=False)
    assert doubles().check() is None
    assert capsys.readouterr().out == "✔ Correct. Twice as good.\n"


def test_the_summary_tells_what_is_left_to_do(capsys):
    first, second = doubles(), doubles()
    first.judge({"twice": lambda x: 2 * x, "start": 1})
    summary("Lab 9", [first, second])
    out = capsys.readouterr().out
    assert out.startswith("○ Lab 9: 1 of 2 exercises done.") and "To do: `lab9.doubles.check()`" in out
    second.judge({"twice": lambda x: 2 * x, "start": 1})
    summary("Lab 9", [first, second])
    out = capsys.readouterr().out
    assert out.startswith("✔ Lab 9: 2 of 2 exercises done.") and "To do" not in out


def test_a_long_wrong_value_is_cut():
    verdict = doubles().judge({"twice": "x" * 500, "start": 1})
    assert len(verdict.message) < 250
