"""`snowcoder evaluate check`: the suites' own solutions must pass all of their tests on this machine.

Whoever scores models on a machine where they do not, scores the machine.
"""

from __future__ import annotations

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.evaluation.data import suites_of
from snowcoder.evaluation.evaluate import limits_of, sandbox_of, suite_tasks
from snowcoder.evaluation.score import Candidate, score
from snowcoder.evaluation.suites import Suite


def run(config: Config) -> None:
    """Raises OperationError if a solution fails."""
    failed = sum(_check(config, suite) for suite in suites_of(config.evaluation.suites))
    if failed:
        raise OperationError(
            f"{failed} of the benchmarks' own solutions fail here; each is listed above with its cause"
        )


def _check(config: Config, suite: Suite) -> int:
    tasks, sandbox = suite_tasks(config, suite), sandbox_of(config, suite)
    calibration = limits_of(config, suite, tasks, sandbox)
    candidates = [Candidate(task, task.canonical) for task in tasks]
    verdicts = score(suite, candidates, calibration, sandbox, config.evaluation.workers)
    causes = calibration.failures()
    failed = [(task, verdict) for task, verdict in zip(tasks, verdicts, strict=True) if not verdict.passed]
    slow = f"; this machine is taken to be {calibration.slowness:.1f} times slower than the measure"
    print(f"check: {suite.title}, {suite.version}: {len(tasks) - len(failed)} of {len(tasks)} pass{slow}")
    for task, verdict in failed:
        print(f"  {task.name}: {causes.get(task.name) or f'{verdict.status}: {verdict.error}'}")
    return len(failed)
