"""The first line on a cluster, on a real Slurm with a stand-in for apptainer: how ranks are started, how a log ends."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.jobs import SIZE, long_run
from tests.system.slurm.cluster import ROOT, Cluster
from tests.tiny import curve

pytestmark = pytest.mark.slurm
# Tells its arguments and its host, and runs what follows the image.
APPTAINER = """#!/bin/bash
{ printf '<%s>' "$@"; echo " on $SLURMD_NODENAME"; } >> "$APPTAINER_CALLS"
while [[ $1 != *.sif ]]; do shift; done
[ -e "$1" ] || { echo "FATAL: could not open image $1: no such file" >&2; exit 255; }
shift
exec "$@"
"""
CONTAINER = ["apptainer", "exec", "--nv", "--bind", "/shared"]


@pytest.fixture
def apptainer(tmp_path: Path, slurm: Cluster) -> Iterator[Path]:
    """Where its calls are told; there is an image beside."""
    program, calls = tmp_path / "programs" / "apptainer", tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(APPTAINER)
    program.chmod(0o755)
    (tmp_path / "snow coder.sif").touch()
    before = slurm.environment.copy()
    slurm.environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "APPTAINER_CALLS": str(calls)}
    yield calls
    slurm.environment.clear()
    slurm.environment |= before


def of_launch(key: str, words: list[str]) -> str:
    return f"launch.{key}=[{','.join(repr(word) for word in words)}]"


def last_line(log: str) -> str:
    return log.rstrip().splitlines()[-1]


def test_ranks_run_in_a_container_that_the_config_names(
    tmp_path: Path, workspace: Path, slurm: Cluster, apptainer: Path
) -> None:
    python = [*CONTAINER, str(tmp_path / "snow coder.sif"), "python"]
    more = ["phases.phase1.tokens=1024", "phases.phase1.learning_rate.warmup_steps=1", of_launch("python", python)]
    run = long_run(tmp_path / "run", workspace, *more, of_launch("srun", ["--label", "--cpu-bind=none"]))
    ended = slurm.wait(slurm.submit(*SIZE, "slurm/phase1.sh", *run), seconds=240)
    assert ended.code == 0, ended.log
    assert len(curve(tmp_path / "run")) == 2
    words = "".join(f"<{word}>" for word in [*python[1:], "-m", "snowcoder.training.rank.worker"])
    calls = sorted(apptainer.read_text().splitlines())
    assert [call.rpartition(" on ")[2] for call in calls] == ["node1", "node2"]
    assert all(call.startswith(words) for call in calls)
    assert re.search(r"^0: ", ended.log, re.MULTILINE)  # by --label


def test_an_image_that_is_not_there_ends_the_job_at_its_first_start(
    tmp_path: Path, workspace: Path, slurm: Cluster, apptainer: Path
) -> None:
    run = long_run(tmp_path / "run", workspace, of_launch("python", [*CONTAINER, "/no/image.sif", "python"]))
    ended = slurm.wait(slurm.submit(*SIZE, "slurm/phase1.sh", *run), seconds=120)
    assert ended.code == 1
    assert "could not open image /no/image.sif" in ended.log
    assert "no rank was ever heard of" in last_line(ended.log)
    assert "launch.python=['apptainer', 'exec'" in last_line(ended.log)


def test_a_plugin_that_srun_does_not_have_is_named(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    run = long_run(tmp_path / "run", workspace, of_launch("srun", ["--container-image=/shared/snowcoder.sqsh"]))
    ended = slurm.wait(slurm.submit(*SIZE, "slurm/phase1.sh", *run), seconds=120)
    assert ended.code == 2
    assert last_line(ended.log) == (
        "snowcoder: launch.srun=['--container-image=/shared/snowcoder.sqsh']: "
        "srun: unrecognized option '--container-image=/shared/snowcoder.sqsh'"
    )


def test_the_pipeline_gives_sbatch_its_options(slurm: Cluster) -> None:
    words = ["-p", "test", "-J", "a name", "--comment", "run.dir=y", "-N2", "--ntasks-per-node", "1", "--hold"]
    given = ["slurm/pipeline.sh", "run.dir=x", "--gpus-per-node=0", *words, "storage.root=/a b"]
    jobs = re.findall(r"job (\d+)", slurm.call(*given))
    assert len(jobs) == 3
    for number, job in enumerate(jobs, 1):
        about = slurm.call("scontrol", "show", "job", job)
        for part in ("JobName=a name\n", "Partition=test ", "Comment=run.dir=y", "NumNodes=2", "JobState=PENDING"):
            assert part in about, about
        assert f"Command={ROOT}/slurm/phase{number}.sh run.dir=x storage.root=/a b\n" in about


@pytest.fixture
def stand_in(tmp_path: Path, slurm: Cluster) -> Iterator[None]:
    """An environment whose snowcoder tells what a rank of the job finds."""
    program = tmp_path / "environment" / "bin" / "snowcoder"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/bash\nsrun bash -c \'echo "cores $SLURM_CPUS_PER_TASK, home $HOME, $0"\' "$*"\n')
    program.chmod(0o755)
    before = slurm.environment.copy()
    slurm.environment["SNOWCODER_VENV"] = str(program.parents[1])
    yield
    slurm.environment.clear()
    slurm.environment |= before


def test_a_job_without_an_environment_of_its_own_gives_ranks_one_and_all_cores(slurm: Cluster, stand_in: None) -> None:
    """sbatch --export=NONE, or a list of names, holds for srun in the job too, which then finds no program."""
    size = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=0", "--export=SNOWCODER_VENV"]
    ended = slurm.wait(slurm.submit(*size, "slurm/phase1.sh", "a=b c"), seconds=60)
    assert ended.code == 0, ended.log
    found = re.findall(r"^cores (\d), home (\S+), train launch=slurm phase=phase1 a=b c$", ended.log, re.MULTILINE)
    assert len(found) == 2
    assert {cores for cores, _ in found} == {"2"}  # both of each node


def test_a_job_that_is_submitted_elsewhere(slurm: Cluster, stand_in: None, tmp_path: Path) -> None:
    size = ["--nodes=1", "--ntasks-per-node=1", "--gpus-per-node=0", "--cpus-per-task=1"]
    script = str(ROOT / "slurm" / "phase1.sh")
    refused = slurm.wait(slurm.submit(*size, f"--chdir={tmp_path}", script), seconds=60)
    assert refused.code == 2
    assert last_line(refused.log).startswith(
        f"snowcoder: {tmp_path} is not the folder of the project; sbatch there, or"
    )
    output = f"--output={slurm.folder}/job-%j.log"
    there = ["env", f"--chdir={tmp_path}", "sbatch", "--parsable", f"--chdir={ROOT}", output]
    ended = slurm.wait(slurm.call(*there, *size, script).strip(), seconds=60)
    assert ended.code == 0, ended.log
