"""Bytes of a source file as text."""

from __future__ import annotations

import codecs

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(data: bytes) -> str:
    """UTF-8, or UTF-16 that a byte order mark announces; without that mark. Raises ValueError with the reason.

    Other encodings could only be guessed.
    """
    try:
        text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("binary" if b"\0" in data else "not UTF-8") from None
    if "\0" in text:
        raise ValueError("binary")
    if not text.strip():
        raise ValueError("no content")
    return text
