"""The runner executes a notebook as a learner would, and says where and why it stopped."""

import asyncio
import os
import re
import signal
import subprocess
import sys

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from helpers.runner import diagrams, workspace
from helpers.runner.execute import abandon, execute, start_kernel
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


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_run_that_is_stopped_ends_its_kernel_and_is_no_failure_of_the_lab(tmp_path, number):
    source = "import os, signal, time, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\n"
    source += f"os.kill(os.getppid(), signal.{number})\ntime.sleep(120)"
    with pytest.raises(KeyboardInterrupt):
        execute(lab_with(tmp_path, code(source)), lambda number, total: None)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_run_that_is_stopped_while_its_kernel_starts_is_no_failure_of_the_lab(tmp_path, monkeypatch):
    started = []

    async def slow_to_answer(client):
        started.append(psutil.Process(client.km.provisioner.pid))
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    monkeypatch.setattr(NotebookClient, "async_start_new_kernel_client", slow_to_answer)
    with pytest.raises(KeyboardInterrupt):
        execute(lab_with(tmp_path, code("1")), lambda number, total: None)
    assert not started[0].is_running() or started[0].status() == psutil.STATUS_ZOMBIE


def test_ctrl_c_in_the_first_moment_is_one_sentence_and_status_130():
    # `runpy` runs the command's own file while the one that does the work is replaced by a Ctrl-C.
    pretend = "import runpy, signal, sys\nclass Pressed:\n    def find_spec(self, name, *rest):\n"
    pretend += "        if name == 'helpers.runner.command': signal.raise_signal(signal.SIGINT)\n"
    pretend += "signal.signal(signal.SIGINT, signal.default_int_handler)\nsys.meta_path.insert(0, Pressed())\n"
    pretend += "runpy.run_module('helpers.runner', run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "Stopped. Nothing has to be mended.\n")


def test_a_kernel_that_is_not_needed_after_all_is_ended(tmp_path):
    client = start_kernel(lab_with(tmp_path, code("1")))
    pid = client.km.provisioner.pid
    assert psutil.pid_exists(pid)
    abandon(client)
    assert not psutil.pid_exists(pid)


def test_the_report_asks_nothing_of_the_network_and_shows_the_drawing_of_its_diagram(tmp_path, monkeypatch):
    monkeypatch.setattr(diagrams, "FOLDER", tmp_path)
    diagrams.path_of("flowchart LR\n a --> b\n").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    mermaid = "# One\n\n```mermaid\nflowchart LR\n a --> b\n```\n\n*In words: from a to b.*\n\nMore."
    lab = lab_with(tmp_path, text(mermaid), code("print('here')"))
    run = execute(lab, lambda number, total: None)
    write_report(run.notebook, "Lab 7: Trying things", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "here" in page and "In words: from a to b." in page and "More." in page and "flowchart" not in page
    assert re.search(r'<img[^>]*alt="from a to b."', page) and 'src="data:image/svg+xml;base64,' in page
    assert not re.search(r"""<(?:script|link|img)[^>]*\b(?:src|href)=["'](?:https?:)?//""", page)
    assert not re.search(r"""import\s.*from\s+["']https?://""", page)
    assert not re.search(r"import\s*\(?[\"']https?://", page)


def test_a_diagram_that_was_not_drawn_leaves_its_words():
    block = "```mermaid\nflowchart LR\n never --> drawn\n```\n\n*In words: nothing.*\n"
    assert diagrams.BLOCK.sub(diagrams.as_picture, block) == "*In words: nothing.*\n"


def test_every_diagram_of_the_labs_is_drawn_as_it_is_now_and_no_other_drawing_is_kept():
    texts = diagrams.texts()
    assert len(texts) >= 4
    assert {diagrams.path_of(text) for text in texts} == set(diagrams.FOLDER.glob("*.svg"))
    assert all("<svg" in diagrams.path_of(text).read_text() for text in texts)


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


def test_a_second_run_in_the_same_place_is_refused_and_the_first_goes_on(tmp_path):
    with (
        workspace.alone_in(tmp_path / "workspace"),
        pytest.raises(workspace.RunError, match=r"are being run in .* already"),
        workspace.alone_in(tmp_path / "workspace"),
    ):
        pass
    with workspace.alone_in(tmp_path / "workspace"):
        pass


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(workspace.RunError, match="The labs write to"), workspace.alone_in(tmp_path / "file" / "labs"):
        pass
