"""Copies one checkpoint into the bucket: `python -m snowcoder.training.checkpoints.upload STEP`, the config on stdin.

The record comes last, so that half an upload is no checkpoint there either. What it supersedes is pruned after it, by
the same rule as on disk.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path

from snowcoder.config.frozen import read_config
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, SnowcoderError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.storage.objects import Store
from snowcoder.storage.store import open_store
from snowcoder.training.checkpoints.checkpoint_record import CheckpointRecord
from snowcoder.training.checkpoints.completion_record import (
    RECORD,
    complete_steps,
    find_damage,
    step_folder,
    step_of,
    superseded,
)
from snowcoder.training.events import Events, read_events
from snowcoder.training.rank.environment import die_with_parent

METRICS = "metrics.jsonl"


def main() -> None:
    die_with_parent()
    os.nice(10)  # the ranks come first
    config, step = read_config(Path("/dev/stdin")), int(sys.argv[1])
    name = step_folder(Path(), step).name
    try:
        store = open_store(config.checkpoint.upload or "", config.storage)
        upload(config, store, step)
        prune(store, complete_steps(RunFolder.of(config).checkpoints)[-1], config.checkpoint.keep)
    except (SnowcoderError, OSError) as error:
        what = f"upload of {name} to {config.checkpoint.upload}"
        _warn(config, f"{what}: {error}. Tried again with the next checkpoint", step)
        sys.exit(1)


def upload(config: Config, store: Store, step: int) -> None:
    """Copy a complete checkpoint, unless it is there; then say so in the events."""
    checkpoint = step_folder(RunFolder.of(config).checkpoints, step)
    record, key = (checkpoint / RECORD).read_bytes(), f"{checkpoint.name}/{RECORD}"
    if store.stat(key) is None or store.read(key) != record:
        if damage := find_damage(checkpoint):
            raise OperationError(f"{checkpoint} is damaged: {damage}")
        store.delete(key)  # of another past
        for file in CheckpointRecord.model_validate_json(record).files:
            store.write_file(f"{checkpoint.name}/{file.name}", checkpoint / file.name)
        _upload_metrics(config, store)
        if (checkpoint / RECORD).read_bytes() != record:
            raise OperationError(f"{checkpoint} was removed meanwhile")
        store.write(key, record)
    run = Path(config.run.dir)
    if not any(event.kind == "uploaded" and event.step == step for event in read_events(run)):
        Events(config).add("uploaded", f"{checkpoint.name} is complete in {store.url}", step)


def _upload_metrics(config: Config, store: Store) -> None:
    """Beside the checkpoints, as they are now; they grow meanwhile, and are cut to the step that is restored."""
    path = RunFolder.of(config).metrics
    if path.exists():
        store.write(METRICS, path.read_bytes())


def prune(store: Store, newest: int, keep: int) -> None:
    """Remove what the rule of the run's own folder would, and what is newer than its `newest`: the run went back."""
    files = listed(store)
    phase_ends = {
        step: _phase_end(store, step) if RECORD in names else None for step, names in files.items() if step <= newest
    }
    for step in [*superseded(phase_ends, keep), *(step for step in files if step > newest)]:
        # Its record first: from there on it is no checkpoint, however far the removal gets.
        for name in sorted(files[step], key=lambda name: name != RECORD):
            store.delete(f"{step_folder(Path(), step).name}/{name}")


def listed(store: Store) -> dict[int, list[str]]:
    """Names of the files of each checkpoint in the bucket, whole or not."""
    files: dict[int, list[str]] = defaultdict(list)
    for info in store.list():
        folder, _, name = info.key.partition("/")
        if (step := step_of(folder)) is not None and name:
            files[step].append(name)
    return files


def _phase_end(store: Store, step: int) -> bool | None:
    try:
        data = store.read(f"{step_folder(Path(), step).name}/{RECORD}")
        return CheckpointRecord.model_validate_json(data).phase_end
    except ValueError:
        return None


def _warn(config: Config, text: str, step: int) -> None:
    print(f"snowcoder: warning: {text}", file=sys.stderr, flush=True)
    Events(config).add("warning", text, step)


if __name__ == "__main__":
    main()
