"""Keys and passwords of a known format, by the expressions of detect-secrets' plugins.

Its scanner works on files and lines. Here each expression is tried only where what its matches begin with stands, and
no farther than `_LONGEST`: so that what the expressions would do on a hostile text cannot happen. A beginning is an
expression with a literal first, which `re` looks for as fast as memory is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector

from snowcoder.corpus.pii.likeness import is_name, is_placeholder, is_random

_LONGEST = 8000  # characters of a secret; a JWT can have thousands


class _Format(NamedTuple):
    begins: re.Pattern[str]
    expressions: list[re.Pattern[str]]
    secret: str = ""  # what of the match is none: all up to and with this
    random: bool = False  # the expression takes words too


def _of(detector: type[RegexBasedDetector]) -> list[re.Pattern[str]]:
    found: list[re.Pattern[str]] = list(detector.denylist)  # type: ignore[call-overload]  # a property in its base
    return found


def _own(begins: str, rest: str, secret: str = "", random: bool = False) -> _Format:
    return _Format(re.compile(begins), [re.compile(begins + rest)], secret, random)


_FORMATS = [
    _Format(re.compile("A(?:KIA|SIA)"), _of(AWSKeyDetector)[:1]),
    _Format(re.compile("AccountKey="), _of(AzureStorageKeyDetector), secret="="),
    _Format(re.compile("gh[pousr]_"), _of(GitHubTokenDetector)),
    _Format(re.compile("gl(?:pat|dt|ft|soat|rt|cbt|ptt|agent|oas)-"), _of(GitLabTokenDetector)),
    _Format(re.compile("pypi-AgE"), _of(PypiTokenDetector)),
    _Format(re.compile(r"SG\."), _of(SendGridDetector)),
    _Format(re.compile("xox"), _of(SlackDetector)[:1]),
    _Format(re.compile("https://hooks.slack.com/"), _of(SlackDetector)[1:]),
    _Format(re.compile("sq0csp-"), _of(SquareOAuthDetector)),
    _Format(re.compile("sk_live_"), _of(StripeDetector)),
    _Format(re.compile("rk_live_"), _of(StripeDetector)),
    # Those that it does not have, that end too early, or whose match begins anywhere before the literal. None begins
    # within another word: a text of nothing but beginnings would be read over and over, and task-list is no key.
    _own("AIza", r"[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    _own("_authToken=", r"\s{0,4}[\w-]{36,}", secret="="),
    _own(r"eyJ(?<![\w-]eyJ)", r"[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]+)?"),
    _own(r"sk-(?<![\w-]sk-)", r"[\w-]{32,}", random=True),
    _own(r"github_pat_", r"\w{34,}", random=True),
    _own(r"npm_(?<!\wnpm_)", r"\w{34,}", random=True),
    _own(r"hf_(?<!\whf_)", r"\w{34,}", random=True),
    _own(r"AC(?=[a-z0-9]{32})", r"[a-z0-9]{32}(?!\w)", random=True),
]
_LOGIN = _of(BasicAuthDetector)[0]  # scheme://name:password@host
_REST = re.compile(r"(?:@[^\s/@\"'`<>?#\\,;()]{1,80}){1,3}(?=@[\w\[])")  # of a password with an @ in it
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(r"[0-9A-Za-z+/]{40}")  # or it is code about such keys
_LONGEST_KEY = 20_000  # characters
_SHORTEST_PASSWORD = 4  # StarCoder's rule; it also keeps the text from growing beyond twice its size


def find_keys(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each; they may overlap."""
    for form in _FORMATS:
        yield from _of_format(form, text)
    if "PRIVATE KEY-----" in text or "KEY BLOCK-----" in text:
        yield from _private_keys(text)


def find_logins(text: str) -> Iterator[tuple[int, int]]:
    """Passwords in addresses."""
    at = text.find("://")
    while at >= 0:
        match = _LOGIN.match(text, at, at + _LONGEST)
        if match and not _is_example(match[1]):
            rest = _REST.match(text, match.end(1))
            yield match.start(1), rest.end() if rest else match.end(1)
        at = text.find("://", match.end() if match else at + 3)


def _of_format(form: _Format, text: str) -> Iterator[tuple[int, int]]:
    end = 0
    for begin in form.begins.finditer(text):
        if begin.start() < end:
            continue
        start = begin.start()
        matches = (expression.match(text, start, start + _LONGEST) for expression in form.expressions)
        match = next(filter(None, matches), None)
        if match:
            end = match.end()
            if not form.random or is_random(match[0]):
                yield start + match[0].find(form.secret) + len(form.secret), end


def _is_example(password: str) -> bool:
    return len(password) < _SHORTEST_PASSWORD or is_placeholder(password) or is_name(password)


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """What lies between the lines that begin and end one."""
    for match in _PRIVATE_KEY.finditer(text):
        start = match.end()
        end = text.find("-----", start, start + _LONGEST_KEY)
        if end > 0 and text.startswith("-----END ", end) and _BODY.search(text, start, end):
            yield start, end
