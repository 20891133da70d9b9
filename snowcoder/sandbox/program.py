"""What goes into the sandbox, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["passed", "failed", "timeout", "memory", "output"]


@dataclass(frozen=True)
class Limits:
    wall_seconds: float = 20.0
    cpu_seconds: float = 10.0  # of each process, rounded up to whole seconds
    memory_mib: int = 2048  # address space of each process, and what all of them hold together
    processes: int = 32  # threads count
    output_kib: int = 256  # of stdout and of stderr
    disk_mib: int = 64  # all files under /tmp, and those under /dev/shm


@dataclass(frozen=True)
class Program:
    """Python. `tests` run after `source`, in its namespace.

    With tests, it passes if they run to their end: leaving early, with whatever exit code, is a failure. A program
    without tests is a script, which passes by ending with exit code 0.
    """

    source: str
    tests: str = ""
    files: dict[str, bytes] = field(default_factory=dict)  # relative path -> content, in the working folder
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    limits: Limits | None = None  # null: the sandbox's own


@dataclass(frozen=True)
class Outcome:
    status: Status
    error: str  # one line: the exception, the signal, or the limit; empty if it passed
    stdout: str
    stderr: str
    seconds: float  # by the clock, start of the sandbox included
    cpu_seconds: float  # as the program's own process counts them; 0 where it did not come to an end

    @property
    def passed(self) -> bool:
        return self.status == "passed"
