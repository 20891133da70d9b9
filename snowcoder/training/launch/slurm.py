"""Ranks as tasks of a Slurm job, and what becomes of the job when they stop or fail."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, Requeued, Stopped, UserError
from snowcoder.training.events import Events, read_events
from snowcoder.training.launch.watch import NotStarted, RanksEnded, RanksFailed, watch
from snowcoder.training.rank import signals
from snowcoder.training.rank.environment import memory_environment
from snowcoder.training.rank.pulse import ADDRESS, Listener

_GRACE_SECONDS = 10  # for the ranks that are left when the first one has ended


def run_slurm_ranks(command: list[str], config: Config, keep: Sequence[int] = ()) -> None:
    """Run `command` once a task of this job. A fault, or a stop before the end, gives the job back to Slurm.

    `keep`: descriptors that srun has open too, until the last rank has ended.
    """
    check_job(config)
    job = os.environ["SLURM_JOB_ID"]
    master = os.environ.get("MASTER_ADDR") or scontrol("show", "hostnames").split()[0]
    listener = Listener(master, bind="")
    events = Events(config)
    with signals.caught() as inbox:  # to the end: a requeue sends this process SIGTERM before it has told the log
        command = [*config.launch.srun, *command]
        ranks = SlurmRanks(command, master, int(job), {ADDRESS: listener.address}, keep)
        try:
            watch(ranks, listener, inbox, config.launch)
        except Stopped:
            _go_on_later(job, events)
            raise Requeued("stopped by a signal, after saving") from None
        except RanksFailed as fault:
            if _state(job) != "RUNNING":
                raise OperationError(f"Slurm ended job {job} before the ranks had saved: {fault}") from None
            if isinstance(fault, NotStarted) and "SLURM_RESTART_COUNT" not in os.environ:
                # They never have: it is what they are started by, and would be again.
                raise OperationError(f"{fault}; {_started_by(config)}") from None
            _try_again(job, config, events, fault)
            raise Requeued(f"Slurm starts job {job} again") from None


def check_job(config: Config) -> None:
    """Raise `UserError` unless this is a job of as many tasks as the config has ranks, which it can start."""
    tasks = os.environ.get("SLURM_NTASKS")
    if tasks is None:
        raise UserError("launch=slurm works inside a Slurm job: use `sbatch slurm/phase1.sh`")
    if int(tasks) != config.parallel.world_size:
        raise UserError(
            f"the job has {tasks} tasks, but tensor x pipeline x context x data of `parallel` is "
            f"{config.parallel.world_size}: set parallel.data, or sbatch --nodes and --ntasks-per-node"
        )
    if problem := srun_problem(config):
        raise UserError(problem)


def srun_problem(config: Config) -> str | None:
    """What is wrong with launch.srun and launch.python, as far as this machine can tell before ranks are started."""
    options, python = config.launch.srun, config.launch.python
    if options:  # srun reads them all before it helps
        asked = subprocess.run(["srun", *options, "--help"], capture_output=True, text=True, check=False)
        if asked.returncode:
            said = asked.stderr.strip() or f"srun --help ends with status {asked.returncode}"
            return f"launch.srun={options}: {said.splitlines()[0]}"
    elif python and shutil.which(python[0]) is None:
        return (
            f"launch.python={python}: {python[0]} is no program on {socket.gethostname()}; "
            "load its module in slurm/environment.sh, or give its full path"
        )
    return None


def _started_by(config: Config) -> str:
    return f"they are started by launch.srun={config.launch.srun} launch.python={config.launch.python}"


class SlurmRanks:
    def __init__(
        self, command: list[str], master: str, job: int, more: dict[str, str], keep: Sequence[int] = ()
    ) -> None:
        environment = {
            **memory_environment(),
            **os.environ,
            **more,
            "MASTER_ADDR": master,
            "MASTER_PORT": str(20000 + job % 12000),
        }
        # All ranks refuse a user's mistake for themselves; killed after the first, they would hide its exit code.
        srun = ["srun", "--kill-on-bad-exit=0", f"--wait={_GRACE_SECONDS}"]
        self.process = subprocess.Popen([*srun, *command], env=environment, pass_fds=keep)

    def poll(self) -> RanksEnded | None:
        code = self.process.poll()
        if code is None:
            return None
        if code < 0:
            return RanksEnded(code, what="srun")
        killed = 128 < code < 128 + signal.NSIG  # srun's way to say that a signal killed a task
        return RanksEnded(128 - code if killed else code)

    def forward(self, number: signal.Signals) -> None:
        self.process.send_signal(number)  # srun sends it to all tasks


def _go_on_later(job: str, events: Events) -> None:
    """After a stop: back to the queue, unless Slurm is already ending the job."""
    if _state(job) == "RUNNING":
        _requeue(job, events, "stopped before the end of its phases")


def _try_again(job: str, config: Config, events: Events, fault: RanksFailed) -> None:
    events.add("failed", str(fault))
    times = _failures_in_a_row(Path(config.run.dir))
    if times > config.launch.retries:
        text = f"{times} faults since the last checkpoint (launch.retries={config.launch.retries})"
        events.add("gave-up", f"{text}; the last one: {fault}")
        raise OperationError(
            f"{fault}\n{text}: not tried again. The same sbatch goes on from the newest valid checkpoint"
        )
    print(f"snowcoder: {fault}", file=sys.stderr, flush=True)
    dead = sorted(host for host in fault.hosts if not _answers(host))
    if dead and _left_to_slurm(job, events, dead):
        return
    _requeue(job, events, f"after a fault, {times} since the last checkpoint", fault.hosts)


def _left_to_slurm(job: str, events: Events, dead: list[str]) -> bool:
    """Wait until Slurm takes the nodes for dead too, and gives the job back; whether it did.

    A job that is requeued before that is never started again by Slurm 22.05, whatever nodes become free.
    """
    limit = int(_setting("SlurmdTimeout").split()[0])
    text = f"job {job}, by Slurm, which takes {', '.join(dead)} for dead after {limit} s (SlurmdTimeout)"
    events.add("requeued", text)
    print(f"snowcoder: {text}", file=sys.stderr, flush=True)
    deadline = time.monotonic() + 2 * limit + 60
    while time.monotonic() < deadline:
        if _state(job) != "RUNNING":
            _avoid(job, set(dead))  # else it might wait for them, without a node that was avoided before
            return True
        time.sleep(1)
    return False


def _answers(host: str) -> bool:
    """Whether Slurm's daemon on `host` can be reached from here."""
    try:
        socket.create_connection((host, int(_setting("SlurmdPort"))), timeout=5).close()
    except OSError:
        return False
    return True


def _setting(name: str) -> str:
    found = re.search(rf"^{name}\s*= (.+)$", scontrol("show", "config"), re.MULTILINE)
    assert found, name
    return found[1]


def _failures_in_a_row(run: Path) -> int:
    """Faults since the run last got anywhere."""
    times = 0
    for event in read_events(run):
        if event.kind in ("checkpoint", "ended", "gave-up"):
            times = 0
        times += event.kind == "failed"
    return times


def _requeue(job: str, events: Events, why: str, bad: set[str] | None = None) -> None:
    scontrol("requeue", job)
    avoided = _avoid(job, bad or set())
    if bad:
        names = ", ".join(sorted(bad))
        why += f", without {names}" if avoided else f"; no other nodes are free to go on without {names}"
    events.add("requeued", f"job {job}, {why}")


def _avoid(job: str, bad: set[str]) -> bool:
    """Keep the job from `bad` nodes if the others of its partition can hold it. Only a pending job can be told."""
    if not bad:
        return False
    about = dict(word.split("=", 1) for word in scontrol("show", "job", job).split() if "=" in word)
    nodes = _ask("sinfo", "--noheader", "--Node", f"--partition={about['Partition']}", "--format=%N %T").split()
    ours = set(scontrol("show", "hostnames").split())
    usable = {name for name, state in zip(nodes[::2], nodes[1::2], strict=True) if state == "idle" or name in ours}
    # Nodes that were avoided before may be well by now: they are taken again before there is none.
    for excluded in (bad | set(_names(about.get("ExcNodeList", "(null)"))), bad):
        if len(usable - excluded) >= len(ours):
            scontrol("update", f"JobId={job}", f"ExcNodeList={','.join(sorted(excluded))}")
            return True
    return False


def _names(nodes: str) -> list[str]:
    return [] if nodes == "(null)" else scontrol("show", "hostnames", nodes).split()


def _state(job: str) -> str:
    found = re.search(r"JobState=(\S+)", scontrol("show", "job", job))
    return found[1] if found else "unknown"


def scontrol(*words: str) -> str:
    """Output of scontrol; its failure is an `OperationError`."""
    return _ask("scontrol", *words)


def _ask(*command: str) -> str:
    with signals.blocked():  # a job that is being requeued gets SIGTERM in all its processes
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
