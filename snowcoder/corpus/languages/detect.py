"""The language of a file: by its name, else by its content."""

from __future__ import annotations

import re
from collections.abc import Sequence

import enry

from snowcoder.corpus.languages.headers import HEADER, language_of_header, looks_like_cpp
from snowcoder.corpus.languages.names import PAPER_LANGUAGES, language_of, languages_of_name
from snowcoder.corpus.languages.statements import stated_language

# Of files whose name leaves several languages and whose content says nothing: these before all others.
_DEFAULTS = (*PAPER_LANGUAGES, "Perl", "Markdown", "HTML", "Text")
_MARKS = {  # no text in these goes without
    "C++": re.compile(r"[(;{]|^[ \t]*#[ \t]*[dip]", re.MULTILINE),
    "Ecmarkup": re.compile("<emu-"),
    "HTML": re.compile("<"),
    "Hack": re.compile(r"<\?hh"),
    "PHP": re.compile(r"<\?"),
    "SQL": re.compile(r"\b(?:alter|create|delete|drop|insert|select|set|update)\b", re.IGNORECASE),
    "XML": re.compile(r"\A\s*<"),
}
_HEAD = 8 << 10  # characters of a file that are looked at: what tells languages apart comes early


def _rules(*rows: tuple[str, str]) -> list[tuple[str, re.Pattern[str]]]:
    return [(language, re.compile(pattern, re.MULTILINE)) for language, pattern in rows]


# By extension, before Linguist's own, which are wrong about these.
_RULES = {
    "frag": _rules(("GLSL", r"^[ \t]*(?:#version|precision|uniform|varying|void\s+main)\b|\bgl_\w|\bvec[234]\b")),
    "inc": _rules(
        ("PHP", r"\A\s*<\?(?:php\b|=|\s)"),
        (
            "SourcePawn",
            r"^[ \t]*(?:forward|methodmap|native|stock)\s+\w|^#(?:pragma newdecls|if defined _\w+_included)",
        ),
        (
            "BitBake",
            r'^(?:export\s+)?[A-Z]\w*(?:[:\[][^=\n"]*)?\s*(?:\?{1,2}|[:+.])?=[+.]?\s*"|^(?:inherit|require)\s+\S+$',
        ),
    ),
    "m": _rules(
        ("Mercury", r"^:- module\b"),
        ("MATLAB", r"\A\s*(?:%(?!\w+\s*;)|##|function\b|classdef\b)"),
    ),
    "nb": _rules(("Wolfram Language", r"^[ \t]*\(\*|\bNotebook\[")),
    "rs": _rules(("Rust", r"^[ \t]*(?:\w+!\s*[({]|fn\s|let\s|use\s|mod\s|pub\s|impl\b|#!?\[|//!)")),
    "spec": _rules(("RPM Spec", r"^(?:Name|Version|Release|Summary):\s|^%(?:build|define|global|install|prep)\b")),
    "trigger": _rules(("Apex", r"(?i)^[ \t]*trigger\s+\w+\s+on\s")),
}
for _extension in ("pl", "pm", "t"):
    _RULES[_extension] = _rules(
        ("Raku", r"^[ \t]*use\s+(?:v6\b|Test;)"),
        ("Prolog", r"^[a-z]\w*\([^()$@%\n]*\)\.\s*$"),
    )


def detect(path: str, content: str) -> str | None:
    """The language of a file, or None where neither its name nor its content tells."""
    candidates = languages_of_name(path)
    if candidates and len(candidates) == 1:
        return candidates[0]
    content = content.removeprefix("\ufeff")
    if not candidates:
        return stated_language(content)
    if candidates == HEADER:
        return language_of_header(content)
    head = content[:_HEAD]
    possible = [language for language in candidates if language not in _MARKS or _MARKS[language].search(head)]
    if len(possible) == 1:
        return possible[0]
    stated = stated_language(content)
    if stated in candidates:
        return stated
    return _by_content(path.rpartition("/")[2], head, candidates, possible or candidates)


def _by_content(name: str, head: str, candidates: Sequence[str], possible: Sequence[str]) -> str | None:
    extension = name.rpartition(".")[2].lower()
    for language, pattern in _RULES.get(extension, ()):
        if pattern.search(head):
            return language
    if extension == "inc" and "#" in head and looks_like_cpp(head):
        return "C++"
    # Linguist's rules first; its classifier, slow and often wrong, only among languages that are all rare.
    data = head.encode()
    found = language_of(enry.get_language_by_content(name, data).language)
    if found in possible:
        return found
    likely = [language for language in _DEFAULTS if language in candidates]
    if len(likely) == 1 and likely[0] in possible:
        return likely[0]
    found = language_of(enry.get_language(name, data))
    return found if found in possible else None
