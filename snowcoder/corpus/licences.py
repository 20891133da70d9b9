"""Licences as SPDX identifiers: of a repository's files by its licence texts, and the policy on what may be used."""

from __future__ import annotations

import functools
import re
import tomllib
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from boolean import ParseError
from license_expression import ExpressionError, Licensing, get_spdx_licensing
from licenseclassifier import identify_license

from snowcoder.config.corpus_schema import LicencePolicyConfig
from snowcoder.corpus.document import Document
from snowcoder.errors import UserError

UNKNOWN = "LicenseRef-unknown"  # there is a licence, and it is none of SPDX's
_COVERAGE = 50.0  # percent of a text that is a licence's: real ones begin with credits
_TEXT = 256 << 10  # characters; longer ones are collections of notices
_EXPRESSION = 500  # characters; real ones are shorter, and deep nesting is what only an attack has
_POINTER = 500  # characters; a text as short names a licence that lies beside it
_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n\r]{1,200})")
_TAG_WITHIN = 2048  # characters from a file's beginning
_COMMENT_ENDS = re.compile(r"\s*(\*/|-->|\*\)|--\]\]|#\}|'''|\"\"\").*$")
_TEXTS = re.compile(r"((un)?licen[cs]es?|copying|(mit|apache|bsd|gpl)[-_.]licen[cs]e)([-_.][\w.-]*)?$", re.IGNORECASE)
_NOT_TEXTS = re.compile(
    r"\.(py|pyi|c|h|cc|cpp|js|ts|tsx|go|rs|java|rb|php|cs|sh|json|yml|yaml|toml|svg|png)$", re.IGNORECASE
)
_NAME_IN_OPT_OUT = re.compile(r"[^\s*/]+/\*|[^\s*]+")
_ADDRESS = re.compile(r"^(([a-z+]+://)([^/@]+@)?[^/]+/|[^/@\s]+@[^/:]+:|[\w-]+(\.[\w-]+)+/(?=[^/]+/))")
_BESIDE = re.compile(r"(^|/)([^/]+\.dist-info|licen[cs]es)$", re.IGNORECASE)


def is_licence_text(path: str) -> bool:
    """Whether a file is, by its name or its folder's, a licence's text: LICENSE.md, COPYING, LICENSES/MIT.txt."""
    file = PurePosixPath(path)
    if _NOT_TEXTS.search(file.name):
        return False
    among = file.parent.name.lower() in ("licenses", "licences") and file.suffix in ("", ".txt", ".md")
    return among or _TEXTS.match(file.name) is not None


def is_metadata(path: str) -> bool:
    """Whether a file is a package's description, which may name its licence."""
    path = PurePosixPath(path).as_posix()
    return PurePosixPath(path).name in _METADATA or path.endswith(".dist-info/METADATA")


def detect_licences(text: str) -> tuple[str, ...]:
    """The licences whose texts these are, sorted; none where there is no known one."""
    found = identify_license(text[:_TEXT], coverage_threshold=_COVERAGE)
    return tuple(sorted({match.id for match in found}))


def tagged_licence(content: str) -> str | None:
    """The expression of a source file's `SPDX-License-Identifier`, if it has one near its beginning."""
    at = content.find("SPDX-License-Identifier:", 0, _TAG_WITHIN)
    found = _TAG.match(content, at) if at >= 0 else None
    return _normalise(_COMMENT_ENDS.sub("", found[1])) if found else None


def metadata_licence(path: str, text: str) -> str | None:
    """The licence that a package's description declares, as an SPDX expression. None: it declares none."""
    name = PurePosixPath(path).name
    try:
        declared = _METADATA.get(name, _python_metadata)(text)
    except (ValueError, AttributeError, TypeError, RecursionError):  # untrusted, and of any shape
        return None
    return _normalise(declared) if isinstance(declared, str) and declared else None


class LicenceTree:
    """Licences of one repository's folders: the nearest folder up the tree that has any tells a file's."""

    def __init__(self) -> None:
        self._texts: dict[str, set[str]] = {}
        self._declared: dict[str, set[str]] = {}

    def add(self, path: str, text: str | None) -> None:
        """A licence's text or a package's description; None where it could not be read."""
        folder = _folder(path)
        if is_licence_text(path):
            known = set(detect_licences(text)) if text is not None else set()
            short = text is not None and len(text) < _POINTER
            self._texts.setdefault(folder, set()).update(known or ({""} if short else {UNKNOWN}))
        elif text is not None and (declared := metadata_licence(path, text)):
            self._declared.setdefault(folder, set()).add(declared)

    def of(self, path: str) -> tuple[str, ...]:
        """All that apply to a file, so each must be acceptable; empty where there is no licence."""
        for folder in PurePosixPath(path).parents:
            if found := self._at("" if str(folder) == "." else str(folder)):
                return found
        return ()

    def _at(self, folder: str) -> tuple[str, ...]:
        texts, declared = self._texts.get(folder, set()), self._declared.get(folder, set())
        known = texts - {""}  # a pointer counts only where what it points to is not there
        # A choice, "MIT OR Apache-2.0", is in the description alone: the texts of both lie side by side.
        if declared and {_base(each) for each in known} <= {_base(key) for each in declared for key in _keys(each)}:
            known = declared
        return tuple(sorted(known or declared or ({UNKNOWN} if texts else ())))


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
        fine = all(_holds(licence, self._allowed) for licence in document.licences)
        return None if fine else "licence not permissive"


@functools.lru_cache(maxsize=4096)
def _holds(expression: str, allowed: frozenset[str]) -> bool:
    """Whether an expression leaves a way to use the work under `allowed` licences alone."""
    if expression.lower() in allowed:
        return True
    parsed = _parse(expression, validate=False)
    return parsed is not None and _evaluate(parsed, allowed)


def _evaluate(node: Any, allowed: frozenset[str]) -> bool:
    parts = [_evaluate(part, allowed) for part in getattr(node, "args", ())]
    if parts:
        return any(parts) if type(node).__name__ == "OR" else all(parts)
    # An exception gives permissions and takes none.
    return getattr(node, "license_symbol", node).key.lower() in allowed


@functools.cache
def _licensing() -> Licensing:
    return get_spdx_licensing()


def _parse(expression: str, validate: bool) -> Any:
    """The tree of an expression; None of one that is none."""
    if len(expression) > _EXPRESSION:
        return None
    try:
        return _licensing().parse(expression, validate=validate)
    except (ExpressionError, ParseError, AssertionError, IndexError):  # the last two: its own slips on nonsense
        return None


@functools.lru_cache(maxsize=4096)
def _keys(expression: str) -> tuple[str, ...]:
    return () if expression == UNKNOWN else tuple(_licensing().license_keys(expression))


def _base(licence: str) -> str:
    """Without what a licence's text cannot tell: whether later versions are allowed."""
    return licence.removesuffix("-only").removesuffix("-or-later")


@functools.lru_cache(maxsize=4096)
def _normalise(declared: str) -> str:
    """A declared licence as an SPDX expression; `UNKNOWN` if it is none."""
    for spelling in (declared, declared.replace("/", " OR ")):  # Cargo's and npm's old way to write a choice
        parsed = _parse(spelling, validate=True)
        if parsed is not None:
            return str(parsed)
    return UNKNOWN


def _json_licence(text: str) -> object:
    """Of package.json and composer.json; a list is a choice."""
    found = orjson.loads(text).get("license")
    if isinstance(found, dict):
        return found.get("type")
    return " OR ".join(f"({each})" for each in found) if isinstance(found, list) else found


def _python_metadata(text: str) -> object:
    found = HeaderParser().parsestr(text)
    return found["License-Expression"]  # `License` holds prose


def _cargo(text: str) -> object:
    return tomllib.loads(text).get("package", {}).get("license")


def _pyproject(text: str) -> object:
    return tomllib.loads(text).get("project", {}).get("license")


_METADATA = {
    "package.json": _json_licence,
    "composer.json": _json_licence,
    "Cargo.toml": _cargo,
    "pyproject.toml": _pyproject,
    "PKG-INFO": _python_metadata,
}


def _folder(path: str) -> str:
    """The folder whose files a licence covers: that of a package, not its folder of licences or of metadata."""
    folder = path.rpartition("/")[0]
    while _BESIDE.search(folder):
        folder = folder.rpartition("/")[0]
    return folder


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
