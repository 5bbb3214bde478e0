"""What a notebook says when a cell breaks: where there is a plain reason, one sentence instead of a page of traceback.

Explainers look at the error and at the cell; the first one that knows the reason is shown. Everything else keeps its
traceback.
"""

import ast
import difflib
import os
import types
from collections.abc import Callable, Iterator, Mapping

from botocore.exceptions import BotoCoreError, ClientError
from botocore.exceptions import ConnectionError as NotReached

from helpers.workshop.errors import WorkshopError

Explainer = Callable[[BaseException, str, Mapping[str, object]], "str | None"]
DEEPEST = 4  # functions that call functions of the notebook
ALIKE = 0.85  # of 1: `treshold_ms` and `threshold_ms` have 0.96, `train` and `trains` 0.91, `test` and `best` 0.75

_explainers: list[Explainer] = []


def add(explainer: Explainer) -> None:
    """Ask `explainer(error, source of the cell, the notebook's variables)` before the others: a sentence, or None."""
    if explainer not in _explainers:
        _explainers.insert(0, explainer)


def sentence(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """What the first explainer that knows the reason says."""
    return next((said for each in _explainers if (said := each(error, source, variables))), None)


def load_ipython_extension(shell: object) -> None:
    """So that a kernel can be told to explain errors before its first cell (bootstrap.py does)."""
    _explain_in(shell)


def install() -> None:
    """In a notebook's kernel: show sentences from now on. Elsewhere: nothing."""
    try:
        shell = get_ipython()  # type: ignore[name-defined]
    except NameError:
        return
    _explain_in(shell)


def _explain_in(shell: object) -> None:
    def show(shell: object, kind: type, error: BaseException, trace: object, tb_offset: int | None = None) -> None:
        cells = shell.user_ns.get("In") or [""]
        try:
            said = None if isinstance(error, WorkshopError) else sentence(error, cells[-1], shell.user_ns)
        except Exception:  # a learner's variables can be anything; their own error matters more than ours
            said = None
        if said:
            shell._showtraceback(kind, error, [said])
        else:
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    shell.set_custom_exc((Exception, KeyboardInterrupt), show)


def names_used(source: str, variables: Mapping[str, object]) -> Iterator[str]:
    """The notebook's variables that a cell reads, in order: by itself, then through functions of the notebook."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    yield from _followed([node.id for node in ast.walk(tree) if isinstance(node, ast.Name)], variables, set(), DEEPEST)


def _followed(names: list[str], variables: Mapping[str, object], seen: set[str], depth: int) -> Iterator[str]:
    new = [name for name in dict.fromkeys(names) if name in variables and name not in seen]
    seen.update(new)
    yield from new
    for name in new:
        value = variables[name]
        if depth and isinstance(value, types.FunctionType) and value.__module__ == "__main__":
            yield from _followed(list(value.__code__.co_names), variables, seen, depth - 1)


def meant(error: NameError, variables: Mapping[str, object]) -> str | None:
    """The name that stands there for certain and looks like the one that does not: a slip of the fingers."""
    plain = (error.name or "").lower().removesuffix("s")  # `endpoint` beside `Endpoint`, `jobs` beside `job`: no slips
    there = [name for name in variables if not name.startswith("_") and name.lower().removesuffix("s") != plain]
    return next(iter(difflib.get_close_matches(error.name or "", there, n=1, cutoff=ALIKE)), None)


def _not_defined(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """A name that a cell above makes."""
    if not isinstance(error, NameError) or isinstance(error, UnboundLocalError) or error.name is None:
        return None
    if "ws" not in variables:
        return (
            f"`{error.name}` is not defined, and this kernel is not connected yet. Run the lab's set-up cell first "
            "(ws = workshop.connect(lab=…)), then the cells below it: menu Run, Run All Above Selected Cell."
        )
    if like := meant(error, variables):
        return (
            f"`{error.name}` is not defined. Did you mean `{like}`? If not, run the cells from the top down to here "
            "(menu Run, Run All Above Selected Cell): one of them may make it."
        )
    return (
        f"`{error.name}` is not defined. If a cell above makes it, that cell was not run, or it stopped: run the cells "
        "from the top down to here (menu Run, Run All Above Selected Cell). If not, look at its spelling."
    )


def _interrupted(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """Somebody pressed the stop button."""
    if not isinstance(error, KeyboardInterrupt):
        return None
    return "You stopped this cell. Nothing is broken: run it again when you want to go on."


def _waited_in_vain(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """What the workshop waited for did not come; the error names it."""
    if type(error) is not TimeoutError or error.errno is not None:
        return None
    return f"{error} Run the cell again to wait longer; if it does not come then, run the lab from its set-up cell on."


def _not_answering(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """The offline AWS was stopped, or the computer slept."""
    address = os.environ.get("AWS_ENDPOINT_URL", "")
    reasons = (error, error.__cause__)
    lost = any(isinstance(each, (NotReached, ConnectionError)) for each in reasons)
    lost = lost or type(error).__module__.startswith("requests")
    if not address.startswith("http://127.0.0.1:") or not lost or isinstance(error, ClientError):
        return None
    if address.removeprefix("http://") not in str(error) and address.rpartition(":")[2] not in str(error):
        return None
    return (
        "The offline AWS does not answer: it was stopped. Run the lab's set-up cell again: workshop.connect(lab=…) "
        "starts it and finds what you made; then run this cell again."
    )


def _disk_full(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """The offline AWS could not keep something; its own words say where, and what to do."""
    if not isinstance(error, ClientError) or error.response.get("Error", {}).get("Code") != "InsufficientStorage":
        return None
    return error.response["Error"]["Message"].replace("repeat the call", "run this cell again")


def _not_there(error: BaseException, source: str, variables: Mapping[str, object]) -> str | None:
    """Something that AWS does not find: deleted, or not made yet."""
    if not isinstance(error, (ClientError, BotoCoreError)):
        return None
    said = str(error)
    if not any(sign in said for sign in ("NotFound", "NoSuch", "Could not find", "does not exist")):
        return None
    return (
        f"{said}\nSo something that this cell needs is not there: it was deleted, or the cell that makes it was not "
        "run. workshop.connect(lab=…) builds what earlier labs leave; what this lab makes, its own cells make again."
    )


for _explainer in (_not_defined, _not_there, _disk_full, _not_answering, _waited_in_vain, _interrupted):
    add(_explainer)
