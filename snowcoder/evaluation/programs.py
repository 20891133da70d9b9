"""What goes into the sandbox: a program, then its tests, or the judge with what the canonical solution gave."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

from snowcoder.evaluation.tasks import Asserts, Check, Outputs
from snowcoder.sandbox.program import Limits, Program
from snowcoder.storage.digest import digest_bytes

_FILES = ("oracles.py", "compare.py", "judge.py")
_JUDGE = "\n".join((Path(__file__).parent / "judge" / name).read_text() for name in _FILES)
JUDGE_DIGEST = digest_bytes(_JUDGE.encode())


def recording(canonical: str, check: Outputs, limits: Limits) -> Program:
    """Prints what the canonical solution gives, and how long each call takes."""
    return Program(canonical, _call("record", _job(check)), limits=limits)


def checking(source: str, check: Check, limits: Limits, expected: dict[str, Any]) -> Program:
    """Passes if the program is right. `expected`: what `judge` needs besides, see calibrate.py."""
    if isinstance(check, Asserts):
        return Program(source, check.code, limits=limits)
    return Program(source, _call("judge", {**_job(check), **expected}), limits=limits)


def _job(check: Outputs) -> dict[str, Any]:
    job: dict[str, Any] = {
        "entry_point": check.entry_point,
        "rules": check.rules,
        "tolerance": check.tolerance,
        "oracle": check.oracle,
    }
    if check.inputs and isinstance(check.inputs[0], str):
        return {**job, "source": check.inputs}
    return {**job, "inputs": base64.b64encode(pickle.dumps(check.inputs)).decode()}


def _call(function: str, job: dict[str, Any]) -> str:
    """In a namespace of its own: a program may have functions by the same names."""
    return (
        f"__judge = {{}}\nexec(compile({_JUDGE!r}, 'judge.py', 'exec'), __judge)\n"
        f"__judge[{function!r}](globals(), __judge['json'].loads({json.dumps(job)!r}))"
    )
