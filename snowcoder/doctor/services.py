"""What tells people about a run: trackers, and the hook for events."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.doctor.disk import refused
from snowcoder.doctor.finding import Finding, Level
from snowcoder.training.events import KINDS
from snowcoder.training.trackers.packages import missing_packages
from snowcoder.training.trackers.wandb import wandb_login

_SECONDS = "10"


def logging_findings(config: Config) -> Iterator[Finding]:
    missing = missing_packages(config)
    level: Level = "warning" if config.launch.python else "problem"  # the Python of the ranks may have them
    yield from (Finding(level, "logging", text) for text in missing)
    if missing:
        return
    if config.logging.wandb:
        yield _wandb(config.logging.wandb)
    if config.logging.mlflow:
        yield _mlflow(config.logging.mlflow)
    if config.logging.prometheus:
        yield _prometheus(Path(config.logging.prometheus))


def _wandb(project: str) -> Finding:
    try:
        problem = "" if wandb_login(verify=True) else "has no key"
    except Exception as error:  # no answer, or a refusal
        problem = f"does not let us in ({type(error).__name__})"
    if problem:
        text = f"W&B {problem}: `wandb login`, WANDB_API_KEY, WANDB_MODE=offline, or logging.wandb=null"
        return Finding("problem", "logging", text)
    return Finding("ok", "logging", f"W&B project {project}, mode {os.environ.get('WANDB_MODE', 'online')}")


def _mlflow(experiment: str) -> Finding:
    # It would try for minutes.
    os.environ.update(MLFLOW_HTTP_REQUEST_MAX_RETRIES="1", MLFLOW_HTTP_REQUEST_TIMEOUT=_SECONDS)
    mlflow = importlib.import_module("mlflow")
    try:
        mlflow.MlflowClient().get_experiment_by_name(experiment)
    except Exception as error:  # whatever the store behind it throws; its text may hold a password
        text = f"MLflow does not answer ({type(error).__name__}): check MLFLOW_TRACKING_URI, or set logging.mlflow=null"
        return Finding("problem", "logging", text)
    return Finding("ok", "logging", f"MLflow answers; experiment {experiment}")


def _prometheus(folder: Path) -> Finding:
    text = f"logging.prometheus={folder}: is the folder that node_exporter reads on the node of rank 0"
    if not folder.is_dir():
        return Finding("problem", "logging", f"{text}; there is none here")
    if reason := refused(folder):
        return Finding("problem", "logging", f"{text}; nothing can be written there: {reason}")
    return Finding("ok", "logging", f"Prometheus: files in {folder}")


def notify_findings(config: Config) -> Iterator[Finding]:
    """Whether the program of notify.command is there. It is not run."""
    for kind in config.notify.events:
        if kind not in KINDS:
            yield Finding("problem", "notify", f"notify.events: {kind!r} is no event; allowed: {', '.join(KINDS)}")
    if config.notify.command is None:
        return
    program = command_program(config.notify.command)
    if program is None:
        yield Finding("problem", "notify", "notify.command: its quotes do not match, or it is empty")
        return
    found = subprocess.run(["sh", "-c", 'command -v -- "$1"', "sh", program], capture_output=True, check=False)
    if found.returncode:
        yield Finding("problem", "notify", f"notify.command: {program} is not a program here; nobody would be told")
    else:
        yield Finding("ok", "notify", f"{program} is told of {', '.join(config.notify.events)}")


def command_program(command: str) -> str | None:
    """The first word of a shell command that is no assignment; None if there is none."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    return next((word for word in words if not re.match(r"\w+=", word)), None)
