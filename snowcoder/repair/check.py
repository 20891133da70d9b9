"""`snowcoder repair check`: each bug's own fix must pass here, and its buggy version must fail.

Where they do not, whoever counts plausible patches counts the machine, or the benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.repair.bugs import Bug
from snowcoder.repair.read import read_bugs
from snowcoder.repair.validate import Patch, PatchVerdict, judge_of, validate


def run(config: Config) -> None:
    """Raises OperationError if a fix fails, or a buggy version passes."""
    bugs = read_bugs(config.repair)
    judged = [bug for bug in bugs if bug.is_judged]
    several = [bug.name for bug in bugs if bug.hunks > 1]
    print(f"check: {len(bugs)} bugs; the fixes of {len(several)} differ in several places: {' '.join(several) or '-'}")
    if len(judged) < len(bugs):
        print(f"check: {len(bugs) - len(judged)} bugs have no tests here: set repair.checkouts to judge them")
    problems = list(_problems(config, judged))
    for line in problems:
        print(f"  {line}")
    if problems:
        raise OperationError(f"of {len(judged)} bugs, {len(problems)} cannot be judged here; each is listed above")


def _problems(config: Config, bugs: list[Bug]) -> Iterator[str]:
    """A line for each bug of which a verdict would say nothing."""
    judges = judge_of(config.repair)
    patches = [Patch(bug, text) for bug in bugs for text in (bug.fix, bug.hunk)]
    verdicts = validate(patches, judges, config.repair.workers)
    fixes, buggy = verdicts[::2], verdicts[1::2]
    versions = ", ".join(dict.fromkeys(judges(bug.checkout).version for bug in bugs))
    print(
        f"check: {sum(each.plausible for each in fixes)} of {len(bugs)} fixes pass, "
        f"{sum(not each.plausible for each in buggy)} buggy versions fail, "
        f"of which {sum(not each.compiles for each in buggy)} do not compile ({versions})"
    )
    yield from filter(None, map(_problem, bugs, fixes, buggy))


def _problem(bug: Bug, fix: PatchVerdict, buggy: PatchVerdict) -> str:
    if not fix.plausible:
        return f"{bug.name}: its own fix fails: {fix.error}"
    return f"{bug.name}: its buggy version passes" if buggy.plausible else ""
