"""The page of best and worst files: the right ones, with their text, from the shards that were scored."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snowcoder.annotation import inspect
from snowcoder.annotation.inspect import PAGE, find_extremes
from snowcoder.annotation.scores import SCORES, SUFFIX, identities
from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Manifest
from snowcoder.lineage.vouched_shards import find_promised_shards
from snowcoder.storage.store import open_store

LANGUAGES = ("Python", "C", "")


def make_scores(folder: Path, shard: str, languages: list[str], scores: list[float]) -> Path:
    """A score table with one-file documents."""
    rows = len(scores)
    columns = [
        pa.array([bytes(16)] * rows, pa.binary(16)),
        pa.array([0] * rows, pa.int32()),
        pa.array(["some/repository"] * rows),
        pa.array([f"file-{n}" for n in range(rows)]),
        pa.array(languages),
        pa.array([10] * rows, pa.int64()),
        pa.array(scores, pa.float32()),
    ]
    folder.mkdir(exist_ok=True)
    path = folder / f"{shard}{SUFFIX}"
    pq.write_table(pa.table(columns, schema=SCORES), path)
    return path


def test_the_best_and_worst_are_those_of_a_sort_over_all_shards(tmp_path: Path) -> None:
    draw, rows, tables = random.Random(5), [], []
    for shard in ("shard-00000", "shard-00001", "shard-00002"):
        languages = [draw.choice(LANGUAGES) for _ in range(40)]
        scores = [float(np.float32(draw.randrange(12) / 12)) for _ in range(40)]  # with ties
        tables.append(make_scores(tmp_path, shard, languages, scores))
        rows += [(language, score, shard, n) for n, (language, score) in enumerate(zip(languages, scores, strict=True))]

    for found in find_extremes(tables, 4, 1.0):
        mine = [row[1:] for row in rows if row[0] == found.name]
        assert found.best == sorted(mine, key=lambda row: (-row[0], row[1:]))[:4]
        assert found.worst == sorted(mine)[:4]
        assert found.scores.files == found.scores.histogram.sum() == len(mine)
        assert found.scores.mean == pytest.approx(np.mean([row[0] for row in mine]))


def test_a_language_of_few_files_shows_none_of_them_twice(tmp_path: Path) -> None:
    table = make_scores(tmp_path, "shard-00000", ["Python"] * 3, [0.1, 0.9, 0.5])
    [found] = find_extremes([table], 2, 1.0)
    assert [place.score for place in found.best] == pytest.approx([0.9, 0.5])
    assert [place.score for place in found.worst] == pytest.approx([0.1])


@pytest.fixture
def scored(tmp_path: Path) -> Config:
    """Two shards of three documents of two files each, and their scores."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for shard in range(2):
        files = [[f"text <{shard}.{n}.{file}>\n" for file in range(2)] for n in range(3)]
        columns = {
            "content": ["".join(texts) for texts in files],
            "repo_name": [f"owner/name{shard}"] * 3,
            "path": ["a.py"] * 3,
            "language": ["Python"] * 3,
            "file_paths": [["a.py", "b.py"]] * 3,
            "file_lengths": [[len(text) for text in texts] for texts in files],
        }
        pq.write_table(pa.table(columns), raw / f"part-{shard}.parquet")
    scores = tmp_path / "scores"
    make_scores(scores, "shard-00000", ["Python"] * 6, [0.5, 0.5, 0.5, 0.97, 0.5, 0.5])
    make_scores(scores, "shard-00001", ["Python"] * 6, [0.5, 0.5, 0.5, 0.5, 0.03, 0.5])
    shards = find_promised_shards(open_store(str(raw), load_config(["storage=disk"]).storage))
    Manifest("annotate score", {"raw": identities(shards)}, {}, {}, []).write(scores)
    overrides = [f"index.sources.raw.shards={raw}", f"annotator.score.dir={scores}", "annotator.inspect=1"]
    return load_config([*overrides, "storage=disk", f"storage.root={tmp_path}", f"run.dir={tmp_path}"])


def test_the_page_shows_the_files_of_these_scores(scored: Config) -> None:
    inspect.run(scored)
    page = (Path(scored.annotator.score.dir) / PAGE).read_text()
    assert page.index("<b>0.970</b> owner/name0/b.py") < page.index("text &lt;0.1.1&gt;")
    assert page.index("<b>0.030</b> owner/name1/a.py") < page.index("text &lt;1.2.0&gt;")
    assert page.count("text &lt;") == 2


def test_scores_of_other_shards_are_refused(scored: Config) -> None:
    raw = Path(scored.index.sources["raw"].shards)
    pq.write_table(pq.read_table(raw / "part-0.parquet").slice(1), raw / "part-0.parquet")
    with pytest.raises(UserError, match=r"scores of other shards than .*: run `snowcoder annotate score` again"):
        inspect.run(scored)


def test_without_scores_it_says_what_to_run(scored: Config) -> None:
    (Path(scored.annotator.score.dir) / "manifest.json").unlink()
    with pytest.raises(UserError, match="run `snowcoder annotate score` first"):
        inspect.run(scored)
