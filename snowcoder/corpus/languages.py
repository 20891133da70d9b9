"""A file's language as GitHub's Linguist names it, by go-enry, which StarCoder2 used.

The name decides where it leaves one language; else the content does. Dialects count as their language: TSX as
TypeScript, PL/pgSQL as SQL.
"""

from __future__ import annotations

import functools

import enry
from enry.definitions import lib
from enry.utils import ffi, go_str_slice_to_py

# Of files whose name leaves several languages and whose content says nothing: these before all others.
PAPER_LANGUAGES = (
    *("Python", "Java", "C", "C++", "JavaScript", "PHP", "C#", "Go", "TypeScript", "SQL", "Ruby", "Rust"),
    *("Jupyter Notebook", "Scala", "Kotlin", "Shell", "Dart", "Swift"),
)
_DEFAULTS = (*PAPER_LANGUAGES, "Perl", "Markdown", "HTML", "Text")
_DIALECTS = {
    "TypeScript": ["TSX"],
    "SQL": ["PLSQL", "PLpgSQL", "SQLPL", "TSQL"],
    "Assembly": ["Unix Assembly", "Motorola 68K Assembly"],
    "Fortran": ["Fortran Free Form"],
    "JSON": ["JSON with Comments", "OASv2-json", "OASv3-json"],
    "M4": ["M4Sugar"],
    "XML": ["Ant Build System", "Maven POM"],
    "YAML": ["MiniYAML", "OASv2-yaml", "OASv3-yaml"],
}
_LANGUAGE_OF = {dialect: language for language, dialects in _DIALECTS.items() for dialect in dialects}
_HEAD = 8 << 10  # characters of a file that are looked at: what tells languages apart comes early


def detect(path: str, content: str) -> str | None:
    """The language of a file, or None where neither its name nor its content tells."""
    candidates = languages_of_name(path)
    if candidates and len(candidates) == 1:
        return candidates[0]
    name = path.rpartition("/")[2]
    if candidates is None:
        return _by_shebang(content)
    if "XML" in candidates and not content.startswith(("<", "\ufeff<")):
        candidates = tuple(language for language in candidates if language != "XML")
        if len(candidates) == 1:
            return candidates[0]
    return _by_content(name, content, candidates)


def languages_of_name(path: str) -> tuple[str, ...] | None:
    """The languages that a file of this name may be in: none, one or several. None: the content alone can tell."""
    name = path.rpartition("/")[2]
    known = enry.get_language_by_filename(name).language
    if known:
        return (_LANGUAGE_OF.get(known, known),)
    stem, dot, extension = name.rpartition(".")
    return _of_extension(extension) if dot and stem else None


@functools.lru_cache(maxsize=4096)
def language_of_alias(alias: str) -> str | None:
    """The language that `cpp`, `c++` or `golang` means, as above a block of code in Markdown."""
    # The package has no Python function for aliases; where Emacs names its mode, they are looked up.
    found: str = enry.get_language_by_emacs_modeline(f"-*- mode: {alias} -*-\n".encode()).language
    candidates = [_LANGUAGE_OF.get(found, found)] if found else list(_of_extension(alias))
    return candidates[0] if len(candidates) == 1 else None


def known_language(name: str) -> bool:
    """Whether `detect` may give this name."""
    return name not in _LANGUAGE_OF and enry.get_language_type(name) not in ("", "unknown")


@functools.lru_cache(maxsize=4096)
def _of_extension(extension: str) -> tuple[str, ...]:
    # The package has no Python function for this one of the library's strategies.
    found = go_str_slice_to_py(lib, lib.GetLanguagesByExtension(f"a.{extension}".encode(), b"", 0, ffi.NULL))
    return tuple(sorted({_LANGUAGE_OF.get(language, language) for language in found}))


def _by_shebang(content: str) -> str | None:
    if not content.startswith("#!"):
        return None
    found: str = enry.get_language_by_shebang(content.partition("\n")[0].encode() + b"\n").language
    return _LANGUAGE_OF.get(found, found) or None


def _by_content(name: str, content: str, candidates: tuple[str, ...]) -> str | None:
    shebang = _by_shebang(content)
    if shebang in candidates:
        return shebang
    head = content[:_HEAD].encode()
    # Linguist's rules first; its classifier, slow and often wrong, only among languages that are all rare.
    found: str = enry.get_language_by_content(name, head).language
    found = _LANGUAGE_OF.get(found, found)
    if found in candidates:
        return found
    likely = [language for language in _DEFAULTS if language in candidates]
    if len(likely) == 1:
        return likely[0]
    found = enry.get_language(name, head)
    return _LANGUAGE_OF.get(found, found) or None
