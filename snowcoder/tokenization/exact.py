"""Make a fast encoder give the reference's ids for characters of any Unicode version.

Encoders cut text by classes of characters, and each library has them from the Unicode version of
its own day: gigatoken 0.10 takes U+A7CF, of Unicode 17, for a letter, tokenizers 0.23 does not.
They agree on what is older than all of them, and this Python knows nothing newer.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snowcoder.errors import OperationError
from snowcoder.tokenization.encoder import Encoded, Encoder
from snowcoder.tokenization.load import Tokenizer

_SEARCHED = 0x40000  # of what lies beyond (planes 4 to 16), all is taken for new


class ExactEncoder:
    """Leaves documents with a character that may be too new, or a byte without a token, to the reference."""

    def __init__(self, fast: Encoder, tokenizer: Tokenizer) -> None:
        self.name = fast.name
        self.rejected = fast.rejected
        self._fast = fast
        self._reference, self._vocab_size = tokenizer.encode, tokenizer.vocab_size

    def encode_batch(self, texts: list[str]) -> Encoded:
        """Ids uint32 [tokens], lengths int64 [texts]."""
        ids, lengths = self._fast.encode_batch(texts)
        if len(lengths) != len(texts) or lengths.sum() != len(ids):
            raise OperationError(
                f"{self.name} encoded {len(lengths):,} documents of {len(texts):,}, {lengths.sum():,} tokens by their "
                f"lengths, in {len(ids):,}: report it as a fault of snowcoder"
            )
        left = {*with_new_characters(texts), *self._with_lacking_bytes(ids, lengths)}
        if not left:
            return ids, lengths
        documents = np.split(ids, np.cumsum(lengths)[:-1])
        for number in left:
            documents[number] = np.array(self._reference(texts[number]), np.uint32)
        return np.concatenate(documents), np.array([len(found) for found in documents], np.int64)

    def _with_lacking_bytes(self, ids: np.ndarray, lengths: np.ndarray) -> list[int]:
        """Numbers of the texts with an id above the vocabulary, which stands for a byte that has none."""
        found: list[int] = np.searchsorted(
            np.cumsum(lengths), np.flatnonzero(ids >= self._vocab_size), "right"
        ).tolist()
        return found


def with_new_characters(texts: list[str]) -> list[int]:
    """Numbers of the texts with a character that is not assigned in this Python's Unicode."""
    numbers = [number for number, text in enumerate(texts) if not text.isascii()]
    if not numbers:
        return []
    found = pc.match_substring_regex(pa.array([texts[n] for n in numbers]), _new_characters())
    return [number for number, new in zip(numbers, found.to_pylist(), strict=True) if new]


@functools.cache
def _new_characters() -> str:
    """A regular expression (of RE2, in arrow: some 300 MB/s)."""
    ranges = [*_unassigned(), (_SEARCHED, 0x10FFFF)]
    return "[" + "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in ranges) + "]"


def _unassigned() -> Iterator[tuple[int, int]]:
    """First and last code point of each unassigned range below `_SEARCHED`."""
    first = None
    for point in range(_SEARCHED + 1):
        if point < _SEARCHED and unicodedata.category(chr(point)) == "Cn":
            first = point if first is None else first
        elif first is not None:
            yield first, point - 1
            first = None
