"""Ranks as processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

from snowcoder.config.schema import Config
from snowcoder.ports import free_ports
from snowcoder.training.events import Events
from snowcoder.training.launch.watch import RanksEnded, RanksFailed, watch
from snowcoder.training.rank import signals
from snowcoder.training.rank.environment import memory_environment
from snowcoder.training.rank.pulse import ADDRESS, Listener


def run_local_ranks(command: list[str], config: Config, keep: Sequence[int] = ()) -> None:
    """Run `command` once a rank, and return when all have ended well. `keep`: descriptors that ranks have open too."""
    listener = Listener("127.0.0.1", bind="127.0.0.1")
    with signals.caught() as inbox:
        ranks = LocalRanks(command, config, {ADDRESS: listener.address}, keep)
        try:
            watch(ranks, listener, inbox, config.launch)
        except RanksFailed as fault:
            Events(config).add("failed", str(fault))
            raise
        finally:
            ranks.kill()


class LocalRanks:
    def __init__(self, command: list[str], config: Config, more: dict[str, str], keep: Sequence[int] = ()) -> None:
        size = config.parallel.world_size
        common = {
            **memory_environment(),
            **os.environ,
            **more,
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(free_ports(1)[0]),
            "OMP_NUM_THREADS": str(config.launch.threads or max(1, len(os.sched_getaffinity(0)) // size)),
        }
        # A session of their own: Ctrl-C is for this process, which passes it on.
        self.processes = [
            subprocess.Popen(
                command, env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, process_group=0, pass_fds=keep
            )
            for rank in range(size)
        ]

    def poll(self) -> RanksEnded | None:
        """As soon as one rank fails, for the others would wait for it; else when all are done."""
        codes = [process.poll() for process in self.processes]
        if not any(codes):
            return RanksEnded(0) if all(code == 0 for code in codes) else None
        # Look again: the first to end may have been passed just before it did.
        ended = [process.poll() or 0 for process in self.processes]
        code = min(ended) or max(ended)  # who was killed, for others then lose contact and fail
        return RanksEnded(code, ended.index(code))

    def forward(self, number: signal.Signals) -> None:
        for process in self.processes:
            process.send_signal(number)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
