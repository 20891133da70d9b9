"""Index one shard: read its documents, encode them, write both splits, then the record."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snowcoder.config.schema import IndexConfig, StorageConfig
from snowcoder.errors import OperationError
from snowcoder.index.documents import by_split
from snowcoder.index.format import token_dtype
from snowcoder.index.layout import Joined, files_of_documents, join_texts
from snowcoder.index.record import ShardRecord, record_path
from snowcoder.index.writer import SPLITS, SUFFIXES, SplitWriter, split_writer
from snowcoder.lineage.manifest import describe_outputs
from snowcoder.lineage.rows import RowCounts, check_rows
from snowcoder.storage.atomic import writing_to
from snowcoder.storage.lock import Held
from snowcoder.storage.objects import ObjectInfo
from snowcoder.storage.shards import read_shard
from snowcoder.storage.store import open_store
from snowcoder.storage.unreadable import CorruptShard
from snowcoder.tokenization.encoder import Encoder
from snowcoder.tokenization.encoders import build_encoder
from snowcoder.tokenization.load import load_tokenizer


@dataclass(frozen=True)
class Job:
    """What all shards of a source have in common; sent to each worker once."""

    folder: Path  # of the source, in the index
    shards: str  # folder or prefix of the source's shards
    tokenizer: Path
    encoder: str
    made_with: str
    index: IndexConfig
    storage: StorageConfig
    locks: list[Held] = field(default_factory=list)  # of the build, which a worker keeps until it ends


@dataclass(frozen=True)
class ShardToIndex:
    name: str
    info: ObjectInfo
    expected_digest: str | None  # of the manifest beside the shards, where there is one


@dataclass
class ShardCounts:
    """What a shard came to."""

    splits: dict[str, Counter[str]] = field(
        default_factory=lambda: {split: Counter(documents=0, files=0, tokens=0, bytes=0) for split in SPLITS}
    )
    tokens_by_language: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)
    max_token_id: int = 0
    read: int = 0  # rows of the shard

    @property
    def rows(self) -> RowCounts:
        written = sum(split["documents"] for split in self.splits.values())
        return RowCounts(self.read, written, self.dropped.total())

    def add(self, split: str, ids: np.ndarray, rows: pa.Table) -> None:
        """`ids` uint16 or int32 [tokens], of the documents of `rows`."""
        size = pc.sum(rows["bytes"]).as_py()
        files = int(files_of_documents(rows["files"]).sum())
        self.splits[split].update(documents=len(rows), files=files, tokens=len(ids), bytes=size)
        by_language = rows.group_by("language").aggregate([("tokens", "sum")])
        tokens = zip(*by_language.to_pydict().values(), strict=True)
        self.tokens_by_language.update({language or "": count for language, count in tokens})
        self.max_token_id = max(self.max_token_id, int(ids.max()))


class ShardIndexer:
    """Holds what is dear to build: the encoder, whose caches warm up, and the store."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.store = open_store(job.shards, job.storage)
        self.tokenizer = load_tokenizer(job.tokenizer)
        self.encoder: Encoder = build_encoder(job.encoder, self.tokenizer)
        self.dtype = token_dtype(self.tokenizer.vocab_size)

    def __call__(self, shard: ShardToIndex) -> ShardRecord:
        """Index one shard. Raises OperationError for a shard that is corrupt or not as promised."""
        with self.store.local(shard.info) as local, writing_to(self.job.folder):
            record_path(self.job.folder, shard.name).unlink(missing_ok=True)
            if shard.expected_digest not in (None, local.digest):
                raise OperationError(
                    f"{shard.info.key}: its digest is {local.digest}, the manifest.json beside it "
                    f"says {shard.expected_digest}; pack or copy the shards again"
                )
            counts, skipped = ShardCounts(), None
            try:
                self._write(shard, local.path, counts)
            except CorruptShard as error:
                if self.job.index.on_corrupt_shard == "error":
                    raise
                counts, skipped = ShardCounts(), str(error)
            record = self._record(shard, local.digest, counts, skipped)
            record.write(self.job.folder)
        return record

    def _write(self, shard: ShardToIndex, path: Path, counts: ShardCounts) -> None:
        index, limit = self.job.index, int(self.job.index.max_document_mib * 2**20)
        writers: dict[str, SplitWriter] = {}
        with ExitStack() as stack:
            for batch in read_shard(path, shard.info.key, index.columns, limit):
                counts.read += batch.rows
                counts.dropped.update(batch.dropped)
                counts.without.update(batch.without())
                for split, documents, rows in by_split(batch, index.held_out):
                    if split not in writers:  # not before: megatron-core cannot open an empty .bin
                        prefix = self.job.folder / split / shard.name
                        writers[split] = stack.enter_context(split_writer(prefix, self.dtype))
                    ids, lengths, files = self._encode(shard, documents)
                    rows = rows.append_column("tokens", pa.array(lengths, pa.int32()))
                    rows = rows.append_column("files", pa.array(files, pa.list_(pa.int32())))
                    writers[split].append(ids, rows)
                    counts.add(split, ids, rows)
        check_rows(f"index of {shard.info.key}", counts.rows)

    def _encode(self, shard: ShardToIndex, documents: list[list[str]]) -> Joined:
        """Documents of these texts, each ended by end of text."""
        texts = [text for document in documents for text in document]
        ids, lengths = self.encoder.encode_batch(texts)
        top, vocab_size = int(ids.max(initial=0)), self.tokenizer.vocab_size
        if top >= vocab_size or len(lengths) != len(texts):
            raise OperationError(
                f"{shard.info.key}: {self.encoder.name} made {len(lengths)} texts of "
                f"{len(texts)}, with ids up to {top} of a vocabulary of {vocab_size}"
            )
        return join_texts(ids.astype(self.dtype), lengths, np.array([len(own) for own in documents]), self.tokenizer)

    def _record(self, shard: ShardToIndex, digest: str, counts: ShardCounts, skipped: str | None) -> ShardRecord:
        names = [
            f"{split}/{shard.name}{suffix}"
            for split in SPLITS
            if counts.splits[split]["documents"]
            for suffix in SUFFIXES
        ]
        return ShardRecord(
            name=shard.name,
            key=shard.info.key,
            bytes=shard.info.bytes,
            tag=shard.info.tag,
            digest=digest,
            made_with=self.job.made_with,
            encoder=self.encoder.name,
            splits={split: dict(count) for split, count in counts.splits.items()},
            tokens_by_language=dict(sorted(counts.tokens_by_language.items())),
            dropped=dict(sorted(counts.dropped.items())),
            without=dict(sorted(counts.without.items())),
            max_token_id=counts.max_token_id,
            skipped=skipped,
            outputs=describe_outputs(self.job.folder, names),
        )
