"""Which documents may be used, by licence and by the wish of their owners."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from snowcoder.config.corpus_schema import LicencePolicyConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.licences.expressions import holds
from snowcoder.errors import UserError

_NAME_IN_OPT_OUT = re.compile(r"[^\s*/]+/\*|[^\s*]+")
_ADDRESS = re.compile(r"^(([a-z+]+://)([^/@]+@)?[^/]+/|[^/@\s]+@[^/:]+:|[\w-]+(\.[\w-]+)+/(?=[^/]+/))")
_SHOWN = 100  # characters of licences in a reason


class LicencePolicy:
    """Which documents may be used, by licence and by the wish of their owners.

    Permissive licences are those of The Stack v2, in permissive.txt.
    """

    def __init__(self, config: LicencePolicyConfig) -> None:
        self._config = config
        self._allowed = _permissive() | {name.lower() for name in config.also_allowed}
        self._opted_out = _read_opt_out(config.opt_out) if config.opt_out else frozenset()

    def knows_owner(self, document: Document) -> bool:
        """Whether the opt-out list can tell anything of a document: not without a name, nor of a number by names."""
        if self._config.opt_out is None:
            return True
        by_number = document.repository.isdecimal() and not any(name.isdecimal() for name in self._opted_out)
        return bool(document.repository) and not by_number

    def fault(self, document: Document) -> str | None:
        """Why a document may not be used, or None."""
        name = _repository(document.repository)
        if name in self._opted_out or f"{name.partition('/')[0]}/*" in self._opted_out:
            return "opted out"
        if self._config.allowed == "any":
            return None
        if not document.licences:
            return None if self._config.unlicensed == "keep" else "no licence"
        bad = [licence for licence in document.licences if not holds(licence, self._allowed)]
        return f"licence not permissive: {', '.join(bad)[:_SHOWN]}" if bad else None


@functools.cache
def _permissive() -> frozenset[str]:
    lines = Path(__file__).with_name("permissive.txt").read_text().splitlines()
    return frozenset(line.lower() for line in lines if line and line[0] != "#")


def _repository(name: str) -> str:
    """owner/name, as lists and shards may spell it: as an address, with .git, in other cases."""
    return _ADDRESS.sub("", name.strip().lower()).strip("/").removesuffix(".git")


def _read_opt_out(path: str) -> frozenset[str]:
    """Names of repositories, and owner/* for all of an owner's: one a line, # begins a comment."""
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the opt-out list {path}: {error}") from None
    names = {number: _repository(line.partition("#")[0]) for number, line in enumerate(lines, 1)}
    for number, name in names.items():
        if name and not _NAME_IN_OPT_OUT.fullmatch(name):
            raise UserError(f"{path}, line {number}: {name!r} is neither a repository nor owner/*")
    return frozenset(filter(None, names.values()))
