"""Patches in Python: whether they compile, many at a time, and whether their tests pass, each in its own sandbox."""

from __future__ import annotations

import json

from snowcoder.repair.bugs import Bug
from snowcoder.repair.judges import Built, PatchTest
from snowcoder.sandbox.program import Limits, Program
from snowcoder.sandbox.sandbox import Sandbox

_COMPILE = """
import json, warnings
warnings.simplefilter("ignore")
def error(source):
    try:
        compile(source, "program.py", "exec", dont_inherit=True)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
print(json.dumps([error(source) for source in json.load(open("sources.json"))]))
"""


class PythonJudge:
    batch = 200

    def __init__(self, seconds: float) -> None:
        self.limits = Limits(wall_seconds=4 * seconds, cpu_seconds=seconds)
        self.sandbox = Sandbox(self.limits)
        self.version = self.sandbox.python.version

    def source(self, bug: Bug, patch: str) -> str:
        return bug.program(patch)

    def compiling(self, programs: list[str]) -> Program:
        limits = Limits(wall_seconds=60, cpu_seconds=30, output_kib=4096)
        return Program(_COMPILE, files={"sources.json": json.dumps(programs).encode()}, limits=limits)

    def built(self, stdout: str, count: int) -> list[Built]:
        return [Built(error, {}) for error in json.loads(stdout)]

    def checks(self, bug: Bug, program: str, built: Built) -> list[PatchTest]:
        return [PatchTest("tests", Program(program, bug.tests, limits=self.limits))]
