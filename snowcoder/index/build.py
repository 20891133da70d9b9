"""`snowcoder index build`: each source's shards become .bin/.idx shards with a sidecar."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.encoder_check import first_texts
from snowcoder.index.ledger import made_with, source_config, source_counts, source_inputs, total
from snowcoder.index.pool import index_shards, warm_up
from snowcoder.index.record import ShardRecord, find_record, record_path
from snowcoder.index.shard import Job, ShardToIndex
from snowcoder.index.sources import Source, find_sources
from snowcoder.lineage.dependents import refuse_change
from snowcoder.lineage.manifest import Manifest, find_manifest
from snowcoder.progress import bar
from snowcoder.stages.lock import Busy, Part, is_lock
from snowcoder.stages.stage import Stage, working_in
from snowcoder.storage.columns import without
from snowcoder.storage.lock import Held
from snowcoder.storage.schemas import shard_problems
from snowcoder.tokenization.encoder import Encoder
from snowcoder.tokenization.encoders import fastest_encoder
from snowcoder.tokenization.load import Tokenizer, load_tokenizer


def run(config: Config, *names: str) -> bool:
    """Build what is missing of the named sources, or of every one in `index.sources`.

    False: as far as a part goes. Raises `UserError`, before any is built, where a run was trained on an index that
    would become another one.
    """
    warm_up()
    tokenizer, part = load_tokenizer(config.tokenizer.folder), Part.parse(config.index.part)
    sources = find_sources(config, names)
    for source in sources:
        _recognize(config, tokenizer, source, part)
        _refuse_change(config, tokenizer, source, part)
    work = [
        (each, _stage(config, tokenizer, each, _finished(config, tokenizer, each, each.shards))) for each in sources
    ]
    _check(config, tokenizer, [source for source, stage in work if not stage.find_done()])
    for source, stage in work:
        if stage.is_done(f"index of {source.name}"):
            continue
        if part.is_all:
            _build(config, tokenizer, source, stage)
        else:
            _build_part(config, tokenizer, source, stage, part)
    return part.is_all


def _stage(config: Config, tokenizer: Tokenizer, source: Source, done: dict[str, ShardRecord]) -> Stage:
    """A shard's digest is known once it is indexed."""
    shards = [(shard.info, done[shard.name].digest if shard.name in done else None) for shard in source.shards]
    return Stage("index", source.folder, source_inputs(tokenizer, shards), source_config(config.index))


def _check(config: Config, tokenizer: Tokenizer, sources: list[Source]) -> None:
    """Raises one UserError about all shards that cannot be read, before any is."""
    problems = []
    for source in sources:
        done = _finished(config, tokenizer, source, source.shards)
        todo = [shard.info for shard in source.shards if shard.name not in done]
        found = shard_problems(source.store, todo, config.index.columns)
        problems += [f"index.sources.{source.name}: {problem}" for problem in found]
    if problems:
        raise UserError("\n".join(problems))


def _recognize(config: Config, tokenizer: Tokenizer, source: Source, part: Part) -> None:
    """Shards that were touched, copied or made again, but hold the bytes they held, are those of their records."""
    identity, shards = made_with(config.index, tokenizer), part.of_all(source.shards)
    records = ((shard.info, find_record(source.folder, shard.name)) for shard in shards)
    touched = [(info, record) for info, record in records if record and record.is_of_touched(info, identity)]
    if not touched:
        return
    with (
        working_in(source.folder, part),
        bar(f"looking at touched shards of {source.name}", sum(info.bytes for info, _ in touched), "B") as progress,
    ):
        for info, record in touched:
            with source.store.local(info) as copy:
                if copy.digest == record.digest:
                    replace(record, tag=info.tag).write(source.folder)
            progress.update(info.bytes)


def _refuse_change(config: Config, tokenizer: Tokenizer, source: Source, part: Part) -> None:
    before = find_manifest(source.folder)
    if before and _becomes_another(config, tokenizer, source, part, before):
        refuse_change(config.run.dir, source.folder, f"index {source.name}", before.digest)


def _becomes_another(config: Config, tokenizer: Tokenizer, source: Source, part: Part, before: Manifest) -> bool:
    """Not where files are gone that become what they were."""
    identity = made_with(config.index, tokenizer)
    records = ((find_record(source.folder, shard.name), shard.info) for shard in part.of_all(source.shards))
    return (
        (before.inputs["tokenizer"], before.config) != (tokenizer.digest, source_config(config.index))
        or {s["name"]: s["bytes"] for s in before.inputs["shards"]} != {t.info.key: t.info.bytes for t in source.shards}
        or not all(record is None or record.is_of(info, identity) for record, info in records)
    )


def _build(config: Config, tokenizer: Tokenizer, source: Source, stage: Stage) -> None:
    """Index what is missing, then write the manifest."""
    with stage.making() as locks:
        done = _index(config, tokenizer, source, source.shards, locks)
        records = [done[shard.name] for shard in source.shards]
        outputs = [output for record in records for output in record.outputs]
        _stage(config, tokenizer, source, done).vouch(source_counts(tokenizer, records), outputs)
    print(f"index of {source.name}: {len(done)} shards in {source.folder}")


def _build_part(config: Config, tokenizer: Tokenizer, source: Source, stage: Stage, part: Part) -> None:
    """Index what is missing of a part; the last part to end, if it can tell, writes the manifest."""
    mine = part.of_all(source.shards)
    with working_in(source.folder, part) as locks:
        if len(_finished(config, tokenizer, source, mine)) < len(mine):
            stage.withdraw()
        _index(config, tokenizer, source, mine, locks)
        missing = len(source.shards) - len(_finished(config, tokenizer, source, source.shards))
    if missing:
        print(f"index of {source.name}: part {config.index.part} is done; {missing} shards of other parts are not")
        return
    with suppress(Busy):  # by parts that are about to end: `index build` does it after them
        _build(config, tokenizer, source, stage)


def _index(
    config: Config, tokenizer: Tokenizer, source: Source, shards: list[ShardToIndex], locks: list[Held]
) -> dict[str, ShardRecord]:
    """Records of all `shards` by name, after indexing those that are not finished."""
    done = _finished(config, tokenizer, source, shards)
    todo = [shard for shard in shards if shard.name not in done]
    _remove_strays(source, shards, done)
    if todo:
        done |= {record.name: record for record in _index_shards(config, tokenizer, source, todo, locks)}
    return done


def _index_shards(
    config: Config, tokenizer: Tokenizer, source: Source, todo: list[ShardToIndex], locks: list[Held]
) -> list[ShardRecord]:
    begun, records = time.monotonic(), []
    # A sample of all shards, not of these: every part and every resumed build must choose the same encoder.
    encoder = fastest_encoder(tokenizer, first_texts(source.store, source.shards, config.index))
    job = Job(
        folder=source.folder,
        shards=config.index.sources[source.name].shards,
        tokenizer=tokenizer.folder,
        encoder=encoder.name,
        made_with=made_with(config.index, tokenizer),
        index=config.index,
        storage=config.storage,
        locks=locks,
    )
    workers = config.index.workers or len(os.sched_getaffinity(0))
    with bar(f"index of {source.name}", sum(shard.info.bytes for shard in todo), "B") as progress:
        for record in index_shards(job, todo, workers):
            progress.update(record.bytes)
            records.append(record)
    _print_summary(source, records, encoder, time.monotonic() - begun)
    return records


def _print_summary(source: Source, records: list[ShardRecord], encoder: Encoder, seconds: float) -> None:
    """What this run did, which after a resume is less than what the manifest holds."""
    sums = total(split for record in records for split in record.splits.values())
    dropped = total(record.dropped for record in records)
    print(
        f"index of {source.name}: {sums['documents']:,} documents, {sums['tokens']:,} tokens "
        f"in {seconds:.1f} s ({readable.rate(sums['tokens'] / seconds, 'tokens')}); "
        f"dropped: {readable.counts(dropped)}; encoded by {encoder.name}"
    )
    if lacking := without(total(record.without for record in records)):
        print(f"  {lacking}")
    for name, reason in encoder.rejected.items():
        print(f"  passed over {name}: {reason}")
    for record in records:
        if record.skipped:
            print(f"  skipped {record.skipped}")


def _finished(
    config: Config, tokenizer: Tokenizer, source: Source, shards: list[ShardToIndex]
) -> dict[str, ShardRecord]:
    """The records, by name, of the shards that need not be indexed again."""
    identity, found = made_with(config.index, tokenizer), {}
    for shard in shards:
        record = find_record(source.folder, shard.name)
        if record is None or not record.is_of(shard.info, identity):
            continue
        if record.skipped and config.index.on_corrupt_shard == "error":
            continue
        if record.files_in_place(source.folder):
            found[shard.name] = record
    return found


def _remove_strays(source: Source, shards: list[ShardToIndex], done: dict[str, ShardRecord]) -> None:
    """Remove what a killed run or another list of shards left behind; a part leaves the others' shards alone."""
    keep = {source.folder / output.name for record in done.values() for output in record.outputs}
    keep |= {record_path(source.folder, name) for name in done}
    mine = None if len(shards) == len(source.shards) else {shard.name for shard in shards}
    for path in source.folder.rglob("*"):
        if path.is_file() and not is_lock(path) and path not in keep and (mine is None or _shard_of(path) in mine):
            path.unlink()


def _shard_of(path: Path) -> str:
    """The shard that a file of the index is of, also one that was not finished."""
    return path.name.removeprefix(".").split(".")[0]
