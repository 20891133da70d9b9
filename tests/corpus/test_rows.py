"""What is lost between steps is never lost without a word: each fault is planted in a build that is otherwise good."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.corpus import build, group_step
from snowcoder.corpus.dedup.find_copies import find_copies
from snowcoder.corpus.dedup.signature import FileSignatures
from snowcoder.corpus.document import DOCUMENTS
from snowcoder.corpus.filter_step import Sieve
from snowcoder.corpus.wash import Wash
from snowcoder.corpus.wash_step import WashStep
from snowcoder.errors import OperationError
from snowcoder.lineage.manifest import find_manifest
from snowcoder.stages import steps
from snowcoder.stages.engine import run_items
from snowcoder.storage.parquet_rows import ParquetRows
from tests.corpus.raw_shards import build_overrides, library, row

Patch = pytest.MonkeyPatch


def write_raw(folder: Path) -> None:
    """Two shards of eight files, two of each a copy of one of the other's."""
    texts = library()[:14]
    (folder / "shards").mkdir(parents=True)
    for number, own in enumerate((texts[:8], [*texts[8:], *texts[:2]])):
        rows = [row(text, f"a/project-{number}", f"src/{place}.py") for place, text in enumerate(own)]
        rows.append(row(own[3], "c/closed", "a.py", licence="GPL-3.0-only"))
        pq.write_table(pa.Table.from_pylist(rows), folder / "shards" / f"part-{number}.parquet")
    (folder / "tasks.jsonl").write_text('{"prompt": "def never_seen_anywhere(of_this_name):\\n"}\n')


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_raw(folder)
    build.run(configure(folder))
    return folder


@functools.cache
def configure(folder: Path) -> Config:
    """With one worker, which is this process."""
    return load_config(build_overrides(folder, folder, "corpus.engine.workers=1"))


def outputs(folder: Path) -> dict[str, str]:
    manifest = find_manifest(folder / "clean")
    assert manifest
    return {output.name: output.digest for output in manifest.outputs}


def without_the_first(function: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
    """The function, which forgets the first thing that it should yield."""

    def forgetful(*arguments: Any) -> Iterator[Any]:
        found = iter(function(*arguments))
        next(found, None)
        yield from found

    return forgetful


@pytest.fixture
def mended(built: Path, monkeypatch: Patch) -> Iterator[None]:
    """What a build says to do about a fault mends it: afterwards the next one makes what there was before."""
    before = outputs(built)
    yield
    monkeypatch.undo()
    build.run(configure(built))
    assert outputs(built) == before


def build_fails(built: Path, message: str, *steps: str) -> None:
    """To do these steps again."""
    for step in steps:
        shutil.rmtree(built / "corpus" / step)
    with pytest.raises(OperationError, match=message):
        build.run(configure(built))


@pytest.mark.parametrize(
    ("step", "where", "function", "message"),
    [
        ("filtered", Sieve, "__call__", "filtered shard-00000: of 9 rows 7 were written and 1 dropped, so 1 is lost"),
        (
            "washed",
            Wash,
            "__call__",
            "washed shard-00000: of 8 rows [5-7] were written and [0-2] dropped, so 1 is lost",
        ),
        (
            "grouped",
            group_step,
            "make_documents",
            "grouped shard-00000: of 14 rows 8 were written and 0 dropped, so 6 are",
        ),
    ],
)
@pytest.mark.usefixtures("mended")
def test_a_step_that_loses_files_is_named(
    built: Path, monkeypatch: Patch, step: str, where: Any, function: str, message: str
) -> None:
    monkeypatch.setattr(where, function, without_the_first(getattr(where, function)))
    build_fails(built, message, step)
    assert not list((built / "corpus" / step).glob("shard-00000*"))


@pytest.mark.usefixtures("mended")
def test_a_reader_that_loses_rows_is_told_by_the_shard(built: Path, monkeypatch: Patch) -> None:
    """As a reader does that stops at a row without text."""
    monkeypatch.setattr(ParquetRows, "__iter__", without_the_first(ParquetRows.__iter__))
    build_fails(built, "shard part-0.parquet is corrupt at its end: it has 9 rows, and 0 were read", "filtered")


@pytest.mark.usefixtures("mended")
def test_documents_without_a_signature_are_missed(built: Path, monkeypatch: Patch) -> None:
    write = FileSignatures.write
    monkeypatch.setattr(FileSignatures, "write", lambda self, file, found, ids: write(self, file, found[1:], ids[1:]))
    build_fails(
        built, "signatures of shard-00000: 7 rows were read, where the step before wrote 8", "filtered", "dedup"
    )
    shutil.rmtree(built / "corpus" / "filtered")  # as it says


@pytest.mark.usefixtures("mended")
def test_copies_that_nobody_drops_are_missed(built: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(WashStep, "_copies", lambda *_: {})
    build_fails(built, "wash, its copies: 0 rows were read, where the step before wrote 2, so 2 are lost", "washed")
    shutil.rmtree(built / "corpus" / "washed")  # as it says


@pytest.mark.usefixtures("mended")
def test_a_table_that_is_replaced_between_steps_is_named(built: Path, monkeypatch: Patch) -> None:
    path = built / "corpus" / "filtered" / f"shard-00001{DOCUMENTS}"

    def replace(*arguments: Any) -> Any:
        found = find_copies(*arguments)
        pq.write_table(pq.read_table(path).slice(1), path)
        return found

    monkeypatch.setattr(build, "find_copies", replace)
    build_fails(built, rf"{path} has 7 rows, and 8 were written: it was changed .* remove {path} and run", "washed")
    path.unlink()  # as it says


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [8, 6, 1],
            "washed shard-00000: of 8 rows 6 were written and 1 dropped, so 1 is lost; remove {record} and run",
        ),
        ([7, 7, 0], "wash: 15 rows were read, where the step before wrote 16, so 1 is lost; remove {folder} and run"),
    ],
)
def test_records_that_a_killed_build_left_are_held_to_the_same(built: Path, rows: list[int], message: str) -> None:
    record = built / "corpus" / "washed" / "shard-00000.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"rows": rows}))
    build_fails(built, re.escape(message.format(record=record, folder=record.parent)))
    record.unlink()


@pytest.mark.usefixtures("mended")
def test_a_record_of_an_earlier_version_is_made_again(built: Path) -> None:
    record = built / "corpus" / "washed" / "shard-00000.json"
    raw = json.loads(record.read_text())
    record.write_text(json.dumps({key: value for key, value in raw.items() if key not in ("rows", "tables")}))
    build.run(configure(built))
    assert json.loads(record.read_text()) == raw


@pytest.mark.usefixtures("mended")
def test_a_task_that_the_engine_loses_is_named(built: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(steps, "run_items", lambda step, items, *more: run_items(step, items[1:], *more))
    build_fails(
        built, "wash: of 2 work items 1 left nothing in .*washed, though none failed: shard-00000; run", "washed"
    )
