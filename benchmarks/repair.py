"""Patches beside a completion engine and a grammar against the same model alone: seconds a token at batch 1.

SmolLM2-135M writes for bugs in HumanEval's solutions (one operator or number of each is another), whose tests judge
what it wrote. Both sides have the same seeds and take turns, a few bugs at a time; the start of model and engine does
not count, for a run has one of each, nor does the reading of prompts, which is the same. The engine's own process works
while the model waits, and is in the time.
"""

from __future__ import annotations

import ast
import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.evaluation import mutants_of
from benchmarks.result import Result
from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.demo.smollm2 import write_hugging_face
from snowcoder.evaluation.data import read_suite
from snowcoder.evaluation.suites import SUITES
from snowcoder.evaluation.tasks import Asserts, Task
from snowcoder.repair.generate import Taken, patches_of
from snowcoder.repair.read import read_bugs
from snowcoder.repair.results import RepairResults, repair_results
from snowcoder.repair.validate import Patch, judge_of, validate

BUGS, ROUNDS, SAMPLES, TOKENS = 12, 4, 4, 32
SIDES = {"plain": "off", "guided": "full"}


def run() -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-repair-") as name:
        folder = Path(name)
        write_hugging_face(folder / "model")
        write_bugs(folder / "bugs.jsonl.gz")
        found = _interleaved(folder)
    plain, guided = found["plain"], found["guided"]
    ours, peer = _milliseconds(guided), _milliseconds(plain)
    return Result(
        name="repair",
        ours=round(ours, 2),
        peer=round(peer, 2),
        unit="ms/token",
        ratio=round(peer / ours, 3),
        detail={
            "bugs": BUGS,
            "samples": SAMPLES,
            "calls_a_token": round(guided.taken["calls"] / guided.taken["written_tokens"], 4),
            "from_cache": _share(guided.taken["from_cache"], guided.taken["calls"]),
            "guiding_ms_a_token": round(1000 * guided.taken["seconds"] / guided.taken["tokens"], 2),
            "refused_a_token": round(guided.taken["refused"] / guided.taken["tokens"], 3),
            **{side: _judged(each) for side, each in found.items()},
        },
    )


def write_bugs(path: Path) -> None:
    """As HumanEvalFix has them: solutions without comments, and what is wrong in one line."""
    rows = filter(None, map(_row, read_suite(SUITES["humaneval"], path.parent)))
    lines = [json.dumps(row) for row, _ in zip(rows, range(BUGS), strict=False)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def _row(task: Task) -> dict[str, Any] | None:
    """None where the mutant differs in more than one place of the function's body, or not at all."""
    tree = ast.parse(task.canonical)
    right = ast.unparse(tree)
    head, _, body = right.partition(":\n")
    ((_, check),) = task.checks.items()
    wrong = next(iter(mutants_of(task)), right)
    if wrong == right or not wrong.startswith(f"{head}:\n") or not isinstance(check, Asserts):
        return None
    texts = {"prompt": f"{head}:\n", "canonical_solution": f"{body}\n"}
    return {
        "task_id": task.name.replace("HumanEval", "Python"),
        **texts,
        "declaration": texts["prompt"],
        "buggy_solution": wrong.removeprefix(texts["prompt"]) + "\n",
        "test": check.code,
    }


def _interleaved(folder: Path) -> dict[str, RepairResults]:
    """In each round another side begins."""
    configs = {side: _config(folder, side, preset) for side, preset in SIDES.items()}
    bugs = read_bugs(configs["plain"].repair)
    patches: dict[str, list[Patch]] = {side: [] for side in SIDES}
    for number in range(ROUNDS):
        some = bugs[number::ROUNDS]
        for side in sorted(SIDES, reverse=bool(number % 2)):
            place = folder / side
            place.mkdir(exist_ok=True)
            patches[side] += patches_of(configs[side], "model", some, place)
    judges = judge_of(configs["plain"].repair)
    found = {}
    for side, written in patches.items():
        verdicts = validate(written, judges, 0)
        found[side] = repair_results(configs[side], "model", bugs, written, verdicts, Taken(folder / side).read())
    return found


def _config(folder: Path, side: str, preset: str) -> Config:
    return load_config(
        [
            f"guidance={preset}",
            f"repair.data={folder / 'bugs.jsonl.gz'}",
            f"repair.model={folder / 'model'}",
            f"repair.dir={folder / side}",
            f"repair.generation.samples={SAMPLES}",
            f"repair.generation.new_tokens={TOKENS}",
            "repair.generation.batch=1",
        ]
    )


def _milliseconds(results: RepairResults) -> float:
    taken = results.taken
    return 1000 * (taken["generation_seconds"] - taken["reading_seconds"]) / taken["written_tokens"]


def _judged(results: RepairResults) -> dict[str, float]:
    shares = {what: round(results.share(what), 3) for what in ("finished", "compilable", "plausible")}
    tokens, cpu = results.taken["written_tokens"], results.taken["cpu_seconds"]
    return {**shares, "tokens": tokens, "cpu_ms_a_token": round(1000 * cpu / tokens, 2)}


def _share(part: float, rest: float) -> float:
    return round(part / max(1, part + rest), 4)
