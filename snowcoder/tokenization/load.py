"""Open a trained tokenizer: the tokenizer.json of a Hugging Face folder, with snowcoder's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from snowcoder.errors import UserError
from snowcoder.storage.digest import digest_bytes
from snowcoder.tokenization.special import END_OF_TEXT, SPECIAL_TOKENS

FILE = "tokenizer.json"


@dataclass(frozen=True)
class Tokenizer:
    backend: tokenizers.Tokenizer
    folder: Path
    vocab_size: int  # all ids: bytes, merges, special and spare tokens
    digest: str  # of the bytes of tokenizer.json
    end_of_text: int

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: a special token spelled out in it does not become that token's id."""
        return self.backend.encode(text, add_special_tokens=False).ids

    def special(self, token: str) -> int:
        """The id of a special token of `special.py`."""
        number = self.backend.token_to_id(token)
        assert number is not None  # `load_tokenizer` has seen to it
        return number

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens spelled out."""
        return self.backend.decode(ids, skip_special_tokens=False)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Raises `UserError` where there is no tokenizer, or one that lacks a token snowcoder needs."""
    path = folder / FILE
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(f"{path} is not there: run `snowcoder tokenizer train`, or set tokenizer.dir") from None
    try:
        backend = tokenizers.Tokenizer.from_buffer(data)
    except Exception as error:  # tokenizers raises bare Exception
        raise UserError(f"{path} is not a tokenizer of the tokenizers library: {error}") from None
    vocabulary = backend.get_vocab()
    if missing := [token for token in SPECIAL_TOKENS if token not in vocabulary]:
        raise UserError(
            f"{path} lacks the special tokens {', '.join(missing)}: train it with `snowcoder tokenizer train`"
        )
    backend.encode_special_tokens = True
    return Tokenizer(
        backend=backend,
        folder=folder,
        vocab_size=len(vocabulary),
        digest=digest_bytes(data),
        end_of_text=vocabulary[END_OF_TEXT],
    )
