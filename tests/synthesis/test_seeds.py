"""Seeds: the selected files' own text, so many of each language, the same ones however many more there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from snowcoder.annotation import select
from snowcoder.annotation.code_files import files_of_batch
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index import build
from snowcoder.storage.shards import read_shard
from snowcoder.synthesis.indexed_files import IndexedFiles
from snowcoder.synthesis.mix import choose_files, shares_by_language
from snowcoder.synthesis.seeds import SEEDS, cut_lines, make_seeds
from tests.annotation.test_select import configure, write_raw, write_scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """An index of documents of several files in Python, C and no known language, and the best of them."""
    folder = tmp_path_factory.mktemp("seeds")
    write_raw(folder / "raw")
    build.run(configure(folder, workspace), "raw")
    write_scores(configure(folder, workspace))
    select.run(configure(folder, workspace))
    return folder


def every_text(config: Config, folder: Path) -> dict[tuple[str, str], str]:
    """(repository, path) -> text, of the raw shards."""
    found = {}
    for path in sorted((folder / "raw").glob("*.parquet")):
        for batch in read_shard(path, path.name, config.index.columns, 1 << 30):
            for row in files_of_batch(batch):
                found |= {(file.repository, file.path): file.content for file in row.files if file.repository}
    return found


def test_selected_files_are_read_as_they_were_written(folder: Path, workspace: Path) -> None:
    config = configure(folder, workspace)
    files, texts = IndexedFiles(config, "selected"), every_text(config, folder)
    read, scores = 0, []
    for shard in range(len(files.shards)):
        rows = np.arange(len(files.languages(shard)))
        for file in files.read(shard, rows):
            scores.append(file.score)
            if file.repository:
                assert file.text == texts[file.repository, file.path]
                read += 1
    assert read > 20
    assert np.mean(scores) > 0.6  # of random ones from 0 to 1: they are the best


def test_no_held_out_file_is_a_seed(folder: Path, workspace: Path) -> None:
    files = IndexedFiles(configure(folder, workspace), "selected")
    tables = sorted((folder / "scores" / "selected" / "selected").glob("*.selected.parquet"))
    rows = [row for path in tables for row in pq.read_table(path).to_pylist()]
    held_out = {row["repository"] for row in rows if row["split"] == 1 and row["repository"]}
    found = [f for n in range(len(files.shards)) for f in files.read(n, np.arange(len(files.languages(n))))]
    assert held_out
    assert not held_out & {file.repository for file in found}


PARTS = ["synthesis.seeds.part=8", "synthesis.seeds.per_file=2"]


def seeds_of(config: Config) -> list[dict[str, Any]]:
    made = make_seeds(config)
    return [
        row for r in made.records for path in r.paths(made.folder, SEEDS) for row in pq.read_table(path).to_pylist()
    ]


def test_more_seeds_are_the_same_ones_and_others_after_them(folder: Path, workspace: Path) -> None:
    few, many = (seeds_of(configure(folder, workspace, f"synthesis.seeds.count={count}", *PARTS)) for count in (16, 40))
    assert many[: len(few)] == few
    assert len({row["id"] for row in many}) == len(many) == 40
    assert any(row["id"].endswith("-1") for row in many)  # there are not 20 files in C: some are cut twice
    languages = Counter(row["language"] for row in many)
    assert abs(languages["Python"] - languages["C"]) <= 2  # half and half, though the corpus has two thirds Python
    assert not languages[""]


def test_of_a_plain_source_every_file_may_be_one(folder: Path, workspace: Path) -> None:
    config = configure(folder, workspace)
    files, texts = IndexedFiles(config, "raw"), every_text(config, folder)
    chosen = choose_files(files, config.synthesis.seeds, 1)
    for shard in np.unique(chosen.shards):
        for file in files.read(int(shard), chosen.rows[chosen.shards == shard]):
            assert not file.repository or file.text in texts.values()


def test_shares_of_languages_that_have_no_share_of_their_own_keep_their_proportions() -> None:
    shares = shares_by_language({"Python": 10, "C": 30, "Java": 10, "": 5}, {"Python": 0.5, "others": 0.5})
    assert shares == pytest.approx({"Python": 0.5, "C": 0.375, "Java": 0.125})
    assert shares_by_language({"C": 3}, {"Python": 0.5, "others": 0.5}) == {"C": 0.5}


def test_lines_are_consecutive_and_as_many_as_was_asked_for() -> None:
    text = "".join(f"line {n}\n" for n in range(100))
    sizes = set()
    for key in range(300):
        cut = cut_lines(text, (10, 20), key)
        assert cut
        assert cut in text
        sizes.add(cut.count("\n") + 1)
    assert sizes == set(range(10, 21))
    assert cut_lines("\n\n", (1, 1), 0) is None


def test_another_source_than_there_is(folder: Path, workspace: Path) -> None:
    with pytest.raises(UserError, match="not a source"):
        make_seeds(configure(folder, workspace, "synthesis.seeds.source=nothing"))
