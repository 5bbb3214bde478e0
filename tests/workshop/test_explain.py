"""A cell that breaks for a plain reason says it in a sentence; every other error keeps its traceback."""

import re

import nbformat
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from nbclient import NotebookClient

import bootstrap
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
        "derived": "import math\nmath.sqrt(twice)",
        "undefined beside a blank": "print(model)",
        "misspelt beside a blank": "print(treshold_ms)",
        "blank error": "list(gap)",
        "stopped": "raise KeyboardInterrupt",
        "in vain": "raise TimeoutError('Waited 3 s for this: the alarm.')",
        "real": "1 / 0",
    }
    start = "from helpers.workshop import explain\nfrom helpers.checks import ____\nexplain.install()\n"
    start += "gap = ____\ntwice = 2 * gap\nthreshold_ms = 1\nws = None\n"
    start += "def prepared(x):\n    return float('1') + format(gap, '.1f')"
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


def test_what_was_made_out_of_a_blank_leads_to_the_blank_itself(broken):
    assert broken["derived"].startswith("`gap` is still blank") and "twice" not in broken["derived"]


def test_a_name_that_is_missing_because_of_a_blank_leads_to_the_blank(broken):
    said = broken["undefined beside a blank"]
    assert said.startswith("`model` is not defined.") and "`gap` is still blank" in said


def test_a_slip_of_the_fingers_is_told_as_one_even_beside_a_blank(broken):
    said = broken["misspelt beside a blank"]
    assert said.startswith("`treshold_ms` is not defined. Did you mean `threshold_ms`?") and "blank" not in said


def test_a_blank_that_has_to_be_a_value_is_named(broken):
    assert broken["blank error"].startswith("`gap` is still blank")


def test_a_cell_that_was_stopped_says_that_nothing_is_broken(broken):
    assert broken["stopped"].startswith("You stopped this cell.") and "\n" not in broken["stopped"]


def test_waiting_in_vain_keeps_what_was_waited_for(broken):
    assert broken["in vain"].startswith("Waited 3 s for this: the alarm. Run the cell again")


def test_a_name_of_a_cell_that_was_not_run_says_what_to_run():
    error = NameError("name 'model' is not defined", name="model")
    assert "Run All Above" in explain.sentence(error, "", {"ws": object()})


@pytest.mark.parametrize(("name", "there"), [("endpoint", "Endpoint"), ("trainers", "trainer")])
def test_names_that_stand_side_by_side_in_the_labs_are_no_slips(name, there):
    error = NameError(f"name {name!r} is not defined", name=name)
    assert "Did you mean" not in explain.sentence(error, "", {"ws": object(), there: object()})


def test_before_connect_a_kernel_of_this_environment_names_the_set_up_cell(tmp_path, monkeypatch):
    settings = tmp_path / "profile_default" / "ipython_kernel_config.py"
    settings.parent.mkdir()
    settings.write_text(bootstrap.KERNEL_SETTINGS)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("ws.client('s3')")])
    options = ["--IPKernelApp.log_level=ERROR"]
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60, extra_arguments=options).execute()
    (shown,) = notebook.cells[0].outputs
    assert shown.traceback[0].startswith(
        "`ws` is not defined, and this kernel is not connected yet. Run the lab's set-up"
    )
    assert len(shown.traceback) == 1


def test_a_real_error_keeps_its_traceback(broken):
    assert "ZeroDivisionError" in broken["real"] and "1 1 / 0" in plain(broken["real"])


def test_an_offline_aws_that_was_stopped_says_how_to_go_on(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4710")
    gone = EndpointConnectionError(endpoint_url="http://127.0.0.1:4710/")
    assert "Run the lab's set-up cell again" in explain.sentence(gone, "", {})
    wrapped = RuntimeError(f"No region answers: {gone}")
    wrapped.__cause__ = gone
    assert "Run the lab's set-up cell again" in explain.sentence(wrapped, "", {})
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


def test_a_full_disk_is_told_in_the_offline_aws_own_words():
    told = {"Code": "InsufficientStorage", "Message": "No room in /somewhere. Make some, then repeat the call."}
    said = explain.sentence(ClientError({"Error": told}, "Publish"), "", {})
    assert said == "No room in /somewhere. Make some, then run this cell again."
