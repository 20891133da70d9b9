"""Shards of all formats through a store: what is read is what was written, and bad rows are counted."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import UserError
from snowcoder.storage.objects import Store
from snowcoder.storage.shards import Batch, Files, list_shards, read_shard
from snowcoder.storage.unreadable import CorruptShard

COLUMNS = ColumnsConfig(
    content="text",
    repository="repo",
    path="file",
    language="lang",
    licence="licenses",
    file_paths="paths",
    file_lengths="lengths",
)
SUFFIXES = [".parquet", ".jsonl.zst", ".jsonl.gz"]
LIMIT = 1 << 20
Row = dict[str, Any]


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    compression = "gzip" if path.suffix == ".gz" else "zstd"
    with pyarrow.CompressedOutputStream(str(path), compression) as file:
        for line in lines:
            file.write(line + b"\n")


def write_shard(path: Path, rows: list[Row], row_group: int = 100) -> Path:
    if path.suffix == ".parquet":
        table = pyarrow.Table.from_pylist(rows)
        pyarrow.parquet.write_table(table, path, compression="zstd", row_group_size=row_group)
    else:
        write_lines(path, (json.dumps(row).encode() for row in rows))
    return path


def read(path: Path, columns: ColumnsConfig = COLUMNS, limit: int = LIMIT) -> list[Batch]:
    return list(read_shard(path, path.name, columns, limit))


def contents(batches: list[Batch]) -> list[str]:
    return [content for batch in batches for content in batch.contents]


def dropped(batches: list[Batch]) -> dict[str, int]:
    return dict(sum((Counter(batch.dropped) for batch in batches), Counter()))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Real source files, more than a batch of them."""
    files = sorted(Path(json.__file__).parents[1].rglob("*.py"))[:1200]
    return [
        {
            "text": path.read_text(encoding="utf-8", errors="replace")[:2000] + "# ü 中 🐍\r\n",
            "repo": path.parent.name,
            "file": str(path),
            "lang": "Python",
            "licenses": ["MIT", "Apache-2.0"] if number % 2 else [],
            "stars": number,
        }
        for number, path in enumerate(files)
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_come_back_as_they_were_written(store: Store, tmp_path: Path, rows: list[Row], suffix: str) -> None:
    store.write_file(f"a/shard{suffix}", write_shard(tmp_path / f"shard{suffix}", rows))
    store.write("manifest.json", b"{}")
    (info,) = list_shards(store)
    with store.local(info) as copy:
        batches = list(read_shard(copy.path, info.key, COLUMNS, LIMIT))
    assert contents(batches) == [row["text"] for row in rows]
    assert dropped(batches) == {}
    for column, key in [("repositories", "repo"), ("paths", "file"), ("languages", "lang")]:
        assert [v for batch in batches for v in getattr(batch, column)] == [r[key] for r in rows]
    licences = [licence for batch in batches for licence in batch.licences]
    assert licences == [",".join(row["licenses"]) for row in rows]


def test_a_store_without_shards_is_the_users_mistake(store: Store) -> None:
    store.write("README.md", b"no shard")
    store.write("part.jsonl.bz2", b"no shard either")
    with pytest.raises(UserError, match=r"no shards in .*\.parquet, \.jsonl\.zst, \.jsonl\.gz; .*: part\.jsonl\.bz2$"):
        list_shards(store)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_licences_may_be_one_string_and_optional_columns_missing(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": "x = 1", "licenses": "MIT"}, {"text": "x = 2", "licenses": None}]
    (batch,) = read(write_shard(tmp_path / f"shard{suffix}", rows))
    assert batch == Batch(["x = 1", "x = 2"], *[[None] * 2] * 3, ["MIT", None], [None] * 2, {})
    assert batch.without() == {"repository": 2, "path": 2, "language": 2, "licence": 1}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_shard_without_the_content_column_names_the_setting(tmp_path: Path, suffix: str) -> None:
    path = write_shard(tmp_path / f"shard{suffix}", [{"content": "x = 1", "lang": "Python"}])
    with pytest.raises(UserError, match=rf"shard{suffix}.* 'text' \(index\.columns\.content\)"):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_without_content_and_too_long_ones_are_counted(tmp_path: Path, suffix: str) -> None:
    texts = ["a", None, "", "é" * 50, "é" * 50 + "x", "x" * 100, "x" * 101, "z"]
    path = write_shard(tmp_path / f"shard{suffix}", [{"text": text} for text in texts])
    batches = read(path, limit=100)
    assert contents(batches) == ["a", "é" * 50, "x" * 100, "z"]
    assert dropped(batches) == {"no content": 2, "too long": 2}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_row_may_hold_several_files(tmp_path: Path, suffix: str) -> None:
    rows: list[Row] = [
        {"text": "aé🐍b", "paths": ["x.py", "y.py", "z.py"], "lengths": [3, 0, 1]},
        {"text": "c", "paths": None, "lengths": None},
        {"text": "", "paths": ["x.py"], "lengths": [0]},
        {"text": "d", "paths": ["x.py"], "lengths": [1]},
    ]
    (batch,) = read(write_shard(tmp_path / f"shard{suffix}", rows))
    assert batch.contents == ["aé🐍b", "c", "d"]
    assert batch.files == [Files(["x.py", "y.py", "z.py"], [3, 0, 1]), None, Files(["x.py"], [1])]
    assert batch.dropped == {"no content": 1}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("paths", "lengths"),
    [
        (["x", "y"], [1, 1]),
        (["x", "y"], [2, 2]),
        (["x", "y"], [4, -1]),
        (["x", "y"], [3]),
        (["x"], None),
        (None, [3]),
        ([], []),
        (["x", "y"], [3, None]),
    ],
)
def test_files_that_are_not_those_of_the_content_are_counted(
    tmp_path: Path, suffix: str, paths: list[str] | None, lengths: list[int] | None
) -> None:
    rows: list[Row] = [
        {"text": "abé", "paths": ["x", "y"], "lengths": [2, 1]},
        {"text": "abé", "paths": paths, "lengths": lengths},
    ]
    (batch,) = read(write_shard(tmp_path / f"shard{suffix}", rows))
    assert batch.files == [Files(["x", "y"], [2, 1])]
    assert batch.dropped == {"file lengths": 1}


def test_lists_in_json_may_hold_anything(tmp_path: Path) -> None:
    odd = [("x", 1), ([1, None], [1, 0]), (["x"], ["1"]), (["x"], [1.0]), ({"x": 1}, [1])]
    lines = [json.dumps({"text": "a", "paths": paths, "lengths": lengths}).encode() for paths, lengths in odd]
    write_lines(tmp_path / "shard.jsonl.gz", lines)
    (batch,) = read(tmp_path / "shard.jsonl.gz")
    assert batch.files == [Files(["1", ""], [1, 0])]
    assert batch.dropped == {"file lengths": 4}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_shard_without_rows_is_empty_not_wrong(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"shard{suffix}"
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table({"text": pyarrow.array([], "string")}), path)
    else:
        write_lines(path, [])
    assert contents(read(path)) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_without_a_byte_is_corrupt(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"shard{suffix}"
    path.touch()
    with pytest.raises(CorruptShard, match=f"shard{suffix} is corrupt at its "):
        read(path)


@pytest.mark.parametrize("suffix", [".jsonl.zst", ".jsonl.gz"])
def test_json_that_is_not_text_in_utf8_is_counted(tmp_path: Path, suffix: str) -> None:
    lines = [
        b'{"text": "good", "file": "caf\xe9.py", "licenses": ["M\\ud800T"], "size": NaN}',
        b'{"text": "caf\xe9"}',
        b'{"text": "lone \\ud800 surrogate"}',
        b'{"text": 12}',
        b'{"text": "pair \\ud83d\\ude00"}',
        b"",
        b'{"other": 1}',
    ]
    write_lines(tmp_path / f"shard{suffix}", lines)
    batches = read(tmp_path / f"shard{suffix}")
    assert contents(batches) == ["good", "pair 😀"]
    assert dropped(batches) == {"not UTF-8": 2, "not text": 1, "no content": 1}
    assert (batches[0].paths[0], batches[0].licences[0]) == ("caf?.py", "M?T")


@pytest.mark.parametrize("kind", ["binary", "large_binary", "string", "large_string"])
def test_parquet_that_is_not_utf8_is_counted(tmp_path: Path, kind: str) -> None:
    values = [b"good \xc3\xa9", b"caf\xe9", b"lone \xed\xa0\x80", b"", None, b"x\x00y"]
    column = pyarrow.array(values, pyarrow.large_binary() if "large" in kind else "binary")
    if "string" in kind:  # as a careless writer does: not checked
        text = pyarrow.large_string() if "large" in kind else pyarrow.string()
        column = pyarrow.Array.from_buffers(text, len(values), column.buffers())
    path, one_each = tmp_path / "shard.parquet", pyarrow.array(range(7), pyarrow.int32())
    lists = pyarrow.ListArray.from_arrays(one_each, column)
    pyarrow.parquet.write_table(pyarrow.table({"text": column, "file": column, "licenses": lists}), path)
    batches = read(path)
    assert batches[0].licences == ["good é", "x\x00y"]
    assert contents(batches) == ["good é", "x\x00y"]
    assert dropped(batches) == {"not UTF-8": 2, "no content": 2}
    assert batches[0].paths == ["good é", "x\x00y"]


def test_parquet_columns_may_be_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    texts = pyarrow.array(["x", "y", "x"]).dictionary_encode()
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), path)
    assert contents(read(path)) == ["x", "y", "x"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_batches_are_small_however_large_the_shard(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": f"{number:08d}" * (LIMIT // 16)} for number in range(100)]
    path = write_shard(tmp_path / f"shard{suffix}", rows)
    sizes = [sum(map(len, batch.contents)) for batch in read_shard(path, suffix, COLUMNS, LIMIT)]
    assert sum(sizes) == 100 * LIMIT // 2
    assert max(sizes) <= 9 << 20


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("suffix", [".jsonl.zst", ".jsonl.gz"])
def test_a_truncated_json_shard_names_itself_and_the_offset(tmp_path: Path, rows: list[Row], suffix: str) -> None:
    path = write_shard(tmp_path / f"shard{suffix}", rows)
    truncate(path)
    with pytest.raises(CorruptShard, match=rf"^shard shard{suffix} is corrupt at byte \d+ of its text: \S") as caught:
        read(path)
    assert int(str(caught.value).split("byte ")[1].split()[0]) > 100_000
    assert "\n" not in str(caught.value)


def test_a_truncated_parquet_shard_names_itself(tmp_path: Path, rows: list[Row]) -> None:
    path = write_shard(tmp_path / "shard.parquet", rows)
    truncate(path)
    with pytest.raises(CorruptShard, match=r"^shard shard.parquet is corrupt at its footer: \S"):
        read(path)


def test_a_damaged_parquet_page_names_its_row_group(tmp_path: Path, rows: list[Row]) -> None:
    path = write_shard(tmp_path / "shard.parquet", rows)
    metadata = pyarrow.parquet.ParquetFile(path).metadata
    chunk = metadata.row_group(3).column(metadata.schema.names.index("text"))
    with path.open("r+b") as file:
        file.seek(chunk.dictionary_page_offset + chunk.total_compressed_size // 2)
        file.write(bytes(1000))
    seen = []
    with pytest.raises(CorruptShard, match=r"^shard shard.parquet is corrupt at row group 3: \S"):
        seen.extend(read_shard(path, path.name, COLUMNS, LIMIT))
    assert len(contents(seen)) == 300


@pytest.mark.parametrize("broken", [b'{"text": "x', b"[1, 2]", b"plain", b'"\\ud800"', b"[" * 99999])
@pytest.mark.parametrize("suffix", [".jsonl.zst", ".jsonl.gz"])
def test_a_broken_line_is_named_by_its_offset(tmp_path: Path, suffix: str, broken: bytes) -> None:
    write_lines(tmp_path / f"shard{suffix}", [b'{"text": "x"}', b"", broken, b'{"text": "y"}'])
    with pytest.raises(CorruptShard, match=rf"shard{suffix} is corrupt at byte 15 of its text"):
        read(tmp_path / f"shard{suffix}")


@pytest.mark.parametrize("suffix", [".jsonl.zst", ".jsonl.gz"])
def test_streams_may_be_concatenated(tmp_path: Path, suffix: str) -> None:
    """As pzstd and bgzip write them."""
    path = tmp_path / f"shard{suffix}"
    write_lines(path, [b'{"text": "x"}'])
    path.write_bytes(path.read_bytes() * 3)
    assert contents(read(path)) == ["x"] * 3
