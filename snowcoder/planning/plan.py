"""`snowcoder plan`: print the plan; where the index is at hand, write it with its tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.index.reader import IndexedSource
from snowcoder.lineage.manifest import find_manifest
from snowcoder.mixture.documents import Rooms
from snowcoder.mixture.file_table import FileTable, files_tables, write_files
from snowcoder.mixture.phase_plan import NAME, Plan, make_plan
from snowcoder.mixture.sizes import source_sizes
from snowcoder.mixture.stream import Epoch, held_out_name, write_starts
from snowcoder.planning import forecast
from snowcoder.progress import bar
from snowcoder.stages.stage import Stage
from snowcoder.storage.atomic import write_json
from snowcoder.training.inputs import check_plan, no_tokenizer, what_this_python_lacks
from snowcoder.training.may_start import phases_to_run


def run(config: Config) -> bool:
    """Whether the phases of `run.phases` can be trained now: where not, what it says is to be made first.

    Raises `UserError` with all for which `train` would refuse the plan; then what is in its folder stays.
    """
    sizes = source_sizes(config)
    plan = make_plan(config, sizes)
    planned = {name for name, size in sizes.items() if not size.digest}
    print(forecast.describe_forecast(config, plan, planned))
    absent = [name for name in sizes if name in planned or not _is_here(config, name)]
    makers = " and ".join(dict.fromkeys(config.index.sources[name].indexed_by for name in absent))
    if any(source.name in absent for source in plan.phases[0].sources):
        print(
            f"\nThe plan and its sample tables are not written, for the index of "
            f"{', '.join(absent)} is not here: run {makers}."
        )
        return False
    check_plan(config, plan)
    write_plan(config, plan, absent)
    if absent:
        print(f"Phases that use {', '.join(absent)} cannot be trained yet: run {makers}, then plan again.")
    lacking = [*no_tokenizer(config), *what_this_python_lacks(config)]
    for text in lacking:
        print(f"It cannot be trained here yet: {text}")
    wanted = {source.name for phase in phases_to_run(config, plan) for source in phase.sources}
    return not lacking and wanted.isdisjoint(absent)


def write_plan(config: Config, plan: Plan, absent: list[str]) -> None:
    """Write plan.json and the tables of documents, but for sources whose index is `absent`.

    Later phases may be planned before their sources exist: that changes nothing of the earlier ones. Does nothing if
    all is there already.
    """
    stage = Stage("plan", Path(config.plan.dir), plan.indexes, {"plan": plan.digest, "absent": absent})
    if stage.find_done():
        print(f"\nThe plan in {stage.folder} is up to date ({plan.digest}).")
        return
    with stage.making():
        _make(config, plan, absent, stage)
    print(f"\nThe plan is written to {stage.folder} ({plan.digest}).")


def _make(config: Config, plan: Plan, absent: list[str], stage: Stage) -> None:
    folder = stage.folder
    for table in folder.glob("*.npy"):
        table.unlink()
    sources = [name for name in plan.epochs() if name not in absent] if plan.fim else []
    for name in sources:
        write_files(folder, name, IndexedSource(Path(config.index.dir) / name))
    tables = list(_tables(config, plan, absent))
    for epoch, source in bar("plan", len(tables), "table", tables):
        write_starts(folder, epoch, source, plan.seed)
    write_json(folder / NAME, plan.model_dump(exclude_none=True))
    names = [table for name in sources for table in files_tables(name)]
    counts = {"steps": plan.total_steps, "tokens": sum(phase.tokens for phase in plan.phases)}
    stage.vouch(counts, [NAME, *(epoch.file for epoch, _ in tables), *names])


def _tables(config: Config, plan: Plan, absent: list[str]) -> Iterator[tuple[Epoch, IndexedSource | Rooms]]:
    """Every epoch that the run reads from, and the held-out documents of each source."""
    for name, epochs in plan.epochs().items():
        if name in absent:
            continue
        folder = Path(config.index.dir) / name
        train, held_out = IndexedSource(folder), IndexedSource(folder, "held_out")
        rooms = Rooms(train, FileTable(Path(config.plan.dir), name, train), plan.fim.reserved) if plan.fim else train
        yield from ((Epoch(name, number), rooms) for number in range(epochs))
        if held_out.documents:
            yield Epoch(held_out_name(name), 0), held_out


def _is_here(config: Config, name: str) -> bool:
    folder = Path(config.index.dir) / name
    manifest = find_manifest(folder)
    return manifest is not None and not manifest.check_files(folder)
