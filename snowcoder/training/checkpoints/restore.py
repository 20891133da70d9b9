"""Brings the newest valid checkpoint from the bucket to a machine that has none as new. Runs before the ranks do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import SnowcoderError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.storage.atomic import atomic_path, publish_folder, writing_to
from snowcoder.storage.objects import Store
from snowcoder.storage.store import open_store
from snowcoder.training.checkpoints.completion_record import (
    RECORD,
    Damaged,
    check_record,
    find_damage,
    newest_valid,
    step_folder,
    step_of,
)
from snowcoder.training.checkpoints.upload import METRICS, listed
from snowcoder.training.events import Events

_PARTIAL = ".restoring-"


def restore(config: Config) -> None:
    """Download the newest valid checkpoint of the bucket, unless this machine has one as new."""
    if config.checkpoint.upload is None:
        return
    folder = RunFolder.of(config).checkpoints
    local, _ = newest_valid(folder)
    try:
        store = open_store(config.checkpoint.upload, config.storage)
        steps = [step for step, names in sorted(listed(store).items(), reverse=True) if RECORD in names]
    except SnowcoderError as error:
        if local is None:
            raise  # not the initial weights: who knows how far the run has come
        _tell(config, "warning", f"going on from {local.name}; a newer checkpoint may be in the bucket: {error}")
        return
    newer_than = -1 if local is None else step_of(local.name) or 0
    newer = [step for step in steps if step > newer_than]
    if newer:
        _fetch_metrics(config, store)
    any(_bring(config, store, step) for step in newer)


def restore_before(config: Config, step: int) -> None:
    """Download the newest valid checkpoint at or before `step`, unless this machine has one as new."""
    if config.checkpoint.upload is None:
        return
    folder = RunFolder.of(config).checkpoints
    store = open_store(config.checkpoint.upload, config.storage)
    for found in sorted((found for found in listed(store) if found <= step), reverse=True):
        if find_damage(step_folder(folder, found)) is None or _bring(config, store, found):
            return


def _bring(config: Config, store: Store, step: int) -> bool:
    """Whether the checkpoint in the bucket is whole, and now here."""
    target = step_folder(RunFolder.of(config).checkpoints, step)
    print(f"restoring {target.name} from {store.url}", flush=True)
    with writing_to(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f"{_PARTIAL}*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=target.parent) as name:
            partial = Path(name) / target.name
            partial.mkdir()
            try:
                with _copies_in(Path(name)):
                    _fetch(store, partial)
            except Damaged as damage:
                _tell(config, "passed-over", f"{store.url}/{target.name}: {damage}", step)
                return False
            shutil.rmtree(target, ignore_errors=True)  # not valid, or it would not be brought
            publish_folder(partial, target)
    return True


def _fetch(store: Store, partial: Path) -> None:
    """All files of a checkpoint, each with the digest that its record has."""
    data = store.read(f"{partial.name}/{RECORD}")
    for file in check_record(data, partial.name).files:
        key = f"{partial.name}/{file.name}"
        info = store.stat(key)
        if info is None:
            raise Damaged(f"{file.name} is missing")
        with store.local(info) as copy:
            if copy.digest != file.digest:
                raise Damaged(f"the bytes of {file.name} have changed since it was saved")
            shutil.copyfile(copy.path, partial / file.name)
    (partial / RECORD).write_bytes(data)


def _fetch_metrics(config: Config, store: Store) -> None:
    """The curve up to here, in place of one that ends earlier."""
    path = RunFolder.of(config).metrics
    info = store.stat(METRICS)
    if info is None:
        return
    with store.local(info) as copy, atomic_path(path) as temporary:
        shutil.copyfile(copy.path, temporary)


@contextmanager
def _copies_in(folder: Path) -> Iterator[None]:
    """Where the checkpoint goes is room for the copies of its files; /tmp may be small."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _tell(config: Config, kind: str, text: str, step: int | None = None) -> None:
    print(f"snowcoder: {kind}: {text}", flush=True)
    Events(config).add(kind, text, step)
