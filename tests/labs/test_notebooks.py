"""What the notebooks must keep, beyond what nbval compares."""

import re
from itertools import pairwise

import nbformat
import pytest

from helpers.runner.labs import find_labs

LABS = find_labs()
DEBRIS = {
    "a warning": re.compile(r"\w*Warning\b"),
    "a traceback": re.compile(r"Traceback \(most recent call last\)"),
    "a path of the machine": re.compile(r"(?<![\w:/.])/(?:home|root|tmp|Users|var|private|opt|work|mnt)/[\w.-]+"),
    "a local port": re.compile(r"(?:127\.0\.0\.1|localhost):\d+"),
    "an object's address": re.compile(r"\bat 0x[0-9a-f]{6,}"),
    "progress-bar debris": re.compile(r"\d+%\|"),
}


def read(lab):
    return nbformat.read(lab.path, as_version=4)


def code_cells(lab):
    return [cell for cell in read(lab).cells if cell.cell_type == "code"]


def output_texts(cell):
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        elif output.output_type == "error":
            yield "\n".join(output.traceback)
        else:
            for kind, value in output.data.items():
                if not kind.startswith("image/"):
                    yield value if isinstance(value, str) else "".join(map(str, value))


every_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.path.stem)


def test_the_course_has_four_labs():
    assert [lab.number for lab in LABS] == [1, 2, 3, 4]


@every_lab
def test_every_code_cell_was_run_in_order(lab):
    counts = [cell.execution_count for cell in code_cells(lab)]
    assert counts == list(range(1, len(counts) + 1))


@every_lab
def test_at_most_a_tenth_of_the_code_cells_is_exempt_from_comparison(lab):
    cells = code_cells(lab)
    exempt = [
        cell
        for cell in cells
        if {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", [])) or "NBVAL_" in cell.source
    ]
    assert len(exempt) <= 0.1 * len(cells)


@every_lab
def test_no_cell_that_should_print_has_lost_its_output(lab):
    silent = [
        cell.source
        for cell in code_cells(lab)
        if re.search(r"^(print|display)\(|\.show\(|\.check\(|summary\(", cell.source, re.MULTILINE) and not cell.outputs
    ]
    assert silent == []


@every_lab
@pytest.mark.parametrize("what", DEBRIS)
def test_stored_outputs_hold_no_debris(lab, what):
    found = [
        match.group() for cell in code_cells(lab) for text in output_texts(cell) if (match := DEBRIS[what].search(text))
    ]
    assert found == [], f"{lab.path.name} shows {what}"


@every_lab
def test_no_cell_ended_in_an_error(lab):
    assert [o.ename for cell in code_cells(lab) for o in cell.outputs if o.output_type == "error"] == []


@every_lab
def test_metadata_says_nothing_of_when_and_where_it_ran(lab):
    notebook = read(lab)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any("execution" in cell.metadata for cell in notebook.cells)


@every_lab
def test_headings_are_in_order_with_one_title_in_the_first_cell(lab):
    cells = read(lab).cells
    headings = [
        (index, len(match.group(1)))
        for index, cell in enumerate(cells)
        if cell.cell_type == "markdown"
        for match in re.finditer(r"^(#{1,6}) ", re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL), re.MULTILINE)
    ]
    assert [index for index, level in headings if level == 1] == [0]
    levels = [level for _, level in headings]
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


@every_lab
def test_pictures_in_the_text_have_words_for_who_cannot_see_them(lab):
    texts = [cell.source for cell in read(lab).cells if cell.cell_type == "markdown"]
    assert not any(re.search(r"!\[\s*\]\(", text) for text in texts)
    assert not any(re.search(r"<img(?![^>]*\balt=\"[^\"]+\")", text) for text in texts)


@every_lab
def test_cells_are_short_enough_to_be_read(lab):
    long = [cell.source for cell in code_cells(lab) if len(cell.source.splitlines()) > 30]
    assert long == []


@every_lab
def test_every_picture_has_its_sentence_below_it(lab):
    for cell in code_cells(lab):
        kinds = [set(output.get("data", {})) for output in cell.outputs]
        if any("image/png" in each for each in kinds):
            told = [output.text for output in cell.outputs if output.output_type == "stream"]
            assert told and told[-1].strip(), cell.source
        assert not any("image/svg+xml" in each for each in kinds), "an SVG differs from run to run"


@every_lab
def test_every_answer_of_the_complete_notebook_is_correct(lab):
    texts = [text for cell in code_cells(lab) for text in output_texts(cell)]
    assert not any(re.search("✘|○|Not yet|Not attempted|Could not be checked", text) for text in texts)
    answers = [cell for cell in code_cells(lab) if "solution" in cell.metadata.get("tags", [])]
    assert sum("✔ Correct" in text for text in texts) >= len(answers) > 0


@every_lab
def test_no_dollars_are_read_as_mathematics(lab):
    for cell in read(lab).cells:
        if cell.cell_type == "markdown":
            words = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            assert len(re.findall(r"(?<!\\)\$", words)) < 2, cell.source


@every_lab
def test_links_lead_somewhere_and_the_glossary_is_one_of_them(lab):
    text = "\n".join(cell.source for cell in read(lab).cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert "../docs/glossary.md" in links
    assert [link for link in links if not (lab.path.parent / link.split("#")[0]).exists()] == []


@every_lab
def test_a_lab_has_the_rhythm_of_the_others(lab):
    text = "\n".join(cell.source for cell in read(lab).cells if cell.cell_type == "markdown")
    parts = ["After this lab you can", "**Time:**", "**You need:**", "**The lifecycle:**", "## Set-up", "## Step 1:"]
    parts += ["### Your turn", "## Checkpoint", "### Recap", "### Quiz", "### To go further"]
    parts += ["### What it would have cost on AWS"]
    places = [text.find(part) for part in parts]
    assert -1 not in places and places == sorted(places)
    assert text.count("**Predict:**") >= 3
