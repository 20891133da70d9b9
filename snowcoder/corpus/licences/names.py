"""What people call licences, in prose and in descriptions of packages, as SPDX expressions.

A name without a version is what ScanCode takes it for: "BSD" has three clauses, "Apache" is 2.0, "GPL" is 1.0 or later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from snowcoder.corpus.licences.restrictions import grants, plain

PUBLIC_DOMAIN = "LicenseRef-scancode-public-domain"
_LONGEST = 1500  # characters of a statement
_VERSION = r"[ ,(]*(?:version |ver\.? ?|v\.? ?|-)?"
_LICENCE = "licen[cs]e"
_NAMES = {
    "MIT-0": r"mit-0|mit no attribution",
    "MIT": r"mit(?:[/ -]x11|[/ -]expat)?|expat(?:/mit)?|x11/mit",
    "Apache-2.0": rf"(?:apache(?: software)?"
    rf"|asl)(?: {_LICENCE})?(?:{_VERSION}2(?:\.0)?)?(?![ ,(v.-]*(?:version )?\d)",
    "0BSD": r"0-?bsd|(?:0|zero)[ -]clause bsd|bsd zero[ -]clause",
    "BSD-2-Clause": rf"(?:(?:2|two)[ -]clause|simplified|free)[ -]?bsd|bsd(?: {_LICENCE})?[ (-]*(?:2"
    rf"|two)(?:[ -]clause)?\b",
    "BSD-3-Clause": r"(?:(?:3|three)[ -]clause|new|modified|revised)[ -]bsd"
    rf"|bsd(?: {_LICENCE})?(?:[ (-]*(?:3|three)(?:[ -]clause)?)?(?! ?{_LICENCE}? ?[(-]?\d)",
    "ISC": r"isc",
    "Zlib": r"zlib(?:/libpng)?",
    "BSL-1.0": rf"boost(?: software)?(?: {_LICENCE})?(?:{_VERSION}1\.0)?",
    "Unlicense": rf"un{_LICENCE}",
    "WTFPL": r"wtfpl",
    "CC0-1.0": r"(?:creative commons )?cc0(?:[ -]?1\.0)?(?: universal)?",
    "PSF-2.0": r"python software foundation|psf(?:l|-2\.0)?",
    "MPL-2.0": rf"(?:mozilla public {_LICENCE}|mpl){_VERSION}2(?:\.0)?",
    "EPL-2.0": rf"(?:eclipse public {_LICENCE}|epl){_VERSION}2(?:\.0)?",
    PUBLIC_DOMAIN: r"public domain",
}
_IDS = list(_NAMES)
_GNU = (
    rf"(?:gnu )?(?P<kind>affero |lesser |library )?general public {_LICENCE}(?: \([al]?gpl\))?"
    rf"(?:{_VERSION}(?P<number>\d(?:\.\d)?))?|(?:gnu )?(?P<letter>[al])?gpl(?:{_VERSION}(?P<digits>\d(?:\.\d)?))?"
)
_SHORT = (
    rf"(?:mit|expat|x11|iscl?|zlib|un{_LICENCE}|(?:new |modified )?bsd|psfl?|bsl|apache|asl?|mpl|epl|[al]?gpl)"
    r"[ -]?v?[\d.]*\+?"
)
_KNOWN = "|".join(f"(?P<n{number}>{name})" for number, name in enumerate(_NAMES.values()))
_MENTION = re.compile(
    rf"(?<![\w-])(?:{_KNOWN}|{_GNU})(?P<later>\+|,? or (?:\(at your option\) )?(?:any )?later(?: version)?s?)?"
    rf"(?P<word>[ -](?:open[ -]source |software |public |public domain )?{_LICENCE}[ds]?)?(?: \((?:{_SHORT})\))?(?!\w)"
)
_BEFORE = re.compile(
    rf"(?:^|under|by|with|{_LICENCE}[ds]?:?|is|as|or|and|either|[/(,:])"
    r" ?(?:the |an? )?(?:terms (?:and conditions )?of |conditions of )?(?:the |an? |either )*$"
)
_CHOICE = re.compile(r"\W*\bor\b(?: the)?(?: under the)?(?: terms of the)?\W*| ?/ ?")
_BOTH = re.compile(r"\W*(?:\band\b)?(?: the)?\W*")
_OFFERED = re.compile(r"\beither\b|\bdual(?:ly)?\b|\bat your (?:own )?(?:option|choice)\b|\byour choice\b")
_RIDER = re.compile(
    r",? ?(?:and|or|with|plus|\+|/|except|but|unless|modified|amended"
    r"|excluding)\b(?! (?:is|may|can|copyright|see)\b)"
)
# Other licences by other words than "licence", and ones that are no more, or not quite.
_DOUBT = re.compile(
    r"\bnot (?:\w+ )?(?:licen|under|available|released|distributed|in the public)|\bno longer\b|\bformerly\b"
    r"|\bpreviously\b|\bused to be\b|\bmodified (?:version of (?:the )?)?(?:mit|apache|isc|zlib|boost|mpl|gpl)"
    r"|\bcc[- ]by\b|\bcreative commons (?!cc0)|\bproprietary\b|\bcommercial\b|\beula\b|\bagreement\b"
)
# The words before "licence" that name none: any other names one that is not known here.
_UNNAMED = (
    "a above accompanying all an and and/or any approved are as be begin by code copyright dual each end file files"
    " following for free full in included is its main more no of on or our package permissive project respective same"
    " see software source that the their these this to top-level two under use which with your both"
)
_NAMED = re.compile(rf"(?<![\w.-])(?!(?:{_UNNAMED.replace(' ', '|')})\b)([\w.+-]+) {_LICENCE}s?\b")


# Pages of one licence each, at the addresses that descriptions of packages give; None: the address has its name.
_ADDRESSES = {
    r"(?:opensource|spdx|gnu)\.org/licen[cs]es?/([\w.+-]+?)(?:\.en)?": None,
    r"choosealicense\.com/licenses/([\w.+-]+?)": None,
    r"apache\.org/licenses/license-2\.0": "Apache-2.0",
    r"mozilla\.org/(?:[a-z]{2}(?:-[a-z]{2})?/)?mpl/2\.0": "MPL-2.0",
    r"creativecommons\.org/publicdomain/zero/1\.0": "CC0-1.0",
    r"unlicense\.org": "Unlicense",
    r"boost\.org/license_1_0": "BSL-1.0",
}


_COPYLEFT = re.compile(r"gpl|general public|mozilla public|eclipse public|\b[me]pl\b", re.IGNORECASE)
_LONGEST_NOTES = 64 << 10  # characters
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n\s*\n")
_MERELY = re.compile(
    r"\bor\b|\beither\b|\bdual|\balternativ|\boption|\bchoice\b|compatib|\bnot?\b|\bnever\b|\bwas\b|\bwere\b"
    r"|\bformer|\bpreviously\b|\bunlike\b|\binstead\b|\bif you\b|\bmay\b|\bcan\b|\bwithout\b|\brelicen"
)


class _Name(NamedTuple):
    start: int
    end: int
    id: str
    sure: bool  # it says "licence", or has a version: not the institute, the language or the server


def at_address(text: str) -> str:
    """The name of the licence that is shown at a well-known address; text that is none as it is."""
    for pattern, name in _ADDRESSES.items():
        if found := re.fullmatch(rf"https?://(?:www\.)?{pattern}(?:\.html|\.php|\.txt)?/?", text.strip().lower()):
            return name or found[1]
    return text


def expression(name: str) -> str | None:
    """A name, or several with "or" and "and" between them, and nothing else, as an SPDX expression."""
    text = plain(name).strip(" .").removeprefix("the ")
    names = list(_names(text))
    ends = [0, *(each.end for each in names)]
    gaps = [text[end : each.start] for end, each in zip(ends, names, strict=False)]
    if not names or gaps[0] or text[ends[-1] :].strip(" .)"):
        return None
    if all(map(_CHOICE.fullmatch, gaps[1:])):
        return _join(names, " OR ")
    return _join(names, " AND ") if all(map(_BOTH.fullmatch, gaps[1:])) else None


def statement(text: str) -> str | None:
    """The licence that a short text names without quoting it. None: there is none, or not only known ones."""
    text = plain(text[: 4 * _LONGEST])
    names = [each for each in _names(text) if each.sure or _BEFORE.search(text[max(0, each.start - 60) : each.start])]
    if not names or len(text) > _LONGEST or grants(text) or _DOUBT.search(text) or _has_others(text, names):
        return None
    if _RIDER.match(text, names[-1].end):
        return None
    gaps = [text[one.end : other.start] for one, other in pairwise(names)]
    offered = _OFFERED.search(text) or all(map(_CHOICE.fullmatch, gaps))
    return _join(names, " OR " if offered else " AND ")


def copyleft(text: str) -> Iterator[str]:
    """The licences with copyleft that sentences put something under, and not only offer, compare or remember."""
    sentences = map(plain, _SENTENCE.split(text[:_LONGEST_NOTES]))
    for sentence in (each[at : at + _LONGEST] for each in sentences for at in range(0, len(each), _LONGEST)):
        if _COPYLEFT.search(sentence) and not _MERELY.search(_MENTION.sub(" ", sentence)):
            for found in _names(sentence):
                under = _BEFORE.search(sentence[max(0, found.start - 60) : found.start])
                if under and found.id.startswith(("GPL", "LGPL", "AGPL", "MPL", "EPL")):
                    yield found.id


def _names(text: str) -> Iterator[_Name]:
    for found in _MENTION.finditer(text):
        group = next(
            (name for name in found.groupdict() if name[0] == "n" and name[1:].isdigit() and found[name]), None
        )
        known = _IDS[int(group[1:])] if group else _gnu(found)
        sure = (
            found["word"] is not None
            or known == PUBLIC_DOMAIN
            or any(letter.isdigit() for letter in found[0])
            or "licen" in found[0]
        )
        yield _Name(found.start(), found.end(), known, sure)


def _gnu(found: re.Match[str]) -> str:
    letter = (found["kind"] or found["letter"] or "").strip()[:1].upper()
    version = found["number"] or found["digits"]
    later = found["later"] or not version
    full = f"{version}.0"[:3] if version else "2.0" if letter == "L" else "1.0"
    return f"{letter}GPL-{full}-{'or-later' if later else 'only'}"


def _has_others(text: str, names: list[_Name]) -> bool:
    spans = [(each.start, each.end) for each in names]
    return any(
        not any(start < found.end() and found.start() < end for start, end in spans) for found in _NAMED.finditer(text)
    )


def _join(names: list[_Name], word: str) -> str:
    return word.join(dict.fromkeys(each.id for each in names))
