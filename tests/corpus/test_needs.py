"""Columns that the config at hand needs: without them nothing is kept or dropped as if they were there and empty."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.corpus import build
from snowcoder.corpus.needs import corpus_needs
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import find_manifest
from tests.corpus.raw_shards import library
from tests.tiny import tiny_overrides

BY_PATH = ["filters.vendored=false", "filters.generated=false"]


def configure(folder: Path, *more: str) -> Config:
    places = [f"corpus.input={folder}/crawl", f"corpus.output={folder}/clean", "corpus.engine.workers=1"]
    return load_config(tiny_overrides(folder, *places, "decontamination.benchmarks=[]", *more))


@pytest.mark.parametrize(
    ("overrides", "needed"),
    [
        (["grouping=file", *BY_PATH], {}),
        (["grouping=file"], {"path": ["filters.vendored", "filters.generated"]}),
        (["grouping=arctic", *BY_PATH], {"repository": ["grouping.by=language"]}),
        (["grouping=repository", *BY_PATH], {"repository": ["grouping.by=repository"]}),
        (
            ["grouping=deepseek_coder", *BY_PATH],
            {"repository": ["grouping.by=subgraph"], "path": ["imports (grouping.by=subgraph"]},
        ),
        (["grouping=file", *BY_PATH, "corpus.near.level=repository"], {"repository": ["corpus.near.level=repository"]}),
        (["grouping=file", *BY_PATH, "licence_policy.opt_out=x"], {"repository": ["licence_policy.opt_out"]}),
        (["grouping=file", *BY_PATH, "licence_policy=permissive"], {"licence": ["licence_policy.allowed=permissive"]}),
    ],
)
def test_what_a_config_needs(tmp_path: Path, overrides: list[str], needed: dict[str, list[str]]) -> None:
    *needs, of_language = corpus_needs(configure(tmp_path, *overrides))
    assert of_language.columns == ("language", "path")
    found: dict[str, list[str]] = {}
    for need in needs:
        (column,) = need.columns
        found.setdefault(column, []).append(need.reason)
    assert found.keys() == needed.keys()
    for column, keys in needed.items():
        assert all(reason.startswith(key) for reason, key in zip(found[column], keys, strict=True))


def test_two_fields_of_one_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"index\.columns: content and path are the same column, 'content'"):
        configure(tmp_path, "index.columns.path=content")


def rows(repositories: list[Any]) -> list[dict[str, Any]]:
    """A file of each repository."""
    texts = library()[: len(repositories)]
    files = zip(texts, repositories, strict=True)
    return [{"content": text, "repo_name": name, "path": f"m{n}.py"} for n, (text, name) in enumerate(files)]


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    (tmp_path / "crawl").mkdir()
    (tmp_path / "opt-out.txt").write_text("gone/*\nhttps://github.com/fine/but-not-this\n")
    return tmp_path / "crawl"


def test_a_shard_in_which_nobody_can_be_known_ends_the_build_before_it_begins(tmp_path: Path, crawl: Path) -> None:
    known = rows(["fine/here", "gone/away"])
    pq.write_table(pa.Table.from_pylist(known), crawl / "a.parquet")
    for name in ("b", "c"):
        pq.write_table(pa.Table.from_pylist(known).rename_columns(["content", "owner", "p"]), crawl / f"{name}.parquet")
    with pytest.raises(UserError) as caught:
        build.run(configure(tmp_path, f"licence_policy.opt_out={tmp_path}/opt-out.txt"))
    said = str(caught.value)
    assert said.startswith("shard b.parquet and 1 other:\n  no column 'repo_name' (index.columns.repository): ")
    assert "licence_policy.opt_out needs to know whose a file is; grouping.by=language joins" in said
    assert "\n  no column 'path' (index.columns.path): filters.vendored goes by paths" in said
    assert said.endswith("its columns: content, owner, p")
    assert not list((tmp_path / "corpus").rglob("shard-*"))


def test_json_without_a_repository_in_any_row_ends_the_build_too(tmp_path: Path, crawl: Path) -> None:
    lines = [json.dumps({**row, "repo_name": None}).encode() + b"\n" for row in rows(["a", "b"])]
    (crawl / "a.jsonl.zst").write_bytes(zstd.compress(b"".join(lines)))
    with pytest.raises(
        UserError, match=r"shard a\.jsonl\.zst: no value in column 'repo_name'.*licence_policy\.opt_out"
    ):
        build.run(configure(tmp_path, "grouping=file", f"licence_policy.opt_out={tmp_path}/opt-out.txt"))
    assert not list((tmp_path / "corpus").rglob("shard-*"))


def test_rows_of_no_known_owner_are_dropped_by_an_opt_out_list_and_counted(
    tmp_path: Path, crawl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["fine/here", "gone/away", None, "https://github.com/gone/too.git", "fine/but-not-this", "", "1234"]
    pq.write_table(pa.Table.from_pylist(rows(names)), crawl / "a.parquet")
    build.run(configure(tmp_path, f"licence_policy.opt_out={tmp_path}/opt-out.txt"))
    manifest = find_manifest(tmp_path / "clean")
    assert manifest
    assert manifest.counts["dropped"] == {"licence": 3, "no repository": 3}
    assert manifest.counts["without"] == {"repository": 2, "language": 7, "licence": 7}
    (shard,) = (tmp_path / "clean").glob("*.parquet")
    assert pq.read_table(shard)["repo_name"].to_pylist() == ["fine/here"]
    said = capsys.readouterr().out
    assert "of all files read 7 without a language, 7 without a licence, 2 without a repository" in said


def test_files_of_no_repository_are_joined_to_nothing_and_stay_without_one(tmp_path: Path, crawl: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows([None, None, "o/r", "o/r"])), crawl / "a.parquet")
    build.run(configure(tmp_path, "grouping.max_mib=1"))
    shards = [row for path in (tmp_path / "clean").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    found = sorted((row["repo_name"], len(row["file_paths"])) for row in shards)
    assert found == [("", 1), ("", 1), ("o/r", 2)]
