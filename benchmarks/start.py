"""What `snowcoder train` costs before its first step and at a save, for the demo's shape, in CPU seconds.

CPU seconds, because a busy machine stretches all others; of each number the least of several starts. The peer is the
plainest loop around megatron-core with the same shape, in one process, from its call to the end of its first step.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from benchmarks.result import Result
from benchmarks.training_run import build_index, phase1_alone, run_snowcoder
from snowcoder.config.compose import load_config

STARTS = 3
EVERY = 5  # steps from save to save
EVERY_IN_DEMO = 20
CORPUS = 4 << 20
# `snowcoder train`, but that the ranks write down what it costs.
_LAUNCHER = """
import sys, time
from pathlib import Path
from snowcoder.cli import main
from snowcoder.training import train

def launch(target, config, resolved, **more):
    Path(config.run.dir, "launcher.txt").write_text(f"{time.process_time()} {time.time()}")
    start("benchmarks.start_rank:train", config, resolved, **more)

start, train.launch = train.launch, launch
main(["train", *sys.argv[1:]])
"""


def run() -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-start-") as name:
        folder = Path(name)
        overrides = _overrides(folder)
        prepared = [*overrides, f"run.dir={folder}/prepared"]
        build_index(folder, CORPUS, prepared)
        run_snowcoder("plan", *prepared)
        starts = [_start(folder / f"run{number}", overrides) for number in range(STARTS)]
        peer = min(_peer(overrides) for _ in range(STARTS))
    table = {stage: min(start["stages"][stage] for start in starts) for stage in starts[0]["stages"]}
    ours = round(sum(table.values()), 2)
    saves = {key: min(start[key] for start in starts) for key in ("step", "save", "stall_share")}
    detail = {"stages": table, "seconds": min(start["seconds"] for start in starts), **saves}
    unit = "CPU seconds to the end of the first step"
    return Result("start", ours, round(peer, 2), unit, round(peer / ours, 2), detail)


def _overrides(folder: Path) -> list[str]:
    return [
        *phase1_alone(folder),
        f"plan.dir={folder}/plan",
        f"phases.phase1.tokens={4 * EVERY * 16 * 256}",
        "phases.phase1.global_batch=16",
        "parallel.micro_batch=8",
        f"checkpoint.every_steps={EVERY}",
    ]


def _start(run_dir: Path, overrides: list[str]) -> dict[str, Any]:
    """CPU seconds of launcher and rank 0 by stage; seconds from the call; and what saves cost the loop's thread."""
    run_dir.mkdir()
    begun = time.time()
    command = [sys.executable, "-W", "ignore", "-c", _LAUNCHER, *overrides, f"run.dir={run_dir}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    launcher = float((run_dir / "launcher.txt").read_text().split()[0])
    costs = orjson.loads((run_dir / "costs-0.json").read_bytes())
    stages = {"launcher: imports, config, checks": launcher, "rank: imports": costs["stages"][0][1]}
    told = costs["stages"]
    last = next(number for number, (stage, *_) in enumerate(told) if stage == "after the update")
    for (stage, cpu, _), (_, after, _) in pairwise(told[: last + 1]):
        stages[f"rank: {stage}"] = stages.get(f"rank: {stage}", 0.0) + after - cpu
    rounded = {stage: round(seconds, 2) for stage, seconds in stages.items()}
    return {"stages": rounded, "seconds": round(told[last][2] - begun, 1), **_saves(costs["steps"])}


def _saves(steps: list[tuple[int, float, float, float]]) -> dict[str, float]:
    """CPU seconds of the loop's thread: of a step, of the third save with its end, and its share in the demo."""
    plain = statistics.median(whole - here for _, whole, here, _ in steps[1:])
    save = sum(here for step, _, here, _ in steps if 3 * EVERY <= step < 4 * EVERY)
    return {"step": round(plain, 3), "save": round(save, 3), "stall_share": round(save / (EVERY_IN_DEMO * plain), 4)}


def _peer(overrides: list[str]) -> float:
    config = load_config(overrides)
    model = config.model
    shape = {name: getattr(model, name) for name in ("layers", "hidden", "ffn", "heads", "kv_heads", "vocab_size")}
    shape |= {"sequence_length": model.sequence_length, "global_batch": 16, "micro_batch": 8, "steps": 1, "fp8": "none"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.megatron_loop", orjson.dumps(shape).decode()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    found: float = orjson.loads(done.stdout.splitlines()[-1])["start_cpu"]
    return found
