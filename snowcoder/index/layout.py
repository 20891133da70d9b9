"""How a document lies in the index.

One file is its code and end of text. Several files of a repository lie as in StarCoder2 (Lozhkov et al., 2024, 5.1):

    <|repo_name|>NAME<|file_sep|>PATH<newline>CODE<|file_sep|>PATH<newline>CODE<|endoftext|>

The special tokens are put between the texts by their ids: no text becomes one, whatever it spells.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snowcoder.storage.shards import Files
from snowcoder.tokenization.load import Tokenizer
from snowcoder.tokenization.special import FILE_SEP, REPO_NAME


class Joined(NamedTuple):
    """Documents back to back."""

    ids: np.ndarray  # uint16 or int32 [tokens]
    lengths: np.ndarray  # int64 [documents], tokens
    # Of each that has several: where in it its files begin, with their paths; int32 [its files].
    files: list[np.ndarray | None]


def texts_of(content: str, repository: str | None, files: Files | None) -> list[str]:
    """What of a document is encoded: its code; of several files of a known repository its name, then each file."""
    if files is None or len(files.paths) < 2 or not repository:
        return [content]
    texts = [repository]
    for path, length, end in zip(files.paths, files.lengths, accumulate(files.lengths), strict=True):
        one_line = path.replace("\n", " ")  # the code begins after the first newline
        texts.append(f"{one_line}\n{content[end - length : end]}")
    return texts


def join_texts(ids: np.ndarray, lengths: np.ndarray, counts: np.ndarray, tokenizer: Tokenizer) -> Joined:
    """Documents of texts that are encoded back to back in `ids`, uint16 or int32 [tokens].

    `lengths`, int64 [texts]: tokens of each text. `counts`, int64 [documents]: how many texts each document has, as
    `texts_of` made them.
    """
    last = np.cumsum(counts) - 1
    first = last - counts + 1
    opened = first[counts > 1]
    closing = np.full(len(lengths), tokenizer.special(FILE_SEP), ids.dtype)
    closing[last] = tokenizer.end_of_text
    closed = np.insert(ids, np.cumsum(lengths), closing)
    sizes = lengths + 1
    begins = np.cumsum(sizes) - sizes
    sizes[opened] += 1
    ids = np.insert(closed, begins[opened], tokenizer.special(REPO_NAME)) if len(opened) else closed
    ends = np.cumsum(sizes)
    whole = ends[last] - ends[first] + sizes[first]
    files = [
        (ends[one:end] - ends[one] + sizes[one]).astype(np.int32) if end > one else None
        for one, end in zip(first.tolist(), last.tolist(), strict=True)
    ]
    return Joined(ids, whole, files)


def files_of_documents(files: pa.ChunkedArray) -> np.ndarray:
    """How many files each document has (int64 [documents]), by the sidecar's column."""
    found: np.ndarray = pc.fill_null(pc.list_value_length(files), 1).to_numpy().astype(np.int64)
    return found


def split(ids: np.ndarray, tokenizer: Tokenizer) -> list[np.ndarray]:
    """The pieces of a document, each with the special token that ends it: of several files the repository's first.

    uint16 or int32 [tokens] -> the same dtype [tokens of the piece] each.
    """
    return np.split(ids, np.flatnonzero(ids[:-1] == tokenizer.special(FILE_SEP)) + 1)


def content_of(ids: np.ndarray, tokenizer: Tokenizer) -> str:
    """The text a document was made of, from its ids (uint16 or int32 [tokens])."""
    first, *files = (tokenizer.decode(piece[:-1].tolist()) for piece in split(ids, tokenizer))
    return "".join(file.partition("\n")[2] for file in files) if files else first
