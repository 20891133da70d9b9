"""Each rule, as a function that says why a document is dropped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import enry

from snowcoder.config.corpus_schema import (
    CharacterRule,
    DataRule,
    EncodedRule,
    FiltersConfig,
    HtmlRule,
    LineRule,
    SizeRule,
)
from snowcoder.corpus.document import Document
from snowcoder.corpus.filters import encoded
from snowcoder.corpus.filters.generated import generated
from snowcoder.corpus.filters.text import count_digits, count_letters, visible_text
from snowcoder.corpus.languages import language_named


class Filter(NamedTuple):
    name: str
    rule: Callable[[Document], str | None]

    def __call__(self, document: Document) -> str | None:
        """Why the document is dropped, or None."""
        return self.rule(document)


class Fault(NamedTuple):
    filter: str
    detail: str


def make_filters(config: FiltersConfig) -> list[Filter]:
    """The rules that are on, in the order in which they are asked."""
    on: list[tuple[str, Callable[..., str | None], Any]] = [
        ("language", _language, {language_named(name) or name for name in config.languages or ()}),
        ("vendored", _vendored, config.vendored),
        ("generated", generated, config.generated),
        ("xml", _xml, config.xml),
        ("sizes", _size, config.sizes),
        ("text_names", _text_name, config.text_names),
        ("max_lines", _many_lines, config.max_lines),
        ("data", _data, config.data),
        ("lines", _lines, config.lines),
        ("characters", _characters, config.characters),
        ("encoded", _encoded, config.encoded),
        ("html", _html, config.html),
    ]
    return [Filter(name, partial(rule, setting)) for name, rule, setting in on if setting]


def first_fault(filters: list[Filter], document: Document) -> Fault | None:
    for one in filters:
        detail = one(document)
        if detail is not None:
            return Fault(one.name, detail)
    return None


def _language(wanted: set[str], document: Document) -> str | None:
    return None if document.language in wanted else f"{document.language} is not asked for"


def _vendored(_: bool, document: Document) -> str | None:
    """By Linguist's paths, as go-enry has them."""
    return "its path is one of libraries' copies" if enry.is_vendor(document.path) else None


def _xml(_: bool, document: Document) -> str | None:
    """DeepSeek-Coder excepts XSLT."""
    is_xml = "<?xml version=" in document.content[:100]
    return "begins as XML does" if is_xml and document.language != "XSLT" else None


def _size(rule: SizeRule, document: Document) -> str | None:
    low, high = rule.characters
    if document.language in rule.languages and not low <= len(document.content) <= high:
        return f"{len(document.content):,} characters, not {low:,} to {high:,}"
    return None


def _text_name(parts: list[str], document: Document) -> str | None:
    path = PurePosixPath(document.path.lower())
    if document.language != "Text" or any(
        path.stem == part[1:] if part.startswith("=") else part in path.name for part in parts
    ):
        return None
    return "not a text that comes with code"


def _many_lines(limit: int, document: Document) -> str | None:
    lines = document.content.count("\n") + 1
    return f"{lines:,} lines > {limit:,}" if lines > limit else None


def _data(rule: DataRule, document: Document) -> str | None:
    return _many_lines(rule.lines, document) if document.language in rule.languages else None


def _lines(rule: LineRule, document: Document) -> str | None:
    lengths = [len(line) for line in document.content.splitlines()] or [0]
    longest, mean = max(lengths), sum(lengths) / len(lengths)
    if document.language in rule.lenient:
        limit = rule.lenient_longest
    elif mean > rule.mean:
        return f"mean line {mean:.0f} > {rule.mean:g}"
    else:
        limit = rule.longest
    return f"longest line {longest:,} > {limit:,}" if longest > limit else None


def _characters(rule: CharacterRule, document: Document) -> str | None:
    content = document.content
    count = count_letters(content)
    if "all" in rule.digits_count or document.language in rule.digits_count:
        count += count_digits(content)
    share = count / max(1, len(content))
    return f"{share:.0%} letters < {rule.letters:.0%}" if share < rule.letters else None


def _encoded(rule: EncodedRule, document: Document) -> str | None:
    for name, find in encoded.KINDS.items():
        total, longest = find(document.content, rule.longest, rule.share)
        if longest > rule.longest:
            return f"{longest:,} characters of {name} > {rule.longest:,}"
        if total > rule.share * len(document.content):
            return f"{total / len(document.content):.0%} {name} > {rule.share:.0%}"
    return None


def _html(rule: HtmlRule, document: Document) -> str | None:
    if document.language != "HTML":
        return None
    visible = len(visible_text(document.content))
    share = visible / max(1, len(document.content))
    if visible < rule.characters:
        return f"{visible:,} characters of visible text < {rule.characters:,}"
    return f"{share:.0%} visible text < {rule.share:.0%}" if share < rule.share else None
