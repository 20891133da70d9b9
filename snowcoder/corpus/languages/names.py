"""What languages are called, and what a file's name says of its language."""

from __future__ import annotations

import functools
import re

import enry
from enry.definitions import lib
from enry.utils import ffi, go_str_slice_to_py

PAPER_LANGUAGES = (
    *("Python", "Java", "C", "C++", "JavaScript", "PHP", "C#", "Go", "TypeScript", "SQL", "Ruby", "Rust"),
    *("Jupyter Notebook", "Scala", "Kotlin", "Shell", "Dart", "Swift"),
)
_DIALECTS = {
    "TypeScript": ["TSX"],
    "SQL": ["PLSQL", "PLpgSQL", "SQLPL", "TSQL"],
    "PHP": ["HTML+PHP"],
    "Kotlin": ["Gradle Kotlin DSL"],
    "Shell": ["Alpine Abuild", "Gentoo Ebuild", "Gentoo Eclass", "OpenRC runscript"],
    "Assembly": ["Unix Assembly", "Motorola 68K Assembly"],
    "Fortran": ["Fortran Free Form"],
    "JSON": ["JSON with Comments", "OASv2-json", "OASv3-json"],
    "M4": ["M4Sugar"],
    "XML": ["Ant Build System", "Maven POM"],
    "YAML": ["MiniYAML", "OASv2-yaml", "OASv3-yaml"],
}
_LANGUAGE_OF = {dialect: language for language, dialects in _DIALECTS.items() for dialect in dialects}
_OTHER_NAMES = {  # of languages in shards, which Linguist does not list
    "c-sharp": "C#",
    "f-sharp": "F#",
    **dict.fromkeys(("mysql", "pl/pgsql", "pl/sql", "postgresql", "sqlite", "t-sql", "transact-sql"), "SQL"),
}
_DOUBLE = re.compile(r"(?:\.[^.]+)?\.[^.]*$")  # `.js`, `.blade.php`
_TEMPLATE = re.compile(r"dist|example|in|sample|template|tmpl", re.IGNORECASE)  # of a file by the name before it
_SPECIAL = re.compile(r"([A-Z]\w*file|dockerfile|makefile)[._-]")  # Dockerfile.dev, Gemfile-rails5
# Drupal has PHP under these, others have other things; so the content tells.
_OF_SEVERAL_KINDS = frozenset({"engine", "install", "module", "profile", "test", "theme"})


def language_of(name: str) -> str:
    """The language that a language of Linguist's, perhaps a dialect, counts as."""
    return _LANGUAGE_OF.get(name, name)


def known_language(name: str) -> bool:
    """Whether `detect` may give this name."""
    return name not in _LANGUAGE_OF and enry.get_language_type(name) not in ("", "unknown")


@functools.lru_cache(maxsize=4096)
def language_named(name: str) -> str | None:
    """The language that somebody else's name for one means: `cpp`, `GO`, `tsx`, `PLpgSQL`. None: nobody knows."""
    name = name.strip()
    if enry.get_language_type(name) not in ("", "unknown"):
        return language_of(name)
    key = name.lower()
    if found := _OTHER_NAMES.get(key) or _of_alias(key) or _of_alias(re.sub(r"[\s-]", "_", key)):
        return found
    candidates = _of_extension(f".{key}")
    if len(candidates) == 1:
        return candidates[0]
    without_version = key.rstrip("0123456789.")  # python3.11, c++17
    return language_named(without_version) if without_version not in ("", key) else None


def languages_of_name(path: str) -> tuple[str, ...] | None:
    """The languages that a file of this name may be in: none, one or several. None: the content alone can tell."""
    name = path.rpartition("/")[2]
    if known := enry.get_language_by_filename(name).language:
        return (language_of(known),)
    stem, dot, extension = name.rpartition(".")
    tells = bool(dot and stem) and extension.lower() not in _OF_SEVERAL_KINDS
    if tells and (found := _of_extension(_DOUBLE.search(name)[0])):  # type: ignore[index]
        return found
    if tells and _TEMPLATE.fullmatch(extension):
        return languages_of_name(stem)
    special = _SPECIAL.match(name)
    if special and (of_special := languages_of_name(special[1])):
        return of_special
    return () if tells else None


def _of_alias(alias: str) -> str | None:
    # The package has no Python function for aliases; where Emacs names its mode, they are looked up.
    found: str = enry.get_language_by_emacs_modeline(f"-*- mode: {alias} -*-\n".encode()).language
    return language_of(found) or None


@functools.lru_cache(maxsize=4096)
def _of_extension(extension: str) -> tuple[str, ...]:
    """Of `.h`; of `.blade.php` the longest part that Linguist knows."""
    # The package has no Python function for this one of the library's strategies.
    found = go_str_slice_to_py(lib, lib.GetLanguagesByExtension(f"a{extension}".encode(), b"", 0, ffi.NULL))
    return tuple(sorted({language_of(language) for language in found}))
