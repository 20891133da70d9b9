"""`snowcoder init`: a folder that a job can be submitted in, and nothing of the user's is overwritten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snowcoder.cli import main
from snowcoder.config.compose import load_config
from snowcoder.shipped import shipped

RECIPE = "conf/recipe/mine.yaml"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(["init", str(folder)])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_it_writes_the_scripts_and_a_recipe_and_says_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "of" / "mine"
    main(["init", str(folder)])
    said = capsys.readouterr().out
    assert f"edit {RECIPE}" in said
    assert "snowcoder config check recipe=mine" in said
    assert "sbatch slurm/phase1.sh recipe=mine" in said
    scripts = {f"slurm/{path.name}": path.read_bytes() for path in shipped("slurm").iterdir()}
    assert files(folder).keys() == {RECIPE, *scripts}
    assert scripts.items() <= files(folder).items()
    assert os.access(folder / "slurm" / "pipeline.sh", os.X_OK)
    monkeypatch.delenv("SNOWCODER_CONF", raising=False)
    monkeypatch.chdir(folder)
    config = load_config(["recipe=mine", "launch=slurm"])
    assert (config.run.dir, config.tokenizer.vocab_size, config.parallel.world_size) == ("runs/mine", 64000, 128)


def test_it_leaves_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    main(["init", str(tmp_path)])
    assert (tmp_path / "notes.txt").read_text() == "mine"
    before = files(tmp_path)
    assert f"{tmp_path} has slurm/corpus.sh, " in refused(tmp_path, capsys)
    assert files(tmp_path) == before


def test_one_file_in_its_way_is_enough_to_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "conf" / "recipe").mkdir(parents=True)
    (tmp_path / RECIPE).symlink_to("nowhere")
    said = refused(tmp_path, capsys)
    assert f"{tmp_path} has {RECIPE} already; nothing was written" in said
    assert not (tmp_path / "slurm").exists()


def test_a_place_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert f"{tmp_path}/file/slurm/corpus.sh cannot be written: Not a directory" in refused(tmp_path / "file", capsys)
