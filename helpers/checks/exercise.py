"""An exercise that a notebook can check: four outcomes, hints one at a time, a solution, and never an exception."""

from __future__ import annotations

import html
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from numbers import Real
from typing import Any, NoReturn, Self

from helpers.workshop import explain

LONGEST_VALUE_SHOWN = 60  # characters
DEEPEST_BLANK = 6  # lists in lists in which a blank is looked for


class BlankError(TypeError):
    """A blank (`____`) was used where a value is needed."""

    def __init__(self) -> None:
        super().__init__("There is still a blank (____) here: put your answer in its place and run the cell again.")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # IPython shows this sentence instead of a traceback


class Blank:
    """What stands where the learner's answer goes. It takes part in any expression and stays a blank."""

    def __repr__(self) -> str:
        return "____"

    def __hash__(self) -> int:
        return hash("____")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blank)

    def __call__(self, *values: object, **named: object) -> Self:
        return self

    def __getattr__(self, name: str) -> Self:
        if name.startswith("_"):  # so that copy, pickle and IPython's displays see a plain object
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> Self:
        return self

    def __iter__(self) -> NoReturn:
        raise BlankError

    def __float__(self) -> NoReturn:
        raise BlankError

    __int__ = __index__ = __len__ = __bool__ = __float__

    def _stays_blank(self, *others: object) -> Self:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _stays_blank
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __abs__ = _stays_blank
    __lt__ = __le__ = __gt__ = __ge__ = __and__ = __rand__ = __or__ = __ror__ = __invert__ = _stays_blank


____ = Blank()


class Outcome(StrEnum):
    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not attempted"
    UNCHECKABLE = "uncheckable"


LOOKS = {  # symbol, heading, colour (Okabe and Ito's palette); the symbol and the word carry the meaning without it
    Outcome.CORRECT: ("✔", "Correct", "#009E73"),
    Outcome.INCORRECT: ("✘", "Not yet", "#D55E00"),
    Outcome.NOT_ATTEMPTED: ("○", "Not attempted", "#56B4E9"),
    Outcome.UNCHECKABLE: ("?", "Could not be checked", "#999999"),
}


class IncorrectError(Exception):
    """Raised by an exercise's check: the sentence says what is wrong, never what would be right."""


def wrong(name: str, value: object, why: str) -> NoReturn:
    """Ends a check: the variable `name` holds `value`, and that cannot be right because of `why`."""
    raise IncorrectError(f"`{name}` is {shown(value)}: {why}")


def call(name: str, function: object, *values: object) -> Any:
    """The learner's function called with `values`; what it raises becomes an incorrect answer.

    Raises IncorrectError when `function` is not callable or raises, BlankError when it returns a blank.
    """
    if not callable(function):
        wrong(name, function, "a function is needed here.")
    try:
        answer = function(*values)
    except BlankError:
        raise
    except Exception as error:
        arguments = ", ".join(shown(value) for value in values)
        raise IncorrectError(f"`{name}({arguments})` ended with {type(error).__name__}: {error}") from error
    if isinstance(answer, Blank):
        raise BlankError
    return answer


def holds(name: str, function: object, *values: object) -> bool:
    """Whether the learner's function says true to `values`. Raises what `call` raises, and where it says neither."""
    answer = call(name, function, *values)
    try:
        return bool(answer)
    except BlankError:
        raise
    except Exception:
        arguments = ", ".join(shown(value) for value in values)
        wrong(f"{name}({arguments})", answer, "True or False is needed here.")


def number(name: str, value: object, needed: str = "one number is needed here.") -> float:
    """The value of a learner's variable as a float; whatever is no finite number is an incorrect answer."""
    if isinstance(value, bool) or not isinstance(value, Real):
        wrong(name, value, needed)
    try:
        plain = float(value)
    except (OverflowError, ValueError):
        wrong(name, value, needed)
    if not math.isfinite(plain):
        wrong(name, value, needed)
    return plain


def shown(value: object) -> str:
    """A value as a message shows it: one line, at most 60 characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a class of the learner's own, or a number with more digits than Python prints
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST_VALUE_SHOWN else text[: LONGEST_VALUE_SHOWN - 1] + "…"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said to the learner: an outcome and a sentence."""

    outcome: Outcome
    message: str

    def __str__(self) -> str:
        symbol, heading, _ = LOOKS[self.outcome]
        return f"{symbol} {heading}. {self.message}".rstrip()


class Exercise:
    """One exercise. Its check is a function whose parameters are the names of the notebook's variables that it needs.

    The check raises IncorrectError (through `wrong` or `call`) or returns a closing sentence; an exercise without a
    check is one to think or talk about.
    """

    def __init__(
        self, name: str, task: str, hints: Sequence[str], solution: str, check: Callable[..., str | None] | None
    ) -> None:
        self.name = name
        self.task = task
        self._hints = tuple(hints)
        self._solution = solution
        self._check = check
        self.outcome = Outcome.NOT_ATTEMPTED

    @property
    def variables(self) -> tuple[str, ...]:
        """The notebook's variables that the check reads."""
        return tuple(inspect.signature(self._check).parameters) if self._check else ()

    @property
    def code(self) -> str:
        """A working answer, as code or as a sentence."""
        return self._solution

    @property
    def hints(self) -> tuple[str, ...]:
        return self._hints

    def check(self) -> None:
        """Looks at the notebook's variables and says whether the answer holds."""
        verdict = self.judge(vars(sys.modules["__main__"]))
        show(LOOKS[verdict.outcome], verdict.message)

    def judge(self, variables: Mapping[str, object]) -> Verdict:
        """The verdict on `variables` (name -> value). Never raises on account of what they hold."""
        verdict = self._verdict(variables)
        self.outcome = verdict.outcome
        return verdict

    def hint(self, number: int = 1) -> None:
        """Shows hint `number`, counted from 1, and says how to get the next."""
        if not self._hints:
            show(("→", "Hint", "#0072B2"), f"There is no hint for this one. `{self.name}.solution()` shows an answer.")
            return
        number = min(max(number, 1), len(self._hints)) if isinstance(number, int) else 1
        more = f"`{self.name}.hint({number + 1})` shows the next hint."
        last = f"That was the last one: `{self.name}.solution()` shows a working answer."
        text = f"{self._hints[number - 1]}\n{more if number < len(self._hints) else last}"
        show(("→", f"Hint {number} of {len(self._hints)}", "#0072B2"), text)

    def solution(self) -> None:
        """Shows a working answer."""
        show(("→", "One answer that works", "#0072B2"), self._solution, code=self._check is not None)

    def _verdict(self, variables: Mapping[str, object]) -> Verdict:
        if self._check is None:
            text = f"This one is to think about; compare with `{self.name}.solution()` when you have an answer."
            return Verdict(Outcome.UNCHECKABLE, text)
        missing = [name for name in self.variables if name not in variables]
        if missing:
            text = f"{_listed(missing)} not defined yet: run the cells above, then this one again."
            return Verdict(Outcome.NOT_ATTEMPTED, text)
        answers = {name: variables[name] for name in self.variables}
        blank = [name for name, value in answers.items() if any(_blanks(value))]
        if blank:
            return Verdict(Outcome.NOT_ATTEMPTED, f"{_listed(blank)} still blank: replace ____ with your answer.")
        try:
            return Verdict(Outcome.CORRECT, self._check(**answers) or "")
        except IncorrectError as error:
            return Verdict(Outcome.INCORRECT, f"{error}\nStuck? `{self.name}.hint()` helps.")
        except BlankError as error:
            return Verdict(Outcome.NOT_ATTEMPTED, str(error))
        except Exception:
            seen = [f"`{name}` is {shown(value)} ({_kind(value)})" for name, value in answers.items() if name != "ws"]
            text = (
                f"This check can do nothing with what it found: {'; '.join(seen)}. Is each of them what the text above "
                "asks for? What an earlier cell makes is right again when you run that cell again."
            )
            return Verdict(Outcome.UNCHECKABLE, text)


def exercise(
    name: str, task: str, hints: Sequence[str], solution: str
) -> Callable[[Callable[..., str | None]], Exercise]:
    """Decorator: makes the check below it an Exercise called `name`, as the learner writes it (`lab2.split`)."""
    return lambda check: Exercise(name, task, hints, inspect.cleandoc(solution), check)


def summary(title: str, exercises: Sequence[Exercise]) -> None:
    """Shows the state of all exercises of a lab, and what to run for those that are not done."""
    done = sum(each.outcome is Outcome.CORRECT for each in exercises)
    checked = [each for each in exercises if each.variables]
    lines = [f"{LOOKS[each.outcome][0]} {each.task} ({each.outcome})" for each in checked]
    rest = [f"`{each.name}.check()`" for each in checked if each.outcome is not Outcome.CORRECT]
    if rest:
        lines.append(f"To do: {', '.join(rest)}")
    complete = done == len(checked)
    look = LOOKS[Outcome.CORRECT if complete else Outcome.NOT_ATTEMPTED]
    show((look[0], f"{title}: {done} of {len(checked)} exercises done", look[2]), "\n".join(lines))


def show(look: tuple[str, str, str], message: str, *, code: bool = False) -> None:
    """Displays symbol, heading and message: as a card in a notebook, as text elsewhere."""
    symbol, heading, colour = look
    text = f"{symbol} {heading}{':' if code else '.'}" + (f"\n{message}" if code or "\n" in message else f" {message}")
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(text.rstrip())
        return
    body = f"<pre>{html.escape(message)}</pre>" if code else _as_html(message)
    card = (
        f'<div style="border-left: 4px solid {colour}; padding: 0.3em 0.8em"><b>{symbol} {heading}</b><br>{body}</div>'
    )
    display({"text/plain": text.rstrip(), "text/html": card}, raw=True)


def _as_html(message: str) -> str:
    parts = html.escape(message).split("`")
    marked = "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
    return marked.replace("\n", "<br>")


def _still_blank(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """A cell that broke because it works with a blank, or with what another cell would have made without one."""
    if isinstance(error, KeyboardInterrupt):
        return None
    blank = [name for name, value in variables.items() if not name.startswith("_") and any(_blanks(value))]
    if isinstance(error, NameError):
        if explain.meant(error, variables) or not (named := _left_open(blank, variables)):
            return None
        return (
            f"`{error.name}` is not defined. Look at its spelling; if a cell above makes it, that cell stopped or was "
            f"not run: {_listed(named)} still blank. Replace ____ with your answer, then run the cells from there down "
            "to here."
        )
    used = list(explain.names_used(source, variables))
    suspects = [name for name in used if name in blank]
    if isinstance(error, BlankError):
        suspects += [name for name in used if inspect.isfunction(variables[name])]
    elif not suspects:
        return None
    named = _left_open(suspects, variables) or _left_open(blank, variables) or suspects
    if not named:
        return None
    return f"{_listed(named)} still blank: replace ____ with your answer where it stands, run that cell, then this one."


def _left_open(names: Iterable[str], variables: Mapping[str, object]) -> list[str]:
    """Those of the names that a cell made with a blank written in it, and not out of another blank."""
    cells = [cell for cell in variables.get("In") or [] if "____" in cell.replace("import ____", "")]

    def written(name: str) -> bool:
        made = rf"^(?:[^=\n]*\b{name}\b[^=\n]*=[^=].*____|def {name}\(.*\n(?:[ \t].*\n)*?[ \t].*____)"
        return any(re.search(made, cell, re.MULTILINE) for cell in cells)

    return [name for name in names if written(name)]


explain.add(_still_blank)


def _blanks(value: object, depth: int = 0) -> Iterator[bool]:
    """True for each blank in `value`, looked for in lists, tuples, sets and dictionaries too."""
    if isinstance(value, Blank) or value is Ellipsis:
        yield True
    elif depth == DEEPEST_BLANK:  # a list may hold itself
        return
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _blanks(key, depth + 1)
            yield from _blanks(item, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _blanks(item, depth + 1)


def _kind(value: object) -> str:
    """What kind of value it is, with its article: "a DataFrame"."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return f"{quoted[0]} is" if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]} are"
