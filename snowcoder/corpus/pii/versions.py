"""Four numbers that are no address, by what stands around them: a version, a section, an object identifier.

Each expression is proof enough by itself; where none is, they are taken for an address.
"""

from __future__ import annotations

import re

_WINDOW = 200  # characters on either side
_DATE = r"\(?(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d? [A-Z][a-z]{2,8} \d{4}|[A-Z][a-z]{2,8} \d\d?, \d{4})\)?"
_WORD = re.compile(
    r"(?:version\w{0,3}|\bver|release|build|\brev(?:ision)?|annotate|driver|firmware|\bv)[\"'\s:=(@>,-]{0,6}\Z"
    r"|(?:\brv|,v|\bsince|\b(?:up|down)grad\w{1,3}(?: from(?: [\d.]+ to)?| to)?)[\s:]{0,2}\Z"
    r"|(?:[=<>~]=|[\w&] ?<) ?\Z"  # base < 4.20.0.0; but where a = '1.2.3.4'
    r"|(?:\b(?:sections?|clauses?|chapter|annex|living standard|oid)|\u00a7)[\s:=]{0,3}\Z",
    re.IGNORECASE,
)
# Chrome/22.0.122.94: a host is in lower case, and what follows a path is no name of a product, unless in a user agent.
_PRODUCT = re.compile(
    r"(?:^|[\s\"'(;,])(?=\w{0,20}[A-Z])(?!IP|TCP|UDP|SIP|HTTP)\w[\w+ -]{0,30}/\Z"
    r"|\b(?:Mozilla|Opera|Dalvik|AppleWebKit)/[^\n]{1,180}\w/\Z",
    re.MULTILINE,
)
# frob-1.2.3.4.jar; org.frob:frob:1.2.3.4; releases/tag/1.2.3.4
_PACKAGE = re.compile(
    r"[A-Za-z][\w.+]{0,40}-\Z|\w\.[\w.-]{1,40}:[A-Za-z][\w.-]{0,40}:\Z"
    r"|/(?:download|tags?|tree|archive|releases?|blob|compare)/\Z"
)
_HOST = re.compile(
    r"(?:\b|_)(?:ip|ipv4|tcp|udp|host|node|server|web|db|from|to|addr|address|client|peer|vm|net|mail|mx|ns|gw|gateway|proxy|"
    r"lb|prod|dev|staging|master|worker|minion|instance|backup|ban|block|range|remote|public|src|dst|source|dest)\d*-\Z",
    re.IGNORECASE,
)
_FILE = re.compile(r"(?:-[\w.]{1,20})?\.(?:jar|war|whl|deb|rpm|gem|dll|exe|msi|zip|tar|tgz|pom|nupkg|apk|dmg|egg)\b")
# A line that begins with the numbers, up to a date or a rule, is the heading of what a release changes.
_LINE = re.compile(r"(?:\A|\n)(?P<marks>[#=*]{0,6})[ \t]{0,3}\[?v?\Z")
_HEADED = re.compile(rf"\]?(?:[ \t]{{1,2}}[-\u2013]|,|:)?[ \t]{{1,2}}{_DATE}[ \t]*(?:\n|\r|\Z)|[ \t]*\r?\n[=~^-]{{3,}}")
_HEADING = re.compile(r"\]?[ \t]*(?:[\r\n\[(]|\Z)")
_RPM = re.compile(r"(?:\A|\n)\* [A-Z][a-z]{2} [^\n]{6,120} -? ?\Z")
_DEBIAN = re.compile(r"[-+~\w.]{0,20}\) [\w-]{1,20}; urgency=")


def is_small(value: str) -> bool:
    """Four small numbers are a version, like 1.2.3.4; X.500's names, like 2.5.29.17, are none of an address either."""
    return value.startswith(("2.5.4.", "2.5.29.")) or all(int(part) < 20 for part in value.split("."))


def is_version(text: str, start: int, end: int) -> bool:
    """Whether what stands around the numbers says that they are no address."""
    before, after = text[max(0, start - _WINDOW) : start], text[end : end + _WINDOW]
    if _WORD.search(before[-60:]) or _FILE.match(after) or _is_package(before) or _is_heading(before, after):
        return True
    if before.endswith("/") and not after.startswith(":"):
        return _PRODUCT.search(before) is not None
    return len(text) < _WINDOW and not before.strip() and not after.strip()  # a file named VERSION


def _is_package(before: str) -> bool:
    return _PACKAGE.search(before[-90:]) is not None and not _HOST.search(before[-30:])


def _is_heading(before: str, after: str) -> bool:
    """A single # begins a comment, too."""
    line = _LINE.search(before[-20:])
    if not line:
        return _RPM.search(before) is not None or (before.endswith("(") and _DEBIAN.match(after) is not None)
    marked = line["marks"].startswith("##") and _HEADING.match(after) is not None
    return marked or _HEADED.match(after) is not None
