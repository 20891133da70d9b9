"""Jobs on the test cluster: a training of two ranks, long enough to be disturbed, and what it comes to undisturbed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import psutil

from snowcoder.training.events import Event, read_events
from tests.system.slurm.cluster import Cluster
from tests.tiny import snowcoder, steps_of, tiny_overrides

# One core of each of two nodes instead of the headers' eight GPUs of sixteen nodes.
SIZE = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=0", "--cpus-per-task=1"]
STEPS = 60
LONG = [
    "parallel=tp2",
    f"phases.phase1.tokens={STEPS * 8 * 64}",
    "phases.phase1.global_batch=8",
    "phases.phase1.learning_rate.warmup_steps=4",
    "phases.phase1.sources.raw.max_epochs=99",
    "phases.phase2.sources.raw.max_epochs=99",
    "phases.phase2.tokens=2048",
    "phases.phase2.global_batch=8",
    "phases.phase2.learning_rate.warmup_steps=2",
    "phases.phase3.tokens=2048",
    "phases.phase3.global_batch=8",
    "checkpoint.asynchronous=true",
    "checkpoint.every_steps=10",
    "launch.silent_seconds=12",
    "launch.outlier=50",  # two ranks share two cores with the tests
]


def long_run(folder: Path, workspace: Path, *more: str) -> list[str]:
    """The overrides of a run of STEPS steps in `folder`, which is planned."""
    shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
    overrides = tiny_overrides(folder, *shared, *LONG, *more)
    snowcoder("plan", *overrides)
    return overrides


def wait_for_step(step: int, folder: Path, cluster: Cluster, job: str, seconds: float = 120) -> None:
    """Wait until metrics.jsonl has a record of `step`."""
    deadline = time.monotonic() + seconds
    while not any(record["step"] >= step for record in steps_of(folder)):
        assert time.monotonic() < deadline, f"step {step} was never reached\n{cluster.log_of(job)}"
        time.sleep(0.05)


def wait_for_event(kind: str, folder: Path, seconds: float) -> Event:
    deadline = time.monotonic() + seconds
    while not (found := events_of(folder, kind)):
        assert time.monotonic() < deadline, f"no event {kind!r} in {seconds} s: {read_events(folder)}"
        time.sleep(0.05)
    return found[0]


def events_of(folder: Path, kind: str) -> list[Event]:
    return [event for event in read_events(folder) if event.kind == kind]


def rank_of(rank: int, folder: Path) -> psutil.Process:
    """The worker process of the run in `folder` that Slurm numbered `rank`; its oldest, for a save forks others."""
    found = []
    for process in psutil.process_iter():
        try:
            words, number = process.cmdline(), process.environ().get("SLURM_PROCID")
        except psutil.Error:
            continue
        # srun, and the process that waits for it, have the same words and number.
        is_rank = process.name().startswith("python") and words[1:3] == ["-m", "snowcoder.training.rank.worker"]
        if is_rank and f"{folder}/resolved.yaml" in words and number == str(rank):
            found.append(process)
    return min(found, key=lambda process: process.create_time())


def nodes_of(job: str, cluster: Cluster) -> list[str]:
    """The nodes that a job has, or had last."""
    nodes = re.search(r" NodeList=(\S+)", cluster.call("scontrol", "show", "job", job))
    assert nodes
    return cluster.call("scontrol", "show", "hostnames", nodes[1]).split()
