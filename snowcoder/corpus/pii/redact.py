"""What is found, replaced as StarCoder did: <EMAIL>, <KEY>, <PASSWORD>, and for an address one of five private ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import xxhash

from snowcoder.config.corpus_schema import PiiConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.pii.addresses import find_addresses
from snowcoder.corpus.pii.assigned import find_assigned
from snowcoder.corpus.pii.emails import find_emails
from snowcoder.corpus.pii.formats import find_keys, find_logins

# bigcode-dataset's, in pii/utils/replace.py.
_V4 = ("172.16.31.10", "172.16.58.3", "172.16.17.32", "192.168.127.12", "192.168.3.11")
_V6 = (
    "fd00:c2b6:b24b:be67:2827:688d:e6a1:6a3b",
    "fd00:a516:7c1b:17cd:6d81:2137:bd2a:2c5b",
    "fc00:e968:6179::de52:7100",
    "fc00:db20:35b:7399::5",
    "fdf8:f53e:61e4::18",
)


_PASSES = 5  # at most; one that finds something is followed by another, for a replacement ends words next to it


class PersonalDatum(NamedTuple):
    kind: str  # email, ip_address, key or password
    start: int  # in the text of the pass that found it
    end: int


class Redactor:
    def __init__(self, config: PiiConfig) -> None:
        self.enabled = config.enabled

    def redact(self, document: Document) -> tuple[str, list[PersonalDatum]]:
        """The content with everything that is found replaced, the same value by the same; and what was found.

        Never more than twice as long. Redacting it again changes nothing.
        """
        text, found = document.content, list[PersonalDatum]()
        for _ in range(_PASSES if self.enabled else 0):
            findings = find_personal_data(text, document.language)
            if not findings:
                break
            text = _replaced(text, findings)
            found += findings
        return text, found


def find_personal_data(text: str, language: str = "") -> list[PersonalDatum]:
    """In order, without overlaps: those that do become one, for what is left of the other may be enough to guess it."""
    found = sorted(_all(text, language), key=lambda finding: (finding.start, -finding.end))
    merged: list[PersonalDatum] = []
    for finding in found:
        if merged and finding.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, finding.end))
        else:
            merged.append(finding)
    return merged


def _all(text: str, language: str) -> Iterator[PersonalDatum]:
    yield from (PersonalDatum("email", *span) for span in find_emails(text))
    yield from (PersonalDatum("ip_address", *span) for span in find_addresses(text))
    yield from (PersonalDatum("key", *span) for span in find_keys(text))
    yield from (PersonalDatum("password", *span) for span in find_logins(text))
    yield from (PersonalDatum(*found) for found in find_assigned(text, language))


def _replaced(text: str, findings: list[PersonalDatum]) -> str:
    pieces, at = [], 0
    for finding in findings:
        pieces += [text[at : finding.start], _replacement(finding.kind, text[finding.start : finding.end])]
        at = finding.end
    return "".join([*pieces, text[at:]])


def _replacement(kind: str, value: str) -> str:
    if kind != "ip_address":
        return {"email": "<EMAIL>", "key": "<KEY>", "password": "<PASSWORD>"}[kind]
    choices = [choice for choice in (_V6 if ":" in value else _V4) if len(choice) <= 2 * len(value)]
    return choices[xxhash.xxh3_64_intdigest(value.encode()) % len(choices)]
