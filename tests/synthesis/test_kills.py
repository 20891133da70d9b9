"""SIGKILL in the middle of requests: what was answered is kept and is not asked again, and the end is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from snowcoder.answers import switched_off
from snowcoder.lineage.manifest import find_manifest
from tests.synthesis.language_server import LanguageServer, language_server
from tests.synthesis.model import answer
from tests.synthesis.test_stage import folder, overrides, synthesize  # noqa: F401

CONCURRENCY = 4
WHAT = ["synthesis.seeds.per_file=40", "synthesis.seeds.part=50", "synthesis.seeds.shares={Python:1.0}"]


def records(run: Path) -> list[dict[str, Any]]:
    """Of all logs, torn lines left out."""
    lines = [line for path in (run / "log").glob("*.log") for line in path.read_bytes().split(b"\n")[:-1]]
    return [orjson.loads(line[17:]) for line in lines]


def answered(run: Path) -> Counter[str]:
    found = records(run)
    bodies = {record["ask"]: orjson.dumps(record["body"]).decode() for record in found if "ask" in record}
    return Counter(bodies[record["key"]] for record in found if "answer" in record)


def normal(counts: Counter[str]) -> Counter[str]:
    """With bodies as `answered` spells them, without what the client adds."""
    told = {
        body: {name: value for name, value in orjson.loads(body).items() if name not in switched_off(None)}
        for body in counts
    }
    return Counter({orjson.dumps(told[body]).decode(): count for body, count in counts.items()})


def kill_while_asking(server: LanguageServer, command: list[str], seconds: float) -> bool:
    """Start it, and kill it so long after its first request; False where it ended before."""
    before = server.asked.total()
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while server.asked.total() == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(seconds)
    ended = process.poll() is not None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return not ended


@pytest.mark.parametrize(
    ("kills", "seeds"), [(4, 150), pytest.param(30, 1200, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]
)
def test_nothing_paid_is_lost_and_nothing_is_asked_twice(
    folder: Path,  # noqa: F811
    workspace: Path,
    tmp_path: Path,
    kills: int,
    seeds: int,
) -> None:
    run, draw = tmp_path / "killed", random.Random(kills)
    what = [f"synthesis.seeds.count={seeds}", f"synthesis.requests.concurrency={CONCURRENCY}", *WHAT]
    places = [f"synthesis.dir={run}", f"storage.root={tmp_path}/killed-out"]
    done = lost = 0
    with language_server(answer, seconds=0.1) as (server, url):
        command = overrides(folder, workspace, f"synthesis.requests.servers=[{url}]", *what, *places)
        for _ in range(kills):
            kept = answered(run) if run.exists() else Counter[str]()
            asked = normal(server.asked)
            done += kill_while_asking(
                server, [sys.executable, "-m", "snowcoder", "synthesize", *command], draw.random()
            )
            # What the log had before was not asked again.
            assert not (normal(server.asked) - asked).keys() & kept.keys()
        lost = server.answered.total() - answered(run).total()
        synthesize(folder, workspace, url, *what, *places)
    print(f"{done} kills while asking, {server.asked.total()} requests, {lost} answers on their way at a kill")
    assert done >= kills * 0.7
    assert set(answered(run).values()) == {1}
    again = server.asked.total() - len(server.asked)
    # Asked again was only what was under way at a kill: of that, some answers were on the wire.
    assert lost <= again <= done * CONCURRENCY
    # Its own account of it: what was written down before a kill, but may not have left.
    assert again <= report_of_run(run)["requests"]["asked_again"] <= again + done

    with language_server(answer) as (other, url):
        places = [f"synthesis.dir={tmp_path}/straight", f"storage.root={tmp_path}/straight-out"]
        synthesize(folder, workspace, url, *what, *places)
    assert server.asked.keys() == other.asked.keys()
    outputs = [find_manifest(tmp_path / place / "synthetic" / "python") for place in ("killed-out", "straight-out")]
    assert outputs[0]
    assert outputs[1]
    assert outputs[0].outputs == outputs[1].outputs


def report_of_run(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((run / "report.json").read_bytes())
    return found
