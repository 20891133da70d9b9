"""`snowcoder index peek SOURCE [DOCUMENT [COUNT [EPOCH]]]`: documents of an index as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.fim import fim_of
from snowcoder.index.layout import split
from snowcoder.index.reader import IndexedSource
from snowcoder.tokenization.load import Tokenizer, load_tokenizer


def run(config: Config, source: str, document: str = "0", count: str = "1", epoch: str | None = None) -> None:
    """Print `count` training documents from number `document` on, each under a line about it.

    With `epoch` (from 0) they come as that epoch trains on them, after fill-in-the-middle.
    """
    if source not in config.index.sources:
        known = ", ".join(config.index.sources)
        raise UserError(f"{source!r} is not a source of index.sources; allowed: {known}")
    index = IndexedSource(Path(config.index.dir) / source)
    if not (document.isdecimal() and count.isdecimal()) or int(document) >= index.documents:
        raise UserError(
            f"document {document!r}, count {count!r}: documents of {source} are numbered 0 to {index.documents - 1}"
        )
    if epoch is not None and not (epoch.isdecimal() and config.fim.rate):
        raise UserError(f"epoch {epoch!r}: give a number from 0 on, and the run's fill-in-the-middle (fim=starcoder)")
    tokenizer = load_tokenizer(config.tokenizer.folder)
    if tokenizer.digest != index.manifest.inputs["tokenizer"]:
        raise UserError(f"{tokenizer.folder} is not the tokenizer that {source} was indexed with")
    fim = fim_of(index, config.fim, tokenizer)
    for number in range(int(document), min(int(document) + int(count), index.documents)):
        row = sidecar_row(index, number)
        files = f", {len(row['files'])} files" if row["files"] else ""
        about = (row[name] or "" for name in ("repository", "path", "language", "licence"))
        repository, path, language, licence = about
        print(f"==== {source} {number}: {repository} {path} [{language}, {licence}] {row['tokens']} tokens{files}")
        pieces = split(index.tokens_of(number, 0, row["tokens"]), tokenizer)
        if epoch is not None:
            pieces = fim.of_document(pieces, config.run.seed, source, number, int(epoch))
        _print_pieces(pieces, tokenizer)


def _print_pieces(pieces: list[np.ndarray], tokenizer: Tokenizer) -> None:
    """A document as text: of several files the repository's name, then each file under a line about it."""
    for number, piece in enumerate(pieces):
        if number:
            print(f"---- file {number} of {len(pieces) - 1}: {len(piece)} tokens")
        print(tokenizer.decode(piece.tolist()))


def sidecar_row(index: IndexedSource, document: int) -> dict[str, Any]:
    """Repository, path, language, licence, content_hash, tokens, bytes and files of a document."""
    shard, row = index.locate(document)
    path = index.prefixes[shard].with_suffix(".docs.parquet")
    found: dict[str, Any] = pyarrow.dataset.dataset(path).take([row]).to_pylist()[0]
    return found
