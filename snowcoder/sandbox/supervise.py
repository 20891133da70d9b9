"""Watches one isolated process from outside: its output, its time, the memory of all its descendants."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from snowcoder.sandbox.program import Limits

_LOOK_SECONDS = 0.25  # between two looks at the memory; most programs have ended before the first
_REPORT_KIB = 16
_GRACE_SECONDS = 10.0  # for the kernel to end what was killed


class ProcessEnd(NamedTuple):
    breach: str  # timeout, memory or output: why it was killed; empty if it ended by itself
    code: int
    streams: dict[str, bytes]  # stdout, stderr, report
    seconds: float


def supervise(process: subprocess.Popen[bytes], report: int, limits: Limits, started: float) -> ProcessEnd:
    """Until the process and all it started have ended. `report` is the reading end of a pipe, which is closed."""
    assert process.stdout
    assert process.stderr
    sizes = {"stdout": limits.output_kib << 10, "stderr": limits.output_kib << 10, "report": _REPORT_KIB << 10}
    streams = {name: bytearray() for name in sizes}
    with selectors.DefaultSelector() as selector:
        for name, descriptor in zip(sizes, (process.stdout.fileno(), process.stderr.fileno(), report), strict=True):
            selector.register(descriptor, selectors.EVENT_READ, name)
        breach = _watch(selector, process, streams, sizes, limits, started)
        if breach:
            process.kill()  # and with bubblewrap dies the first process of its namespace, and with that all others
            _drain(selector)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    os.close(report)
    cut = {name: bytes(data[: sizes[name]]) for name, data in streams.items()}
    return ProcessEnd(breach, process.returncode, cut, time.monotonic() - started)


def _watch(
    selector: selectors.BaseSelector,
    process: subprocess.Popen[bytes],
    streams: dict[str, bytearray],
    sizes: dict[str, int],
    limits: Limits,
    started: float,
) -> str:
    look = started + _LOOK_SECONDS
    while selector.get_map():
        now = time.monotonic()
        if now > started + limits.wall_seconds:
            return "timeout"
        if now > look:
            look = now + _LOOK_SECONDS
            if _memory(process.pid) > limits.memory_mib << 20:
                return "memory"
        for key, _ in selector.select(max(0.0, min(look, started + limits.wall_seconds) - now)):
            data = os.read(key.fd, 1 << 16)
            if not data:
                selector.unregister(key.fd)
            streams[key.data] += data
            if len(streams[key.data]) > sizes[key.data]:
                return "output"
    return ""


def _memory(pid: int) -> int:
    """Bytes that the process and its descendants hold; what they share counts for each."""
    total, found = 0, []
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        found = [process, *process.children(recursive=True)]
    for each in found:
        with suppress(psutil.NoSuchProcess, OSError):  # it has just ended
            total += each.memory_info().rss + _in_memory_files(each.pid)
    return total


def _in_memory_files(pid: int) -> int:
    """Of memfd_create: no file system limits them, and unless they are mapped they are nobody's resident memory."""
    total = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if os.readlink(path).startswith("/memfd:"):
                total += path.stat().st_blocks * 512
    return total


def _drain(selector: selectors.BaseSelector) -> None:
    """Pipes end when the last process that could write to them has."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while selector.get_map() and time.monotonic() < deadline:
        for key, _ in selector.select(deadline - time.monotonic()):
            if not os.read(key.fd, 1 << 16):
                selector.unregister(key.fd)
