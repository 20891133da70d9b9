"""What the manifest of an indexed source says, added up from the records of its shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from snowcoder.config.schema import IndexConfig
from snowcoder.index.format import token_dtype
from snowcoder.index.record import ShardRecord
from snowcoder.index.writer import SPLITS
from snowcoder.storage.digest import digest_json
from snowcoder.storage.objects import ObjectInfo
from snowcoder.tokenization.load import Tokenizer


def shard_config(index: IndexConfig) -> dict[str, Any]:
    """The part of the config that decides what a shard becomes."""
    return index.model_dump(include={"columns", "held_out", "max_document_mib"})


def source_config(index: IndexConfig) -> dict[str, Any]:
    """The part of the config that decides what a source becomes."""
    return {**shard_config(index), "on_corrupt_shard": index.on_corrupt_shard}


def made_with(index: IndexConfig, tokenizer: Tokenizer) -> str:
    """Identity of what turns a given shard into its files."""
    return digest_json({"tokenizer": tokenizer.digest, **shard_config(index)})


def source_inputs(tokenizer: Tokenizer, shards: list[tuple[ObjectInfo, str | None]]) -> dict[str, Any]:
    """`shards`: all of the source, in their order, each with its digest; None: not known, for it is yet to be read."""
    listed = [{"name": info.key, "bytes": info.bytes, "digest": digest} for info, digest in shards]
    return {"tokenizer": tokenizer.digest, "shards": listed}


def source_counts(tokenizer: Tokenizer, records: list[ShardRecord]) -> dict[str, Any]:
    """`records`: of all shards of the source, in their order."""
    return {
        **{split: total(record.splits[split] for record in records) for split in SPLITS},
        "tokens_by_language": total(record.tokens_by_language for record in records),
        "dropped": total(record.dropped for record in records),
        "without": total(record.without for record in records),
        "skipped": {record.key: record.skipped for record in records if record.skipped},
        "max_token_id": max(record.max_token_id for record in records),
        "vocab_size": tokenizer.vocab_size,
        "dtype": token_dtype(tokenizer.vocab_size).name,
        "encoders": dict(Counter(record.encoder for record in records)),
        "shards": [{"name": record.name, **record.splits} for record in records],
    }


def total(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    result: Counter[str] = Counter()
    for count in counts:
        result.update(count)
    return dict(sorted(result.items()))
