"""The ranks of `parallel` against GPUs and nodes: as Slurm and the job scripts say, or of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from snowcoder.config.schema import Config
from snowcoder.doctor.finding import Finding, Level, phases_of
from snowcoder.training.launch.slurm import srun_problem

_SINFO_SECONDS = 10
_OUT_OF_USE = re.compile("down|drain|fail|maint|unk|no_resp", re.IGNORECASE)


class Script(NamedTuple):
    """What the header of a job script asks for."""

    path: Path
    nodes: int
    tasks: int  # a node
    gpus: int  # a node

    @property
    def ranks(self) -> int:
        return self.nodes * self.tasks


class SlurmNode(NamedTuple):
    name: str
    gpus: int
    usable: bool


def topology_findings(config: Config) -> Iterator[Finding]:
    yield from _slurm(config) if config.launch.kind == "slurm" else _local(config)


def _local(config: Config) -> Iterator[Finding]:
    size, cores = config.parallel.world_size, len(os.sched_getaffinity(0))
    hint = "; for a job of Slurm: `snowcoder doctor launch=slurm`" if shutil.which("sinfo") else ""
    level: Level = "ok"
    if torch.cuda.is_available():
        have = f"{torch.cuda.device_count()} GPU(s)"
        level = "problem" if size > torch.cuda.device_count() else "ok"
    else:
        have = f"no GPU and {cores} core(s)"
        level = "warning" if size > cores else "ok"
    yield Finding(level, "topology", f"{size} rank(s) on this machine, which has {have}{hint if level != 'ok' else ''}")


def _slurm(config: Config) -> Iterator[Finding]:
    scripts = [script for name in phases_of(config) if (script := read_script(Path("slurm") / f"{name}.sh"))]
    for script in scripts:
        yield _header(config, script)
    if not scripts:
        text = "no slurm/<phase>.sh here; run this from the folder you call sbatch in (`snowcoder init DIR` makes one)"
        yield Finding("warning", "topology", text)
    yield from _nodes(config, scripts[0] if scripts else None)
    if shutil.which("srun") and (problem := srun_problem(config)):
        yield Finding("warning", "topology", f"{problem} (nodes may differ from this machine)")


def read_script(path: Path) -> Script | None:
    if not path.is_file():
        return None
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)=(?:\w+:)?(\d+)\s*$", path.read_text(), re.MULTILINE))
    nodes, tasks, gpus = (
        int(options.get(name, default))
        for name, default in (("nodes", 1), ("ntasks-per-node", 1), ("gpus-per-node", 0))
    )
    return Script(path, nodes, tasks, gpus)


def _header(config: Config, script: Script) -> Finding:
    size, tensor = config.parallel.world_size, config.parallel.tensor
    asks = f"{script.path} asks for {script.nodes} node(s) of {script.tasks} rank(s)"
    if script.ranks != size:
        fits = f"--nodes={size // script.tasks}" if size % script.tasks == 0 else f"--nodes=1 --ntasks-per-node={size}"
        text = f"{asks}, `parallel` makes {size}: `sbatch {fits} {script.path} ...`, or set parallel.data"
        return Finding("warning", "topology", text)
    if script.tasks % tensor:
        text = f"{asks}: parallel.tensor={tensor} does not divide that, so that tensor ranks talk across nodes"
        return Finding("warning", "topology", text)
    return Finding("ok", "topology", f"{asks}, as `parallel` does ({size})")


def _nodes(config: Config, script: Script | None) -> Iterator[Finding]:
    if shutil.which("sinfo") is None:
        yield Finding("warning", "topology", "sinfo is not on this machine: the cluster's nodes cannot be checked")
        return
    try:
        nodes = _sinfo()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = error.stderr.strip() if isinstance(error.stderr, str) else ""
        text = f"Slurm does not answer ({said or type(error).__name__}): ask for its state with `sinfo`"
        yield Finding("problem", "topology", text)
        return
    yield _enough(config, script or Script(Path("slurm"), 1, 1, 0), nodes)


def _enough(config: Config, script: Script, nodes: list[SlurmNode]) -> Finding:
    size = config.parallel.world_size
    wanted = -(-size // script.tasks)
    usable = [node for node in nodes if node.usable]
    broken = sorted(node.name for node in nodes if not node.usable)
    down = f"; not in use: {', '.join(broken[:5])}{' ...' if len(broken) > 5 else ''}" if broken else ""
    have = f"Slurm has {len(usable)} node(s) in use{down}"
    if wanted > len(usable):
        text = f"{have}; {size} rank(s) at {script.tasks} a node need {wanted}: change `parallel` or --ntasks-per-node"
        return Finding("problem", "topology", text)
    with_gpus = sum(node.gpus >= script.gpus for node in usable)
    if wanted > with_gpus:
        text = f"{have}, {with_gpus} of them with {script.gpus} GPU(s), {wanted} needed: `sbatch --gpus-per-node=...`"
        return Finding("warning", "topology", text)
    return Finding("ok", "topology", f"{have}, {wanted} needed")


def _sinfo() -> list[SlurmNode]:
    command = ["sinfo", "--noheader", "--Node", "--format=%N|%T|%G"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SINFO_SECONDS)
    rows = [line.strip().split("|") for line in done.stdout.splitlines() if line.count("|") == 2]
    # A node is listed once a partition.
    return list(
        {name: SlurmNode(name, _gpus(gres), not _OUT_OF_USE.search(state)) for name, state, gres in rows}.values()
    )


def _gpus(gres: str) -> int:
    """Of `gpu:h100:8(S:0-1),nvme:1`, 8."""
    return sum(int(count) for count in re.findall(r"\bgpu:(?:[^:,(]+:)?(\d+)", gres))
