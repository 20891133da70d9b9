"""What the canonical solutions give, and how long they take on this machine: the measure for all programs.

A call may take as many times longer than the canonical solution as evalplus allows, and not less than a floor, which is
lengthened on machines that are slower than the one it was chosen on. All times are CPU seconds.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from snowcoder.errors import OperationError
from snowcoder.evaluation.programs import JUDGE_DIGEST, checking, recording
from snowcoder.evaluation.suites import Suite
from snowcoder.evaluation.tasks import Check, Outputs, Task
from snowcoder.progress import bar
from snowcoder.sandbox.program import Limits, Outcome, Program
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.storage.atomic import write_json
from snowcoder.storage.digest import digest_json

_FACTOR, _FLOOR = 4.0, 1.0  # of a call, as evalplus has them
_PROGRAM_FACTOR, _PROGRAM_FLOOR = 10.0, 3.0  # of test code as a whole; 3 s are human-eval's
_LONGEST = 60.0  # of a program, as evalplus has it
_PATIENCE = Limits(wall_seconds=600, cpu_seconds=300, memory_mib=8192, processes=64, output_kib=1 << 16, disk_mib=256)
_FORMAT = 2  # one more whenever programs are run or limited in another way
_MEMORY_MIB = 4096  # as evalplus has it
_PROBE = """
import time
def work():
    table = {}
    for number in range(300_000):
        table[number % 1000] = str(number) + table.get(number % 7, "")[:8]
    return sorted(table.values())
work()
started = time.process_time()
work()
print(time.process_time() - started)
"""
_PROBE_SECONDS = 0.08  # on a core of a 2.5 GHz Xeon of 2019 with Python 3.11


@dataclass(frozen=True)
class Measure:
    """Of one level of one task."""

    seconds: list[float]  # of each call; of test code, one number
    clock: float = 0.0  # of test code by the clock, in seconds: it may sleep, or wait for processes of its own
    outputs: str = ""  # as judge.py recorded them; empty where the canonical solution must give them anew
    error: str = ""  # why the canonical solution itself fails here; empty if it passes


@dataclass(frozen=True)
class TimeLimits:
    slowness: float  # of this machine, at least 1
    measures: dict[str, dict[str, Measure]] = field(default_factory=dict)  # task -> level

    def program(self, task: Task, level: str, source: str) -> Program:
        check, measure = task.checks[level], self.measures[task.name][level]
        if isinstance(check, Outputs):
            seconds = [max(_FLOOR * self.slowness, _FACTOR * each) for each in measure.seconds]
            total = min(_LONGEST * self.slowness, sum(seconds))
        else:
            seconds = []
            total = max(_PROGRAM_FLOOR * self.slowness, _PROGRAM_FACTOR * sum(measure.seconds))
        if not measure.outputs:
            total += sum(measure.seconds)  # the canonical solution runs, too
        # By the clock far longer: other programs may keep the cores busy.
        limits = Limits(wall_seconds=10 + 6 * max(total, measure.clock), cpu_seconds=total + 1, memory_mib=_MEMORY_MIB)
        expected = {"outputs": measure.outputs, "canonical": task.canonical, "limits": seconds}
        return checking(source, check, limits, expected)

    def failures(self) -> dict[str, str]:
        """Tasks whose canonical solution fails here, and why."""
        return {
            name: measure.error
            for name, levels in self.measures.items()
            for measure in levels.values()
            if measure.error
        }


def calibrate_limits(suite: Suite, tasks: list[Task], sandbox: Sandbox, path: Path, workers: int = 0) -> TimeLimits:
    """As `path` has it, or measured anew for another machine, Python, version of the suite or other tasks."""
    made_from = digest_json(
        {
            "suite": suite.digest,
            "tasks": [task.name for task in tasks],
            "judge": judged_by(sandbox),
            "host": socket.gethostname(),
        }
    )
    try:
        written = json.loads(path.read_text())
        if written["made_from"] == made_from:
            return _from_json(written)
    except (FileNotFoundError, ValueError, KeyError):
        pass
    calibration = TimeLimits(_slowness(sandbox), _measure(suite, tasks, sandbox, workers))
    write_json(path, {"made_from": made_from, **asdict(calibration)})
    return calibration


def judged_by(sandbox: Sandbox) -> str:
    """Digest of what decides verdicts besides programs and data: the judge's code, a Python and its packages."""
    folders = [Path(folder) for folder in sandbox.python.site_packages]
    packages = sorted(path.name for folder in folders for path in folder.glob("*.dist-info"))
    return digest_json([_FORMAT, JUDGE_DIGEST, sandbox.python.executable, sandbox.python.version, packages])


def _from_json(raw: dict[str, Any]) -> TimeLimits:
    measures = {
        task: {level: Measure(**each) for level, each in levels.items()} for task, levels in raw["measures"].items()
    }
    return TimeLimits(raw["slowness"], measures)


def _slowness(sandbox: Sandbox) -> float:
    found = [sandbox.run(Program(_PROBE)) for _ in range(3)]
    if not all(outcome.passed for outcome in found):
        raise OperationError(f"the sandbox cannot run a simple loop: {found}")
    return max(1.0, min(float(outcome.stdout) for outcome in found) / _PROBE_SECONDS)


def _measure(suite: Suite, tasks: list[Task], sandbox: Sandbox, workers: int) -> dict[str, dict[str, Measure]]:
    cells = [(task, level, check) for task in tasks for level, check in task.checks.items()]
    programs = (_canonical(task.canonical, check) for task, _, check in cells)
    measures: dict[str, dict[str, Measure]] = {task.name: {} for task in tasks}
    outcomes = bar(f"calibrate {suite.name}", len(cells), "check", sandbox.run_many(programs, workers))
    for (task, level, check), outcome in zip(cells, outcomes, strict=True):
        measures[task.name][level] = _measured(check, outcome)
    return measures


def _canonical(source: str, check: Check) -> Program:
    return recording(source, check, _PATIENCE) if isinstance(check, Outputs) else checking(source, check, _PATIENCE, {})


def _measured(check: Check, outcome: Outcome) -> Measure:
    if not outcome.passed:
        return Measure([], error=f"{outcome.status}: {outcome.error}")
    if isinstance(check, Outputs):
        return Measure(**json.loads(outcome.stdout.splitlines()[-1]))  # the program may print before it
    return Measure([outcome.cpu_seconds], outcome.seconds)
