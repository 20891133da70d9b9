"""What a value looks like: something random, a name, or something that stands for what is to be filled in."""

from __future__ import annotations

import re

from detect_secrets.filters.heuristic import is_sequential_string
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString

# A template, a path, an address, or a word for what should stand here.
_PLACEHOLDER = re.compile(
    r"[<>{}]|\*{3}|^[$%]|\$\(|\$[A-Z_]{2}|%[sd]|\.\.\.|://|^[./~]|x{4,}|y{4,}|abcdef|123456|qwerty|^(?:pass|user)$|"
    r"(?<![a-z])(?:your|my|wrong|some|change|example|sample|dummy|fake|test|foo|placeholder|redacted|invalid|default|secret|"
    r"passw|token|key)|"
    r"^(?:required|nullable|string)\||^\[\^?[Aa0]-[Zz9]|"  # what a value has to be
    # The name of a property, of a hash, or of an encoding.
    r"\.\w{0,30}passw|(?:^|-)(?:sha|md|iso|utf)-?[0-9-]{1,8}$",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z_.:/-]+")
_HEX_DIGITS = re.compile(r"[0-9A-Fa-f-]+")
_BASE64, _HEX = Base64HighEntropyString(), HexHighEntropyString()
_SHORTEST = 16  # characters of a key


def is_placeholder(value: str) -> bool:
    return _PLACEHOLDER.search(value) is not None or is_sequential_string(value)


def is_name(value: str) -> bool:
    """A word or several, as code writes them: that a secret is one, too, is not to be told from its looks."""
    return _NAME.fullmatch(value) is not None


def is_random(value: str) -> bool:
    """StarCoder asks for gibberish of more than 8 characters; the measure is detect-secrets' entropy."""
    if len(value) < _SHORTEST or not any(map(str.isdigit, value)) or not any(map(str.isalpha, value)):
        return False
    measure, least = (_HEX, 3.0) if _HEX_DIGITS.fullmatch(value) else (_BASE64, 3.6)
    return measure.calculate_shannon_entropy(value) > least
