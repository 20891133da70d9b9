"""Patches into verdicts: does it compile, do the tests pass, is it what the bug's authors wrote?

"Correct", as papers have it, means that a person has read a plausible patch and found it right. Nobody does here: an
exact match says so of the patches that need no reading.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

from snowcoder.config.repair_schema import RepairConfig
from snowcoder.progress import bar
from snowcoder.repair.bugs import Bug, Checkout
from snowcoder.repair.jdk import find_jdk
from snowcoder.repair.judge_java import JavaJudge
from snowcoder.repair.judge_python import PythonJudge
from snowcoder.repair.judges import Judge, build_all, first_failure
from snowcoder.repair.same import same_program


@dataclass(frozen=True)
class PatchVerdict:
    finished: bool  # it came to its end within its tokens: else there is no patch
    compiles: bool = False
    plausible: bool = False  # all tests pass
    exact: bool = False  # but for layout and comments what the bug's authors wrote
    error: str = ""  # of the compiler, or of the first test that fails


@dataclass(frozen=True)
class Patch:
    bug: Bug
    text: str | None  # None: it came to no end


JudgeOf = Callable[[Checkout | None], Judge]


def judge_of(config: RepairConfig) -> JudgeOf:
    """Raises UserError where there is no JDK for Java, or no sandbox."""
    jdk = find_jdk(config.java_home) if config.language == "java" else None

    @cache
    def of(checkout: Checkout | None) -> Judge:
        return JavaJudge(jdk, config.seconds, checkout) if jdk else PythonJudge(config.seconds)

    return of


def validate(patches: Sequence[Patch], judges: JudgeOf, workers: int) -> list[PatchVerdict]:
    """In their order; patches of one text are judged once. Those of bugs that nobody can judge are not compiled."""
    workers = workers or len(os.sched_getaffinity(0))
    different = [patch for patch in dict.fromkeys(patches) if patch.text is not None and patch.bug.is_judged]
    verdicts: dict[Patch, PatchVerdict] = {}
    for checkout in dict.fromkeys(patch.bug.checkout for patch in different):
        some = [patch for patch in different if patch.bug.checkout == checkout]
        verdicts |= zip(some, _judged(some, judges(checkout), workers), strict=True)
    found = [verdicts.get(patch, PatchVerdict(patch.text is not None)) for patch in patches]
    return [replace(verdict, exact=_is_exact(patch)) for patch, verdict in zip(patches, found, strict=True)]


def _is_exact(patch: Patch) -> bool:
    bug = patch.bug
    return patch.text is not None and same_program(bug.language, bug.program(patch.text), bug.program(bug.fix))


def _judged(patches: list[Patch], judge: Judge, workers: int) -> list[PatchVerdict]:
    programs = [judge.source(patch.bug, patch.text or "") for patch in patches]
    built = build_all(judge, programs, workers)
    found = [PatchVerdict(True, not each.error, error=each.error) for each in built]
    compiled = [number for number, verdict in enumerate(found) if verdict.compiles]

    def test(number: int) -> PatchVerdict:
        bug = patches[number].bug
        error = first_failure(judge, judge.checks(bug, programs[number], built[number]))
        return replace(found[number], plausible=not error, error=error)

    with ThreadPoolExecutor(workers) as pool, bar("patches are tested", len(compiled), "patch") as progress:
        for number, verdict in zip(compiled, pool.map(test, compiled), strict=True):
            found[number] = verdict
            progress.update(1)
    return found
