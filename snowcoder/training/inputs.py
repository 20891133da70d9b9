"""The config against the manifests it refers to and the run's checkpoint, before any process is started."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.dependents import find_dependents
from snowcoder.lineage.manifest import Manifest, find_manifest
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.differences import plan_differences
from snowcoder.mixture.phase_plan import Plan, load_plan, make_plan
from snowcoder.mixture.sizes import source_sizes
from snowcoder.packages import install_command, package_of
from snowcoder.tokenization.load import load_tokenizer
from snowcoder.training.checkpoints.checkpoint_record import Basis, CheckpointRecord
from snowcoder.training.checkpoints.completion_record import newest_whole, read_record
from snowcoder.training.may_start import find_misfits, find_obstacles, other_past
from snowcoder.training.trackers.packages import missing_packages


def check_inputs(config: Config) -> None:
    """Raise `UserError` with all for which a training cannot start."""
    found = [*find_problems(config), *what_this_python_lacks(config)]
    with suppress(UserError):  # without a plan: told already
        found += find_obstacles(config, make_plan(config, source_sizes(config)), _newest(config))
    _refuse("cannot train", found)


def check_plan(config: Config, plan: Plan) -> None:
    """Raise `UserError` with all for which a training could not follow `plan`, whatever is made besides."""
    record = _newest(config)
    found = [*_misfits(config), *(find_misfits(config, record) if record else ())]
    found += islice(_other_pasts(config, plan), 1)
    _refuse(f"this plan could not be trained, and is not written; {config.plan.dir} stays", found)


def _other_pasts(config: Config, plan: Plan) -> Iterator[str]:
    """Of what rests on the plan that is there."""
    for dependent in find_dependents(Path(config.run.dir), Path(config.plan.dir)):
        try:
            basis = Basis.model_validate(dependent.record)
        except ValidationError:  # damaged: no checkpoint
            continue
        yield from other_past(config, plan, basis, dependent.who)


def find_problems(config: Config) -> list[str]:
    """Every mismatch between config, tokenizer, index and plan, and what of them is missing, as a sentence each."""
    missing = [*no_tokenizer(config), *_no_index(config)]
    return [*_misfits(config), *missing, *_lost_files(config), *([] if missing else _plan(config))]


def no_tokenizer(config: Config) -> list[str]:
    try:
        load_tokenizer(config.tokenizer.folder)
    except UserError as error:
        return [str(error)]
    return []


def what_this_python_lacks(config: Config) -> list[str]:
    """Packages; another machine's Python may have them, or that of `launch.python`."""
    if config.launch.python:
        return []
    absent = [package_of(module) for module in ("torch", "megatron") if importlib.util.find_spec(module) is None]
    engine = importlib.util.find_spec("transformer_engine") is not None
    wanted = {
        f"precision.fp8={config.precision.fp8}": config.precision.fp8 != "none",
        f"parallel.context={config.parallel.context}": config.parallel.context > 1,
    }
    without = [key for key, needs_it in wanted.items() if needs_it and not engine]
    return [
        *([f"ranks need {' and '.join(absent)}: `{install_command(absent[0], 'train')}`"] if absent else []),
        *missing_packages(config),
        *(f"{key} needs CUDA and Transformer Engine: `pip install 'snowcoder[cuda]'`" for key in without),
    ]


def _no_index(config: Config) -> Iterator[str]:
    for source in _sources(config):
        folder = Path(config.index.dir) / source
        if find_manifest(folder) is None:
            yield f"source {source} is not indexed in {folder}: run {config.index.sources[source].indexed_by}"


def _misfits(config: Config) -> Iterator[str]:
    """Of tokenizer, model and indexes, as far as they are there."""
    try:
        tokenizer = load_tokenizer(config.tokenizer.folder)
    except UserError:  # `no_tokenizer` tells
        return
    if tokenizer.vocab_size != config.model.vocab_size:
        there = f"the tokenizer in {tokenizer.folder} has {tokenizer.vocab_size} entries"
        yield f"model.vocab_size={config.model.vocab_size}: {there}"
    for folder, manifest in _indexes(config):
        if manifest.inputs.get("tokenizer", tokenizer.digest) != tokenizer.digest:
            yield (
                f"{folder} was made with another tokenizer than that in {tokenizer.folder}: set tokenizer.dir to its "
                "own, or run `snowcoder index build`"
            )


def _lost_files(config: Config) -> Iterator[str]:
    for folder, manifest in _indexes(config):
        yield from manifest.check_files(folder)


def _indexes(config: Config) -> Iterator[tuple[Path, Manifest]]:
    for source in _sources(config):
        folder = Path(config.index.dir) / source
        if manifest := find_manifest(folder):
            yield folder, manifest


def _sources(config: Config) -> list[str]:
    """The sources that the phases of this run read; later phases may have theirs made later."""
    phases = [config.phases[name] for name in config.run.phases or config.phases]
    return list(dict.fromkeys(name for phase in phases for name in phase.sources))


def _plan(config: Config) -> Iterator[str]:
    folder = Path(config.plan.dir)
    try:
        if find_manifest(folder) is None:
            yield f"there is no plan in {folder}: run `snowcoder plan`"
            return
        there, here = load_plan(folder), make_plan(config, source_sizes(config))
    except UserError as error:
        yield str(error)
        return
    if there.digest != here.digest:
        yield (
            f"the plan in {folder} is of another config: run `snowcoder plan` with the same arguments; "
            f"what differs: {'; '.join(plan_differences(there, here))}"
        )


def _newest(config: Config) -> CheckpointRecord | None:
    """The record of the newest checkpoint that looks whole; ranks look at all of its bytes."""
    found = newest_whole(RunFolder.of(config).checkpoints)
    return read_record(found) if found else None


def _refuse(what: str, problems: list[str]) -> None:
    if problems:
        raise UserError(f"{what}:\n" + "\n".join(f"  {n}. {text}" for n, text in enumerate(problems, 1)))
