"""Runs verbs where packages cannot be imported: `python -m tests.config.without_packages [MODULE...]`.

Its standard input is a list of [modules that are not there, words of a command], as JSON; its output the exit status
and the message of each, in a process of its own. The modules are imported before, once for all of these.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from io import StringIO


class Hiding(MetaPathFinder):
    """Finds all that the others find, except what is to be taken for not installed."""

    find_distributions = staticmethod(PathFinder.find_distributions)  # for importlib.metadata

    def __init__(self) -> None:
        self.others = sys.meta_path[:]
        self.hidden: set[str] = set()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if {name, name.partition(".")[0]} & self.hidden:
            return None
        found = (finder.find_spec(name, path, target) for finder in self.others)  # type: ignore[arg-type]
        return next((spec for spec in found if spec), None)


def outcome(words: list[str]) -> tuple[int, str]:
    from snowcoder import cli

    said = StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(said):
        try:
            cli.main(words)
        except SystemExit as ended:
            return int(str(ended.code)), said.getvalue()
    return 0, said.getvalue()


def in_a_process(words: list[str]) -> tuple[int, str]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.write(writing, json.dumps(outcome(words)).encode())
        except BaseException as error:
            os.write(writing, json.dumps((-1, repr(error))).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        return json.load(file)


def main() -> None:
    hiding = Hiding()
    sys.meta_path[:] = [hiding]
    cases = json.load(sys.stdin)
    hiding.hidden = {name for modules, _ in cases for name in modules}
    for name in sys.argv[1:]:
        importlib.import_module(name)
    found = []
    for modules, words in cases:
        hiding.hidden = set(modules)
        found.append(in_a_process(words))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
