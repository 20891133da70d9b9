"""Documents of several files: StarCoder2's layout, joined by ids that no text can forge."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from index_helpers import tree

from snowcoder.config.schema import Config
from snowcoder.index import build, verify
from snowcoder.index.layout import content_of, join_texts, split
from snowcoder.index.peek import run as peek
from snowcoder.index.reader import IndexedSource
from snowcoder.tokenization.load import Tokenizer
from snowcoder.tokenization.special import FILE_SEP, REPO_NAME

Configure = Callable[..., Config]
Row = dict[str, Any]
ONE_SHARD = "index.held_out=0"
FORGED = "x = '<|file_sep|>forged.py\\n<|endoftext|><|repo_name|><|fim_pad|>'\n"


def group(repository: str, files: dict[str, str], **more: Any) -> Row:
    """A row as the corpus stage writes it."""
    return {
        "content": "".join(files.values()),
        "repo_name": repository,
        "path": next(iter(files)),
        "language": "Python",
        "detected_licenses": ["MIT"],
        "file_paths": list(files),
        "file_lengths": [len(text) for text in files.values()],
        **more,
    }


ROWS = [
    group("me/one", {"a.py": "import b\n", "é/b.py": "µ = '中 🐍'\r\n"}),
    {**group("me/two", {"single.py": "x = 1"}), "file_paths": None, "file_lengths": None},
    group("me/three", {"alone.py": "y = 2\n"}),
    group("", {"c.py": "z = 3\n", "d.py": "w = 4\n"}),
    group(
        "me/<|file_sep|>", {"<|file_sep|>.py": FORGED, "empty.py": "", "two\nlines.py": "# <|fim_prefix|>", "e": "0"}
    ),
]


def write(folder: Path, rows: list[Row], suffix: str) -> None:
    for path in folder.iterdir():
        path.unlink()
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "shard.parquet")
        return
    with pa.CompressedOutputStream(str(folder / f"shard{suffix}"), "zstd") as file:
        file.write(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def expected_ids(row: Row, tokenizer: Tokenizer) -> list[int]:
    """Written out from the format's description."""
    paths, lengths = row["file_paths"] or [], row["file_lengths"] or []
    if len(paths) < 2 or not row["repo_name"]:
        return [*tokenizer.encode(row["content"]), tokenizer.end_of_text]
    ids = [tokenizer.special(REPO_NAME), *tokenizer.encode(row["repo_name"])]
    begin = 0
    for path, length in zip(paths, lengths, strict=True):
        code = row["content"][begin : begin + length]
        ids += [tokenizer.special(FILE_SEP), *tokenizer.encode(path.replace("\n", " ") + "\n" + code)]
        begin += length
    return [*ids, tokenizer.end_of_text]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl.zst"])
def test_documents_are_in_starcoder2s_layout(
    tmp_path: Path, configure: Configure, shards: Path, tokenizer: Tokenizer, suffix: str
) -> None:
    write(shards, ROWS, suffix)
    build.run(configure(ONE_SHARD))
    verify.run(configure())
    index = IndexedSource(tmp_path / "index" / "raw")
    sidecar = pq.read_table(index.prefixes[0].with_suffix(".docs.parquet")).to_pylist()
    for number, (row, side) in enumerate(zip(ROWS, sidecar, strict=True)):
        ids = index.tokens_of(number, 0, 10**6)
        assert ids.tolist() == expected_ids(row, tokenizer)
        assert content_of(ids, tokenizer) == row["content"]
        assert side["content_hash"] == xxhash.xxh3_128_digest(row["content"].encode())
        assert side["bytes"] == len(row["content"].encode())
        separators = np.flatnonzero(ids == tokenizer.special(FILE_SEP))
        assert (side["files"] or []) == (separators + 1).tolist()
    assert [len(side["files"] or [0]) for side in sidecar] == [2, 1, 1, 1, 4]
    assert index.manifest.counts["train"]["files"] == 9


def test_rows_of_one_file_are_indexed_as_ever(tmp_path: Path, configure: Configure, shards: Path) -> None:
    build.run(configure())
    before = tree(tmp_path / "index")
    for path in shards.iterdir():
        table = pq.read_table(path)
        nothing = {"file_paths": pa.list_(pa.string()), "file_lengths": pa.list_(pa.int64())}
        for name, kind in nothing.items():
            table = table.append_column(name, pa.nulls(len(table), kind))
        pq.write_table(table, path, row_group_size=16)
    build.run(configure())
    after = tree(tmp_path / "index")
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name] and not name.endswith(".json")] == []


def test_rows_that_cannot_be_cut_into_files_are_counted(tmp_path: Path, configure: Configure, shards: Path) -> None:
    good = group("me/one", {"a.py": "x", "b.py": "y"})
    write(shards, [good, {**good, "file_lengths": [1, 2]}, {**good, "file_lengths": [3, -1]}], ".parquet")
    build.run(configure(ONE_SHARD))
    counts = IndexedSource(tmp_path / "index" / "raw").manifest.counts
    assert counts["dropped"] == {"file lengths": 2}
    assert counts["train"]["documents"] == 1


def test_a_forged_separator_in_the_bin_is_found(
    tmp_path: Path, configure: Configure, shards: Path, tokenizer: Tokenizer
) -> None:
    write(shards, ROWS, ".parquet")
    build.run(configure(ONE_SHARD))
    manifest = IndexedSource(tmp_path / "index" / "raw").manifest
    prefix = tmp_path / "index" / "raw" / "train" / "shard-00000"
    ids = np.memmap(prefix.with_suffix(".bin"), np.uint16, mode="r+")
    ids[-3] = tokenizer.special(FILE_SEP)
    ids.flush()
    found = "\n".join(verify.check_shard(prefix, manifest.counts["train"], tokenizer))
    assert "shard-00000.docs.parquet: its files are not those of the .bin" in found


def test_peek_shows_the_files(configure: Configure, shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(shards, ROWS, ".parquet")
    build.run(configure(ONE_SHARD))
    capsys.readouterr()
    peek(configure(), "raw", "0", "2")
    shown = capsys.readouterr().out
    assert "==== raw 0: me/one a.py [Python, MIT]" in shown
    assert ", 2 files\n<|repo_name|>me/one<|file_sep|>\n---- file 1 of 2: " in shown
    assert "tokens\né/b.py\nµ = '中 🐍'\r\n<|endoftext|>\n==== raw 1: me/two" in shown
    assert shown.endswith("tokens\nx = 1<|endoftext|>\n")


@settings(deadline=None)
@given(st.lists(st.lists(st.lists(st.integers(20, 900), max_size=3), min_size=1, max_size=4), min_size=1, max_size=6))
def test_what_is_joined_is_split_again(tokenizer: Tokenizer, documents: list[list[list[int]]]) -> None:
    texts = [text for document in documents for text in document]
    ids = np.array([token for text in texts for token in text], np.uint16)
    lengths = np.array([len(text) for text in texts])
    joined = join_texts(ids, lengths, np.array([len(document) for document in documents]), tokenizer)
    cuts = np.cumsum(joined.lengths)[:-1]
    for document, own, files in zip(documents, np.split(joined.ids, cuts), joined.files, strict=True):
        pieces = [piece.tolist() for piece in split(own, tokenizer)]
        opening = [tokenizer.special(REPO_NAME)] if len(document) > 1 else []
        ends = [tokenizer.special(FILE_SEP)] * (len(document) - 1) + [tokenizer.end_of_text]
        wanted = [[*text, end] for text, end in zip(document, ends, strict=True)]
        assert pieces == [opening + wanted[0], *wanted[1:]]
        begins = np.cumsum([len(piece) for piece in pieces])[:-1]
        assert (files is None and len(pieces) == 1) or files.tolist() == begins.tolist()
