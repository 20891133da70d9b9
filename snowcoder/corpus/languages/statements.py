"""What a file says of its own language: in its first line, for an editor, or by PHP's tag."""

from __future__ import annotations

import re

import enry

from snowcoder.corpus.languages.names import language_named, language_of

_EDGE = 2 << 10  # characters at either end, in which editors look
_ENV = re.compile(r"env|-.*|\w+=.*")  # no interpreter: env, options, variables
_NIX = re.compile(r"^#!.*nix-shell.*\s(?:-i|--interpreter)\s+(\S+)", re.MULTILINE)
_BUILT = re.compile(r"@(\w+)@")  # a path that configure puts there: @PYTHON@
_VERSION = re.compile(r"[\d.]+$")
_PHP = re.compile(r"\s*<\?php\b", re.IGNORECASE)
_EDITORS = ("-*-", "vim:", "vi:", "ex:")
_INTERPRETERS = {"cargo": "Rust", "gmake": "Makefile", "scala-cli": "Scala", "amm": "Scala", "zx": "JavaScript"}


def stated_language(content: str) -> str | None:
    """None where it says nothing."""
    return by_shebang(content) or by_modeline(content) or ("PHP" if _PHP.match(content) else None)


def by_shebang(content: str) -> str | None:
    if not content.startswith("#!"):
        return None
    head = "\n".join(content[:_EDGE].splitlines()[:5])  # `exec tclsh "$0"` may follow `#!/bin/sh`
    if nix := _NIX.search(head):
        head = f"#!{nix[1]}"
    found: str = enry.get_language_by_shebang(f"{head}\n".encode()).language
    return language_of(found) if found else _by_words(head.partition("\n")[0][2:])


def _by_words(line: str) -> str | None:
    """Of interpreters that the package does not know: with versions, or in `/bin/busybox sh`."""
    words = [word.rpartition("/")[2] for word in _BUILT.sub(r"\1", line).split()]
    names = [_VERSION.sub("", word.lower()) for word in words if not _ENV.fullmatch(word)]
    found = (_INTERPRETERS.get(name) or language_named(name) for name in names[:2])
    return next(filter(None, found), None)


def by_modeline(content: str) -> str | None:
    edges = content if len(content) <= 2 * _EDGE else f"{content[:_EDGE]}\n{content[-_EDGE:]}"
    if not any(mark in edges for mark in _EDITORS):
        return None
    # The package takes `indent-tabs-mode: nil` for the mode.
    found: str = enry.get_language_by_modeline(edges.replace("indent-tabs-mode", "").encode()).language
    return language_of(found) or None
