"""The verdicts on a model's completions, kept beside them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from snowcoder.evaluation.calibrate import TimeLimits, judged_by
from snowcoder.evaluation.completions import Completion
from snowcoder.evaluation.cut import cut_completion
from snowcoder.evaluation.score import Candidate, Verdict, score
from snowcoder.evaluation.suites import Suite
from snowcoder.evaluation.tasks import Task
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.storage.atomic import write_json
from snowcoder.storage.digest import digest_json

NAME = "verdicts.json"
Verdicts = dict[tuple[str, int], Verdict]


def judge(
    suite: Suite,
    tasks: list[Task],
    completions: list[Completion],
    calibration: TimeLimits,
    sandbox: Sandbox,
    folder: Path,
    workers: int,
) -> Verdicts:
    """By task and sample: as `folder` has them for these completions, or anew."""
    by_name = {task.name: task for task in tasks}
    candidates = [
        Candidate(by_name[c.task], by_name[c.task].program(cut_completion(by_name[c.task], c.text)))
        for c in completions
    ]
    made_from = digest_json([suite.digest, judged_by(sandbox), [c.program for c in candidates]])
    found = _read(folder / NAME, made_from)
    if found is None:
        found = score(suite, candidates, calibration, sandbox, workers)
        lines = [
            {"task": completion.task, "sample": completion.sample, **asdict(verdict)}
            for completion, verdict in zip(completions, found, strict=True)
        ]
        write_json(folder / NAME, {"made_from": made_from, "verdicts": lines})
    return {(c.task, c.sample): verdict for c, verdict in zip(completions, found, strict=True)}


def _read(path: Path, made_from: str) -> list[Verdict] | None:
    try:
        written = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    if written["made_from"] != made_from:
        return None
    return [Verdict(line["status"], line["error"], line["levels"]) for line in written["verdicts"]]
