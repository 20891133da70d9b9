"""What is built holds the documents, all of them, each in one split, and is not built twice."""

import json
import sysconfig
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from index_helpers import times, tree, write_shard

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, UserError
from snowcoder.index import build
from snowcoder.index.peek import run as peek
from snowcoder.index.reader import IndexedSource
from snowcoder.planning.disk import index_bytes
from snowcoder.storage.digest import digest_file
from snowcoder.tokenization.load import Tokenizer

Configure = Callable[..., Config]
Rows = list[dict[str, str]]


def contents(index: IndexedSource, tokenizer: Tokenizer) -> list[str]:
    lengths = index.lengths(np.arange(index.documents))
    ids = [index.tokens_of(number, 0, length) for number, length in enumerate(lengths)]
    assert all(document[-1] == tokenizer.end_of_text for document in ids)
    return [tokenizer.decode(document[:-1].tolist()) for document in ids]


def sidecar(prefix: Path) -> list[dict[str, Any]]:
    return pq.read_table(prefix.with_suffix(".docs.parquet")).to_pylist()


def test_documents_read_back_equal_the_input(
    tmp_path: Path, configure: Configure, rows: Rows, tokenizer: Tokenizer
) -> None:
    build.run(configure())
    source = tmp_path / "index" / "raw"
    by_content = {row["content"]: row for row in rows}
    found = Counter[str]()
    for split in ("train", "held_out"):
        index = IndexedSource(source, split)
        texts = contents(index, tokenizer)
        found.update(texts)
        sides = [row for prefix in index.prefixes for row in sidecar(prefix)]
        for number, (text, side) in enumerate(zip(texts, sides, strict=True)):
            row = by_content[text]
            assert (side["repository"], side["path"]) == (row["repo_name"], row["path"])
            assert (side["language"], side["licence"]) == (row["language"], "PSF-2.0")
            assert side["content_hash"] == xxhash.xxh3_128_digest(text.encode())
            assert side["bytes"] == len(text.encode())
            expected = [*tokenizer.encode(text), tokenizer.end_of_text]
            assert index.tokens_of(number, 0, side["tokens"] + 1).tolist() == expected
    assert found == Counter(row["content"] for row in rows)


def test_manifest_counts_what_is_there(tmp_path: Path, configure: Configure, rows: Rows) -> None:
    build.run(configure())
    index = IndexedSource(tmp_path / "index" / "raw")
    counts, held = index.manifest.counts, IndexedSource(tmp_path / "index" / "raw", "held_out")
    assert index.documents + held.documents == len(rows)
    assert index.tokens == index.lengths(np.arange(index.documents)).sum()
    assert sum(counts["tokens_by_language"].values()) == index.tokens + held.tokens
    assert set(counts["tokens_by_language"]) == {"Python", "Cython"}
    size = sum(len(row["content"].encode()) for row in rows)
    assert counts["train"]["bytes"] + counts["held_out"]["bytes"] == size
    assert counts["encoders"] == {"gigatoken": 6}
    assert index.manifest.check_files(tmp_path / "index" / "raw", digests=True) == []


def test_megatrons_reader_opens_it(tmp_path: Path, configure: Configure) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    build.run(configure())
    index = IndexedSource(tmp_path / "index" / "raw")
    theirs = [IndexedDataset(str(prefix)) for prefix in index.prefixes]
    assert sum(map(len, theirs)) == index.documents
    for document in range(0, index.documents, 7):
        shard, row = index.locate(document)
        np.testing.assert_array_equal(theirs[shard].get(row, offset=1, length=5), index.tokens_of(document, 1, 6))


def test_lengths_of_any_documents_in_any_order(tmp_path: Path, configure: Configure) -> None:
    build.run(configure())
    index = IndexedSource(tmp_path / "index" / "raw")
    ordered = index.lengths(np.arange(index.documents))
    some = np.random.default_rng(0).integers(0, index.documents, 1000)
    np.testing.assert_array_equal(index.lengths(some), ordered[some])
    assert index.lengths(np.array([], np.int64)).shape == (0,)
    with pytest.raises(IndexError):
        index.lengths(np.array([0, index.documents]))


def test_held_out_documents_are_a_share_and_no_copy_of_them_is_trained_on(
    tmp_path: Path, configure: Configure, shards: Path, rows: Rows, tokenizer: Tokenizer
) -> None:
    copies = [{**row, "repo_name": "a fork", "path": "moved.py"} for row in rows]
    write_shard(shards / "part-9.parquet", copies)
    build.run(configure("index.held_out=0.3"))
    source = tmp_path / "index" / "raw"
    train = set(contents(IndexedSource(source), tokenizer))
    held_out = set(contents(IndexedSource(source, "held_out"), tokenizer))
    assert not train & held_out
    assert len(held_out) / len(rows) == pytest.approx(0.3, abs=0.1)

    write_shard(shards / "part-0.parquet", rows[::-1])
    for path in sorted(shards.glob("*.parquet"))[1:]:
        path.unlink()
    build.run(configure("index.held_out=0.3"))
    assert set(contents(IndexedSource(source, "held_out"), tokenizer)) == held_out


def test_a_second_run_does_nothing(tmp_path: Path, configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    build.run(configure())
    before = times(tmp_path / "index")
    build.run(configure("index.workers=1"))
    assert "is up to date" in capsys.readouterr().out
    assert times(tmp_path / "index") == before


def test_touched_shards_are_known_by_their_bytes(
    tmp_path: Path, configure: Configure, shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.run(configure())
    before = {name: time for name, time in times(tmp_path / "index").items() if "records" not in name}
    for path in shards.iterdir():
        path.touch()
    altered = shards / "part-3.parquet"  # and of the same size
    data = altered.read_bytes()
    altered.write_bytes(data.replace(b"PSF-2.0", b"PSF-2.1"))
    build.run(configure())
    changed = {name for name, time in before.items() if times(tmp_path / "index")[name] != time}
    assert {name for name in changed if "shard-00003" not in name} == {"raw/manifest.json"}
    assert len(changed) >= 2
    capsys.readouterr()
    altered.touch()
    build.run(configure("index.part=1/2"))
    build.run(configure())
    assert capsys.readouterr().out.count("is up to date") == 1


def test_only_a_changed_shard_is_built_again(tmp_path: Path, configure: Configure, shards: Path, rows: Rows) -> None:
    build.run(configure())
    before = times(tmp_path / "index")
    write_shard(shards / "part-3.parquet", rows[3:40:6])
    build.run(configure())
    changed = {name for name, time in times(tmp_path / "index").items() if before[name] != time}
    assert {name for name in changed if "shard-00003" not in name} == {"raw/manifest.json"}
    assert len(changed) >= 5
    assert IndexedSource(tmp_path / "index" / "raw").documents < len(rows)


def test_files_of_shards_that_are_gone_go_too(tmp_path: Path, configure: Configure, shards: Path) -> None:
    build.run(configure())
    (shards / "part-5.parquet").unlink()
    build.run(configure())
    assert not [name for name in tree(tmp_path / "index") if "shard-00005" in name]
    assert len(IndexedSource(tmp_path / "index" / "raw").prefixes) == 5


def test_another_config_builds_all_again(tmp_path: Path, configure: Configure) -> None:
    build.run(configure())
    build.run(configure("index.held_out=0"))
    assert IndexedSource(tmp_path / "index" / "raw", "held_out").documents == 0
    assert not list((tmp_path / "index" / "raw" / "held_out").iterdir())


def test_sources_without_shards_are_all_named(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "empty").mkdir()
    sources = [f"+index.sources.{name}.shards={tmp_path / 'empty'}" for name in ("none", "nil")]
    with pytest.raises(UserError, match=r"(?s)\.none: no shards in .*empty.*\.nil: no shards"):
        build.run(configure(*sources))
    assert not (tmp_path / "index").exists()


def test_named_sources_are_built_without_the_others(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "empty").mkdir()
    config = configure(f"+index.sources.later.shards={tmp_path / 'empty'}")
    with pytest.raises(UserError, match="`snowcoder index build raw` builds the others"):
        build.run(config)
    build.run(config, "raw")
    assert IndexedSource(tmp_path / "index" / "raw").documents
    with pytest.raises(UserError, match="nothing: not a source"):
        build.run(config, "nothing")


def test_shards_that_are_not_those_of_their_manifest_are_an_error(
    tmp_path: Path, configure: Configure, shards: Path
) -> None:
    names = sorted(path.name for path in shards.iterdir())
    outputs = [
        {
            "name": name,
            "bytes": (shards / name).stat().st_size,
            "digest": digest_file(shards / name),
        }
        for name in names
    ]
    (shards / "manifest.json").write_text(json.dumps({"outputs": outputs}))
    build.run(configure())
    outputs[2]["digest"] = "0" * 32
    (shards / "manifest.json").write_text(json.dumps({"outputs": outputs}))
    with pytest.raises(OperationError, match=r"part-2\.parquet: its digest is"):
        build.run(configure("index.held_out=0"))


def test_a_half_copied_folder_of_shards_is_an_error(configure: Configure, shards: Path) -> None:
    outputs = [{"name": path.name, "digest": ""} for path in shards.iterdir()]
    (shards / "manifest.json").write_text(json.dumps({"outputs": outputs}))
    (shards / "part-4.parquet").unlink()
    with pytest.raises(UserError, match=r"raw: .*manifest.json .*differ in part-4\.parquet"):
        build.run(configure())


def test_bad_rows_are_counted_by_reason(tmp_path: Path, configure: Configure, shards: Path) -> None:
    for path in shards.iterdir():
        path.unlink()
    bad = {"content": "", "repo_name": "r", "path": "p", "language": "C", "detected_licenses": ""}
    write_shard(shards / "a.parquet", [bad] * 3)
    write_shard(shards / "b.parquet", [{**bad, "content": "x = 1"}, {**bad, "content": "y" * 2048}])
    build.run(configure("index.max_document_mib=0.001", "index.held_out=0"))
    index = IndexedSource(tmp_path / "index" / "raw")
    assert index.manifest.counts["dropped"] == {"no content": 3, "too long": 1}
    assert index.documents == 1


def test_peek_shows_documents(configure: Configure, rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    build.run(configure("index.held_out=0"))
    capsys.readouterr()
    peek(configure(), "raw", "1", "2")
    shown = capsys.readouterr().out
    for row in (rows[6], rows[12]):  # rows were dealt out to six shards
        assert f"{row['repo_name']} {row['path']} [{row['language']}, PSF-2.0]" in shown
        assert row["content"] in shown
    with pytest.raises(UserError, match="'rew' is not a source"):
        peek(configure(), "rew")
    with pytest.raises(UserError, match="numbered 0 to"):
        peek(configure(), "raw", "100000")


def test_its_size_is_the_one_that_plan_estimates(tmp_path: Path, configure: Configure) -> None:
    """Of a shard with the whole standard library: what a file has besides its rows counts for little."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [path for path in library.rglob("*.py") if not {"site-packages", "dist-packages", "test"} & set(path.parts)]
    rows = [
        {
            "content": path.read_text(encoding="utf-8", errors="ignore"),
            "repo_name": "python/cpython",
            "path": str(path.relative_to(library)),
            "language": "Python",
            "detected_licenses": "PSF-2.0",
        }
        for path in files
    ]
    (tmp_path / "library").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "library" / "one.parquet")
    build.run(configure(f"index.sources.raw.shards={tmp_path}/library", "index.held_out=0"))
    folder = tmp_path / "index" / "raw" / "train"
    index = IndexedSource(folder.parent)
    sizes = {path.name.partition(".")[2]: path.stat().st_size for path in folder.iterdir()}
    assert index_bytes(index.tokens, index.documents, index.files, 2) == pytest.approx(sum(sizes.values()), rel=0.01)
    beside = index_bytes(0, index.documents, index.files, 2)
    assert beside == pytest.approx(sizes["idx"] + sizes["docs.parquet"], rel=0.25)
