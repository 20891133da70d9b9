"""`snowcoder corpus build`: raw shards to clean documents, in four steps.

    filter       a work item a raw shard: licences and filters; what finds copies is computed on the way
    dedup        tables of ids alone: which documents are copies
    wash         a work item a raw shard: copies and benchmarks dropped, personal data replaced, sent to a partition
    group        a work item a partition: files to training documents, one output shard

A partition holds whole groups, about `corpus.partition_mib` of text. A killed build goes on with the next item.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.decontamination import Matcher
from snowcoder.corpus.dedup.find_copies import find_copies
from snowcoder.corpus.document import DOCUMENTS
from snowcoder.corpus.dropped_examples import DroppedExamples
from snowcoder.corpus.filter_step import FilterStep
from snowcoder.corpus.group_step import GroupStep, shard_of
from snowcoder.corpus.licences import LicencePolicy
from snowcoder.corpus.needs import corpus_needs
from snowcoder.corpus.wash_step import WashStep, check_copies
from snowcoder.index.ledger import total
from snowcoder.lineage.manifest import Manifest
from snowcoder.lineage.vouched_shards import Shard, find_promised_shards
from snowcoder.stages.engine import start_engine
from snowcoder.stages.output import OutputShards
from snowcoder.stages.stage import working_in
from snowcoder.stages.steps import Record, Step, run_step
from snowcoder.stages.tables import Table
from snowcoder.storage.atomic import write_json
from snowcoder.storage.columns import without
from snowcoder.storage.objects import ObjectInfo
from snowcoder.storage.schemas import check_shards
from snowcoder.storage.store import open_store

REPORT = "report.json"
_NAMED = 8  # languages of the summary; the report has more


def run(config: Config) -> None:
    """Do what is missing; prints what became of the files."""
    begun, work = time.monotonic(), Path(config.corpus.work)
    _read_lists(config)
    shards = find_promised_shards(open_store(config.corpus.input, config.storage))
    with working_in(work):
        output = OutputShards(config.corpus.output, "corpus.output", config.storage, work)
        start_engine(config.corpus.engine)
        done = _build(config, shards, output)
        manifest = _manifest(config, shards, done)
        write_json(work / REPORT, _report(config, done))
        output.publish(manifest)
    _print_summary(config, manifest, _dropped(done), time.monotonic() - begun)


def _read_lists(config: Config) -> None:
    """Raises UserError for a list that the config names and that cannot be read: now, not when an item wants it."""
    LicencePolicy(config.licence_policy)
    Matcher.build(config.decontamination)


class CorpusRecords(NamedTuple):
    """Records of all work items."""

    filtered: list[Record]
    copies: Record
    washed: list[Record]
    grouped: list[Record]


def _build(config: Config, shards: list[Shard], output: OutputShards) -> CorpusRecords:
    work, engine = Path(config.corpus.work), config.corpus.engine
    filter_step = FilterStep(work / "filtered", config)
    items = filter_step.work_items(shards)
    todo = [ObjectInfo(**item.data["info"]) for item in items if filter_step.find(item) is None]
    check_shards(open_store(config.corpus.input, config.storage), todo, config.index.columns, corpus_needs(config))
    filtered = run_step(filter_step, "filter", items, engine)
    copies, found = find_copies(config.corpus, filter_step.folder, filtered)
    partitions = _partitions(config, filtered)
    wash_step = WashStep(work / "washed", config, copies, partitions)
    items = wash_step.work_items(filtered, _tables(filter_step, filtered, DOCUMENTS), found)
    washed = run_step(wash_step, "wash", items, engine, _written(filtered))
    check_copies(config.corpus.near, copies, washed, wash_step.folder)
    group_step = GroupStep(work / "grouped", config, _tables(wash_step, washed))
    items = group_step.work_items(washed, partitions)
    changes = any(group_step.find(item) is None for item in items)
    output.claim([f"{item.name}.parquet" for item in items], changes)
    return CorpusRecords(filtered, found, washed, run_step(group_step, "group", items, engine, _written(washed)))


def _tables(step: Step, records: list[Record], suffix: str = ".parquet") -> list[Table]:
    return [table for record in records for table in record.tables_in(step.folder, suffix)]


def _written(records: list[Record]) -> int:
    return sum(record.rows.written for record in records)


def _partitions(config: Config, filtered: list[Record]) -> int:
    return max(1, math.ceil(_counts(filtered).total(KEPT)[1] / (config.corpus.partition_mib << 20)))


def _counts(records: Iterable[Record]) -> Counts:
    counts = Counts()
    for record in records:
        counts.merge(record.counts["counts"])
    return counts


def _manifest(config: Config, shards: list[Shard], done: CorpusRecords) -> Manifest:
    read = zip(shards, done.filtered, strict=True)
    sections = ("filters", "licence_policy", "pii", "grouping")
    kept = _counts(done.grouped)
    return Manifest(
        stage="corpus build",
        inputs={
            "shards": [
                {"name": shard.info.key, "bytes": shard.info.bytes, "digest": record.counts["digest"]}
                for shard, record in read
            ],
            "benchmarks": Matcher.build(config.decontamination).digest,
        },
        config={
            **{name: getattr(config, name).model_dump(mode="json") for name in sections},
            "near": config.corpus.near.model_dump(),
            "columns": config.index.columns.model_dump(),
            "seed": config.run.seed,
        },
        counts={
            "documents": sum(record.counts["documents"] for record in done.grouped),
            "files": kept.total(KEPT)[0],
            "bytes": kept.total(KEPT)[1],
            "files_by_language": {language: count for (_, language), count in kept.files.most_common()},
            "dropped": _dropped(done).files_by_rule(),
            "without": total(record.counts.get("without", {}) for record in done.filtered),
        },
        outputs=[shard for record in done.grouped if (shard := shard_of(record))],
    )


def _dropped(done: CorpusRecords) -> Counts:
    counts = _counts([*done.filtered, *done.washed])
    counts.forget(KEPT)
    return counts


def _report(config: Config, done: CorpusRecords) -> dict[str, Any]:
    """What `snowcoder corpus report` shows."""
    samples = DroppedExamples(config.corpus.samples)
    for record in (*done.filtered, *done.washed):
        samples.merge(record.counts["samples"])
    replaced: dict[str, int] = {}
    for record in done.washed:
        for kind, count in record.counts["replaced"].items():
            replaced[kind] = replaced.get(kind, 0) + count
    return {
        "input": config.corpus.input,
        "output": config.corpus.output,
        "kept": _counts(done.grouped).rows(),
        "documents": sum(record.counts["documents"] for record in done.grouped),
        "dropped": _dropped(done).rows(),
        "samples": samples.rules,
        "copies": done.copies.counts,
        "replaced": dict(sorted(replaced.items())),
        "benchmarks": config.decontamination.benchmarks,
        "hits": [hit for record in done.washed for hit in record.counts["hits"]],
    }


def _print_summary(config: Config, manifest: Manifest, dropped: Counts, seconds: float) -> None:
    counts, stored = manifest.counts, sum(output.bytes for output in manifest.outputs)
    print(
        f"{config.corpus.output}: {counts['documents']:,} documents of {counts['files']:,} files, "
        f"{readable.size(counts['bytes'])} of text in {len(manifest.outputs)} shard(s) of {readable.size(stored)} "
        f"(compressed), in {seconds:.1f} s"
    )
    if lacking := without(counts["without"]):
        print(f"of all files read {lacking}")
    print(f"dropped: {readable.counts(counts['dropped'])}")
    if languages := dropped.by_language("language"):
        print(f"  languages that filters.languages does not name: {readable.counts(languages, most=_NAMED)}")


def read_report(config: Config) -> dict[str, Any] | None:
    """What the last finished build of this config's work folder wrote, or None."""
    try:
        found: dict[str, Any] | None = json.loads((Path(config.corpus.work) / REPORT).read_text())
        return found
    except FileNotFoundError:
        return None
