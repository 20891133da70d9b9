"""Small runs of the real command for tests of whole stages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# A model that starts in a moment; the vocabulary is not a multiple of 128, so that padding rows exist.
TINY = [
    "recipe=demo",
    "storage=disk",
    "index.sources.selected.selection_of=null",  # indexed from shards of its own
    "index.sources.selected.shards='${storage.root}/selected'",
    "index.held_out=0.02",
    # A mixture in the middle phase, as the recipe has none.
    "phases.phase2.sources.selected.share=0.7",
    "phases.phase2.sources.selected.max_epochs=4.1",
    "phases.phase2.sources.raw.share=0.3",
    "phases.phase2.sources.raw.max_epochs=1.3",
    # The paper's re-warming, which the demo is too short for.
    *(f"phases.phase{n}.learning_rate.peak=${{optimizer.lr}}" for n in (2, 3)),
    *(f"phases.phase{n}.global_batch=16" for n in (1, 2, 3)),
    "checkpoint.every_steps=20",
    "checkpoint.asynchronous=false",
    "tokenizer.vocab_size=500",
    "model.vocab_size=500",
    "model.hidden=64",
    "model.ffn=176",
    "model.heads=4",
    "model.kv_heads=2",
    "model.sequence_length=64",
    "parallel.micro_batch=2",
    "logging.tensorboard=false",
    "logging.validate_every=0",
    "launch.threads=1",
]
LAYOUTS = {
    "tp1": ["parallel=single"],
    "tp2sp": ["parallel=tp2"],
    "pp2": ["parallel=single", "parallel.pipeline=2"],
    "pp2vpp2": ["parallel=single", "parallel.pipeline=2", "parallel.virtual_stages=2"],
    "tp2pp2": ["parallel=tp2", "parallel.pipeline=2"],
    "dp2": ["parallel=single", "parallel.data=2"],
    "dp2overlap": ["parallel=single", "parallel.data=2", "parallel.overlap=true"],
}


def tiny_overrides(folder: Path, *overrides: str) -> list[str]:
    return [*TINY, f"run.dir={folder}", *overrides]


def snowcoder(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; with `check`, its failure fails the test with its output."""
    done = subprocess.run(
        [sys.executable, "-m", "snowcoder", *arguments], capture_output=True, text=True, check=False, timeout=280
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def kill_after_step(step: int, folder: Path, *arguments: str) -> None:
    """Start `snowcoder` and SIGKILL all its processes once metrics.jsonl has a record of `step`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "snowcoder", *arguments], start_new_session=True, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while not any(record["step"] >= step for record in steps_of(folder)):
        assert process.poll() is None, f"ended by itself before step {step}"
        assert time.monotonic() < deadline, f"step {step} was never reached"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def steps_of(folder: Path) -> list[dict[str, Any]]:
    """The records of finished steps; a line that is being written is left out."""
    try:
        lines = (folder / "metrics.jsonl").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [record for record in map(json.loads, lines) if record["kind"] == "step"]


def curve(folder: Path) -> list[tuple[float, float]]:
    """(loss, gradient norm) of each step."""
    return [(record["loss"], record["gradient_norm"]) for record in steps_of(folder)]
