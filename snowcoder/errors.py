"""The kinds of failure a reader can act on. Anything else that escapes is a bug in snowcoder."""

from __future__ import annotations

import difflib


class SnowcoderError(Exception):
    """Shown as one message without a trace; `exit_code` becomes the exit status of the command."""

    exit_code = 1


class UserError(SnowcoderError):
    """The user's mistake: says what is wrong, where, and what to do."""

    exit_code = 2


class OperationError(SnowcoderError):
    """The world failed (network, disk, a process): names the host, rank, shard or step."""

    exit_code = 1


class BadNode(OperationError):
    """A host that a run had better not use again."""

    def __init__(self, text: str, hosts: list[str]) -> None:
        super().__init__(text)
        self.hosts = hosts


class Stopped(SnowcoderError):
    """Not a failure: a signal asked the run to stop, and it did, with nothing lost. sysexits.h calls it EX_TEMPFAIL."""

    exit_code = 75


class Requeued(SnowcoderError):
    """Not the end, though this process ends: Slurm starts the job again."""

    exit_code = 0


def did_you_mean(typed: str, known: list[str]) -> str:
    """What to append to a message about a name that is none: the nearest one, if any is near."""
    close = difflib.get_close_matches(typed, known, n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""
