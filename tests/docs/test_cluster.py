"""docs/cluster.md: its recipes are valid and start ranks as it says, its lines for environment.sh are bash."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from snowcoder.config.compose import conf_dir, load_config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cluster.md").read_text()
RECIPES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SNIPPETS = re.findall(r"`slurm/environment\.sh`:\n\n```\n(.*?)```", PAGE, re.DOTALL)


def test_its_recipes_name_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(conf_dir(), tmp_path / "conf")
    monkeypatch.setenv("SNOWCODER_CONF", str(tmp_path / "conf"))
    found = []
    for text in RECIPES:
        (tmp_path / "conf" / "recipe" / "mine.yaml").write_text(text)
        found.append(load_config(["launch=slurm", "phase=phase1", "recipe=mine"]).launch)
    pyxis, apptainer = found
    assert [option.partition("=")[0] for option in pyxis.srun] == [
        *("--container-image", "--container-mounts", "--container-workdir", "--no-container-mount-home")
    ]
    assert (pyxis.python, apptainer.srun) == (["python"], [])
    assert (apptainer.python[0], apptainer.python[-1], apptainer.kind) == ("apptainer", "python", "slurm")


def test_its_lines_for_the_environment_work_where_jobs_source_them() -> None:
    assert len(SNIPPETS) == 2
    text = (ROOT / "slurm" / "environment.sh").read_text()
    programs = 'module() { echo "module $*"; }; scontrol() { printf "n1\\nn2\\n"; }; snowcoder() { :; }; '
    for snippet in SNIPPETS:
        script = f"set -euo pipefail; {programs}\n{text.replace('# --- Modules ---', snippet)}\nenv"
        done = subprocess.run(["bash", "-c", script], cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "NCCL_SOCKET_IFNAME=" in done.stdout
        if "MASTER_ADDR" in snippet:
            assert "MASTER_ADDR=n1i\n" in done.stdout


def test_its_last_lines_are_those_of_the_scripts_and_of_snowcoder() -> None:
    sources = [*(ROOT / "slurm").glob("*.sh"), *(ROOT / "snowcoder").rglob("*.py")]
    said = "\n".join(path.read_text() for path in sources)
    for piece in (
        "is not the folder of the project; sbatch there, or with --chdir=FOLDER",
        "no rank was ever heard of",
    ):
        assert piece in PAGE
        assert piece in said
