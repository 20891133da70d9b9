"""Keys and passwords: by the formats that detect-secrets knows, and by what they are assigned to.

Its plugins' expressions are used, not its scanner, which works on files and lines. Each is tried only on texts that
have a word that all its matches have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector

Found = tuple[str, int, int]  # kind, start, end


class _Format(NamedTuple):
    detector: type[RegexBasedDetector]
    words: tuple[str, ...]
    group: int = 0  # of the match, that is the secret
    kind: str = "key"


_FORMATS = [
    _Format(AWSKeyDetector, ("AKIA", "ASIA", "ABIA", "ACCA")),
    _Format(AzureStorageKeyDetector, ("AccountKey=",)),
    _Format(BasicAuthDetector, ("://",), 1, "password"),
    _Format(GitHubTokenDetector, ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    _Format(GitLabTokenDetector, ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "GR1348941", "glptt-", "gloas-")),
    _Format(NpmDetector, ("_authToken",), 1),
    _Format(OpenAIDetector, ("T3BlbkFJ",)),
    _Format(PypiTokenDetector, ("pypi-AgE",)),
    _Format(SendGridDetector, ("SG.",)),
    _Format(SlackDetector, ("xox", "hooks.slack.com")),
    _Format(SquareOAuthDetector, ("sq0csp-",)),
    _Format(StripeDetector, ("k_live_",)),
]
# Formats that it does not have, or ends too early.
_TOKEN = re.compile(r"\beyJ[\w=-]{10,}\.[\w=-]{10,}(?:\.[\w=-]+)?")
_GOOGLE = re.compile(r"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])")
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_SHORTEST_KEY, _LONGEST_KEY = 40, 20_000  # characters
# In lower case, for looking for either case takes ten times as long.
_SECRET = re.compile(
    r"pass(?:word|wd|_?phrase)|pwd|api[_-]?key|secret|token(?!iz)|access[_-]?key|auth[_-]?key|private[_-]?key"
)
_ASSIGNED = re.compile(
    r"(?P<rest>[\w-]{0,40})[\"'\]]{0,2}\s{0,4}(?:=>|:=|=|:)\s{0,4}[brfuBRFU]{0,2}"
    r"(?P<quote>[\"'`])(?P<value>[^\"'`\s]{6,200})(?P=quote)"
)
# A name of something, a path, an address, or what is to be filled in, is no secret.
_PLACEHOLDER = re.compile(
    r"[<>{}$%*]|\.\.\.|://|^[./~]|x{4,}|y{4,}|abcdef|123456|qwerty|^(?:pass|user)$|"
    r"(?<![a-z])(?:your|my|some|change|example|sample|dummy|fake|test|foo|placeholder|redacted|invalid|default|secret|"
    r"passw|token|key)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z_.:/-]+")
# What is about a secret: its length, its file, its label.
_ABOUT = re.compile(
    r"length|min|max|hint|field|reset|polic|type|label|url|uri|path|file|name|regex|pattern|id\b|header|prefix|class",
    re.IGNORECASE,
)
_HASHES = re.compile(r"sha|md5|hash|digest|checksum|commit|integrity|uuid|guid|crc", re.IGNORECASE)
_BASE64, _HEX = Base64HighEntropyString(), HexHighEntropyString()
_CONTEXT = 60  # characters before an assignment in which a hash may be named


def find_secrets(text: str) -> Iterator[Found]:
    """May overlap."""
    for form in _FORMATS:
        if any(word in text for word in form.words):
            yield from _by_format(form, text)
    for word, expression in (("AIza", _GOOGLE), ("eyJ", _TOKEN)):
        if word in text:
            yield from (("key", *match.span()) for match in expression.finditer(text))
    if "PRIVATE KEY" in text:
        yield from _private_keys(text)
    yield from _assigned(text)


def _private_keys(text: str) -> Iterator[Found]:
    """What lies between the lines that begin and end one."""
    for match in _PRIVATE_KEY.finditer(text):
        start = match.end()
        end = text.find("-----END ", start, start + _LONGEST_KEY)
        if end - start >= _SHORTEST_KEY and text.find("-----BEGIN", start, end) < 0:
            yield "key", start, end


def _by_format(form: _Format, text: str) -> Iterator[Found]:
    expressions: Iterable[re.Pattern[str]] = form.detector.denylist  # type: ignore[assignment]  # a property in its base
    for expression in expressions:
        for match in expression.finditer(text):
            group = form.group if match.re.groups >= form.group else 0
            if form.kind == "key" or not (_PLACEHOLDER.search(match[group]) or _NAME.fullmatch(match[group])):
                yield form.kind, *match.span(group)


def _assigned(text: str) -> Iterator[Found]:
    lowered = text.replace("\u0130", "I").lower()  # the one letter that is longer in lower case
    for name in _SECRET.finditer(lowered):
        match = _ASSIGNED.match(text, name.end())
        if not match or _ABOUT.search(match["rest"]):
            continue
        value, is_password = match["value"], name[0].startswith(("pass", "pwd"))
        if _PLACEHOLDER.search(value) or _NAME.fullmatch(value):
            continue
        if is_password and _is_password(value):
            yield "password", *match.span("value")
        elif not is_password and _is_random(value) and not _names_a_hash(text, name.start()):
            yield "key", *match.span("value")


def _is_password(value: str) -> bool:
    """Letters and digits, or more kinds of characters: a word is more often a label."""
    kinds = [any(map(kind, value)) for kind in (str.isalpha, str.isdigit)]
    return all(kinds) or (any(map(str.islower, value)) and any(map(str.isupper, value)) and not value.isalnum())


def _is_random(value: str) -> bool:
    """StarCoder asks for gibberish of more than 8 characters; the measure is detect-secrets' entropy."""
    if len(value) < 16 or not any(map(str.isdigit, value)) or not any(map(str.isalpha, value)):
        return False
    measure, least = (_HEX, 3.0) if re.fullmatch(r"[0-9A-Fa-f-]+", value) else (_BASE64, 3.6)
    return measure.calculate_shannon_entropy(value) > least


def _names_a_hash(text: str, start: int) -> bool:
    line = text.rfind("\n", 0, start) + 1
    return _HASHES.search(text, max(line, start - _CONTEXT), start + _CONTEXT) is not None
