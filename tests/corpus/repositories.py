"""Repositories for tests, and how they are read."""

import importlib.metadata
import os
import subprocess
from collections import Counter
from pathlib import Path

import yaml

from snowcoder.config.compose import conf_dir, load_config
from snowcoder.config.corpus_schema import RepositoriesConfig
from snowcoder.corpus.sources.repository import Gate, Repository

LIMITS = RepositoriesConfig(**yaml.safe_load((conf_dir() / "repositories" / "default.yaml").read_text()))
STORAGE = load_config(["storage=disk"]).storage


def read(repository: Repository, limits: RepositoriesConfig = LIMITS) -> tuple[dict[str, bytes | None], dict[str, int]]:
    """All files by path, and what was passed over by reason."""
    dropped: Counter[str] = Counter()
    files = list(repository.files(Gate(limits, lambda _: True, dropped)))
    dropped.update(file.fault for file in files if file.fault)
    assert len({file.path for file in files}) == len(files)
    return {file.path: file.data for file in files if file.data is not None}, dict(dropped)


def git(folder: Path, *arguments: str, text: str | None = None) -> str:
    who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, input=text, check=True)
    return done.stdout


def git_repository(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "1")
    return folder


def licence_of(package: str) -> str:
    """The licence's text of an installed package: real ones, with their credits."""
    files = importlib.metadata.distribution(package).files or []
    (found,) = [
        file for file in files if file.name in ("LICENSE", "LICENSE.txt", "LICENCE") and "dist-info" in str(file)
    ]
    return found.read_text()
