"""The JDK that compiles and tests patches. A completion engine may run on another one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from snowcoder.errors import UserError

_INSTALL = "Debian, Ubuntu: apt-get install default-jdk-headless; or set repair.java_home=FOLDER"


class Jdk(NamedTuple):
    home: Path
    version: str  # as it says itself

    def tool(self, name: str) -> str:
        return str(self.home / "bin" / name)


def find_jdk(java_home: str | None) -> Jdk:
    """Raises UserError where there is none, or only what runs Java and does not compile it."""
    home = Path(java_home).expanduser() if java_home else _home_on_path()
    for name in ("java", "javac"):
        if not (home / "bin" / name).exists():
            raise UserError(f"repair.java_home: {home} is no JDK: it has no bin/{name}. {_INSTALL}")
    try:
        done = subprocess.run([home / "bin" / "javac", "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"repair.java_home: {home}/bin/javac does not run: {error}. {_INSTALL}") from None
    return Jdk(home.resolve(), (done.stdout or done.stderr).strip())  # before JDK 9 on stderr


def _home_on_path() -> Path:
    javac = shutil.which("javac")
    if javac is None:
        raise UserError(f"no JDK: there is no javac on the PATH, and patches in Java cannot be judged. {_INSTALL}")
    return Path(javac).resolve().parents[1]
