"""`snowcoder annotate score`: a score for every file of the corpus, a shard at a time on the corpus stage's engine."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import xxhash

from snowcoder import readable
from snowcoder.annotation.annotator import HIGHEST, MODEL, Settings, read_trained
from snowcoder.annotation.code_files import CodeFile, files_of_batch
from snowcoder.annotation.encoder import load_encoder_tokenizer
from snowcoder.annotation.quantize import prepare
from snowcoder.annotation.runtime import open_runtime, outputs_of, resolve
from snowcoder.annotation.scores import SCORES, SUFFIX, identities
from snowcoder.annotation.sections import sections
from snowcoder.annotation.summary import Summary
from snowcoder.config.corpus_schema import EngineConfig
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.lineage.manifest import Manifest
from snowcoder.lineage.rows import RowCounts
from snowcoder.lineage.vouched_shards import Shard, find_promised_shards
from snowcoder.stages.engine import start_engine
from snowcoder.stages.stage import Stage
from snowcoder.stages.steps import Record, Step, WorkItem, run_step
from snowcoder.stages.tables import count_rows as rows_in
from snowcoder.storage.columns import ColumnNeed
from snowcoder.storage.objects import ObjectInfo
from snowcoder.storage.schemas import check_shards
from snowcoder.storage.shards import Batch, read_shard
from snowcoder.storage.store import open_store

_NEEDS = [ColumnNeed(("language",), "annotate select takes the best files of each language")]
_FILE = "file"
_FILES = 2048  # scored together, so that sections of one length meet


def run(config: Config) -> None:
    """Raises UserError where there is no annotator or no shard."""
    folder = Path(config.annotator.score.dir)
    shards = find_promised_shards(open_store(config.index.sources["raw"].shards, config.storage))
    inputs, step = _inputs(config, shards), ScoreFiles(folder, config, len(shards))
    stage = Stage("annotate score", folder, inputs, step.decided_by())
    if stage.is_done("scores"):
        return
    begun = time.monotonic()
    engine = _engine(config.corpus.engine, step.runtime)
    start_engine(engine)
    items = step.work_items(shards, inputs["annotator"])
    todo = [ObjectInfo(**item.data["info"]) for item in items if step.find(item) is None]
    check_shards(open_store(config.index.sources["raw"].shards, config.storage), todo, config.index.columns, _NEEDS)
    with stage.making():
        if step.runtime == "openvino":
            prepare(Path(config.annotator.dir), inputs["annotator"])
        records = run_step(step, "score", items, engine)
        manifest = stage.vouch(_counts(config, records), [each for record in records for each in record.outputs])
    _print_summary(folder, manifest, time.monotonic() - begun)


T = TypeVar("T")
Numbered = tuple[bytes, int, CodeFile]  # the digest of its document, its number there, and the file


class EncodedSections(NamedTuple):
    ids: list[list[int]]  # of each section
    owners: np.ndarray  # int64 [sections], the number of its file


class ScoreFiles(Step):
    """The scores of a shard's files. Its worker keeps the model from item to item."""

    def __init__(self, folder: Path, config: Config, shards: int) -> None:
        super().__init__(folder)
        self.config, self.runtime = config, resolve(config.annotator.score.runtime)
        self.cores = max(1, len(os.sched_getaffinity(0)) // min(shards, config.corpus.engine.workers or shards))
        self._scorer: _Scorer | None = None

    def work_items(self, shards: list[Shard], annotator: str) -> list[WorkItem]:
        """Named as the index names the shards. `annotator`: its digest."""
        return [
            self.work_item(
                f"shard-{number:05d}",
                [annotator, *shard.info, shard.digest],
                {"info": shard.info._asdict(), "digest": shard.digest},
                shard.info.bytes,
            )
            for number, shard in enumerate(shards)
        ]

    def decided_by(self) -> dict[str, Any]:
        return {
            "runtime": self.runtime,
            "columns": self.config.index.columns.model_dump(),
            "max_document_mib": self.config.index.max_document_mib,
        }

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        self._scorer = self._scorer or _Scorer(self.config, self.runtime, self.cores)
        info, config = ObjectInfo(**item.data["info"]), self.config
        summary = Summary(HIGHEST[self._scorer.settings.head])
        store = open_store(config.index.sources["raw"].shards, config.storage)
        with store.local(info) as local, pq.ParquetWriter(folder / f"{item.name}{SUFFIX}", SCORES) as writer:
            if item.data["digest"] not in (None, local.digest):
                raise OperationError(f"{store.url}/{info.key}: its bytes are not those its manifest.json vouches for")
            limit = int(config.index.max_document_mib * 2**20)
            tally = Counter[str]()
            some = _some_files(read_shard(local.path, info.key, config.index.columns, limit, _NEEDS), tally)
            for files, encoded in _ahead((files, self._scorer.encode(files)) for files in some):
                scores = self._scorer.score(encoded)
                writer.write_table(_table(files, scores))
                for language in {file.language for _, _, file in files}:
                    summary.add(language, scores[[file.language == language for _, _, file in files]])
        dropped = tally.total() - tally[_FILE]
        rows = RowCounts(tally.total(), rows_in(folder / f"{item.name}{SUFFIX}"), dropped)
        return rows, {"languages": summary.rows()}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_scorer": None}  # each process makes its own


class _Scorer:
    def __init__(self, config: Config, runtime: str, threads: int) -> None:
        folder = Path(config.annotator.dir)
        self.settings = Settings.read(folder)
        self.tokenizer = load_encoder_tokenizer(str(folder / MODEL))
        torch.set_num_threads(threads)
        self.runtime = open_runtime(folder, runtime, threads)

    def encode(self, files: list[Numbered]) -> EncodedSections:
        parts = [sections(file.content, self.settings.section_characters) for _, _, file in files]
        flat = [part for each in parts for part in each]
        ids = self.tokenizer(flat, truncation=True, max_length=self.settings.tokens)["input_ids"]
        return EncodedSections(ids, np.repeat(np.arange(len(files)), [len(each) for each in parts]))

    def score(self, encoded: EncodedSections) -> np.ndarray:
        outputs = outputs_of(self.runtime, encoded.ids, self.tokenizer.pad_token_id)
        return self.settings.file_scores(outputs, encoded.owners)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Each is made in a thread while the one before it is used: a GPU does not wait for the tokenizer."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _some_files(batches: Iterator[Batch], tally: Counter[str]) -> Iterator[list[Numbered]]:
    """In the shard's order, many at a time. Counts them, and rows that are none by what is wrong with them."""
    found: list[Numbered] = []
    for batch in batches:
        tally.update(batch.dropped)
        for row in files_of_batch(batch):
            tally[_FILE] += len(row.files)
            digest = xxhash.xxh3_128_digest(row.content.encode())
            found += [(digest, number, file) for number, file in enumerate(row.files)]
        while len(found) >= _FILES:
            yield found[:_FILES]
            found = found[_FILES:]
    if found:
        yield found


def _table(files: list[Numbered], scores: np.ndarray) -> pa.Table:
    columns = [
        [digest for digest, _, _ in files],
        [number for _, number, _ in files],
        [file.repository for _, _, file in files],
        [file.path for _, _, file in files],
        [file.language for _, _, file in files],
        [len(file.content) for _, _, file in files],
        scores,
    ]
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, SCORES, strict=True)], SCORES)


def _inputs(config: Config, shards: list[Shard]) -> dict[str, Any]:
    return {
        "annotator": read_trained(Path(config.annotator.dir)).digest,
        "raw": identities(shards),
    }


def _engine(engine: EngineConfig, runtime: str) -> EngineConfig:
    """With a worker for each GPU of this machine, where the config leaves the number open."""
    gpus = torch.cuda.device_count() if runtime == "torch" and engine.kind == "local" else 0
    return engine.model_copy(update={"workers": gpus}) if gpus and not engine.workers else engine


def _counts(config: Config, records: list[Record]) -> dict[str, Any]:
    summary = Summary(HIGHEST[config.annotator.head])
    for record in records:
        summary.merge(record.counts["languages"])
    languages = summary.table()
    return {"files": sum(row["files"] for row in languages.values()), "languages": languages}


def _print_summary(folder: Path, manifest: Manifest, seconds: float) -> None:
    counts = manifest.counts
    print(f"scores: {counts['files']:,} files in {seconds:.1f} s ({readable.rate(counts['files'] / seconds, 'files')})")
    for language, row in sorted(counts["languages"].items(), key=lambda each: -each[1]["files"]):
        quantiles = ", ".join(f"{row[key]:.3f}" for key in row if key.startswith("quantile"))
        print(f"  {language or '?':<24}{row['files']:>10,} files, mean {row['mean']:.3f}, 10/50/90%: {quantiles}")
    print(f"scores: {folder}")
