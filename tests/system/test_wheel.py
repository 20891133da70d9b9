"""A built wheel, outside the checkout: presets, tokenizer and job scripts are in it and are found."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Installed:
    """snowcoder in a folder of its own; packages are those of this environment."""

    def __init__(self, folder: Path) -> None:
        self.site, self.empty = folder / "site", folder / "empty"
        self.empty.mkdir()
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        build = ["wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
        here = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []  # else pip fetches it
        call([*pip, *build, *here], folder)
        (self.wheel,) = folder.glob("snowcoder-*.whl")
        call([*pip, "install", "--no-deps", "--target", str(self.site), str(self.wheel)], folder)

    def run(self, *words: str, cwd: Path | None = None) -> str:
        """What it prints. `-P`: the current folder is not on the path, and the checkout is behind."""
        return call([sys.executable, "-P", str(self.site / "bin" / "snowcoder"), *words], cwd or self.empty, self.site)


def call(command: list[str], cwd: Path, path: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SNOWCODER_CONF")}
    if path:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def project(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `snowcoder init` writes."""
    folder = tmp_path_factory.mktemp("projects") / "mine"
    assert "sbatch slurm/phase1.sh recipe=mine" in installed.run("init", str(folder))
    return folder


def test_it_is_the_one_that_is_installed(installed: Installed) -> None:
    where = "import snowcoder, snowcoder.shipped as s; print(snowcoder.__file__, s.shipped('slurm/evaluate.sh'))"
    found = call([sys.executable, "-P", "-c", where], installed.empty, installed.site).split()
    assert found == [str(installed.site / "snowcoder" / name) for name in ("__init__.py", "slurm/evaluate.sh")]


def test_it_works_in_an_empty_folder(installed: Installed) -> None:
    assert "init DIR" in installed.run("--help")
    assert "the config is valid" in installed.run("config", "check")
    assert "the config is valid" in installed.run("config", "check", "recipe=demo")
    assert "steps" in installed.run("plan")
    assert [*installed.empty.iterdir()] == []


def test_what_init_writes_is_a_project(installed: Installed, project: Path) -> None:
    assert "results in runs/mine" in installed.run("config", "check", "recipe=mine", cwd=project)
    assert "in runs/mine/index/raw" in installed.run("plan", "recipe=mine", cwd=project)
    assert "set by:  conf/recipe/mine.yaml" in installed.run("config", "explain", "run.dir", "recipe=mine", cwd=project)
    assert os.access(project / "slurm" / "pipeline.sh", os.X_OK)
    assert not os.access(project / "slurm" / "environment.sh", os.X_OK)
    job = ["env", "-i", f"PATH={installed.site}/bin:/usr/bin:/bin", f"PYTHONPATH={installed.site}"]
    checked = call([*job, "bash", "-c", "set -eu; . slurm/environment.sh; command -v snowcoder"], project)
    assert checked == f"{installed.site}/bin/snowcoder\n"


def test_the_tokenizer_that_ships_makes_an_index(installed: Installed, project: Path) -> None:
    (project / "shards" / "raw").mkdir(parents=True)
    with gzip.open(project / "shards" / "raw" / "0.jsonl.gz", "wt") as shard:
        row = {"content": "def f(x):\n    return x\n", "repo_name": "a", "path": "a.py", "language": "Python"}
        shard.write(json.dumps(row) + "\n")
    done = installed.run("index", "build", "raw", "recipe=mine", "index.held_out=0", cwd=project)
    assert "next: snowcoder plan recipe=mine" in done
    assert "def f(x):" in installed.run("index", "peek", "raw", "0", "recipe=mine", cwd=project)
