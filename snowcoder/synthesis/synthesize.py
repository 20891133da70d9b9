"""`snowcoder synthesize`: training data that a language model writes, by the recipe of `synthesis=`.

    seeds       a work item a part of the seeds: what each sample starts from
    answers     a part's requests, by all servers; log/ holds every request and answer
    checked     a work item a part: syntax, tests; what finds copies is computed on the way
    dedup       tables of ids alone: which samples are copies
    published   a work item a part: copies and benchmarks dropped, personal data replaced; shards or conversations

A killed run goes on with the next item, and asks nothing that was answered.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.config.schema import Config
from snowcoder.corpus.decontamination import Matcher
from snowcoder.corpus.dedup.find_copies import find_copies
from snowcoder.corpus.wash_step import check_copies
from snowcoder.errors import OperationError
from snowcoder.lineage.manifest import Manifest, Output
from snowcoder.stages.engine import start_engine
from snowcoder.stages.output import OutputShards
from snowcoder.stages.stage import Stage, working_in
from snowcoder.stages.steps import Record, run_step
from snowcoder.storage.atomic import atomic_path, write_json
from snowcoder.synthesis.check_samples import CheckSamples
from snowcoder.synthesis.generate import ask_models
from snowcoder.synthesis.publish import CHAT, Publish, open_outputs, shards_of
from snowcoder.synthesis.recipe import Recipe
from snowcoder.synthesis.requests import server_urls
from snowcoder.synthesis.seeds import Seeds, make_seeds
from snowcoder.synthesis.summary import REPORT, lost, print_summary, summarize_synthesis

CHAT_FILE = "chat.jsonl"


def run(config: Config) -> bool:
    """Do what is missing; prints what became of the seeds. False: conversations, which no index is built of.

    Raises OperationError where nothing is kept of the seeds.
    """
    begun, folder, config = time.monotonic(), Path(config.synthesis.dir), _by_files(config)
    stage = _stage(config)
    with working_in(folder):
        outputs = open_outputs(config)
        start_engine(config.corpus.engine)
        done = _make(config, stage, outputs)
        report = summarize_synthesis(
            config, done.seeds.records, done.answers, done.checked, done.copies, done.published
        )
        write_json(folder / REPORT, report)
        print_summary(config, report, time.monotonic() - begun)
        if not report["kept"]:
            stage.withdraw()
            raise OperationError(
                f"nothing was kept of {sum(report['seeds'].values()):,} seeds: {lost(report)}. `snowcoder synthesize "
                f"report` shows samples of it, {folder}/log has every request and answer. To ask again, "
                f"where it was the server, remove {folder}/log and {folder}/answers"
            )
        _vouch(config, stage, done, report, outputs)
    return config.synthesis.chat is None


class SynthesisRecords(NamedTuple):
    """Records of all work items."""

    seeds: Seeds
    answers: list[Record]
    checked: list[Record]
    copies: Record
    published: list[Record]


def _stage(config: Config) -> Stage:
    """The stage's folder: what was asked of whom, and what came of it. The inputs lack what seeds are cut from.

    Raises UserError where a prompt, the examples or a benchmark cannot be read.
    """
    decided_by = {
        "recipe": config.synthesis.model_dump(mode="json", exclude={"dir", "requests", "python", "other"}),
        "requests": Recipe(config).digest,  # of prompts and examples, too
        "near": config.corpus.near.model_dump(),
        "pii": config.pii.model_dump(),
        "seed": config.run.seed,
    }
    inputs = {"benchmarks": Matcher.build(config.decontamination).digest}
    return Stage("synthesize", Path(config.synthesis.dir), inputs, decided_by)


def _make(config: Config, stage: Stage, outputs: dict[str, OutputShards]) -> SynthesisRecords:
    """Each step that writes takes the old manifest away first."""
    folder, engine = stage.folder, config.corpus.engine

    def before_seeds() -> None:
        server_urls(config.synthesis.requests)  # new seeds are of no use where nobody is to be asked
        stage.withdraw()

    seeds = make_seeds(config, before_seeds)
    answers, answered = ask_models(config, seeds, stage.withdraw)
    check = CheckSamples(folder / "checked", config, answers)
    checked = run_step(check, "check", check.work_items(answered), engine, _outcomes(answered), stage.withdraw)
    copies, found = find_copies(config.corpus, check.folder, checked)
    publish = Publish(folder / "published", config, copies)
    items = publish.work_items(check.folder, checked, found)
    changes = any(publish.find(item) is None for item in items)
    for output in outputs.values():
        output.claim([f"{item.name}.parquet" for item in items], changes)
    if changes:
        stage.withdraw()
    published = run_step(publish, "publish", items, engine, sum(record.rows.written for record in checked))
    check_copies(config.corpus.near, copies, published, publish.folder)
    return SynthesisRecords(seeds, answered, checked, found, published)


def _by_files(config: Config) -> Config:
    """Samples are compared as files, whatever the corpus does, and in this stage's folder."""
    near = config.corpus.near.model_copy(update={"level": "file"})
    corpus = config.corpus.model_copy(update={"near": near, "work": config.synthesis.dir})
    return config.model_copy(update={"corpus": corpus})


def _outcomes(answered: list[Record]) -> int:
    return sum(rows for record in answered for rows in record.tables.values())


def _vouch(
    config: Config, stage: Stage, done: SynthesisRecords, report: dict[str, Any], outputs: dict[str, OutputShards]
) -> None:
    """Beside each place's shards a manifest that names the stage's; this one last."""
    stage.withdraw()  # also where no step had to do anything: fewer parts are other conversations in one file
    manifest = replace(stage, inputs={**done.seeds.inputs, **stage.inputs}).manifest(
        {key: report[key] for key in ("seeds", "kept", "dropped", "requests", "usage")}, _files(config, done)
    )
    found = [each for record in done.published for each in shards_of(record)]
    for side, output in outputs.items():
        shards = [shard for where, shard in found if where == side]
        how = {"columns": config.index.columns.model_dump()}
        output.publish(Manifest("synthesize", {"synthesis": manifest.digest}, how, {"shards": len(shards)}, shards))
    manifest.write(stage.folder)


def _files(config: Config, done: SynthesisRecords) -> list[str | Output]:
    """What the stage's folder holds, but shards, which lie elsewhere."""
    if config.synthesis.chat:
        _join(done.published, Path(config.synthesis.dir))
    made = {"seeds": done.seeds.records, "answers": done.answers, "checked": done.checked}
    parts = [
        Output(f"{name}/{output.name}", output.bytes, output.digest)
        for name, records in made.items()
        for record in records
        for output in record.outputs
    ]
    return [*([CHAT_FILE] if config.synthesis.chat else []), *parts]


def _join(published: list[Record], folder: Path) -> None:
    """The conversations of all parts in one file, as trainers take them."""
    with atomic_path(folder / CHAT_FILE) as partial, partial.open("wb") as joined:
        for record in published:
            for path in record.paths(folder / "published", CHAT):
                with path.open("rb") as part:
                    shutil.copyfileobj(part, joined)
