"""Learners get blanks and no outputs, and what they have written stays theirs."""

import nbformat

from helpers.runner.labs import find_labs
from helpers.runner.learner import begun, hand_out, main


def test_a_begun_lab_has_blanks_for_its_answers_and_nothing_run():
    for lab in find_labs():
        whole, blank = nbformat.read(lab.path, as_version=4), begun(lab)
        answers = [cell for cell in whole.cells if "solution" in cell.metadata.get("tags", [])]
        code = {cell.id: cell for cell in blank.cells if cell.cell_type == "code"}
        assert answers
        assert all("____" in code[cell.id].source and code[cell.id].source != cell.source for cell in answers)
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code.values())
        assert [cell.id for cell in whole.cells] == [cell.id for cell in blank.cells]


def test_what_a_learner_has_is_not_written_over(tmp_path, capsys):
    assert len(hand_out(tmp_path)) == 4
    mine = tmp_path / "02_model_training.ipynb"
    mine.write_text("mine")
    (tmp_path / "03_live_inference.ipynb").unlink()
    assert [path.name for path in hand_out(tmp_path)] == ["03_live_inference.ipynb"]
    assert mine.read_text() == "mine"
    assert main(["--out", str(tmp_path)]) == 0
    assert f"Your labs are in {tmp_path}" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file" / "labs")]) == 1
    assert capsys.readouterr().err.startswith("Your labs could not be written to ")
