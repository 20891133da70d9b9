"""Exact and near copies, against plain Python over all pairs."""

from __future__ import annotations

import itertools
import random
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from snowcoder.config.corpus_schema import CorpusConfig, EngineConfig, NearConfig
from snowcoder.corpus.dedup.find_copies import find_copies
from snowcoder.corpus.dedup.repositories import RepositorySignatures, repository_id
from snowcoder.corpus.dedup.resolve import COPIES, Alike
from snowcoder.corpus.dedup.resolve import choose_copies as resolve
from snowcoder.corpus.dedup.shingles import bands, is_short, jaccard, shingles, signatures, tokens
from snowcoder.corpus.dedup.signature import SIGNATURES, signature_table
from snowcoder.corpus.document import DOCUMENTS, Document, documents_table
from snowcoder.lineage.manifest import describe_outputs
from snowcoder.lineage.rows import RowCounts
from snowcoder.stages.steps import Record
from snowcoder.stages.tables import count_rows

NEAR = NearConfig(
    enabled=True, level="file", threshold=0.7, ngram=5, permutations=256, bands=25, rows=10, min_tokens=10
)


def ngrams(text: str) -> set[tuple[str, ...]]:
    """StarCoder's shingles, the plain way."""
    words = [word for word in "".join(c if c.isalnum() or c == "_" else " " for c in text).split(" ") if word]
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def similarity(first: str, second: str) -> float:
    a, b = ngrams(first), ngrams(second)
    return len(a & b) / len(a | b)


def library(count: int) -> list[str]:
    """Real files, none of which is another's copy."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    texts = [file.read_text() for file in files if 2_000 < file.stat().st_size < 30_000]
    return [text for text in texts if text.isascii()][:count]


def changed(text: str, share: float, seed: int) -> str:
    """The text with so many of its lines replaced."""
    draw, lines = random.Random(seed), text.splitlines()
    return "\n".join(f"value_{draw.random()} = 1" if draw.random() < share else line for line in lines)


def corpus_config(folder: Path, **more: object) -> CorpusConfig:
    engine = EngineConfig(kind="local", workers=1, address="", nodes=0)
    settings = {"engine": engine, "partition_mib": 1, "samples": 1, "near": NEAR, **more}
    return CorpusConfig(input="", output="", work=str(folder / "work"), **settings)


def copies_of(folder: Path, shards: list[list[Document]], **more: object) -> dict[int, tuple[int, float]]:
    """Copy -> (what it is a copy of, similarity), with documents numbered through all shards."""
    config, records, filtered, number = corpus_config(folder, **more), [], folder / "filtered", {}
    filtered.mkdir()
    for shard, documents in enumerate(shards):
        name, ids = f"shard-{shard:05d}", range(shard << 32, (shard << 32) + len(documents))
        number |= {key: len(number) + place for place, key in enumerate(ids)}
        pq.write_table(documents_table(documents, ids), filtered / f"{name}{DOCUMENTS}")
        pq.write_table(signature_table(documents, ids, config.near), filtered / f"{name}{SIGNATURES}")
        outputs = describe_outputs(filtered, [f"{name}{DOCUMENTS}", f"{name}{SIGNATURES}"])
        size, count = sum(len(document.content) for document in documents), len(documents)
        tables = {output.name: count for output in outputs}
        records.append(Record(name, "", outputs, {}, size, RowCounts(count, count), tables))
    copies, record = find_copies(config, filtered, records)
    rows = copies.read(COPIES).to_pylist()
    assert record.counts["exact"] + record.counts["near"] == len(rows)
    return {number[row["id"]]: (number[row["better"]], row["similarity"] or 1) for row in rows}


def python(text: str, name: object) -> Document:
    return Document(text, "repository", f"{name}.py", "Python", ())


@pytest.mark.parametrize("text", library(5))
def test_shingles_are_those_of_the_plain_way(text: str) -> None:
    other = changed(text, 0.1, seed=1)
    ours = [shingles(tokens(each), 5) for each in (text, other)]
    assert [len(each) for each in ours] == [len(ngrams(each)) for each in (text, other)]
    assert jaccard(*ours) == pytest.approx(similarity(text, other))


def test_signatures_estimate_the_similarity_and_bands_find_what_is_above_the_threshold() -> None:
    texts = library(20)
    found = []
    for share in (0.02, 0.3):
        joined = [tokens(text) for text in texts + [changed(text, share, seed=2) for text in texts]]
        signature = signatures(joined, NEAR)
        bucket = bands(signature, NEAR)
        estimates = (signature[:20] == signature[20:]).mean(axis=1)
        exact = [similarity(text, changed(text, share, seed=2)) for text in texts]
        assert np.abs(estimates - exact).max() < 0.12
        found.append(int((bucket[:20] == bucket[20:]).any(axis=1).sum()))
    assert found[0] == 20
    assert found[1] < 5


def test_copies_are_found_over_shards_and_the_longest_is_kept(tmp_path: Path) -> None:
    texts = library(12)
    same, near = texts[0], changed(texts[1], 0.02, seed=3)
    shards = [[python(text, n) for n, text in enumerate(texts)], [python(same, "same"), python(near, "near")]]
    copies = copies_of(tmp_path, shards)
    exact, alike = sorted(copies.items(), key=lambda item: -item[1][1])
    assert {exact[0], exact[1][0]} == {0, 12}
    assert exact[1][1] == 1
    longer = 1 if len(texts[1]) > len(near) else 13
    assert alike[1][0] == longer
    assert alike[0] == 14 - longer
    assert alike[1][1] == pytest.approx(similarity(texts[1], near))


def test_threads_and_worker_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = library(12)
    shards = [[python(changed(text, share, seed=n), n) for n, text in enumerate(texts)] for share in (0, 0.01, 0.02)]
    two, found = EngineConfig(kind="local", workers=2, address="", nodes=0), []
    for way in ("threads", "processes"):
        (tmp_path / way).mkdir()
        found.append(copies_of(tmp_path / way, shards, engine=two))
        monkeypatch.setattr("snowcoder.stages.steps._LITTLE", 0)
    assert found[0] == found[1]
    assert 20 <= len(found[0]) <= 24  # of both changed shards; one or two small files are no longer alike


def test_only_files_of_one_language_are_compared(tmp_path: Path) -> None:
    text = library(1)[0]
    other = python(changed(text, 0.02, seed=4), "other")._replace(language="Cython")
    assert copies_of(tmp_path, [[python(text, 0), other]]) == {}


def test_short_files_are_only_compared_exactly(tmp_path: Path) -> None:
    """BigCode's scripts give all of them one signature, and keep one."""
    short = [python(f"x = {number}\n", number) for number in range(5)]
    assert is_short(tokens(short[0].content), NEAR)
    copies = copies_of(tmp_path, [[*short, python("x = 3\n", "again")]])
    assert len(copies) == 1
    assert {*copies, *(better for better, _ in copies.values())} == {3, 5}


def test_a_chain_does_not_swallow_the_innocent() -> None:
    """Each is like the next; the first and the third are not, nor the second and the fourth."""
    chain = [Alike(0.8, number, number + 1, number + 1) for number in range(3)]
    assert [pair.worse for pair in resolve(chain)] == [1, 3]


def test_precision_and_recall_against_all_pairs(tmp_path: Path) -> None:
    """By the Jaccard of all pairs: every copy is one of a file that is kept, and few that are alike are both kept."""
    draw, texts = random.Random(5), library(30)
    texts += [changed(draw.choice(texts), draw.uniform(0, 0.12), seed) for seed in range(90)]
    copies = copies_of(tmp_path, [[python(text, n) for n, text in enumerate(texts[at::3])] for at in range(3)])
    order = [*itertools.chain(*(range(at, len(texts), 3) for at in range(3)))]
    kept = [n for n in range(len(texts)) if n not in copies]
    for copy, (better, found) in copies.items():
        assert better in kept or found == 1
        assert found == pytest.approx(similarity(texts[order[copy]], texts[order[better]]))
        assert found >= 0.7
    alike = [similarity(texts[order[a]], texts[order[b]]) for a, b in itertools.combinations(kept, 2)]
    assert len(copies) > 40
    # 25 bands of 10 rows find half of the pairs at 0.7, 94% at 0.8, all but 1 in 60,000 at 0.9.
    assert not any(found >= 0.9 for found in alike)
    assert sum(found >= 0.7 for found in alike) < 0.1 * len(copies)


def repository_copies(folder: Path, shards: list[list[Document]]) -> dict[int, tuple[int, float]]:
    """Copy -> (what it is a copy of, similarity), by the repositories' ids."""
    config = corpus_config(folder, near=NEAR.model_copy(update={"level": "repository"}))
    records, filtered = [], folder / "filtered"
    filtered.mkdir()
    for shard, documents in enumerate(shards):
        name, signatures = f"shard-{shard:05d}{SIGNATURES}", RepositorySignatures(config.near)
        with pq.ParquetWriter(filtered / name, signatures.schema) as writer:
            for first in range(0, len(documents), 2):
                signatures.write(writer, documents[first : first + 2], range(2))
            signatures.close(writer)
        rows, tables = RowCounts(len(documents), len(documents)), {name: count_rows(filtered / name)}
        records.append(Record(f"shard-{shard:05d}", "", describe_outputs(filtered, [name]), {}, 1, rows, tables))
    copies, _ = find_copies(config, filtered, records)
    return {row["id"]: (row["better"], row["similarity"] or 1) for row in copies.read(COPIES).to_pylist()}


def test_a_repository_is_a_copy_as_a_whole_however_its_files_are_named_and_spread(tmp_path: Path) -> None:
    texts, draw = library(16), random.Random(7)
    ours = [Document(text, "ours", f"{n}.py", "Python", ()) for n, text in enumerate(texts[:8])]
    fork = [Document(changed(text, 0.03, n), "fork", f"src/{n}.py", "Python", ()) for n, text in enumerate(texts[:8])]
    mirror = [d._replace(repository="mirror", path=f"m/{d.path}") for d in ours]
    half = [Document(text, "half", f"{n}.py", "Python", ()) for n, text in enumerate(texts[:4] + texts[8:])]
    unknown = [Document(texts[0], "", "a.py", "Python", ()), Document(texts[1], "", "b.py", "Python", ())]
    documents = [*ours, *fork, *mirror, *half, *unknown]
    draw.shuffle(documents)
    copies = repository_copies(tmp_path, [documents[at::3] for at in range(3)])
    number = {d.repository: repository_id(d) for d in documents if d.repository}
    assert sorted(copies) == sorted(set(number.values()) - {number["half"], *_kept(copies)})
    assert len(copies) == 2
    assert {round(similarity) for _, similarity in copies.values()} == {1}
    joined = ["\n".join(d.content for d in each) for each in (ours, fork)]
    near = min(similarity for _, similarity in copies.values())
    assert near == pytest.approx(similarity(*joined), abs=0.1)


def _kept(copies: dict[int, tuple[int, float]]) -> set[int]:
    return {better for better, _ in copies.values()} - set(copies)


def test_a_second_run_does_nothing_and_a_changed_threshold_does(tmp_path: Path) -> None:
    texts = library(4)
    documents = [python(text, n) for n, text in enumerate([*texts, changed(texts[0], 0.06, seed=6)])]
    assert len(copies_of(tmp_path, [documents])) == 1
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()}
    (tmp_path / "filtered").rename(tmp_path / "before")
    assert len(copies_of(tmp_path, [documents])) == 1
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()} == files
    (tmp_path / "filtered").rename(tmp_path / "again")
    assert not copies_of(tmp_path, [documents], near=NEAR.model_copy(update={"threshold": 0.99}))
