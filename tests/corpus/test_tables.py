"""What the engine would make null, or read in place of another file, is refused; what it loses is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from snowcoder.config.corpus_schema import NearConfig
from snowcoder.corpus.dedup import candidates, repositories
from snowcoder.corpus.dedup.candidates import EDGES, write_candidates
from snowcoder.corpus.dedup.ids import NO_IDS, Ids, ids_of, read_ids
from snowcoder.corpus.dedup.repositories import PART_SCHEMA, RepositoryCopies
from snowcoder.errors import OperationError
from snowcoder.stages.steps import WorkItem
from snowcoder.stages.tables import Table, read_tables, write_table

ROWS = 6
SCHEMA = pa.schema(
    {
        "id": pa.uint64(),
        "priority": pa.uint64(),
        "digest": pa.binary(16),
        "short": pa.bool_(),
        "bands": pa.list_(pa.uint64(), 2),
    }
)
Change = Callable[[pa.Table], pa.Table]


def signatures(shard: int) -> pa.Table:
    """The first file is the same in every shard, the second like those of other shards, the last short."""
    rows = range(ROWS)
    columns = [
        [(shard << 32) + row for row in rows],
        [10 * row + shard for row in rows],
        [b"%016d" % (row and 100 * shard + row) for row in rows],
        [row == ROWS - 1 for row in rows],
        [[1 if row == 1 else 100 * shard + row, 1000 * (shard + 1) + row] for row in rows],
    ]
    return pa.table([pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=True)], SCHEMA)


def write(folder: Path, shards: int = 3, **changes: Change) -> list[Table]:
    """Tables of so many shards, of which `changes` (name -> what is done to it) are others than were written."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        name = f"shard_{shard}"
        pq.write_table(changes.get(name, lambda table: table)(signatures(shard)), folder / f"{name}.parquet")
    return [Table(folder / f"shard_{shard}.parquet", ROWS) for shard in range(shards)]


def cast(name: str, kind: pa.DataType) -> Change:
    return lambda table: table.set_column(table.column_names.index(name), name, table[name].cast(kind))


def with_null(table: pa.Table) -> pa.Table:
    ids = pc.if_else(pc.equal(table["id"], table["id"][2]), pa.scalar(None, pa.uint64()), table["id"])
    return table.set_column(0, SCHEMA.field("id"), ids)


def found(tables: list[Table], folder: Path) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    folder.mkdir(exist_ok=True)
    ids = sum((read_ids(table, SCHEMA, shard << 32) for shard, table in enumerate(tables)), NO_IDS)
    return tuple(table.read(EDGES).sort_by("id").to_pylist() for table in write_candidates(tables, SCHEMA, ids, folder))


def test_copies_and_pairs_are_found(tmp_path: Path) -> None:
    exact, pairs = found(write(tmp_path / "tables"), tmp_path / "out")
    assert [(row["better"], row["id"] >> 32, row["id"] & 0xFF) for row in exact] == [(0, 1, 0), (0, 2, 0)]
    assert {(row["better"] >> 32, row["id"] >> 32) for row in pairs} == {(0, 1), (0, 2), (1, 2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cast("id", pa.int64()), "has int64 in its column id, and not uint64"),
        (cast("priority", pa.float64()), "has double in its column priority, and not uint64"),
        (cast("bands", pa.list_(pa.uint64())), "has list<.*> in its column bands, and not fixed_size_list"),
        (lambda table: table.drop_columns("short"), "has the columns id, .*, and not id, .* short, bands"),
        (lambda table: table.slice(1), "has 5 rows, and 6 were written"),
        (with_null, "has other ids than were written"),
        (lambda _: signatures(2), "has other ids than were written"),
    ],
)
def test_another_table_than_was_written_is_refused_by_its_name(tmp_path: Path, change: Change, message: str) -> None:
    tables = write(tmp_path, shard_1=change)
    with pytest.raises(OperationError, match=rf"shard_1.parquet {message}.*remove .*shard_1.parquet and run the same"):
        found(tables, tmp_path / "out")


def test_a_file_that_is_cut_or_gone_is_refused_by_its_name(tmp_path: Path) -> None:
    tables = write(tmp_path)
    tables[0].path.write_bytes(tables[0].path.read_bytes()[:-40])
    tables[1].path.unlink()
    for table in tables[:2]:
        with pytest.raises(OperationError, match=f"{table.path} cannot be read .*remove {table.path} and run"):
            read_tables([table], SCHEMA)


def test_a_file_with_damaged_pages_is_refused_by_its_name(tmp_path: Path) -> None:
    """Its size is right, and its footer. An OSError would be taken for one of the folder that is written to."""
    schema = pa.schema({"content": pa.string()})
    table = Table(tmp_path / "documents.parquet", 2000)
    texts = [random.Random(number).randbytes(50).hex() for number in range(table.rows)]
    pq.write_table(pa.table([texts], schema), table.path, compression="zstd")
    content = bytearray(table.path.read_bytes())
    content[4:400] = bytes(byte ^ 0xFF for byte in content[4:400])
    table.path.write_bytes(content)
    for read in (table.read, lambda schema: list(table.row_groups(schema, only=[0]))):
        with pytest.raises(OperationError, match=f"{table.path} cannot be read .*remove {table.path} and run"):
            read(schema)
    with pytest.raises(OperationError, match=f"{table.path}: .*changed after it was written; remove it and run"):
        write_table(read_tables([table], schema), tmp_path / "copy.parquet", schema)


def test_the_order_of_files_is_ours(tmp_path: Path) -> None:
    tables = write(tmp_path)
    orders = [read_tables(order, SCHEMA).to_pydict()["id"] for order in (tables, tables[::-1])]
    assert orders[0] == orders[1] == [(shard << 32) + row for shard in range(3) for row in range(ROWS)]


@pytest.mark.parametrize("name", ["run[12]", "run{1,2}", "run?", "*", "**", r"run\1", "run%201", "lr=3 #1"])
def test_a_name_is_no_pattern(tmp_path: Path, name: str) -> None:
    """Folders of sweeps have such names; the engine reads `run1` for `run[12]`."""
    for other in ("run1", "run2", "runs", "run"):
        write(tmp_path / other, shard_0=lambda table: table.slice(3))
    assert read_tables(write(tmp_path / name, 1), SCHEMA).to_arrow()["id"].to_pylist() == list(range(ROWS))


def without_one(frame: daft.DataFrame) -> daft.DataFrame:
    return frame.where("id != 3")


def with_nulls(frame: daft.DataFrame) -> daft.DataFrame:
    """As the engine itself makes them, of what does not fit the type."""
    return frame.with_column("id", daft.col("id").cast(daft.DataType.int32()).cast(daft.DataType.uint64()))


@pytest.mark.parametrize(
    ("function", "lossy", "message"),
    [
        ("read_tables", without_one, "exact copies: 17 ids came out of daft .*, and 18 went in"),
        ("_edges", without_one, "exact copies: 17 ids came out of daft .*, and 18 went in"),
        ("_comparable", without_one, "no exact copies: 12 ids came out of daft .*, and 13 went in"),
        ("_edges", with_nulls, "daft .* made nulls in column id"),
    ],
)
def test_ids_that_the_engine_loses_are_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, lossy: Any, message: str
) -> None:
    good = getattr(candidates, function)
    monkeypatch.setattr(candidates, function, lambda *arguments: lossy(good(*arguments)))
    with pytest.raises(OperationError, match=message):
        found(write(tmp_path / "tables"), tmp_path / "out")


def test_a_part_of_a_repository_that_the_engine_loses_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that lies in two shards; another has a shard of its own."""
    near = NearConfig(
        enabled=True, level="repository", threshold=0.7, ngram=5, permutations=8, bands=2, rows=4, min_tokens=10
    )
    tables = []
    for shard, number in enumerate((7, 7, 8)):
        columns = [[number], [100], [number], [False], [bytes(32)]]
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, PART_SCHEMA, strict=True)]
        pq.write_table(pa.table(arrays, PART_SCHEMA), tmp_path / f"{shard}.parquet")
        tables.append(Table(tmp_path / f"{shard}.parquet", 1))
    step, item = RepositoryCopies(tmp_path / "repositories", tables, near), asdict(WorkItem("copies", ""))
    with monkeypatch.context() as patch:
        patch.setattr(repositories, "read_tables", lambda tables, schema: read_tables(tables[1:], schema))
        with pytest.raises(OperationError, match="repositories: 2 rows were read, where the step before wrote 3"):
            step(item)
    step(item)
    assert pq.read_table(tmp_path / "repositories" / "repositories.parquet").sort_by("id")["parts"].to_pylist() == [
        2,
        1,
    ]


def test_other_ids_of_the_same_number_are_told_apart() -> None:
    many = [ids_of(pa.chunked_array([values], pa.uint64())) for values in ([1, 2**64 - 1], [1, 2**64 - 2])]
    assert many[0] == Ids(2, 0) != many[1]
    assert many[0] + many[1] == Ids(4, 2**64 - 1)


def test_columns_of_another_type_are_not_written(tmp_path: Path) -> None:
    frame = daft.from_pydict({"better": [1], "id": [-1], "priority": [3]})
    with pytest.raises(pa.ArrowInvalid):
        write_table(frame, tmp_path / "edges.parquet", EDGES)
