"""The study's tables and figure, of cells that are made up."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from snowcoder.annotation import study
from snowcoder.annotation.auc import Auc
from snowcoder.annotation.study_figure import plot_study
from snowcoder.annotation.study_models import known_models
from snowcoder.annotation.study_table import ALL, PASS_AT_1, Cell, markdown_of, rank_correlation, study_tables
from snowcoder.config.compose import load_config
from snowcoder.errors import UserError

PASSES = {"edu": 19.5, "ins": 21.3, "hq": 19.0, "hqins": 22.0}


def make_cells(passes: dict[str, float]) -> list[Cell]:
    """The areas rank the annotators as pass@1 does against all files, and the other way round against Python's."""
    cells = []
    for annotator, pass_at_1 in PASSES.items():
        for against, sign in ((ALL, 1), ("Python", -1)):
            area = 0.5 + sign * pass_at_1 / 100
            auc = Auc(area, area - 0.02, area + 0.03)
            cells.append(Cell(annotator, "humaneval", against, 164, 900, auc, passes.get(annotator), PASS_AT_1))
    return cells


def test_the_table_has_each_area_with_its_interval_and_the_counts() -> None:
    text = markdown_of(study_tables(make_cells({})))
    assert "ROC-AUC against 900 files, with 95% intervals" in text
    assert "ROC-AUC against 900 files in Python, with 95% intervals" in text
    assert "| annotator | humaneval (164) |\n| --- | --- |\n| edu | 0.695 (0.675 to 0.725) |" in text
    assert "pass@1" not in text


def test_with_pass_at_1_it_says_how_well_the_areas_rank_the_annotators() -> None:
    text = markdown_of(study_tables(make_cells(PASSES)))
    assert "| hqins | 22.0 |" in text
    assert "| rank correlation, all | 1.00 |" in text
    assert "| rank correlation, Python | -1.00 |" in text


def test_of_small_models_it_takes_bits_per_byte(tmp_path: Path) -> None:
    bits = [
        {"model": "hq", "of": "EvoEval tool use", "given_a_prompt": True, "bits_per_byte": {"value": 1.25}},
        {"model": "hq", "of": "Python", "given_a_prompt": False, "bits_per_byte": {"value": 2.5}},
    ]
    (tmp_path / "results.json").write_text(json.dumps({"bits_per_byte": bits}))
    chosen = ["recipe=demo", "storage=disk", f"study.results={tmp_path}/results.json"]
    models = known_models(load_config(chosen).study)
    assert models.get("hq", "evoeval_tool_use") == 1.25
    assert models.get("hq", "python") is models.get("edu", "evoeval_tool_use") is None
    cells = [
        cell._replace(model=models.get("hq", "evoeval_tool_use"), measure=models.measure) for cell in make_cells({})
    ]
    assert "bits per byte of the solutions, and its rank" in markdown_of(study_tables(cells))
    assert "| edu | 1.250 |" in markdown_of(study_tables(cells))
    for content, message in (('{"bits_per_byte": []}', "it has none"), ("[]", "is no results.json of `snowcoder ev")):
        (tmp_path / "results.json").write_text(content)
        with pytest.raises(UserError, match=message):
            known_models(load_config(chosen).study)


def test_two_annotators_have_no_rank_correlation() -> None:
    cells = [cell for cell in make_cells(PASSES) if cell.against == ALL]
    assert rank_correlation(cells) == pytest.approx(1)
    assert rank_correlation(cells[:2]) is None


@pytest.mark.parametrize(("passes", "rows"), [({}, 1), (PASSES, 2)])
def test_pass_at_1_has_a_row_of_panels(passes: dict[str, float], rows: int) -> None:
    image = plot_study(make_cells(passes))
    panels = [group for group in ElementTree.fromstring(image).iter() if "axes_" in group.get("id", "")]
    assert len(panels) == 2 * rows
    assert image == plot_study(make_cells(passes))


def test_the_page_has_the_figure_and_the_tables_and_is_one_of_the_run(tmp_path: Path) -> None:
    config = load_config(["recipe=demo", "storage=disk", f"run.dir={tmp_path}"])
    study.write_study(config, make_cells(PASSES))
    page = (tmp_path / "study" / "study.html").read_text()
    assert page.count("<figure") == page.count("<svg") == 1
    assert page.count('<div class="wide"><table>') == page.count("<table>") == 3
    assert "<tr><td>edu</td><td>0.695 (0.675 to 0.725)</td></tr>" in page
    assert "Made by <code>snowcoder annotate study</code>" in page
    assert not re.search(r"""(?:src|href)=["'](?!#|\.\./index\.html)""", page)
    assert 'href="study/study.html"' in (tmp_path / "index.html").read_text()


class Nothing:
    """A draw of no file."""

    def result(self) -> list[str]:
        return []


def test_where_annotators_have_learned_from_every_file_there_is_nothing_to_compare_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study, "learned_from", lambda folder: {b"digest"})
    monkeypatch.setattr(study, "draw_files", lambda *arguments: Nothing())
    with pytest.raises(UserError, match=r"study\.negatives: annotators have learned from every file"):
        study._unseen_files(load_config(["recipe=demo", "storage=disk"]))
