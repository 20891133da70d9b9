"""Programs a second, scored against HumanEval+ by us in the sandbox and by evalplus without one, on the same two cores.

The programs: the canonical solutions, a mutant of each, and what a real model wrote (SmolLM2-135M, in completions/).
Both sides first find out what the canonical solutions give, which is timed apart. Each verdict that differs is listed.
"""

from __future__ import annotations

import ast
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from snowcoder.config.compose import load_config
from snowcoder.evaluation.calibrate import calibrate_limits
from snowcoder.evaluation.cut import cut_completion
from snowcoder.evaluation.data import read_suite
from snowcoder.evaluation.score import Candidate, Verdict, score
from snowcoder.evaluation.suites import SUITES
from snowcoder.evaluation.tasks import Task
from snowcoder.sandbox.sandbox import Sandbox

CORES = 2
SUITE = SUITES["humaneval_plus"]
MUTANTS = 1
_EVALPLUS = "evalplus==0.3.1"
_COMPLETIONS = Path(__file__).parent / "completions"
_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.FloorDiv, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def run() -> Result:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    data = Path(load_config([]).evaluation.data)
    candidates = programs(read_suite(SUITE, data))
    with tempfile.TemporaryDirectory(prefix="bench-evaluation-") as name:
        folder = Path(name)
        verdicts, seconds, calibration = _ours(candidates, folder)
        theirs, peer_seconds, truth = _evalplus(candidates, data, folder)
    return Result(
        name="evaluation",
        ours=round(len(candidates) / seconds, 2),
        peer=round(len(candidates) / peer_seconds, 2),
        unit="programs/s",
        ratio=round(peer_seconds / seconds, 2),
        detail={
            "programs": len(candidates),
            "cores": CORES,
            "seconds": {"ours": round(seconds, 1), "evalplus": round(peer_seconds, 1)},
            "canonical_seconds": {"ours": round(calibration, 1), "evalplus": round(truth, 1)},
            **_agreement(candidates, verdicts, theirs),
        },
    )


def programs(tasks: list[Task]) -> list[Candidate]:
    """Canonical, mutated and written by a model."""
    found = [Candidate(task, task.canonical) for task in tasks]
    for task in tasks:
        found += [Candidate(task, mutant) for mutant in mutants_of(task)]
    by_name = {task.name: task for task in tasks}
    for path in sorted(_COMPLETIONS.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            raw = json.loads(line)
            if raw["task"] in by_name:
                task = by_name[raw["task"]]
                found.append(Candidate(task, task.program(cut_completion(task, raw["text"]))))
    return found


def mutants_of(task: Task) -> list[str]:
    """One operator or constant of the solution is another; the same in every run."""
    draw = random.Random(task.name)
    places = [node for node in ast.walk(ast.parse(task.canonical)) if _mutated(node)]
    chosen = draw.sample(range(len(places)), min(MUTANTS, len(places)))
    mutants = []
    for number in chosen:
        tree = ast.parse(task.canonical)
        node = [node for node in ast.walk(tree) if _mutated(node)][number]
        for name, value in _mutated(node).items():
            setattr(node, name, value)
        mutants.append(ast.unparse(tree))
    return mutants


def _mutated(node: ast.AST) -> dict[str, Any]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return {"value": node.value + 1}
    if isinstance(node, ast.BinOp | ast.BoolOp) and (swap := _SWAPS.get(type(node.op))):
        return {"op": swap()}
    if isinstance(node, ast.Compare) and (swap := _SWAPS.get(type(node.ops[0]))):
        return {"ops": [swap(), *node.ops[1:]]}
    return {}


def _ours(candidates: list[Candidate], folder: Path) -> tuple[list[Verdict], float, float]:
    sandbox = Sandbox()
    tasks = list({each.task.name: each.task for each in candidates}.values())
    started = time.perf_counter()
    calibration = calibrate_limits(SUITE, tasks, sandbox, folder / "calibration.json", CORES)
    calibrated = time.perf_counter()
    verdicts = score(SUITE, candidates, calibration, sandbox, CORES)
    return verdicts, time.perf_counter() - calibrated, calibrated - started


def _evalplus(candidates: list[Candidate], data: Path, folder: Path) -> tuple[list[dict[str, str]], float, float]:
    """Its own command; what of its time goes into the canonical solutions, it prints itself."""
    jsonl, samples = folder / "HumanEvalPlus.jsonl", folder / "samples.jsonl"
    jsonl.write_bytes(gzip.decompress((data / SUITE.file).read_bytes()))
    lines = [json.dumps({"task_id": each.task.name, "solution": each.program}) for each in candidates]
    samples.write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "HUMANEVAL_OVERRIDE_PATH": str(jsonl), "XDG_CACHE_HOME": str(folder / "cache")}
    words = ["-m", "evalplus.evaluate", "--dataset", "humaneval", "--samples", str(samples), "--parallel", str(CORES)]
    python = str(_peer_python())
    started = time.perf_counter()
    done = subprocess.run([python, *words], check=True, env=environment, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - started
    truth = re.search(r"Expected outputs computed in ([\d.]+)s", done.stdout)
    assert truth
    results = json.loads((folder / "samples_eval_results.json").read_text())["eval"]
    waiting = {task: iter(found) for task, found in results.items()}
    return [next(waiting[each.task.name]) for each in candidates], seconds - float(truth[1]), float(truth[1])


def _peer_python() -> Path:
    """In an environment of its own: it wants an older protobuf than ours."""
    environment = Path(sys.prefix) / "peers" / "evalplus"
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", _EVALPLUS], check=True)
    return python


def _agreement(candidates: list[Candidate], ours: list[Verdict], theirs: list[dict[str, str]]) -> dict[str, Any]:
    differences = []
    for candidate, verdict, peer in zip(candidates, ours, theirs, strict=True):
        assert candidate.program == peer["solution"]
        base, plus = verdict.levels.values()
        passed = peer["base_status"] == "pass", peer["base_status"] == peer["plus_status"] == "pass"
        if (base, plus) != passed:
            about = f"{candidate.task.name}: ours {verdict.status} {verdict.error}".strip()
            differences.append(f"{about}; evalplus base {peer['base_status']}, plus {peer['plus_status']}")
    passing = sum(verdict.passed for verdict in ours)
    return {"same_verdict": len(candidates) - len(differences), "passing": passing, "differences": differences}
