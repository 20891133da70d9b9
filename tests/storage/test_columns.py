"""Columns that a shard lacks, has twice, or has as something else than text: nothing is taken for what it is not."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import UserError
from snowcoder.storage.columns import ColumnNeed
from snowcoder.storage.objects import Store
from snowcoder.storage.schemas import check_shards
from snowcoder.storage.shards import Batch, read_shard
from snowcoder.storage.store import open_store

COLUMNS = ColumnsConfig(
    content="content",
    repository="repo_name",
    path="path",
    language="language",
    licence="detected_licenses",
    file_paths="file_paths",
    file_lengths="file_lengths",
)
NEEDS = [
    ColumnNeed(("repository",), "the list needs a repository"),
    ColumnNeed(("language", "path"), "languages are needed"),
]
Row = dict[str, Any]


def write(path: Path, rows: list[Row]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(zstd.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows)))
    return path


@pytest.fixture(params=[".parquet", ".jsonl.zst"])
def shard(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"shard{request.param}"


def read(path: Path, needs: list[ColumnNeed] = NEEDS, /, **names: str) -> Batch:
    (batch,) = read_shard(path, path.name, COLUMNS.model_copy(update=names), 1 << 20, needs)
    return batch


def refusal(path: Path, needs: list[ColumnNeed] = NEEDS, /, **names: str) -> str:
    with pytest.raises(UserError) as caught:
        read(path, needs, **names)
    return str(caught.value)


THE_STACK = {"content": "x", "max_stars_repo_name": "o/r", "max_stars_repo_path": "x.py", "lang": "Python"}
GITHUB = {"content": "x", "repository": {"full_name": "o/r", "id": 1}, "file": {"path": "x.py"}}


@pytest.mark.parametrize(
    ("row", "guesses"),
    [
        (THE_STACK, {"repository=max_stars_repo_name", "language=lang", "path=max_stars_repo_path"}),
        (GITHUB, {"repository=repository.full_name", "path=file.path"}),
        ({"content": "x", "Repo_Name": "o/r", "PATH": "x"}, {"repository=Repo_Name", "path=PATH"}),
        ({"content": "x", "id": 3}, set()),
    ],
)
def test_what_is_needed_and_not_there_is_named_with_what_is(shard: Path, row: Row, guesses: set[str]) -> None:
    said = refusal(write(shard, [row, row]))
    assert said.startswith(f"shard {shard.name}:\n")
    assert "'repo_name' (index.columns.repository): the list needs a repository" in said
    assert "'language' (index.columns.language) nor 'path' (index.columns.path): languages are needed" in said
    assert {word.strip(".,;") for word in said.split() if word.startswith("index.columns.")} >= {
        f"index.columns.{guess}" for guess in guesses
    }
    assert ("perhaps" in said) == bool(guesses)
    assert all(name in said.splitlines()[-1] for name in row)


def test_one_of_two_columns_is_enough_and_what_is_not_needed_is_counted(shard: Path) -> None:
    rows = [{"content": "x", "repo_name": "o/r", "path": "x.py"}, {"content": "y", "repo_name": "", "path": None}]
    batch = read(write(shard, rows))
    assert (batch.repositories, batch.paths, batch.languages) == (["o/r", ""], ["x.py", None], [None, None])
    assert batch.without() == {"repository": 1, "path": 1, "language": 2, "licence": 2}


@pytest.mark.parametrize("nothing", [None, "", float("nan")])
def test_a_column_in_which_no_row_has_a_value_is_as_good_as_none(shard: Path, nothing: Any) -> None:
    said = refusal(write(shard, [{"content": "x", "repo_name": nothing, "path": "x.py"}] * 3))
    assert "no value in column 'repo_name' (index.columns.repository)" in said


def test_a_shard_without_rows_lacks_nothing(tmp_path: Path) -> None:
    pq.write_table(pa.table({"content": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert not list(read_shard(tmp_path / "a.parquet", "a.parquet", COLUMNS, 1 << 20, NEEDS))


def test_no_licence_is_not_an_unknown_one(shard: Path) -> None:
    rows = [{"content": "x", "detected_licenses": licences} for licences in (["MIT"], [], None)]
    assert read(write(shard, rows), []).licences == ["MIT", "", None]


NESTED = {
    "content": "x",
    "repo": {"name": "o/r", "id": 12},
    "licenses": [{"key": "mit", "of": ["a"]}, {"key": "bsd", "of": ["b", "c"]}, None],
    "meta": {"where": {"path": "x.py", "n.o": 7}},
    "a.path": "dotted.py",
    "a": {"path": "inside.py"},
}


def test_dots_lead_into_structs_and_lists_of_them(shard: Path) -> None:
    rows = [NESTED, {**dict.fromkeys(NESTED), "content": "y"}]
    names = {
        "repository": "repo.name",
        "licence": "licenses.key",
        "path": "meta.where.path",
        "language": "meta.where.n.o",
    }
    batch = read(write(shard, rows), **names)
    assert (batch.repositories, batch.paths) == (["o/r", None], ["x.py", None])
    assert (batch.licences, batch.languages) == (["mit,bsd", None], ["7", None])
    assert read(shard, [], licence="licenses.of", repository="repo.id").licences == ["a,b,c", None]
    assert read(shard, path="a.path", repository="repo.id").paths == ["dotted.py", None]


def test_content_may_lie_in_a_struct(shard: Path) -> None:
    rows = [{"file": {"text": text, "name": "n"}, "repo_name": "r"} for text in ("x", None)]
    batch = read(write(shard, rows), content="file.text", path="file.name")
    assert (batch.contents, batch.paths, batch.dropped) == (["x"], ["n"], {"no content": 1})


def test_a_struct_of_one_field_is_that_field(shard: Path) -> None:
    rows = [{"content": "x", "repo_name": {"of": {"name": name}}, "path": "x"} for name in ("o/r", None)]
    assert read(write(shard, rows)).repositories == ["o/r", None]


@pytest.mark.parametrize(
    ("value", "kind"),
    [({"name": "o/r", "id": 1}, "struct|objects"), (["o/r"], "list"), ([{"name": "o/r"}], "list"), (True, "bool|true")],
)
def test_what_is_no_text_is_refused_by_name_and_type(shard: Path, value: Any, kind: str) -> None:
    said = refusal(write(shard, [{"content": "x", "repo_name": value, "path": "x"}]), [])
    assert "column 'repo_name' (index.columns.repository) holds" in said
    assert any(word in said for word in kind.split("|"))
    assert ("name one of repo_name.name" in said) == ("name" in str(value))


def test_numbers_may_be_names_and_other_types_of_parquet_not(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    rest = {"content": ["x"], "path": ["x"]}
    pq.write_table(pa.table({**rest, "repo_name": [12]}), path)
    assert read(path).repositories == ["12"]
    for odd in (pa.array([1], pa.timestamp("us")), pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string()))):
        pq.write_table(pa.table({**rest, "repo_name": odd}), path)
        assert f"holds {str(odd.type)[:8]}" in refusal(path)
    pq.write_table(pa.table({"content": [1], "path": ["x"], "repo_name": ["o/r"], "file_paths": ["x"]}), path)
    said = refusal(path)
    assert "'content' (index.columns.content) holds int64" in said
    assert "'file_paths' (index.columns.file_paths) holds string, which is no list of text" in said


def test_a_column_inside_of_a_list_is_one(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    pq.write_table(pa.table({"content": [[{"text": "x"}]], "path": ["x"], "repo_name": ["o/r"]}), path)
    assert "holds list<string>, which is no text" in refusal(path, content="content.text")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], ["content", "content"]), path)
    said = refusal(path, [])
    assert said.startswith("shard shard.parquet: 2 columns named 'content' (index.columns.content)")
    assert "\n" not in said


def test_a_bad_byte_in_a_struct_costs_a_value_not_the_shard(tmp_path: Path) -> None:
    bad = pa.array([b"o/\xff", b"o/r"])
    text = pa.Array.from_buffers(pa.string(), 2, bad.buffers())
    struct = pa.StructArray.from_arrays([text, text.dictionary_encode()], ["name", "code"])
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), struct)
    path = tmp_path / "shard.parquet"
    pq.write_table(pa.table({"content": ["x", "y"], "repo": struct, "licenses": lists, "path": ["x", "y"]}), path)
    batch = read(path, repository="repo.name", licence="licenses.name")
    assert batch.contents == ["x", "y"]
    assert batch.repositories == [None, "o/r"]  # not one more "o/?" of many
    assert batch.licences == ["o/\ufffd", "o/r"]
    assert read(path, content="repo.code", repository="path").dropped == {"not UTF-8": 1}


@pytest.fixture(params=["disk", "s3"])
def mixed(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Shards of each kind of problem, two alike, and good ones."""
    storage, url = request.getfixturevalue("s3")
    store = open_store(str(tmp_path / "store") if request.param == "disk" else f"{url}/{tmp_path.name}", storage)
    good = {"content": "x" * 100_000, "repo_name": "o/r", "path": "x.py", **{f"more{n}": "y" for n in range(300)}}
    for name, row in (("a.parquet", THE_STACK), ("b.parquet", THE_STACK), ("c.parquet", good), ("d.jsonl.zst", good)):
        store.write_file(name, write(tmp_path / name, [row]))
    store.write("e.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    store.write("f.jsonl.gz", b"<!DOCTYPE html>\n<html><title>Sign in</title></html>")
    store.write("g.parquet", b"PAR1 and then nothing that makes sense")
    return store


def test_all_shards_are_looked_at_before_one_is_read(mixed: Store) -> None:
    with pytest.raises(UserError) as caught:
        check_shards(mixed, mixed.list(), COLUMNS, NEEDS)
    said = str(caught.value)
    assert said.startswith("shard a.parquet and 1 other:\n  no column 'repo_name'")
    assert "\nshard e.parquet is no parquet file but a git-lfs pointer" in said
    assert "\nshard f.jsonl.gz is no gzip stream but an HTML page" in said
    assert "c.parquet" not in said
    assert "g.parquet" not in said  # corrupt: whether that is an error, the stage's config says
    check_shards(mixed, [info for info in mixed.list() if info.key[0] in "cdg"], COLUMNS, NEEDS)


def test_the_place_of_a_label_is_named_by_its_own_key(shard: Path) -> None:
    label = ColumnNeed(("licence",), "a regression learns from labels", key="annotator.label")
    said = refusal(write(shard, [{"content": "x", "score": 3}]), [label], licence="label")
    assert "no column 'label' (annotator.label): a regression learns from labels" in said
