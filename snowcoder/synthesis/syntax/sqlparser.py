"""sqlparser-rs, in a process of its own.

It tries one reading after another at each level of what is nested, so that some texts of a few dozen words
(`CASE WHEN 1 THEN` again and again, `f(f(f(1 +)))`, `NOT + NOT +`) take it 2^n steps. A system call, no Python, can end
it: the process that reads for others dies of a text that takes too long, and the next text gets another process.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
from typing import IO

import sqloxide

_DIALECTS = ("generic", "postgres", "mysql", "mssql", "sqlite")
_SECONDS = 0.5  # of the processor's time, for all dialects; a script of 100 kB takes about a fifth of that
_WORDS = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
_lock = threading.Lock()


class TooLong(Exception):
    """The parser was not done in time."""


def is_taken(code: str) -> bool:
    """Whether a dialect's parser takes it. Raises TooLong."""
    text = code.encode(errors="replace")
    with _lock:
        helper = _helper(os.getpid())
        try:
            _send(helper.stdin, text)
            answer = helper.stdout.read(1) if helper.stdout else b""
        except BrokenPipeError:
            answer = b""
        if not answer:
            _end(helper)
            raise TooLong
    return answer == b"1"


def serve() -> None:
    """Answer on the standard output what is asked on the standard input, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the parent decides, and closes the pipe
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    while size := sys.stdin.buffer.read(8):
        text = sys.stdin.buffer.read(int.from_bytes(size, "big")).decode()
        signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
        answer = b"1" if any(_parses(text, dialect) for dialect in _DIALECTS) else b"0"
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        os.write(1, answer)


def _parses(code: str, dialect: str) -> bool:
    try:
        return bool(sqloxide.parse_sql(code, dialect))
    except ValueError:
        return False


@functools.cache
def _helper(_process: int) -> subprocess.Popen[bytes]:
    """One for each process that asks: a fork has the pipes of its parent, and must not read from them."""
    path = os.pathsep.join(each for each in sys.path if each)
    return subprocess.Popen(
        _WORDS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )


def _send(pipe: IO[bytes] | None, text: bytes) -> None:
    assert pipe
    pipe.write(len(text).to_bytes(8, "big") + text)
    pipe.flush()


def _end(helper: subprocess.Popen[bytes]) -> None:
    """Forget one that died of a text."""
    _helper.cache_clear()
    helper.kill()
    helper.wait()
    for pipe in filter(None, (helper.stdin, helper.stdout)):
        with contextlib.suppress(BrokenPipeError):  # of what was written, and not sent
            pipe.close()
