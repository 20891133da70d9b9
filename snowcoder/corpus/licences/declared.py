"""Licences that a package's description or a source file's tag declares."""

from __future__ import annotations

import configparser
import re
import tomllib
from email.message import Message
from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import Any

import orjson

from snowcoder.corpus.licences.expressions import normalise
from snowcoder.corpus.licences.restrictions import UNKNOWN

_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n\r]{1,200})")
_TAG_WITHIN = 2048  # characters from a file's beginning
_COMMENT_ENDS = re.compile(r"\s*(\*/|-->|\*\)|--\]\]|--\}\}|[#-]\}|%>|'''|\"\"\").*$|\s+[^\w\s()+.]+\s*$")
_LONGEST = 256 << 10  # characters of a description
_MOST_DOTS = 500  # of a line: the time that tomllib takes for a key grows with the square of its dots
_MOST_NAMED = 50  # licences in a list of them
_BLANKS = re.compile(r"[^\S\n]+")


def tagged_licence(content: str) -> str | None:
    """The expression of a source file's `SPDX-License-Identifier`, if it has one near its beginning.

    Of several all apply: REUSE Specification 3.3, "Comment headers".
    """
    at = content.find("SPDX-License-Identifier:", 0, _TAG_WITHIN)
    tags = _TAG.findall(content[at : _TAG_WITHIN + 200]) if at >= 0 else []
    return _all(list(dict.fromkeys(normalise(_COMMENT_ENDS.sub("", each)) for each in tags)))


def _all(licences: list[str]) -> str | None:
    return normalise(" AND ".join(f"({each})" for each in licences)) if licences[1:] else next(iter(licences), None)


def is_metadata(path: str) -> bool:
    """Whether a file is a package's description, which may name its licence."""
    path = PurePosixPath(path).as_posix()
    return PurePosixPath(path).name in _METADATA or path.endswith(".dist-info/METADATA")


def metadata_licence(path: str, text: str) -> str | None:
    """The licence that a package's description declares, as an SPDX expression.

    None: it declares none, or is longer than any real one.
    """
    if len(text) > _LONGEST:
        return None
    name = PurePosixPath(path).name
    try:
        declared = _METADATA.get(name, _python_metadata)(text)
    except (ValueError, AttributeError, TypeError, RecursionError, configparser.Error):  # untrusted, and of any shape
        return None
    return normalise(declared) if isinstance(declared, str) and declared else None


def _json_licence(text: str) -> object:
    """Of package.json and composer.json; a list is a choice."""
    package = orjson.loads(text)
    found = package.get("license") or package.get("licenses")
    if isinstance(found, list) and len(found) > _MOST_NAMED:
        return UNKNOWN
    if isinstance(found, list):
        return " OR ".join(f"({normalise(str(_type(each)))})" for each in found)
    return _type(found)


def _type(found: object) -> object:
    """npm's old way: {"type": "MIT", "url": ...}."""
    return (found.get("type") or found.get("name")) if isinstance(found, dict) else found


def _python_metadata(text: str) -> object:
    found: Message = HeaderParser().parsestr(text)
    return found["License-Expression"] or _python(found["License"], found.get_all("Classifier", []))


def _python(licence: object, classifiers: list[str]) -> object:
    """`License` may hold a name, or prose; the classifiers of a package are names, and all of them apply."""
    if isinstance(licence, str) and normalise(licence) != UNKNOWN:
        return licence
    names = [each.rpartition("::")[2].strip() for each in classifiers if each.startswith("License ::")]
    names = [name for name in dict.fromkeys(names) if name not in ("OSI Approved", "DFSG approved")]
    if len(names) > _MOST_NAMED:
        return UNKNOWN
    licences = [normalise(name) for name in names]
    return " AND ".join(f"({each})" for each in licences)


def _toml(text: str) -> dict[str, Any]:
    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise ValueError(f"a line has more than {_MOST_DOTS} dots")
    return tomllib.loads(text)


def _cargo(text: str) -> object:
    """Of a crate, or of the workspace that crates take theirs from."""
    manifest = _toml(text)
    own = manifest.get("package", {}).get("license")
    return own if isinstance(own, str) else manifest.get("workspace", {}).get("package", {}).get("license")


def _pyproject(text: str) -> object:
    manifest = _toml(text)
    project = manifest.get("project") or manifest.get("tool", {}).get("poetry", {})
    found = project.get("license")
    if isinstance(found, dict):  # {file = ...}: it lies beside
        found = found.get("text")
    return _python(found, project.get("classifiers", [])) or found


def _setup_cfg(text: str) -> object:
    parser = configparser.RawConfigParser()
    parser.read_string(_BLANKS.sub(" ", text))  # its patterns take the square of a run's length
    section: Any = parser["metadata"] if parser.has_section("metadata") else {}
    return _python(section.get("license"), section.get("classifiers", "").split("\n"))


_METADATA = {
    "package.json": _json_licence,
    "composer.json": _json_licence,
    "Cargo.toml": _cargo,
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "PKG-INFO": _python_metadata,
}
