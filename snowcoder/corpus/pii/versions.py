"""Four numbers that are no address, by what stands around them: a version, a section, an object identifier.

Each expression is proof enough by itself; where none is, they are taken for an address.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WINDOW = 200  # characters on either side
_DATE = r"\(?(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d? [A-Z][a-z]{2,8} \d{4}|[A-Z][a-z]{2,8} \d\d?, \d{4})\)?"
_WORD = re.compile(
    r"(?:version\w{0,3}[\"'\s:=(>,-]{0,6}|(?:\bver|release|build|\brev(?:ision)?|\bv)[\"'\s:=(>-]{0,6})\Z"
    r"|\b(?:driver|firmware) \Z|[?&](?:annotate|rev)=\Z"
    r"|(?:\brv|,v|[@(\[]since|\b(?:up|down)grad\w{1,3}(?: from(?: [\d.]+ to)?| to)?)[\s:]{0,2}\Z"
    r"|(?:[=<>~]=|&& ?<) ?\Z"  # base >=4.18 && <4.20.0.0; but where a = '1.2.3.4'
    r"|(?:\b(?:sections?|clauses?|chapter|annex|living standard|oid)|\u00a7)[\s:=]{0,3}\Z",
    re.IGNORECASE,
)
# A dependency, `base < 4.20.0.0`: it begins a line or follows another; but not `if (ip < 1.2.3.4)`.
_BELOW = re.compile(r"[\n,:][ \t]{0,20}(?!\w{0,20}(?:ip|addr|host))[A-Za-z][\w-]{0,40} ?< ?\Z", re.IGNORECASE)
# Chrome/22.0.122.94. Java prints hosts so, too, DbHost/1.2.3.4: another product has to stand in the line, or a system.
_BROWSER = re.compile(
    r"(?:Chrom(?:e|ium)|CriOS|Edg\w{0,3}|OPR|Opera|Firefox|Safari|Vivaldi|Electron|\w{0,20}Browser)/\Z"
)
_PRODUCT = re.compile(r"\b(?!IP|TCP|UDP|SIP|HTTP|TLS)[A-Z]\w{1,30}/\d{1,4}(?:\.\d{1,8}){1,2}(?![\w.])")
_SYSTEM = re.compile(r" (?:\((?:compatible|Windows|X11|Linux|Macintosh|iPhone|iPad|Android|U;)|Profile/MIDP)")
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
# A line that begins with the numbers, up to a date or a rule, may be the heading of what a release changes.
_LINE = re.compile(r"(?:\A|\n)(?P<marks>[#=*]{0,6})[ \t]{0,3}\[?v?\Z")
_HEADED = re.compile(rf"\]?(?:[ \t]{{1,2}}[-\u2013]|,|:)?[ \t]{{1,2}}{_DATE}[ \t]*(?:\n|\r|\Z)|[ \t]*\r?\n[=~^-]{{3,}}")
_HEADING = re.compile(r"\]?[ \t]*(?:[\r\n\[(]|\Z)")
# A list of hosts has such lines, too. What tells them apart: marks and a date, a date and a rule, another heading.
_MONTHS = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_DATED = re.compile(rf"{_HEADED.pattern}|\]?[ \t][^\n]{{1,180}}\b{_MONTHS}\.? (?:\d\d?, )?\d{{4}}\)?[ \t]*(?:\n|\r|\Z)")
_RULED = re.compile(rf"[ \t]{{1,2}}{_DATE}[ \t]*\r?\n[=~^-]{{3,}}")
_CHANGES = re.compile(
    r"^[#=*]{0,6}[ \t]{0,3}(?:(?i:change ?log|changes|release notes|release history|what's new)\b"
    rf"|\[?v?\d{{1,4}}(?:\.\d{{1,4}}){{1,2}}(?:\]?[ \t]*\r?$|{_HEADED.pattern}))"
    rf"|^##[#]{{0,4}}[ \t]\[?v?(?:\d{{1,4}}\.){{3}}\d{{1,4}}(?:{_DATED.pattern})",
    re.MULTILINE,
)
_WEEKDAY, _MONTH = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "[A-Z][a-z]{2}"
_RPM = re.compile(rf"(?:\A|\n)\* {_WEEKDAY} {_MONTH} \d\d? \d{{4}} [^\n]{{3,100}} -? ?\Z")
_PLACE = re.compile(
    r"(?:[\w.-]@|://"
    r"|\b(?:ssh|ping|telnet|ip|host(?:name)?|addr(?:ess)?|server|connect(?:ed|ing)? to)[\"']?[ :=][ \"']{0,2})\Z",
    re.IGNORECASE,
)
_PORT = re.compile(r":\d{2,5}(?![\w.])")
_MASK = re.compile(r"/(?:[12]?\d|3[0-2])(?![\w.])")
_DEBIAN = re.compile(r"[-+~\w.]{0,20}\) [\w-]{1,20}; urgency=")


def is_small(value: str) -> bool:
    """Four small numbers are a version, like 1.2.3.4; X.500's names, like 2.5.29.17, are none of an address either."""
    return value.startswith(("2.5.4.", "2.5.29.")) or all(int(part) < 20 for part in value.split("."))


def is_version(text: str, start: int, end: int) -> bool:
    """Whether what stands around the numbers says that they are no address."""
    before, after = text[max(0, start - _WINDOW) : start], text[end : end + _WINDOW]
    if _WORD.search(before[-60:]) or _BELOW.search("\n" + before if start <= _WINDOW else before):
        return True
    if _FILE.match(after) or _is_package(before) or _is_heading(text, before, after) or _is_product(before, after):
        return True
    return len(text) < _WINDOW and not before.strip() and not after.strip()  # a file named VERSION


def is_host(text: str, start: int, end: int) -> bool:
    """Whether they stand where only an address does, so that they are one in all of the text."""
    before = text[max(0, start - 30) : start]
    network = not before.endswith("/") and _MASK.match(text, end)  # but UCBrowser/8.7.1.234/28/352
    return bool(network or _PORT.match(text, end) or _PLACE.search(before))


def _is_package(before: str) -> bool:
    return _PACKAGE.search(before[-90:]) is not None and not _HOST.search(before[-30:])


def _is_product(before: str, after: str) -> bool:
    if not before.endswith("/") or after.startswith(":"):
        return False
    others = before.rpartition("\n")[2], after.partition("\n")[0]
    agent = _SYSTEM.match(after) or any(map(_PRODUCT.search, others))
    return _BROWSER.search(before) is not None or (before[-2:-1].isalnum() and bool(agent))


def _is_heading(text: str, before: str, after: str) -> bool:
    """A single # begins a comment, too."""
    line = _LINE.search(before[-20:])
    if not line:
        return _RPM.search(before) is not None or (before.endswith("(") and _DEBIAN.match(after) is not None)
    marked = line["marks"].startswith("##")
    if _RULED.match(after) or (marked and _DATED.match(after)):
        return True
    return bool(_HEADED.match(after) or (marked and _HEADING.match(after))) and _lists_changes(text)


@lru_cache(maxsize=1)  # or a text of nothing but headings would be read for each
def _lists_changes(text: str) -> bool:
    return _CHANGES.search(text) is not None
