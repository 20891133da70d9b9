"""E-mail addresses: around every @, so that the cost is linear whatever the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LOCAL = re.compile(r"[^\W_](?:[\w.%+-]{0,62}[\w%+-])?\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9_])")
_FARTHEST = 320  # characters, the longest address there is
# RFC 2606, and what documentation has in its place.
_NOBODYS = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net|edu)|(?:your)?(?:domain|company|email|host)\.com)$"
    r"|\.(?:example|test|invalid|localhost|local)$",
    re.IGNORECASE,
)
# icon@2x.png is a file; git@host.org:path is how git spells a host.
_FILES = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|py|js|mjs|ts|tsx|jsx|css|s[ac]ss|less|json|html?|vue|go|rb|java|md|txt|ya?ml|xml|so|zip)$",
    re.IGNORECASE,
)
_NOT_PEOPLE = re.compile(r"(?:git|hg|svn|ssh|.*\.git)", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s/@:]{1,80}:\Z")  # before it: then it is no name, and `secrets.py` sees to it


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each address that may be somebody's."""
    at = text.find("@")
    while at >= 0:
        span = _around(text, at)
        if span:
            yield span
        at = text.find("@", span[1] if span else at + 1)


def _around(text: str, at: int) -> tuple[int, int] | None:
    domain = _DOMAIN.match(text, at + 1, at + _FARTHEST)
    local = _LOCAL.search(text[max(0, at - _FARTHEST) : at]) if domain else None
    if not domain or not local or _FILES.search(domain[0]) or _NOBODYS.search(domain[0]):
        return None
    start = at - len(local[0])
    if _NOT_PEOPLE.fullmatch(local[0]) or _PASSWORD.search(text, max(0, start - 90), start):
        return None
    return start, domain.end()
