"""`snowcoder report` of a run in any state: one page, whole, with what happened marked in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib import pyplot
from run_folder import RunFolder

from snowcoder.lineage.manifest import find_manifest
from snowcoder.report import report
from tests.tiny import snowcoder

MakeRun = Callable[..., RunFolder]


def figures(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def check(folder: Path) -> str:
    """The page, which has its six plots and fetches nothing."""
    report.run(str(folder))
    page = (folder / "report.html").read_text()
    drawn = figures(page)
    assert len(drawn) == 6
    assert all(each.find(".//*[@id='axes_1']") is not None for each in drawn)
    assert [*re.finditer(r"""(?:src|href)=["'](?!#|index\.html)|url\((?!#)|@import""", page)] == []
    return page


def labels(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """What the legend of the loss plot names."""
    found: list[list[str]] = []
    close = pyplot.close

    def look(figure: object) -> None:
        legend = figure.axes[0].get_legend()  # type: ignore[attr-defined]
        found.append([text.get_text() for text in legend.get_texts()] if legend else [])
        close(figure)

    monkeypatch.setattr(report.pyplot, "close", look)
    check(folder)
    return found[0]


def test_a_run_without_a_step_and_with_one(make_run: MakeRun) -> None:
    run = make_run()
    assert "no step finished yet of 30" in check(run.folder)
    run.steps(1)
    assert "phase1, step 1 of 30" in check(run.folder)


def test_a_folder_that_has_an_index_alone(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    assert "not started" in check(tmp_path)


def test_events_are_a_table_and_their_text_is_text(make_run: MakeRun) -> None:
    run = make_run()
    run.steps(3)
    run.events.add("started", "from initial weights", 0)
    run.events.add("failed", "rank 1: <script>alert(1)</script>", 3)
    page = check(run.folder)
    assert "<h2>Events</h2>" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page
    assert re.search(r"<td>failed</td>\s*<td class=\"n\">3</td><td>\S+</td><td class=\"w\">rank 1", page)


def test_restarts_and_skips_are_marked_in_the_plots(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    run.events.add("started", "from initial weights", 0)
    run.steps(3)
    assert labels(monkeypatch, run.folder) == ["training"]
    run.skip(3, 4, "not finite: loss nan")
    run.steps(4)
    run.skip(8, 11, "loss spike at step 11", back_to=5)
    run.events.add("rolled-back", "loss spike at step 11; went back to step 5", 5)
    run.checkpoint()
    run.events.add("failed", "rank 1 on node2 was lost", 11)
    run.events.add("started", "from step 11", 11)
    assert labels(monkeypatch, run.folder) == ["training", "restart", "passed over", "skipped step"]
    page = check(run.folder)
    assert '<td class="n">9</td><td class="n">11</td><td class="w">loss spike at step 11</td>' in page


def test_a_loss_that_is_no_number(make_run: MakeRun) -> None:
    run = make_run()
    run.steps(2)
    run.steps(1, loss=float("nan"))
    run.steps(2)
    check(run.folder)


def test_a_real_run_with_and_without_its_plan(real_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(real_run, folder)
    snowcoder("report", str(folder))
    page = (folder / "report.html").read_text()
    assert len(figures(page)) == 6
    assert "Plan " in page
    assert "Held-out loss" in page
    (folder / "resolved.yaml").write_text((folder / "resolved.yaml").read_text().replace(str(real_run), "/nowhere"))
    shutil.rmtree(folder / "plan")
    page = check(folder)
    assert "no plan: /nowhere/plan has no manifest.json" in page
    assert "7,168" in page


def test_a_curve_of_many_steps_keeps_its_spikes_and_little_else() -> None:
    curve = [(step, 9.0 if step == 77_777 else 2.0 + step % 2) for step in range(500_000)]
    kept = report.thinned(curve)
    assert len(kept) <= 2000
    assert (77_777, 9.0) in kept
    assert kept == sorted(kept)
    assert report.thinned(curve[:50]) == curve[:50]


def test_the_first_page_names_what_there_is_and_what_it_was_made_from(real_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(real_run, folder)
    snowcoder("report", str(folder))
    page = (folder / "index.html").read_text()
    assert re.search(r'<a href="report.html">training: .*</a>', page)
    plan = find_manifest(folder / "plan")
    assert plan is not None
    assert f'<td id="{plan.digest}">' in page
    assert "phase" in page
    assert "loss" in page
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets <= set(re.findall(r'id="([^"]+)"', page))
    assert 'href="index.html"' in (folder / "report.html").read_text()
