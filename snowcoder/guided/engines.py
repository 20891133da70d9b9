"""Completion engines: how a stock language server is started, and what its replies say of the names at a place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.errors import UserError
from snowcoder.guided import jdt, pyrefly
from snowcoder.guided.language_server import LanguageServer, Missing, Reply, first_name, written
from snowcoder.guided.places import JAVA, PYTHON, TYPESCRIPT, Syntax


class Engine(NamedTuple):
    """`prepare`: for a server that wants a folder of its own; it gives the arguments that name it."""

    language: Syntax
    ending: str  # of a file's name
    command: Callable[[], list[str]]
    settings: Mapping[str, Any]
    names_of: Callable[[Reply, str], frozenset[str] | None]  # of a reply, and the text before the place
    prepare: Callable[[Path, Path], list[str]] | None = None  # of the project's root, and the folder
    settle: Callable[[LanguageServer], None] | None = None  # waits until the server knows all names
    missing: Callable[[Sequence[Mapping[str, Any]], str], Missing] | None = None  # of the problems of a text
    # Whether a new name could stand behind a text, by its words; and whether it can, by the list for no letter.
    may_be_new_name: Callable[[str], bool] | None = None
    is_new_name: Callable[[Reply, str], bool] | None = None
    check: Callable[[Path], None] | None = None  # raises UserError for a project that it does not know all names of

    def start(self, root: Path, log: Path) -> LanguageServer:
        """Raises OperationError if it cannot be started, UserError if it is not installed."""
        if self.check:
            self.check(root)
        command, private = self.command(), None
        if self.prepare:
            # Not in the run's folder: that may be inside the project, which the folder links.
            private = tempfile.TemporaryDirectory(prefix="snowcoder-")
            command += self.prepare(root, Path(private.name))
        return LanguageServer(command, root, self.language.name, self.settings, log, private, self.settle)


PYREFLY = Engine(PYTHON, ".py", pyrefly.pyrefly_command, pyrefly.SETTINGS, pyrefly.pyrefly_names)


def _typescript_command() -> list[str]:
    found = shutil.which("typescript-language-server")
    if not found:
        raise UserError(
            "the completion engine for TypeScript, typescript-language-server, is not on the PATH: "
            "npm install --global typescript-language-server typescript@5"
        )
    return [found, "--stdio"]


def _check_typescript(root: Path) -> None:
    """Without the file the server has the members of 2009's language only, and refuses what all newer code has."""
    if not any((folder / "tsconfig.json").is_file() for folder in (root.resolve(), *root.resolve().parents)):
        raise UserError(
            f"the completion engine for TypeScript needs a tsconfig.json in {root} or above it: "
            'write one, {"compilerOptions": {"target": "ES2022", "strict": true}} for instance'
        )


def _typescript_names(reply: Reply, before: str) -> frozenset[str] | None:
    """None where the list says nothing: an empty one, which is of a receiver of type `any`."""
    names = frozenset(filter(None, (first_name(written(item).lstrip("?.")) for item in reply.items)))
    return names if names and reply.complete else None


JDT = Engine(
    JAVA,
    ".java",
    jdt.server_command,
    jdt.SETTINGS,
    jdt.names_of,
    jdt.prepare_workspace,
    jdt.settle,
    jdt.missing,
    jdt.may_be_new_name,
    jdt.is_new_name,
)
TYPESCRIPT_SERVER = Engine(TYPESCRIPT, ".ts", _typescript_command, {}, _typescript_names, check=_check_typescript)
ENGINES = {engine.language.name: engine for engine in (PYREFLY, JDT, TYPESCRIPT_SERVER)}
