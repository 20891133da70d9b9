"""Public IP addresses. Private ones, and name servers that everybody knows, are nobody's (StarCoder's rule)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from snowcoder.corpus.pii.versions import is_host, is_small, is_version

# What an address has within itself and little else has: its beginning is then looked for to the left.
_INSIDE_V4 = re.compile(r"\.[0-9]{1,3}\.[0-9]")
_INSIDE_V6 = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]")
_V4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w]|\.[0-9])")
_V6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}[0-9A-Fa-f:]{6,40}(?<!:)(?![\w:.])")
_FEWEST = 8  # digits of a public address of version 6, or it is a slice, or a name in C++
_ALLOCATED = ipaddress.ip_network("2000::/3")  # by IANA; the rest is hardware addresses and other hexadecimal pairs
# StarCoder's fourteen, and the same operators' of version 6.
_NAME_SERVERS = {
    *("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112", "208.67.222.222", "208.67.220.220"),
    *("76.76.19.19", "76.223.122.150", "94.140.14.14", "94.140.15.15", "8.26.56.26", "8.20.247.20"),
    *("2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111", "2606:4700:4700::1001", "2620:fe::fe"),
}


def find_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each."""
    matches = [
        match for match in _around(_INSIDE_V4, 3, _V4, text) if not is_small(match[0]) and _is_public(_forward(match))
    ]
    versions = {match[0] for match in matches if is_version(text, *match.span())}  # wherever they stand in the text
    if versions:
        versions -= {match[0] for match in matches if is_host(text, *match.span())}
    yield from (match.span() for match in matches if match[0] not in versions)
    for match in _around(_INSIDE_V6, 4, _V6, text):
        if len(match[0].replace(":", "")) >= _FEWEST and _is_public(match[0]):
            yield match.span()


def _around(inside: re.Pattern[str], before: int, whole: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Matches of `whole`, which begin at most `before` characters before a match of `inside`."""
    end = 0
    for place in inside.finditer(text):
        starts = range(max(end, place.start() - before), place.start())
        match = next((match for start in starts if (match := whole.match(text, start))), None)
        if match:
            end = match.end()
            yield match


def _forward(match: re.Match[str]) -> str:
    """The domain name system has an address backward."""
    backward = match.string.startswith(".in-addr.arpa", match.end())
    return ".".join(reversed(match[0].split("."))) if backward else match[0]


def _is_public(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if address.version == 6 and address not in _ALLOCATED:
        return False
    return address.is_global and not address.is_multicast and str(address) not in _NAME_SERVERS
