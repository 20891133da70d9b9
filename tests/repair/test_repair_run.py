"""`snowcoder repair` with a small model: patches, verdicts, tables; alone, guided, and by the record of an engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snowcoder.cli import main
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, UserError
from snowcoder.repair import check, repair, report
from snowcoder.repair.results import read_results
from snowcoder.sandbox.sandbox import Sandbox
from tests.repair.conftest import PYTHON

FEW = ["repair.generation.samples=6", "repair.generation.batch=4", "repair.generation.new_tokens=8"]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def texts_of(folder: Path) -> dict[tuple[str, int], str]:
    return {(line["task"], line["sample"]): line["text"] for line in lines_of(folder / "patches.jsonl")[1:]}


def test_a_run_and_what_is_kept_of_it(
    config_of: Callable[..., Config], sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "repair"
    repair.run(config_of(*FEW))
    assert "| repair | plain | 1 | 6 |" in capsys.readouterr().out
    first = texts_of(folder)
    assert len(first) == 6
    assert len(lines_of(folder / "verdicts.jsonl")) == 6
    (bug,) = read_results(folder).bugs
    assert (bug.name, bug.samples, bug.judged) == ("Python/0", 6, True)
    assert read_results(folder).taken["written_tokens"] > 0
    repair.run(config_of(*FEW))
    assert "up to date" in capsys.readouterr().out
    # More samples, at another batch: those that are there stay, and no others come in their place.
    repair.run(config_of(*FEW, "repair.generation.samples=9", "repair.generation.batch=2"))
    assert first.items() < texts_of(folder).items()
    patches = (folder / "patches.jsonl").read_text().split("\n")
    (folder / "patches.jsonl").write_text("\n".join([*patches[:3], patches[3][:20]]))  # as a kill leaves it
    repair.run(config_of(*FEW, "repair.generation.batch=1"))
    assert texts_of(folder) == first


def test_the_same_patches_by_the_record_of_an_engine(
    config_of: Callable[..., Config], sandbox: Sandbox, tmp_path: Path
) -> None:
    live, again = tmp_path / "live", tmp_path / "again"
    guided = [*FEW, "guidance=names", "guidance.active=true", "repair.templates=[line_start]"]
    repair.run(config_of(*guided, f"repair.dir={live}"))
    taken = read_results(live).taken
    assert taken["calls"] == len(lines_of(live / "answers.jsonl")) > 0
    repair.run(config_of(*guided, f"repair.dir={again}", f"guidance.replay={live / 'answers.jsonl'}"))
    assert texts_of(again) == texts_of(live)
    assert read_results(again).taken["calls"] == taken["calls"]
    changed = [line | {"names": ["nothing"]} for line in lines_of(live / "answers.jsonl")]
    (tmp_path / "other.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changed))
    other = [f"repair.dir={tmp_path / 'other'}", f"guidance.replay={tmp_path / 'other.jsonl'}"]
    with pytest.raises(UserError, match="has no answer for a place"):
        repair.run(config_of(*guided, *other))


def test_a_killed_guided_run_keeps_its_answers(
    config_of: Callable[..., Config], sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them serve a replay of the whole, whichever session asked."""
    from snowcoder.evaluation.completions import Completions

    folder = tmp_path / "repair"
    guided = [*FEW, "guidance=names", "repair.templates=[line_start]", "repair.generation.batch=1"]
    kept, made = Completions.add, []

    def add(self: Completions, completions: Any) -> None:
        made.append(completions)
        if len(made) > 3:
            raise KeyboardInterrupt
        kept(self, completions)

    monkeypatch.setattr(Completions, "add", add)
    with pytest.raises(KeyboardInterrupt):
        repair.run(config_of(*guided))
    monkeypatch.undo()
    asked = (folder / "engine" / "answers.jsonl").read_text().splitlines()
    assert asked
    repair.run(config_of(*guided))
    assert set(asked) <= set((folder / "answers.jsonl").read_text().splitlines())
    assert (folder / "answers.jsonl").read_text().startswith("\n".join(asked))
    more = [f"repair.dir={tmp_path / 'again'}", f"guidance.replay={folder / 'answers.jsonl'}"]
    repair.run(config_of(*guided, *more))
    assert texts_of(tmp_path / "again") == texts_of(folder)


def test_infilling_needs_tokens_for_it(
    config_of: Callable[..., Config], sandbox: Sandbox, tmp_path: Path, small_model: Path
) -> None:
    repair.run(config_of(*FEW, "repair.prompt=infill"))
    assert len(texts_of(tmp_path / "repair")) == 6
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(small_model, bare)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (bare / name).write_text((bare / name).read_text().replace("fim_middle", "other"))
    with pytest.raises(UserError, match=r"has no tokens for fill-in-the-middle; set repair\.prompt=left_to_right"):
        repair.run(config_of(*FEW, "repair.prompt=infill", f"repair.model={bare}"))
    with pytest.raises(UserError, match="holds no exported model"):
        repair.run(config_of(*FEW, f"repair.model={tmp_path}/none"))


def test_the_check_finds_what_cannot_be_judged(
    config_of: Callable[..., Config], sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    check.run(config_of())
    assert "check: 1 of 1 fixes pass, 1 buggy versions fail, of which 0 do not compile" in capsys.readouterr().out
    wrong = {**PYTHON, "task_id": "Python/1", "test": "assert largest([1, 3]) == 4"}
    blind = {**PYTHON, "task_id": "Python/2", "test": "assert largest([1]) == 1"}
    with pytest.raises(OperationError, match="of 3 bugs, 2 cannot be judged here"):
        check.run(config_of(rows=(PYTHON, wrong, blind)))
    said = capsys.readouterr().out
    assert "Python/1: its own fix fails: tests: failed: AssertionError" in said
    assert "Python/2: its buggy version passes" in said


def test_the_verbs_are_called_by_their_names(
    config_of: Callable[..., Config], sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = config_of().repair.data
    main(["repair", "check", f"repair.data={data}"])
    assert "next: snowcoder repair" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["repair", "report", f"{tmp_path}/none", f"repair.dir={tmp_path}"])
    assert caught.value.code == 2
    assert "has no results.json of a repair" in capsys.readouterr().err


def test_runs_side_by_side(config_of: Callable[..., Config], sandbox: Sandbox, tmp_path: Path) -> None:
    for name, more in {"plain": [], "guided": ["guidance=members"], "seeded": ["run.seed=7"]}.items():
        repair.run(config_of(*FEW, *more, f"repair.dir={tmp_path / name}"))
    config = config_of(f"repair.dir={tmp_path / 'compared'}")
    report.run(config, str(tmp_path / "plain"), str(tmp_path / "guided"), str(tmp_path / "seeded"))
    table = (tmp_path / "compared" / "report.md").read_text()
    assert "| plain | plain | 1 | 6 |" in table
    assert "| guided | members + memorization | 1 | 6 |" in table
    assert "- seeded: other seed than plain" in table
    assert "| compilable | plain to guided |" in table
    told = json.loads((tmp_path / "compared" / "report.json").read_text())
    assert [run["guided_by"] for run in told["runs"]] == ["plain", "members + memorization", "plain"]
