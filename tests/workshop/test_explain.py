"""A cell that breaks for a plain reason says it in a sentence; every other error keeps its traceback."""

import re

import nbformat
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from nbclient import NotebookClient

from helpers.checks import ____
from helpers.workshop import explain


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.fixture(scope="module")
def broken():
    """What a real kernel shows for each of these cells."""
    cells = {
        "blank": "list(sorted([gap, 1]))\n'{:.2f}'.format(gap)",
        "blank in a function": "prepared(3)",
        "undefined": "print(model)",
        "blank error": "list(gap)",
        "real": "1 / 0",
    }
    start = "from helpers.workshop import explain\nfrom helpers.checks import ____\nexplain.install()\n"
    start += "gap = ____\ndef prepared(x):\n    return float('1') + format(gap, '.1f')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in (start, *cells.values())])
    options = ["--IPKernelApp.log_level=ERROR"]
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60, extra_arguments=options).execute()
    assert notebook.cells[0].outputs == []
    shown = [cell.outputs[-1] for cell in notebook.cells[1:]]
    assert all(output.output_type == "error" for output in shown), "a cell that breaks must count as broken"
    return {name: "\n".join(output.traceback) for name, output in zip(cells, shown, strict=True)}


def test_a_blank_that_breaks_a_cell_is_named(broken):
    assert broken["blank"].startswith("`gap` is still blank: replace ____") and "\n" not in broken["blank"]


def test_a_blank_inside_a_function_of_the_notebook_is_found(broken):
    assert broken["blank in a function"].startswith("`gap` is still blank")


def test_a_name_of_a_cell_that_was_not_run_says_what_to_run(broken):
    assert broken["undefined"].startswith("`model` is not defined.") and "Run All Above" in broken["undefined"]


def test_a_blank_keeps_its_own_sentence(broken):
    assert broken["blank error"].startswith("There is still a blank")


def test_a_real_error_keeps_its_traceback(broken):
    assert "ZeroDivisionError" in broken["real"] and "1 1 / 0" in plain(broken["real"])


def test_an_offline_aws_that_was_stopped_says_how_to_go_on(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4710")
    gone = EndpointConnectionError(endpoint_url="http://127.0.0.1:4710/")
    assert "Run the lab's set-up cell again" in explain.sentence(gone, "", {})
    elsewhere = EndpointConnectionError(endpoint_url="https://example.invalid/")
    assert explain.sentence(elsewhere, "", {}) is None


def test_what_is_not_there_keeps_awss_words_and_says_what_makes_it():
    answer = {"Error": {"Code": "ResourceNotFoundException", "Message": "Function not found: arn:x"}}
    said = explain.sentence(ClientError(answer, "Invoke"), "", {})
    assert "Function not found: arn:x" in said and "its own cells make again" in said
    denied = {"Error": {"Code": "AccessDenied", "Message": "User is not authorized"}}
    assert explain.sentence(ClientError(denied, "Invoke"), "", {}) is None


def test_no_cell_makes_looking_for_its_names_fail():
    assert list(explain.names_used("this is no python (", {"a": ____})) == []
    assert list(explain.names_used("a + b", {"a": ____})) == ["a"]
