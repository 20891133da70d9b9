"""The top, middle and bottom of a file, by which it is scored (Wei et al., 2024, 3.4).

The paper does not say how long they are nor what becomes of short files. Here they are `characters` long, at least
as many as the encoder reads, for an encoder's tokenizer takes longer for a whole file than its model for three
sections; and they never overlap, so that no text counts twice.
"""

from __future__ import annotations


def sections(text: str, characters: int) -> list[str]:
    """At most three sections of `characters`: one of a text that is no longer, two of one that has no middle."""
    size = len(text)
    if size <= characters:
        return [text]
    top, bottom = text[:characters], text[-characters:] if size >= 2 * characters else text[characters:]
    if size < 3 * characters:
        return [top, bottom]
    middle = (size - characters) // 2
    return [top, text[middle : middle + characters], bottom]
