"""`snowcoder index build`: each source's shards become .bin/.idx shards with a sidecar."""

from __future__ import annotations

import os
import time
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.index.ledger import made_with, source_manifest, total
from snowcoder.index.pool import index_shards, warm_up
from snowcoder.index.record import ShardRecord, find_record, record_path
from snowcoder.index.sample import sample_texts
from snowcoder.index.shard import Job, Task
from snowcoder.index.sources import Source, find_sources
from snowcoder.lineage.manifest import NAME, find_manifest
from snowcoder.progress import bar
from snowcoder.tokenization.encoders import Encoder, fastest_encoder
from snowcoder.tokenization.load import Tokenizer, load_tokenizer


def run(config: Config, *names: str) -> None:
    """Build what is missing of the named sources, or of every one in `index.sources`."""
    warm_up()
    tokenizer = load_tokenizer(Path(config.tokenizer.dir))
    for source in find_sources(config, names):
        _build(config, tokenizer, source)


def _build(config: Config, tokenizer: Tokenizer, source: Source) -> None:
    found = [_finished(config, tokenizer, source, task) for task in source.tasks]
    done = [record for record in found if record]
    todo = [task for task, record in zip(source.tasks, found, strict=True) if record is None]
    if not todo and _is_current(config, tokenizer, source, done):
        print(f"index of {source.name}: {source.folder} is up to date")
        return
    (source.folder / NAME).unlink(missing_ok=True)
    _remove_strays(source.folder, done)
    done += _index(config, tokenizer, source, todo) if todo else []
    by_name = {record.name: record for record in done}
    records = [by_name[task.name] for task in source.tasks]
    source_manifest(config.index, tokenizer, records).write(source.folder)


def _index(config: Config, tokenizer: Tokenizer, source: Source, todo: list[Task]) -> list[ShardRecord]:
    begun, records = time.monotonic(), []
    encoder = fastest_encoder(tokenizer, sample_texts(source.store, todo, config.index))
    job = Job(
        folder=source.folder,
        shards=config.index.sources[source.name].shards,
        tokenizer=tokenizer.folder,
        encoder=encoder.name,
        made_with=made_with(config.index, tokenizer),
        index=config.index,
        storage=config.storage,
    )
    workers = config.index.workers or len(os.sched_getaffinity(0))
    with bar(f"index of {source.name}", sum(task.info.bytes for task in todo), "B") as progress:
        for record in index_shards(job, todo, workers):
            progress.update(record.bytes)
            records.append(record)
    _print_summary(source, records, encoder, time.monotonic() - begun)
    return records


def _print_summary(source: Source, records: list[ShardRecord], encoder: Encoder, seconds: float) -> None:
    """What this run did, which after a resume is less than what the manifest holds."""
    sums = total(split for record in records for split in record.splits.values())
    dropped = total(record.dropped for record in records)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in dropped.items()) or "nothing"
    print(
        f"index of {source.name}: {sums['documents']:,} documents, {sums['tokens']:,} tokens "
        f"in {seconds:.1f} s ({sums['tokens'] / seconds:,.0f} tokens/s); dropped: {reasons}; "
        f"encoded by {encoder.name}"
    )
    for name, reason in encoder.rejected.items():
        print(f"  passed over {name}: {reason}")
    for record in records:
        if record.skipped:
            print(f"  skipped {record.skipped}")


def _finished(config: Config, tokenizer: Tokenizer, source: Source, task: Task) -> ShardRecord | None:
    """The record of a shard that need not be indexed again."""
    record = find_record(source.folder, task.name)
    if record is None or not record.is_of(task.info, made_with(config.index, tokenizer)):
        return None
    if record.skipped and config.index.on_corrupt_shard == "error":
        return None
    return record if record.files_in_place(source.folder) else None


def _is_current(config: Config, tokenizer: Tokenizer, source: Source, records: list[ShardRecord]) -> bool:
    manifest, now = find_manifest(source.folder), source_manifest(config.index, tokenizer, records)
    return manifest is not None and manifest.made_from(now.inputs, now.config)


def _remove_strays(folder: Path, done: list[ShardRecord]) -> None:
    """Remove what a killed run or another list of shards left behind."""
    keep = {folder / output.name for record in done for output in record.outputs}
    keep |= {record_path(folder, record.name) for record in done}
    for path in folder.rglob("*"):
        if path.is_file() and path not in keep:
            path.unlink()
