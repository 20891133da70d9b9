"""What judges of patches have in common: compile in batches, then run checks one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from snowcoder.repair.bugs import Bug
from snowcoder.sandbox.program import Program
from snowcoder.sandbox.sandbox import Sandbox


class Built(NamedTuple):
    error: str  # of the compiler; empty if there is none
    classes: dict[str, bytes]  # of Java: relative path -> class file


class PatchTest(NamedTuple):
    name: str
    program: Program


class Judge(Protocol):
    """Of a language, or of a checkout. `version` is that of the compiler."""

    version: str
    sandbox: Sandbox
    batch: int  # programs that are compiled at once

    def source(self, bug: Bug, patch: str) -> str:
        """What is compiled: the program, and its tests where they are of one file with it."""
        ...

    def compiling(self, programs: list[str]) -> Program:
        """Compiles all of them, each for itself."""
        ...

    def built(self, stdout: str, count: int) -> list[Built]:
        """What that has printed. Raises ValueError or KeyError where it did not come so far."""
        ...

    def checks(self, bug: Bug, program: str, built: Built) -> list[PatchTest]:
        """What must pass, in this order: what fails now, then all that must not fail."""
        ...


def build_all(judge: Judge, programs: list[str], workers: int) -> list[Built]:
    """In the order of the programs; `workers` compilers side by side."""
    batches = [programs[first : first + judge.batch] for first in range(0, len(programs), judge.batch)]
    with ThreadPoolExecutor(workers) as pool:
        return [built for batch in pool.map(lambda some: _build(judge, some), batches) for built in batch]


def _build(judge: Judge, programs: list[str]) -> list[Built]:
    """Where one of them ends the compiler, it is found by halves."""
    outcome = judge.sandbox.run(judge.compiling(programs))
    try:
        if outcome.passed:
            return judge.built(outcome.stdout, len(programs))
    except (ValueError, KeyError):
        pass
    if len(programs) == 1:
        return [Built(f"the compiler came to no end: {outcome.error}", {})]
    half = len(programs) // 2
    return _build(judge, programs[:half]) + _build(judge, programs[half:])


def first_failure(judge: Judge, checks: list[PatchTest]) -> str:
    """What the first check that fails says; empty where all pass."""
    return next(_failures(judge, checks), "")


def _failures(judge: Judge, checks: list[PatchTest]) -> Iterator[str]:
    for check in checks:
        outcome = judge.sandbox.run(check.program)
        if not outcome.passed:
            yield f"{check.name}: {outcome.status}: {' '.join(outcome.error.split())[:200]}"
