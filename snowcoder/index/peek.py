"""`snowcoder index peek SOURCE [DOCUMENT [COUNT]]`: documents of an index as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.dataset

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.reader import IndexedSource
from snowcoder.tokenization.load import load_tokenizer


def run(config: Config, source: str, document: str = "0", count: str = "1") -> None:
    """Print `count` training documents from number `document` on, each under a line about it."""
    if source not in config.index.sources:
        known = ", ".join(config.index.sources)
        raise UserError(f"{source!r} is not a source of index.sources; allowed: {known}")
    index = IndexedSource(Path(config.index.dir) / source)
    if not (document.isdecimal() and count.isdecimal()) or int(document) >= index.documents:
        raise UserError(
            f"document {document!r}, count {count!r}: documents of {source} are numbered 0 to {index.documents - 1}"
        )
    tokenizer = load_tokenizer(Path(config.tokenizer.dir))
    if tokenizer.digest != index.manifest.inputs["tokenizer"]:
        raise UserError(f"{tokenizer.folder} is not the tokenizer that {source} was indexed with")
    for number in range(int(document), min(int(document) + int(count), index.documents)):
        row = sidecar_row(index, number)
        print(
            f"==== {source} {number}: {row['repository']} {row['path']} "
            f"[{row['language']}, {row['licence']}] {row['tokens']} tokens"
        )
        print(tokenizer.decode(index.tokens_of(number, 0, row["tokens"]).tolist()))


def sidecar_row(index: IndexedSource, document: int) -> dict[str, Any]:
    """Repository, path, language, licence, content_hash, tokens and bytes of a document."""
    shard, row = index.locate(document)
    path = index.prefixes[shard].with_suffix(".docs.parquet")
    return pyarrow.dataset.dataset(path).take([row]).to_pylist()[0]
