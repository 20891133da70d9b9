"""pyrefly, the completion engine for Python: how it is started, and what its lists leave out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from snowcoder.guided.language_server import Reply, first_name, written

SETTINGS = {"python": {"pyrefly": {"displayTypeErrors": "force-off"}}}
# Code for another Python or system is not analysed, nor is what a checker does not see; and what a mixin's methods
# call is of a class that takes it in.
_UNKNOWN = re.compile(r"\bsys\.(version_info|platform)\b|\bos\.name\b|\bTYPE_CHECKING\b|^\s*class \w*Mixin")
_OF_CLASSES = frozenset(name for name in dir(type) if name.startswith("__"))


def pyrefly_command() -> list[str]:
    return [str(Path(sys.executable).with_name("pyrefly")), "lsp"]


def pyrefly_names(reply: Reply, before: str) -> frozenset[str] | None:
    """The names that may stand behind `before`; None where the list says nothing.

    An empty list at a dot is of an unknown receiver. A parameter whose default is None has no members but those of
    None, which all begin with two underscores; and where the next lines make no sense behind this one, members are not
    told from other names, nor from keywords. Lists lack what classes have from their own class, such as `__name__`, and
    modules that were imported below the one before the dot.
    """
    names = frozenset(filter(None, (first_name(written(item)) for item in reply.items)))
    if not names or any(map(_UNKNOWN.search, _headers(before))):
        return None
    if not before.endswith("."):
        return names
    if "lambda" in names or all(name.startswith("__") for name in names):
        return None
    return names | _OF_CLASSES | _imported_below(before)


def _imported_below(before: str) -> frozenset[str]:
    receiver = re.search(r"([\w.]*)\.$", before)
    assert receiver
    below = rf"^\s*import\b[^\n#]*\b{re.escape(receiver[1])}\.(\w+)"
    return frozenset(re.findall(below, before, re.MULTILINE)) if receiver[1] else frozenset()


def _headers(before: str) -> Iterator[str]:
    """The lines that open the blocks around the end of `before`, the innermost first; of an `else` also its `if`."""
    *lines, last = before.split("\n")
    depth, branch = _indentation(last), re.match(r"\s*(else|elif)\b", last)
    for line in filter(str.strip, reversed(lines)):
        here = _indentation(line)
        if here < depth or (branch and here == depth and re.match(r"\s*(if|elif)\b", line)):
            yield line
            depth, branch = here, re.match(r"\s*(else|elif)\b", line)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
