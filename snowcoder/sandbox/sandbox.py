"""`Sandbox(limits).run(program) -> Outcome`, and `run_many` for many side by side."""

from __future__ import annotations

import base64
import json
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from snowcoder.errors import UserError
from snowcoder.sandbox.advice import why_not
from snowcoder.sandbox.isolation import Interpreter, command, interpreter
from snowcoder.sandbox.program import Limits, Outcome, Program
from snowcoder.sandbox.supervise import ProcessEnd, supervise

_BOOT = (Path(__file__).parent / "boot.py").read_text()
_TOOLS = {"bwrap": "bubblewrap", "setpriv": "util-linux", "unshare": "util-linux"}  # Debian's packages


class Sandbox:
    """Every program has a sandbox of its own, which ends with it.

    `python` is the interpreter that programs run on, with the packages that they may import; by default, this one.
    They see `folders`, too, and where the links in these lead: tools such as a JDK.
    Raises UserError where there can be no sandbox, with what to install or to enable.
    """

    def __init__(
        self, limits: Limits | None = None, python: str = sys.executable, folders: tuple[str, ...] = ()
    ) -> None:
        self.limits = limits or Limits()
        _check_tools()
        self.python = interpreter(python, folders)
        outcome = self.run(Program("", limits=Limits()))
        if not outcome.passed:
            raise UserError(why_not(" ".join((outcome.stderr or outcome.error).split()), self.python.executable))

    def run(self, program: Program) -> Outcome:
        limits = program.limits or self.limits
        token = secrets.token_hex(16)
        read, write = os.pipe()
        job = _memory_file(json.dumps(_job(program, limits, token, self.python)).encode())
        stdin = _memory_file(program.stdin)
        try:
            words = command(self.python, limits, _BOOT, [job, write])
            started = time.monotonic()
            process = subprocess.Popen(
                words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(job, write)
            )
        finally:
            for descriptor in (job, write, stdin):
                os.close(descriptor)
        return _outcome(supervise(process, read, limits, started), token, limits)

    def run_many(self, programs: Iterable[Program], workers: int = 0) -> Iterator[Outcome]:
        """Outcomes in the order of the programs, `workers` at a time; 0: one per core this process may use.

        Programs are taken from the iterable not long before they run.
        """
        workers = workers or len(os.sched_getaffinity(0))
        pending: deque[Future[Outcome]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for program in programs:
                pending.append(pool.submit(self.run, program))
                if len(pending) > 8 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()


def _job(program: Program, limits: Limits, token: str, python: Interpreter) -> dict[str, Any]:
    return {
        "token": token,
        "source": program.source,
        "tests": program.tests,
        "files": {name: base64.b64encode(content).decode() for name, content in program.files.items()},
        "args": program.args,
        "site_packages": python.site_packages,
        "rlimits": {
            "RLIMIT_CPU": math.ceil(limits.cpu_seconds),
            "RLIMIT_AS": limits.memory_mib << 20,
            "RLIMIT_NPROC": limits.processes,
            "RLIMIT_FSIZE": limits.disk_mib << 20,
            "RLIMIT_NOFILE": 256,
            "RLIMIT_CORE": 0,
        },
    }


def _outcome(ended: ProcessEnd, token: str, limits: Limits) -> Outcome:
    stdout, stderr = (ended.streams[name].decode(errors="replace") for name in ("stdout", "stderr"))
    report = _report(ended.streams["report"], token)
    cpu_seconds = report["cpu_seconds"] if report else 0.0
    status, error = _verdict(ended, report, limits)
    return Outcome(status, error, stdout, stderr, ended.seconds, cpu_seconds)


def _verdict(ended: ProcessEnd, report: dict[str, Any] | None, limits: Limits) -> tuple[Any, str]:
    if ended.breach == "timeout":
        return "timeout", f"longer than {limits.wall_seconds:g} s"
    if ended.breach == "memory":
        return "memory", f"more than {limits.memory_mib} MiB"
    if ended.breach == "output":
        return "output", f"more than {limits.output_kib} KiB of output"
    if report is None:
        return _without_report(ended, limits)
    if report["error"].startswith("MemoryError"):
        return "memory", report["error"]
    return ("failed", report["error"]) if report["error"] else ("passed", "")


def _without_report(ended: ProcessEnd, limits: Limits) -> tuple[Any, str]:
    """It never came to its end. A shell's way to say that a signal did it is 128 and more."""
    number = ended.code - 128
    late = number == signal.SIGKILL and ended.seconds > limits.cpu_seconds
    if number == signal.SIGXCPU or late:
        return "timeout", f"more than {limits.cpu_seconds:g} s of CPU"
    if number in set(signal.Signals):
        return "failed", f"ended by {signal.Signals(number).name}"
    return "failed", f"it left early, with exit code {ended.code}"


def _report(data: bytes, token: str) -> dict[str, Any] | None:
    """What the boot code wrote. A program may write there too, but does not know the token."""
    try:
        report = json.loads(data)
        return report if secrets.compare_digest(report["token"], token) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("sandbox")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _check_tools() -> None:
    needed = _TOOLS if os.geteuid() == 0 else {"bwrap": "bubblewrap"}
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(needed[name] for name in missing))
        raise UserError(
            f"sandbox: {', '.join(missing)} is not here; generated programs run in nothing less. "
            f"Debian, Ubuntu: apt-get install {packages}"
        )
