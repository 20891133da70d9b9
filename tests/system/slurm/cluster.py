"""A real Slurm of three nodes on this machine, for tests: `with Cluster(folder) as cluster: cluster.run_job(...)`.

It lives in namespaces of its own (start.sh), all of which end when the test's process closes its pipe or dies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).parents[3]
PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "munged": "munge",
    "ip": "iproute2",
    "tc": "iproute2",
}
NAMESPACES = ["unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]


def why_not() -> str | None:
    """Why this machine cannot have the cluster; None if it can."""
    if os.geteuid() != 0:
        return "a Slurm cluster needs root"
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        return f"a Slurm cluster needs: apt-get install {' '.join(missing)}"
    tried = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True, check=False)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


class Ended(NamedTuple):
    """A job that has ended: its exit code (128 + signal if killed) and what it printed."""

    code: int
    log: str


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> Cluster:
        with (self.folder / "start.log").open("w") as log:
            start = [*NAMESPACES, str(Path(__file__).with_name("start.sh")), str(self.folder)]
            self.process = subprocess.Popen(start, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self.environment)
        try:
            self._wait_until_idle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + 30
        while self.call("sinfo", "--noheader", "--Node", "--format=%T", check=False).split() != ["idle"] * 3:
            if self.process.poll() is not None or time.monotonic() > deadline:
                logs = [f"{path.name}:\n{path.read_text()}" for path in sorted(self.folder.glob("*.log"))]
                raise RuntimeError("the Slurm cluster did not start\n" + "\n".join(logs))
            time.sleep(0.1)

    def call(self, *command: str, check: bool = True) -> str:
        """Output of a Slurm command, run in the controller's network from the project's folder."""
        if not psutil.Process(self.process.pid).children():
            return ""
        enter = [*self.enter("--net"), *command]
        done = subprocess.run(enter, capture_output=True, text=True, check=False, cwd=ROOT, env=self.environment)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def enter(self, namespaces: str) -> list[str]:
        """What to put before a command that is to run in the controller's namespaces."""
        (inside,) = psutil.Process(self.process.pid).children()
        return ["nsenter", f"--target={inside.pid}", namespaces]

    def submit(self, *arguments: str) -> str:
        """`sbatch ARGUMENTS`; returns the job's number."""
        return self.call("sbatch", "--parsable", f"--output={self.folder}/job-%j.log", *arguments).strip()

    def log_of(self, job: str) -> str:
        path = self.folder / f"job-{job}.log"
        return path.read_text() if path.exists() else ""

    def clear(self) -> None:
        """End all jobs that are left."""
        self.call("scancel", "--user=root")
        deadline = time.monotonic() + 60
        while self.call("squeue", "--noheader").strip():
            assert time.monotonic() < deadline, self.call("squeue")
            time.sleep(0.1)

    def power_off(self, node: str) -> None:
        """Pull the plug: all that runs on `node` is gone at once, and nobody is told."""
        self.cut(node)
        # Ours, not the cluster's: a node that was off and on again was started by us.
        ours = psutil.Process().children(recursive=True)
        (first,) = [process for process in ours if _is_first(process, f"-N {node} -f {self.folder}/")]
        first.kill()

    def power_on(self, node: str) -> None:
        """Start a node that is off; returns when Slurm can use it."""
        script = Path(__file__).with_name("node.sh")
        start = ["unshare", "--net", "--uts", "--mount", str(script), str(self.folder), node, f"10.77.0.1{node[-1]}"]
        subprocess.Popen([*self.enter("--all"), *start], stdin=subprocess.DEVNULL, env=self.environment)
        self.wait_for_node(node)

    def cut(self, node: str) -> None:
        """Cut the cable of `node`."""
        self.call("ip", "link", "set", node, "down")

    def mend(self, node: str) -> None:
        self.call("ip", "link", "set", node, "up")
        self.wait_for_node(node)

    def slow_down(self, node: str, rate: str) -> None:
        """Let no more than `rate` through the cable to `node`; an empty rate takes the limit away."""
        limit = ["add", "dev", node, "root", "tbf", "rate", rate, "burst", "64k", "latency", "400ms"]
        self.call("tc", "qdisc", *(limit if rate else ["del", "dev", node, "root"]))

    def wait_for_node(self, node: str, state: str = "idle|mixed|allocated") -> None:
        deadline = time.monotonic() + 60
        while not re.fullmatch(
            state, self.call("sinfo", "--noheader", f"--nodes={node}", "--Node", "--format=%T").strip()
        ):
            assert time.monotonic() < deadline, self.call("sinfo", "--Node", "--long")
            time.sleep(0.1)

    def wait(self, job: str, seconds: float) -> Ended:
        """Wait until `job` has ended, which must be within `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.call("scontrol", "show", "job", job)
            if re.search(r"JobState=(COMPLETED|FAILED|CANCELLED|NODE_FAIL|TIMEOUT)", text):
                break
            assert time.monotonic() < deadline, f"job {job} has not ended in {seconds} s:\n{text}\n{self.log_of(job)}"
            time.sleep(0.1)
        code, signal = re.search(r"ExitCode=(\d+):(\d+)", text).groups()  # type: ignore[union-attr]
        return Ended(int(code) or (128 + int(signal) if signal != "0" else 0), self.log_of(job))


def _is_first(process: psutil.Process, words: str) -> bool:
    """Whether it is the first process of a node (node.sh) with these words in its command."""
    try:
        command = process.cmdline()
    except psutil.Error:  # it has just ended
        return False
    return command[:2] == ["bash", "-c"] and words in command[2]
