"""`snowcoder annotate select`: the best files by language, up to a budget of tokens, as an index of their own.

As in Wei et al. (2024, 3.4): files are ranked within their language, and the selection has the language mix of the
corpus. Its documents are those of the corpus with the files that are left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snowcoder.annotation.copy_selected import SELECTED, Copy, ranked
from snowcoder.annotation.selectable_files import SCHEMA, UNITS, Weigh
from snowcoder.annotation.threshold import Ranked, Threshold, find_thresholds
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.ledger import total
from snowcoder.index.writer import SPLITS
from snowcoder.lineage.dependents import refuse_change
from snowcoder.lineage.manifest import Manifest, Output, find_manifest, read_manifest
from snowcoder.stages.engine import start_engine
from snowcoder.stages.stage import Stage, working_in
from snowcoder.stages.steps import Record, run_step
from snowcoder.stages.tables import Table

_TRAIN = SPLITS.index("train")


def run(config: Config) -> None:
    """Raises UserError where index or scores are missing, are of different documents, or have too few tokens.

    Also where a run was trained on the selection that is there.
    """
    select = config.annotator.select
    name = _selected_from(config)
    index, target = Path(config.index.dir) / name, Path(config.index.dir) / select.source
    raw = read_manifest(index, f"snowcoder index build {name}")
    inputs = {
        "tokenizer": raw.inputs["tokenizer"],
        name: raw.digest,
        "scores": read_manifest(Path(config.annotator.score.dir), "snowcoder annotate score").digest,
    }
    decided_by = {key: raw.config[key] for key in ("columns", "held_out", "max_document_mib")}
    decided_by |= {"tokens": int(select.tokens)}
    stage = Stage("annotate select", target, inputs, decided_by)
    if stage.is_done(f"index of {select.source}"):
        return
    done = find_manifest(target)
    if done and not done.made_from(inputs, decided_by):
        refuse_change(config.run.dir, target, f"index {select.source}", done.digest)
    start_engine(config.corpus.engine)
    with working_in(Path(config.annotator.score.dir)):  # all selections weigh there
        manifest = _select(config, raw, index, stage)
    _print_summary(manifest, target, _work(config) / select.source)


def _select(config: Config, raw: Manifest, index: Path, stage: Stage) -> Manifest:
    """Weigh all files, find each language's threshold, copy what is above."""
    engine, scores, target = config.corpus.engine, Path(config.annotator.score.dir), stage.folder
    shards, sizes = [shard["name"] for shard in raw.counts["shards"]], _sizes(raw)
    weigh = Weigh(scores / "units", index, scores, raw.config["held_out"])
    items = [weigh.work_item(shard, stage.inputs, bytes=sizes[shard]) for shard in shards]
    weighed = run_step(weigh, "weigh", items, engine)
    tables = [table for record in weighed for table in record.tables_in(weigh.folder, UNITS)]
    before = total({files.language: int(files.tokens.sum())} for files in _ranked(tables))
    thresholds = find_thresholds(lambda: _ranked(tables), _budgets(before, stage.decided_by["tokens"], index.name))
    copy = Copy(_work(config) / target.name, weigh.folder, index, target, config.tokenizer.folder, thresholds)
    items = [
        copy.work_item(shard, [stage.inputs, stage.decided_by], {"number": n, "rows": table.rows}, sizes[shard])
        for n, (shard, table) in enumerate(zip(shards, tables, strict=True))
    ]
    with stage.making():
        records = run_step(copy, "select", items, engine, sum(table.rows for table in tables))
        _remove_strays(target, records)
        outputs = [Output(**output) for record in records for output in record.counts["outputs"]]
        return stage.vouch(_counts(raw, records, thresholds, before), outputs)


def _sizes(raw: Manifest) -> Counter[str]:
    """Bytes of each shard of the index."""
    sizes = Counter[str]()
    for output in raw.outputs:
        sizes[Path(output.name).name.partition(".")[0]] += output.bytes
    return sizes


def _selected_from(config: Config) -> str:
    name = config.annotator.select.source
    source = config.index.sources.get(name)
    if source is None or source.selection_of not in config.index.sources:
        raise UserError(
            f"annotator.select.source={name}: index.sources.{name}.selection_of must name the source to select from, "
            f"one of {', '.join(config.index.sources)}"
        )
    return source.selection_of


def _work(config: Config) -> Path:
    """Where tables of the selected files lie, for who wants them as seeds."""
    return Path(config.annotator.score.dir) / "selected"


def _ranked(tables: list[Table]) -> Iterator[Ranked]:
    """Files to train on, by shard and language. Held-out ones decide nothing."""
    for number, table in enumerate(tables):
        units = table.read(SCHEMA, ["split", "language", "score", "tokens"])
        for files in ranked(units, number):
            train = units["split"].to_numpy()[files.rows] == _TRAIN
            yield Ranked(number, files.language, *(column[train] for column in files[2:]))


def _budgets(tokens: dict[str, int], budget: int, source: str) -> dict[str, int]:
    """Each language's part of the budget is its part of the corpus."""
    everything = sum(tokens.values())
    if budget > everything:
        raise UserError(
            f"annotator.select.tokens={budget:,}: {source} has {everything:,} tokens to train on; a selection is less"
        )
    return {language: round(budget * count / everything) for language, count in tokens.items()}


def _remove_strays(target: Path, records: list[Record]) -> None:
    """Files of another selection, or of a build of this source from shards."""
    keep = {output["name"] for record in records for output in record.counts["outputs"]}
    for path in (path for folder in (*SPLITS, "records") for path in (target / folder).rglob("*") if path.is_file()):
        if str(path.relative_to(target)) not in keep:
            path.unlink()


def _counts(
    raw: Manifest, records: list[Record], thresholds: dict[str, Threshold], before: dict[str, int]
) -> dict[str, Any]:
    """As of any index, and what was selected of each language."""
    counts = [record.counts for record in records]
    return {
        **{split: total(each["splits"][split] for each in counts) for split in SPLITS},
        "tokens_by_language": total(each["tokens_by_language"] for each in counts),
        "dropped": {},
        "skipped": {},
        "max_token_id": max(each["max_token_id"] for each in counts),
        **{key: raw.counts[key] for key in ("vocab_size", "dtype", "encoders")},
        "shards": [{"name": r.name, **r.counts["splits"]} for r in records],
        "selection": _selection(counts, thresholds, before),
    }


def _selection(
    counts: list[dict[str, Any]], thresholds: dict[str, Threshold], before: dict[str, int]
) -> dict[str, dict[str, float]]:
    """For each language the score from which files are taken, files and tokens of both splits, and the mixes."""
    found = {name: total(each["languages"].get(name, {}) for each in counts) for name in thresholds}
    tokens, everything = sum(row.get("tokens", 0) for row in found.values()), sum(before.values())
    return {
        name: {
            "score": threshold.score,
            "files": found[name].get("files", 0),
            "tokens": found[name].get("tokens", 0),
            "share": found[name].get("tokens", 0) / max(1, tokens),
            "share_of_corpus": before[name] / everything,
        }
        for name, threshold in thresholds.items()
    }


def _print_summary(manifest: Manifest, target: Path, tables: Path) -> None:
    print(f"{'language':<24}{'from score':>11}{'files':>12}{'tokens':>16}{'of all':>9}{'in corpus':>11}")
    for language, row in sorted(manifest.counts["selection"].items(), key=lambda each: -each[1]["tokens"]):
        print(
            f"{language or '?':<24}{row['score']:>11.4f}{row['files']:>12,}{row['tokens']:>16,}"
            f"{row['share']:>9.1%}{row['share_of_corpus']:>11.1%}"
        )
    train = manifest.counts["train"]
    print(
        f"index of {target.name}: {train['documents']:,} documents, {train['tokens']:,} tokens to train on, in {target}"
    )
    print(f"which files: {tables}/*{SELECTED}")
