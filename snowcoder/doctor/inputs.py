"""The config against tokenizer, index, plan and the newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.doctor.finding import Finding, sources_read
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import find_manifest
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.storage.lock import is_held, name_holder, read_holder
from snowcoder.tokenization.load import load_tokenizer
from snowcoder.training.checkpoints.completion_record import newest_valid, read_record
from snowcoder.training.checkpoints.written_by import newer_than_here
from snowcoder.training.inputs import find_problems
from snowcoder.training.may_start import find_obstacles


def input_findings(config: Config) -> Iterator[Finding]:
    try:
        tokenizer = load_tokenizer(config.tokenizer.folder)
    except UserError as error:
        yield Finding("problem", "tokenizer", str(error))
        return  # nothing can fit a tokenizer that is not there
    yield Finding("ok", "tokenizer", f"{tokenizer.folder} has {tokenizer.vocab_size} entries")
    problems = find_problems(config)
    for text in problems:
        yield Finding("problem", "inputs", text)
    if not problems:
        plan = load_plan(Path(config.plan.dir))
        yield Finding("ok", "inputs", f"the index of {', '.join(sources_read(config))} fits tokenizer and model")
        yield Finding("ok", "plan", f"{config.plan.dir} is of this config: {plan.total_steps:,} steps")


def checkpoint_findings(config: Config) -> Iterator[Finding]:
    """The newest valid checkpoint, by the digests of its files, and whether the run can go on from it."""
    folder = RunFolder.of(config).checkpoints
    found, passed_over = newest_valid(folder)
    for text in passed_over:
        yield Finding("warning", "checkpoint", f"{folder}/{text}; it would be passed over")
    record = read_record(found) if found else None
    if found and (newer := newer_than_here(found)):
        theirs = " and ".join(f"{package} {version}" for package, version in newer.items())
        text = f"{found} was written by a newer version, {theirs}: the one here may not read it"
        yield Finding("warning", "checkpoint", text)
    if is_held(lock := RunFolder.of(config).lock):
        text = f"{config.run.dir} is being trained by {name_holder(read_holder(lock))}: a second training is refused"
        yield Finding("warning", "checkpoint", text)
    if find_manifest(Path(config.plan.dir)) is None:
        if record:
            yield Finding("warning", "checkpoint", f"{found} is whole; whether it fits is known once there is a plan")
        return
    if obstacles := [*find_obstacles(config, load_plan(Path(config.plan.dir)), record)]:
        yield from (Finding("problem", "checkpoint", text) for text in obstacles)
        return
    from_where = f"{found} is whole and fits" if record else "none yet: training starts from initial weights"
    yield Finding("ok", "checkpoint", from_where)
