"""`snowcoder plan`: print the plan; where the index is at hand, write it with its tables."""

from __future__ import annotations

from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.reader import IndexedSource
from snowcoder.lineage.manifest import Manifest, describe, find_manifest
from snowcoder.mixture import forecast
from snowcoder.mixture.plan import NAME, Plan, SourceSize, make_plan, plan_json
from snowcoder.mixture.stream import ends_name, write_ends
from snowcoder.progress import bar
from snowcoder.storage.atomic import write_json


def run(config: Config) -> None:
    sizes = source_sizes(config)
    plan = make_plan(config, sizes)
    planned = {name for name, size in sizes.items() if not size.digest}
    print(forecast.describe(config, plan, planned))
    absent = sorted(planned) + [name for name in sizes if name not in planned and not _is_here(config, name)]
    if absent:
        print(f"\nThe plan is not written: the index of {', '.join(absent)} is not here (`snowcoder index build`).")
    else:
        write_plan(config, plan)


def source_sizes(config: Config) -> dict[str, SourceSize]:
    """Size of each source that a phase uses: from its index, else as `planned_tokens` says."""
    sizes, unknown = {}, []
    for name in dict.fromkeys(source for phase in config.phases.values() for source in phase.sources):
        manifest = find_manifest(Path(config.index.dir) / name)
        planned = config.index.sources[name].planned_tokens
        if manifest is not None:
            train = manifest.counts["train"]
            sizes[name] = SourceSize(train["tokens"], train["documents"], manifest.digest)
        elif planned is not None:
            sizes[name] = SourceSize(int(planned), 0, "")
        else:
            unknown.append(f"  {name}: run `snowcoder index build`, or set index.sources.{name}.planned_tokens")
        if name in sizes and sizes[name].tokens == 0:
            unknown.append(f"  {name}: its index has no tokens to train on")
    if unknown:
        raise UserError("the size of these sources is not known:\n" + "\n".join(unknown))
    return sizes


def write_plan(config: Config, plan: Plan) -> None:
    """Write plan.json and the tables of document ends; nothing if they are there already."""
    folder = Path(config.plan.dir)
    inputs = {source.name: source.index for phase in plan.phases for source in phase.sources}
    content = plan_json(plan)
    before = find_manifest(folder)
    if before and before.made_from(inputs, content) and not before.check_files(folder):
        print(f"\nThe plan in {folder} is up to date ({plan.digest}).")
        return
    tables = [(name, epoch) for name, epochs in _epochs(plan).items() for epoch in range(epochs)]
    for name, epoch in bar("plan", len(tables), "table", tables):
        write_ends(folder, name, IndexedSource(Path(config.index.dir) / name), plan.seed, epoch)
    write_json(folder / NAME, content)
    outputs = describe(folder, [NAME, *(ends_name(name, epoch) for name, epoch in tables)])
    counts = {"steps": plan.total_steps, "tokens": sum(phase.tokens for phase in plan.phases)}
    Manifest("plan", inputs, content, counts, outputs).write(folder)
    print(f"\nThe plan is written to {folder} ({plan.digest}).")


def _epochs(plan: Plan) -> dict[str, int]:
    """Epochs of each source that the plan begins."""
    sizes = {source.name: source.epoch_tokens for phase in plan.phases for source in phase.sources}
    return {name: -(-end // sizes[name]) for name, end in plan.cursors(plan.total_steps).items()}


def _is_here(config: Config, name: str) -> bool:
    folder = Path(config.index.dir) / name
    manifest = find_manifest(folder)
    return manifest is not None and all((folder / output.name).is_file() for output in manifest.outputs)
