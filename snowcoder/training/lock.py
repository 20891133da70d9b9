"""One training a run: a second one in the same folder is refused, and told who the first is.

The launcher holds the lock, and what it starts (ranks, or srun, which waits for them) holds it too: it is free when
the last of them has ended, however they end. A job that Slurm starts again is not held up by a lock of its own.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.storage.atomic import writing_to
from snowcoder.storage.lock import Held, locked, name_holder, read_holder

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def run_lock(config: Config, about: dict[str, Any]) -> Iterator[list[Held]]:
    """The right to write into a run's folder. Raises `UserError` naming who has it.

    `about`: what the training rests on, as `describe_inputs` has it. Empty on a file system without locks.
    """
    path = RunFolder.of(config).lock
    with ExitStack() as stack:
        with writing_to(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            held = _enter(stack, path, {**about, **_job()})
        yield held


def _enter(stack: ExitStack, path: Path, about: dict[str, Any]) -> list[Held]:
    try:
        return [stack.enter_context(locked(path, lambda: _busy(path), about=about))]
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        print(f"snowcoder: warning: {path.parent} has no locks: mind that no other training runs there", flush=True)
        return []


def _job() -> dict[str, Any]:
    if "SLURM_JOB_ID" not in os.environ:
        return {}
    return {"job": os.environ["SLURM_JOB_ID"], "start": int(os.environ.get("SLURM_RESTART_COUNT", 0))}


def _busy(path: Path) -> UserError | None:
    """None where the lock is that of an earlier start of this very job, whose node is gone with it: it is void."""
    holder, own = read_holder(path), _job()
    if own and holder.get("job") == own["job"] and holder["start"] < own["start"]:
        print(f"snowcoder: the lock of {name_holder(holder)} is of an earlier start of this job", file=sys.stderr)
        path.unlink(missing_ok=True)
        return None
    job = f", job {holder['job']}" if "job" in holder else ""
    return UserError(
        f"{path.parents[1]} is being trained by {name_holder(holder)}{job}: wait until it has ended, stop it, or set "
        f"another run.dir. (If that host is gone for good, remove {path})"
    )
