"""E-mail addresses: around every @, so that the cost is linear whatever the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from publicsuffixlist import PublicSuffixList

# Letters of Latin: Chinese is written up to the address without a space.
_LOCAL = re.compile(r"[0-9A-Za-z\u00c0-\u024f](?:[\w\u00c0-\u024f.+-]*[\w\u00c0-\u024f+-])?\Z", re.ASCII)
# Perl's documentation has E<lt>ada@byron.uk<E<gt>.
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}?(?=E<gt>|[^A-Za-z0-9_]|\Z)"
)
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 255  # characters, by RFC 5321
_SUFFIXES = PublicSuffixList(accept_unknown=False)  # tells a host from an attribute: q @ k.transpose
# RFC 2606, and what documentation has in its place.
_NOBODYS = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net|edu)|(?:your)?(?:domain|company|email|host)\.com)$|^(?:foo|bar|baz)\.\w+$"
    r"|\.(?:example|test|invalid|localhost|local)$",
    re.IGNORECASE,
)
# icon@2x.png is a file; git@host.org:path is how git spells a host; this@Activity.name is Kotlin.
_FILES = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|py|js|mjs|ts|tsx|jsx|css|s[ac]ss|less|json|html?|vue|go|rb|java|md|txt|ya?ml|xml|so|zip)$",
    re.IGNORECASE,
)
_NOT_PEOPLE = re.compile(r"(?:git|hg|svn|ssh|.*\.git|this|super|return|break|continue)", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s/@:]{0,80}:\Z")  # before it: then it is no name, and `formats.py` sees to it
_ESCAPE = re.compile(r"u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[a-z0]")  # after a backslash


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each address that may be somebody's."""
    at = text.find("@")
    while at >= 0:
        span = _around(text, at)
        if span:
            yield span
        at = text.find("@", span[1] if span else at + 1)


def _around(text: str, at: int) -> tuple[int, int] | None:
    domain = _DOMAIN.match(text, at + 1, at + 1 + _LONGEST_DOMAIN)
    if not domain or not _is_host(domain[0]) or text.startswith("(", domain.end()):
        return None
    start = _start(text, at)
    if start is None or _NOT_PEOPLE.fullmatch(text, start, at) or _PASSWORD.search(text, max(0, start - 90), start):
        return None
    return start, domain.end()


def _is_host(name: str) -> bool:
    if _FILES.search(name) or _NOBODYS.search(name):
        return False
    return _SUFFIXES.privatesuffix(name.lower()) is not None


def _start(text: str, at: int) -> int | None:
    r"""Where the local part begins: not with the n of \n, and nowhere if a $variable or a %s makes it."""
    local = _LOCAL.search(text[max(0, at - _LONGEST_LOCAL) : at])
    if not local:
        return None
    start = at - len(local[0])
    before = text[start - 1 : start]
    if before == "\\" and (escape := _ESCAPE.match(text, start, at)):
        start = escape.end()
    return None if before in ("$", "%") or start == at else start
