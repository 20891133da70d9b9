"""Files of a model that somebody else wrote: read, or told in one line what they are instead."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import safe_open

from snowcoder.errors import UserError
from snowcoder.storage.unreadable import HEAD, stand_in

_SHOWN = 3


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises UserError."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(_instead(path, error)) from None
    if not isinstance(content, dict):
        raise UserError(f"{path.name} holds a {type(content).__name__}, not a JSON object: copy it again")
    return content


def open_safetensors(path: Path, framework: str) -> Any:
    """A file of tensors, of which only the header is read yet. Raises UserError."""
    try:
        return safe_open(path, framework)
    except Exception as error:  # SafetensorError is nothing more special
        raise UserError(_instead(path, error)) from None


def shorten(names: Iterable[str]) -> str:
    """The first of many names, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def one_line(error: BaseException) -> str:
    """With its type where the text alone may be no more than a key."""
    text = " ".join(str(error).split())
    return text if text and isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {text}"


def _instead(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(HEAD)
    except OSError as why:
        return f"{path.name} cannot be read: {why.strerror}"
    if what := stand_in(start):
        return f"{path.name} is {what}"
    if not start:
        return f"{path.name} is empty: copy it again"
    return f"{path.name} is cut short or damaged ({one_line(error)}): copy it again"
