"""slurm/serve_vllm.sh on a real Slurm, with a stand-in for vLLM: its file has the healthy servers, and no others."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import orjson
import psutil
import pytest

from tests.synthesis.test_stage import folder, overrides  # noqa: F401
from tests.system.slurm.cluster import Cluster

pytestmark = pytest.mark.slurm
SIZE = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-task=0", "--cpus-per-task=1"]


@pytest.fixture
def stand_in(tmp_path: Path, slurm: Cluster) -> None:
    program = tmp_path / "vllm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("vllm_stand_in.py")} "$@"\n')
    program.chmod(0o755)
    slurm.environment |= {"SNOWCODER_VLLM": str(program), "HEALTH_SECONDS": "0.5"}


def wait_for(servers: Path, count: int, seconds: float = 60) -> set[str]:
    deadline = time.monotonic() + seconds
    while True:
        found = set(servers.read_text().split()) if servers.exists() else set()
        if len(found) == count:
            return found
        assert time.monotonic() < deadline, f"{found}, not {count} servers in {seconds} s"
        time.sleep(0.05)


def stand_ins() -> list[psutil.Process]:
    return [each for each in psutil.Process().children(recursive=True) if _is_stand_in(each)]


def _is_stand_in(process: psutil.Process) -> bool:
    try:
        return any("vllm_stand_in.py" in word for word in process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


@pytest.mark.slow
def test_synthesize_uses_all_servers_and_one_that_is_killed_comes_back(
    folder: Path,  # noqa: F811
    workspace: Path,
    tmp_path: Path,
    slurm: Cluster,
    stand_in: None,
) -> None:
    servers = tmp_path / "servers.txt"
    job = slurm.submit(*SIZE, "slurm/serve_vllm.sh", "a-model", str(servers))
    both = wait_for(servers, 2)

    first, _ = stand_ins()
    first.kill()
    (left,) = wait_for(servers, 1)
    assert left in both
    assert wait_for(servers, 2) == both

    first, _ = stand_ins()
    first.suspend()  # it lives, and says nothing
    assert len(wait_for(servers, 1, seconds=90)) == 1
    assert wait_for(servers, 2) == both

    run = tmp_path / "run"
    what = [f"synthesis.requests.servers_file={servers}", "synthesis.seeds.count=60", "synthesis.seeds.per_file=2"]
    places = [f"synthesis.dir={run}", f"storage.root={tmp_path}/out", "synthesis.requests.concurrency=8"]
    slurm.call(sys.executable, "-m", "snowcoder", "synthesize", *overrides(folder, workspace, *what, *places))
    lines = [line for path in (run / "log").glob("*.log") for line in path.read_bytes().splitlines()]
    records = [orjson.loads(line[17:]) for line in lines]
    by_server = Counter(record["server"] for record in records if "answer" in record)
    assert by_server.keys() == both
    assert min(by_server.values()) > 4  # more than it was given at first

    slurm.call("scancel", job)
    slurm.wait(job, seconds=60)
    deadline = time.monotonic() + 20
    while servers.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not stand_ins()
