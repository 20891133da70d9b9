"""Filter, the first step: a raw shard's documents, filtered, with what finds their copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.dedup.repositories import RepositorySignatures
from snowcoder.corpus.dedup.signature import SIGNATURES, FileSignatures
from snowcoder.corpus.document import DOCUMENT_SCHEMA, DOCUMENTS, Document, documents_table, size_of
from snowcoder.corpus.dropped_examples import DroppedExamples
from snowcoder.corpus.filters import first_fault, make_filters
from snowcoder.corpus.languages import detect, language_named
from snowcoder.corpus.licences import LicencePolicy
from snowcoder.corpus.needs import corpus_needs
from snowcoder.errors import OperationError
from snowcoder.lineage.rows import RowCounts
from snowcoder.lineage.vouched_shards import Shard
from snowcoder.stages.steps import Step, WorkItem
from snowcoder.stages.tables import count_rows
from snowcoder.storage.digest import digest_file
from snowcoder.storage.objects import ObjectInfo
from snowcoder.storage.shards import Batch, read_shard
from snowcoder.storage.store import open_store

NO_REPOSITORY = "no repository"


class FilterStep(Step):
    def __init__(self, folder: Path, config: Config) -> None:
        super().__init__(folder)
        self.config = config

    def work_items(self, shards: list[Shard]) -> list[WorkItem]:
        return [
            self.work_item(
                f"shard-{number:05d}",
                [*shard.info, shard.digest],
                {"number": number, "info": shard.info._asdict(), "digest": shard.digest},
                shard.info.bytes,
            )
            for number, shard in enumerate(shards)
        ]

    def decided_by(self) -> dict[str, Any]:
        config, opt_out = self.config, self.config.licence_policy.opt_out
        return {
            "filters": config.filters.model_dump(),
            "licences": config.licence_policy.model_dump(),
            "opt_out": digest_file(Path(opt_out)) if opt_out else None,
            "near": config.corpus.near.model_dump(exclude={"threshold"}),
            "columns": config.index.columns.model_dump(),
            "needs": corpus_needs(config),
            "max_document_mib": config.index.max_document_mib,
            "samples": config.corpus.samples,
        }

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        store, info = open_store(self.config.corpus.input, self.config.storage), ObjectInfo(**item.data["info"])
        sieve, near, first = Sieve(self.config), self.config.corpus.near, item.data["number"] << 32
        read = 0
        with store.local(info) as local, ExitStack() as stack:
            if item.data["digest"] not in (None, local.digest):
                raise OperationError(
                    f"{info.key}: its bytes are not those that the manifest.json beside it vouches for"
                )
            signatures = RepositorySignatures(near) if near.level == "repository" else FileSignatures(near)
            documents, found = (
                stack.enter_context(pq.ParquetWriter(folder / f"{item.name}{suffix}", schema, compression="zstd"))
                for suffix, schema in ((DOCUMENTS, DOCUMENT_SCHEMA), (SIGNATURES, signatures.schema))
            )
            for batch in self._batches(local.path, info.key):
                read += batch.rows
                kept = list(sieve(batch))
                ids = range(first, first + len(kept))
                documents.write_table(documents_table(kept, ids))
                signatures.write(found, kept, ids)
                first += len(kept)
            signatures.close(found)
        rows = RowCounts(read, count_rows(folder / f"{item.name}{DOCUMENTS}"), sieve.counts.dropped)
        return rows, {
            "digest": local.digest,
            "counts": sieve.counts.rows(),
            "without": dict(sieve.without),
            "samples": dict(sieve.samples.rules),
        }

    def _batches(self, path: Path, name: str) -> Iterator[Batch]:
        index = self.config.index
        limit = int(index.max_document_mib * 2**20)
        return read_shard(path, name, index.columns, limit, corpus_needs(self.config))


class Sieve:
    """Keeps the documents that no rule drops, and counts the others."""

    def __init__(self, config: Config) -> None:
        self.filters, self.policy = make_filters(config.filters), LicencePolicy(config.licence_policy)
        self.counts, self.samples = Counts(), DroppedExamples(config.corpus.samples)
        self.without: Counter[str] = Counter()  # column -> rows that lack it, of those that were read

    def __call__(self, batch: Batch) -> Iterator[Document]:
        for reason, files in batch.dropped.items():
            self.counts.add(reason, "", 0, files)
        self.without.update(batch.without())
        for content, repository, path, given, licences in zip(*batch[:5], strict=True):
            language = (given and language_named(given)) or detect(path or "", content) or given or ""
            own = tuple(filter(None, (licences or "").split(",")))
            document = Document(content, repository or "", path or "", language, own)
            rule, detail = self._fault(document)
            self.counts.add(rule, language, size_of(document))
            if rule == KEPT:
                yield document
            else:
                self.samples.add(rule, document, detail)

    def _fault(self, document: Document) -> tuple[str, str]:
        if not document.language:
            return "language", "of no known language"
        if not self.policy.knows_owner(document):
            return NO_REPOSITORY, "whether its owner opted out cannot be known"
        if fault := self.policy.fault(document):
            return "licence", fault
        return first_fault(self.filters, document) or (KEPT, "")
