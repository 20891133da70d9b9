"""How a rank ends when it does not come to the end of its task."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback

from snowcoder.errors import BadNode, SnowcoderError, UserError
from snowcoder.training.rank import pulse


def end_rank(rank: int, beat: pulse.Pulse, error: Exception) -> None:
    """Tell the launcher and the log why, and exit at once, without waiting for other ranks or for a save in flight."""
    text, code = _explain(error)
    beat.end(text, error.hosts if isinstance(error, BadNode) else [])
    is_told = code == UserError.exit_code and beat.is_local  # by the launcher, whom no word of ours escapes
    if code == 1 or (rank == 0 and not is_told):  # all ranks see a user's mistake, and a signal: one of them tells
        print(f"snowcoder: rank {rank}: {text}", file=sys.stderr)
    leave(code)


def leave(code: int) -> None:
    """Exit at once: to take torch's modules apart, as Python does at its end, takes seconds."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it may have gone
            stream.flush()
    os._exit(code)


def _explain(error: Exception) -> tuple[str, int]:
    if isinstance(error, SnowcoderError):
        return str(error), error.exit_code
    if _is_lost_contact(error):
        reason = str(error).splitlines()[0].partition(" This is typically")[0]  # gloo's advice does not fit
        return f"lost contact with another rank in {pulse.here()} ({reason})", 1
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        what = f" writing {error.filename}" if error.filename else ""
        return f"no space left on the device{what} in {pulse.here()}; make room, then the same command goes on", 1
    if isinstance(error, BrokenPipeError):
        return f"whoever read the output has gone, in {pulse.here()}; the same command goes on", 1
    traceback.print_exception(error)
    return f"{type(error).__name__} in {pulse.here()}: {error}", 1


def _is_lost_contact(error: Exception) -> bool:
    """Whether a collective failed because another rank is gone."""
    import torch.distributed as dist

    # NCCL's errors have a type; gloo's are RuntimeErrors that begin with a place in its source.
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "/gloo/" in str(error)[:200])
