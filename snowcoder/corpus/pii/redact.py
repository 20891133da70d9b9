"""What is found, replaced as StarCoder did: <EMAIL>, <KEY>, <PASSWORD>, and for an address one of five private ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import xxhash

from snowcoder.config.corpus_schema import PiiConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.pii.addresses import find_addresses
from snowcoder.corpus.pii.emails import find_emails
from snowcoder.corpus.pii.secrets import find_secrets

# bigcode-dataset's, in pii/utils/replace.py.
_V4 = ("172.16.31.10", "172.16.58.3", "172.16.17.32", "192.168.127.12", "192.168.3.11")
_V6 = (
    "fd00:c2b6:b24b:be67:2827:688d:e6a1:6a3b",
    "fd00:a516:7c1b:17cd:6d81:2137:bd2a:2c5b",
    "fc00:e968:6179::de52:7100",
    "fc00:db20:35b:7399::5",
    "fdf8:f53e:61e4::18",
)


class Finding(NamedTuple):
    kind: str  # email, ip_address, key or password
    start: int  # in the original
    end: int


class Redactor:
    def __init__(self, config: PiiConfig) -> None:
        self.enabled = config.enabled

    def redact(self, document: Document) -> tuple[str, list[Finding]]:
        """The content with everything that is found replaced, the same value by the same; and what was found."""
        text = document.content
        findings = find(text) if self.enabled else []
        pieces, at = [], 0
        for finding in findings:
            pieces += [text[at : finding.start], _replacement(finding.kind, text[finding.start : finding.end])]
            at = finding.end
        return "".join([*pieces, text[at:]]), findings


def find(text: str) -> list[Finding]:
    """In order, without overlaps: of two that do, the one that begins first, or the longer."""
    found = sorted(_all(text), key=lambda finding: (finding.start, -finding.end))
    kept: list[Finding] = []
    for finding in found:
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept


def _all(text: str) -> Iterator[Finding]:
    yield from (Finding("email", *span) for span in find_emails(text))
    yield from (Finding("ip_address", *span) for span in find_addresses(text))
    yield from (Finding(*found) for found in find_secrets(text))


def _replacement(kind: str, value: str) -> str:
    if kind != "ip_address":
        return {"email": "<EMAIL>", "key": "<KEY>", "password": "<PASSWORD>"}[kind]
    choices = _V6 if ":" in value else _V4
    return choices[xxhash.xxh3_64_intdigest(value.encode()) % len(choices)]
