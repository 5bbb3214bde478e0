"""The runner executes a notebook as a learner would, and says where and why it stopped."""

import re

import nbformat
import pytest

from helpers.runner.execute import execute
from helpers.runner.labs import Lab, find_labs
from helpers.runner.report import write_report
from helpers.runner.stored import keep_outputs


def lab_with(tmp_path, *cells):
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    path = tmp_path / "07_trying_things.ipynb"
    nbformat.write(notebook, path)
    return Lab(7, path)


code = nbformat.v4.new_code_cell
text = nbformat.v4.new_markdown_cell


def test_a_lab_is_run_to_its_end_and_tells_each_cell(tmp_path):
    seen = []
    lab = lab_with(tmp_path, text("# One"), code("a = 20"), text("and"), code("print(a + 1)"))
    run = execute(lab, lambda number, total: seen.append((number, total)))
    assert seen == [(1, 2), (2, 2)]
    assert run.failure is None
    assert run.notebook.cells[3].outputs[0].text == "21\n"


def test_a_failing_cell_is_named_with_its_source_and_error_and_the_rest_is_not_run(tmp_path):
    lab = lab_with(tmp_path, code("a = 1"), text("then"), code("a / 0"), code("print('never')"))
    run = execute(lab, lambda number, total: None)
    assert run.failure.cell == 2
    assert run.failure.source == "a / 0"
    assert "ZeroDivisionError" in run.failure.error
    assert run.notebook.cells[3].outputs == []


def test_the_report_asks_nothing_of_the_network(tmp_path):
    lab = lab_with(
        tmp_path, text("# One\n\n```mermaid\nflowchart LR\n a --> b\n```\n\nFrom a to b."), code("print('here')")
    )
    run = execute(lab, lambda number, total: None)
    write_report(run.notebook, "Lab 7: Trying things", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "here" in page and "From a to b." in page and "flowchart" not in page
    assert not re.search(r"""<(?:script|link|img)[^>]*\b(?:src|href)=["'](?:https?:)?//""", page)
    assert not re.search(r"""import\s.*from\s+["']https?://""", page)
    assert not re.search(r"import\s*\(?[\"']https?://", page)


def test_stored_outputs_say_nothing_of_the_moment(tmp_path):
    lab = lab_with(tmp_path, code("import sys\nprint('a', flush=True)\nprint('b', flush=True)"))
    run = execute(lab, lambda number, total: None)
    run.notebook.cells[0].metadata["execution"] = {"iopub.execute_input": "2020-01-01"}
    keep_outputs(run.notebook, lab.path)
    stored = nbformat.read(lab.path, as_version=4)
    assert stored.cells[0].outputs == [{"output_type": "stream", "name": "stdout", "text": "a\nb\n"}]
    assert "execution" not in stored.cells[0].metadata
    assert "version" not in stored.metadata.language_info


def test_an_unknown_lab_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"There is no lab 9; there are labs 1, 2, 3, 4\."):
        find_labs([9])
