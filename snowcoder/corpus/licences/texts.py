"""The licences that a text is, or names, and what it takes back of them."""

from __future__ import annotations

import re

from licenseclassifier import LicenseIdentificationResult, identify_license

from snowcoder.corpus.licences import names
from snowcoder.corpus.licences.declared import tagged_licence
from snowcoder.corpus.licences.restrictions import UNKNOWN, restrictions

_COVERAGE = 50.0  # percent of a text that is a licence's: real ones begin with credits
_LONGEST = 256 << 10  # characters; longer ones are collections of notices
_CREDITS = re.compile(
    r"^.{0,20}?(?:copyright|\(c\)|©)(?: \(c\)| ©)?[ :]*(?:\d{4}|\S+@|[^\n]{0,80}(?:\d{4}|@|\binc\b)).*$"
    r"|^.{1,100}?<?[\w.+-]+@[\w-]+\.[\w.]+>?.*$|^[ \t]*all rights reserved\.?[ \t]*$|^[ \t]*[-*] .{1,60}$",
    re.IGNORECASE | re.MULTILINE,
)
_HEAD = 400  # characters: a match begins up to fifty words before its licence, at the word "copyright"
_BREAK = re.compile(r"[.;]\s+|\n")


def detect_licences(text: str) -> tuple[str, ...]:
    """The licences that a licence file holds, sorted, and references to what it forbids besides.

    None where there is no known one. A text that quotes no licence may name one, or have its tag.
    """
    text = text[:_LONGEST]
    found = identify_license(text, _COVERAGE)
    credits = "" if found else "\n".join(line[0] for line in _CREDITS.finditer(text))
    if credits:
        without = _CREDITS.sub("", text)
        found = identify_license(without, _COVERAGE)
        text = without if found else text
    named = None if found else tagged_licence(text) or names.statement(text)
    known = {named} if named else {match.id for match in found}
    if not known:
        return ()
    outside = f"{credits}\n\n{_outside(text, found)}"
    others = () if named else names.copyleft(outside)
    known |= {other for other in others if _family(other) not in set(map(_family, known))}
    return tuple(sorted(known.union(restrictions(outside))))


def _family(licence: str) -> str:
    return licence.partition("-")[0]


def _outside(text: str, found: list[LicenseIdentificationResult]) -> str:
    """What is no licence's text."""
    ends = [0, *(match.end for match in found)]
    starts = [*(_body(text, match) for match in found), len(text)]
    return "\n\n".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def _body(text: str, match: LicenseIdentificationResult) -> int:
    """Where a licence itself begins, if what stands before it in its match may forbid something."""
    head = text[match.start : min(match.end, match.start + _HEAD)]
    if restrictions(head) in ((), (UNKNOWN,)):  # a licence begins with its own grant
        return match.start
    breaks = (match.start + each.end() for each in reversed([*_BREAK.finditer(head)]))
    whole = (at for at in breaks if match.id in {each.id for each in identify_license(text[at : match.end], _COVERAGE)})
    return next(whole, match.start)
