"""A selection: the right files by made-up scores, and the very tokens that encoding them would give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from snowcoder.annotation import copy_selected, select, selectable_files
from snowcoder.annotation.code_files import files_of_batch
from snowcoder.annotation.scores import SCORES, SUFFIX
from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, UserError
from snowcoder.index import build, verify
from snowcoder.index.layout import join_texts, texts_of
from snowcoder.index.reader import IndexedSource
from snowcoder.lineage.manifest import Manifest, find_manifest
from snowcoder.mixture.file_table import FileTable, write_files
from snowcoder.stages.lock import ALL, Busy, build_lock
from snowcoder.storage.atomic import write_json
from snowcoder.storage.shards import Files, read_shard
from snowcoder.tokenization.encoders import build_encoder
from snowcoder.tokenization.load import load_tokenizer
from tests.read_keys import noting
from tests.tiny import snowcoder, tiny_overrides

SHARDS, DOCUMENTS = 3, 30
AGAIN = ["+index.sources.again.selection_of=raw", "+index.sources.again.shards=nowhere"]
LOSSY = ["+index.sources.lossy.selection_of=raw", "+index.sources.lossy.shards=nowhere", "corpus.engine.workers=1"]


def write_raw(folder: Path) -> None:
    """Documents of one to five files, a few of them of no known repository."""
    draw = np.random.default_rng(3)
    folder.mkdir()
    for shard in range(SHARDS):
        rows = []
        for number in range(DOCUMENTS):
            texts = [
                "".join(f"{draw.choice(['x', 'zeta'])} = {draw.integers(999)}\n" for _ in range(draw.integers(1, 30)))
                for _ in range(draw.integers(1, 6))
            ]
            rows.append(
                {
                    "content": "".join(texts),
                    "repo_name": "" if number % 10 == 9 else f"owner/r{shard}.{number}",
                    "path": "0.py",
                    "language": str(draw.choice(["Python", "C", ""], p=[0.6, 0.3, 0.1])),
                    "file_paths": [f"{n}.py" for n in range(len(texts))],
                    "file_lengths": [len(text) for text in texts],
                }
            )
        pq.write_table(pa.Table.from_pylist(rows), folder / f"part-{shard}.parquet")


def write_scores(config: Config, seed: int = 1) -> None:
    """A random score for every file, with ties."""
    folder, draw = Path(config.annotator.score.dir), np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for number, path in enumerate(sorted(Path(config.index.sources["raw"].shards).glob("*.parquet"))):
        rows = []
        for batch in read_shard(path, path.name, config.index.columns, 1 << 30):
            for document in files_of_batch(batch):
                digest = xxhash.xxh3_128_digest(document.content.encode())
                for file, each in enumerate(document.files):
                    score = float(draw.integers(0, 40)) / 40
                    names = {"repository": each.repository, "path": each.path, "language": each.language}
                    size = {"characters": len(each.content), "score": score}
                    rows.append({"content_hash": digest, "file": file, **names, **size})
        pq.write_table(pa.Table.from_pylist(rows, SCORES), folder / f"shard-{number:05d}{SUFFIX}")
    Manifest("annotate score", {"seed": seed}, {}, {}, []).write(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    folder = tmp_path_factory.mktemp("select")
    write_raw(folder / "raw")
    build.run(configure(folder, workspace), "raw")
    write_scores(configure(folder, workspace))
    return folder


def configure(folder: Path, workspace: Path, *more: str) -> Config:
    return load_config(overrides(folder, workspace, *more))


def overrides(folder: Path, workspace: Path, *more: str) -> list[str]:
    places = [
        f"tokenizer.dir={workspace}/tokenizer",
        f"index.sources.raw.shards={folder}/raw",
        "index.sources.selected.selection_of=raw",
        "index.held_out=0.2",
        f"annotator.score.dir={folder}/scores",
        "annotator.select.tokens=6000",
    ]
    return tiny_overrides(folder, *places, *more)


def chosen_by_hand(config: Config) -> set[tuple[bytes, int]]:
    """(document, file) of what should be selected, by sorting all files of a language in memory."""
    index, files = IndexedSource(Path(config.index.dir) / "raw"), []
    held_out = IndexedSource(Path(config.index.dir) / "raw", "held_out")
    tokens: dict[tuple[bytes, int], int] = {}
    train: dict[bytes, int] = {}
    for split, source in (("train", index), ("held_out", held_out)):
        for prefix in source.prefixes:
            for row in pq.read_table(prefix.with_suffix(".docs.parquet")).to_pylist():
                begins = row["files"] or [0]
                ends = [*begins[1:], row["tokens"]]
                for file, (begin, end) in enumerate(zip(begins, ends, strict=True)):
                    tokens[row["content_hash"], file] = end - begin
                train[row["content_hash"]] = split == "train"
    for number, path in enumerate(sorted(Path(config.annotator.score.dir).glob(f"*{SUFFIX}"))):
        rows: dict[tuple[bytes, int], list[Any]] = {}
        for row in pq.read_table(path).to_pylist():
            file = row["file"] if (row["content_hash"], row["file"]) in tokens else 0
            rows.setdefault((row["content_hash"], file), []).append(row)
        units = [(key, np.float32(np.mean([r["score"] for r in own])), own[0]["language"]) for key, own in rows.items()]
        # The order of the index: the documents to train on, then the held-out ones.
        units.sort(key=lambda unit: not train[unit[0][0]])
        files += [(language, -score, number, place, key) for place, (key, score, language) in enumerate(units)]
    everything = sum(count for key, count in tokens.items() if train[key[0]])
    found: set[tuple[bytes, int]] = set()
    for language in {file[0] for file in files}:
        ranking = sorted(file[1:] for file in files if file[0] == language)
        size = sum(tokens[key] for *_, key in ranking if train[key[0]])
        budget, have, last = round(6000 * size / everything), 0, (0.0, 0, 0)
        for score, shard, place, key in ranking:
            if have < budget and train[key[0]]:
                found.add(key)
                have, last = have + tokens[key], (score, shard, place)
        found |= {key for *order, key in ranking if tuple(order) <= last and not train[key[0]]}
    return found


def documents(config: Config, source: str) -> Iterator[tuple[str, dict[str, Any], np.ndarray]]:
    for split in ("train", "held_out"):
        index = IndexedSource(Path(config.index.dir) / source, split)
        rows = [r for p in index.prefixes for r in pq.read_table(p.with_suffix(".docs.parquet")).to_pylist()]
        for number, row in enumerate(rows):
            yield split, row, index.tokens_of(number, 0, row["tokens"])


def test_its_tokens_are_those_of_encoding_the_best_files(folder: Path, workspace: Path) -> None:
    config = configure(folder, workspace)
    select.run(config)
    chosen, tokenizer = chosen_by_hand(config), load_tokenizer(workspace / "tokenizer")
    encoder = build_encoder("tokenizers", tokenizer)
    expected = []
    for path in sorted((folder / "raw").glob("*.parquet")):
        for batch in read_shard(path, path.name, config.index.columns, 1 << 30):
            for row in files_of_batch(batch):
                digest, apart = xxhash.xxh3_128_digest(row.content.encode()), bool(row.files[0].repository)
                taken = [f for n, f in enumerate(row.files) if (digest, n if apart else 0) in chosen]
                if taken:
                    every = Files([f.path for f in taken], [len(f.content) for f in taken])
                    text = "".join(f.content for f in taken)
                    texts = texts_of(text, taken[0].repository, every)
                    if apart and len(taken) == 1 < len(row.files):  # the name of its repository stays
                        texts = [taken[0].repository, f"{taken[0].path}\n{taken[0].content}"]
                    ids, lengths = encoder.encode_batch(texts)
                    joined = join_texts(ids, lengths, np.array([len(texts)]), tokenizer)
                    expected.append((joined.ids.tolist(), xxhash.xxh3_128_digest(text.encode())))
    found = [(ids.tolist(), row["content_hash"]) for _, row, ids in documents(config, "selected")]
    assert sorted(found) == sorted(expected)
    assert len(found) > 20

    manifest = find_manifest(folder / "index" / "selected")
    assert manifest
    assert manifest.counts["train"]["tokens"] == sum(
        len(ids) for split, _, ids in documents(config, "selected") if split == "train"
    )
    selection = manifest.counts["selection"]
    assert sum(row["share_of_corpus"] for row in selection.values()) == pytest.approx(1)
    for row in selection.values():
        assert row["share"] == pytest.approx(row["share_of_corpus"], abs=0.05)
    verify.run(config)


def test_no_held_out_document_is_selected_to_train_on(folder: Path, workspace: Path) -> None:
    config = configure(folder, workspace)
    select.run(config)
    held_out = {row["repository"] for split, row, _ in documents(config, "raw") if split == "held_out"}
    for split, row, _ in documents(config, "selected"):
        assert (row["repository"] in held_out - {""}) <= (split == "held_out")


def test_where_its_files_begin_is_known_to_the_plan(folder: Path, workspace: Path, tmp_path: Path) -> None:
    """Also where one file is left of several: it lies behind the name of its repository."""
    config = configure(folder, workspace)
    select.run(config)
    index = IndexedSource(folder / "index" / "selected")
    write_files(tmp_path, "selected", index)
    table = FileTable(tmp_path, "selected", index)
    rows = [row for split, row, _ in documents(config, "selected") if split == "train"]
    assert [table.begins(n).tolist() for n in range(len(rows))] == [row["files"] or [0] for row in rows]
    assert any(row["files"] is not None and len(row["files"]) == 1 for row in rows)


def test_a_second_run_does_nothing_and_other_scores_do(
    folder: Path, workspace: Path, tmp_path: Path, capfd: Any
) -> None:
    config = configure(folder, workspace)
    select.run(config)
    before = {path: path.stat().st_mtime_ns for path in (folder / "index" / "selected").rglob("*")}
    capfd.readouterr()
    select.run(config)
    assert "is up to date" in capfd.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (folder / "index" / "selected").rglob("*")} == before
    first = [row["content_hash"] for _, row, _ in documents(config, "selected")]

    write_scores(config, seed=2)
    select.run(config)
    assert [row["content_hash"] for _, row, _ in documents(config, "selected")] != first
    write_scores(config)


def test_what_decides_which_files_are_taken_decides_what_is_made_again(folder: Path, workspace: Path) -> None:
    config = configure(folder, workspace, "annotator.select.source=again", *AGAIN, "corpus.engine.workers=1")
    with noting() as notes:
        select.run(config)
    assert set(notes.arguments) == {selectable_files.Weigh, copy_selected.Copy}
    assert notes.forgotten({}) == []


def test_a_selection_that_a_run_was_trained_on_stays(folder: Path, workspace: Path, tmp_path: Path, capfd: Any) -> None:
    places = [f"run.dir={tmp_path}", f"index.dir={folder}/index"]
    select.run(configure(folder, workspace, *places))
    manifest = find_manifest(folder / "index" / "selected")
    assert manifest
    record = {"inputs": {"index selected": manifest.digest}}
    write_json(tmp_path / "train" / "checkpoints" / "step-00000005" / "COMPLETE.json", record)
    with pytest.raises(UserError, match=r"selected holds the index that the checkpoint .* rests on"):
        select.run(configure(folder, workspace, *places, "annotator.select.tokens=5000"))
    assert find_manifest(folder / "index" / "selected") == manifest
    capfd.readouterr()
    select.run(configure(folder, workspace, *places))
    assert "is up to date" in capfd.readouterr().out


def test_it_is_planned_and_peeked_as_any_index(folder: Path, workspace: Path) -> None:
    select.run(configure(folder, workspace))
    sizes = ["tokens=2048", "global_batch=8", "learning_rate.warmup_steps=1"]
    small = [f"phases.{phase}.{size}" for phase in ("phase1", "phase2") for size in sizes]
    sources = ["~phases.phase3", "~phases.phase2.sources", "phases.phase2.sources={selected:{share:1,max_epochs:9}}"]
    snowcoder("plan", *overrides(folder, workspace, *small, *sources))
    assert json.loads((folder / "plan" / "plan.json").read_text())["phases"][1]["sources"][0]["name"] == "selected"
    assert "owner/r" in snowcoder("index", "peek", "selected", "0", *overrides(folder, workspace)).stdout


def test_two_do_not_weigh_the_same_scores_at_once(folder: Path, workspace: Path) -> None:
    config = configure(folder, workspace, "annotator.select.tokens=900")
    with build_lock(Path(config.annotator.score.dir), ALL), pytest.raises(Busy, match="is being built by"):
        select.run(config)


def test_mistakes_are_named(folder: Path, workspace: Path, tmp_path: Path) -> None:
    before = find_manifest(folder / "index" / "selected")
    with pytest.raises(UserError, match=r"has no manifest.json: run `snowcoder annotate score` first"):
        select.run(configure(folder, workspace, f"annotator.score.dir={tmp_path}"))
    with pytest.raises(UserError, match=r"annotator.select.tokens=1,000,000,000: raw has [\d,]+ tokens to train on"):
        select.run(configure(folder, workspace, "annotator.select.tokens=1e9"))
    assert find_manifest(folder / "index" / "selected") == before  # a mistake costs no finished selection
    other = configure(folder, workspace, f"annotator.score.dir={tmp_path}", "annotator.select.tokens=1000")
    write_scores(other)
    table = pq.read_table(tmp_path / f"shard-00001{SUFFIX}")
    pq.write_table(table.slice(table["file"].to_pylist().index(0, 1)), tmp_path / f"shard-00001{SUFFIX}")
    with pytest.raises(UserError, match=r"are of different documents \(shard-00001\)"):
        select.run(other)
    with pytest.raises(UserError, match=r"selected: a selection, which `snowcoder annotate select` makes"):
        build.run(configure(folder, workspace), "selected")
    with pytest.raises(UserError, match=r"index.sources.raw.selection_of must name the source to select from, one of"):
        select.run(configure(folder, workspace, "annotator.select.source=raw"))


def test_files_that_are_lost_on_the_way_are_missed(
    folder: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(folder, workspace, "annotator.select.source=lossy", *LOSSY)
    write = copy_selected._write
    monkeypatch.setattr(copy_selected, "_write", lambda source, chosen, *more: write(source, chosen[1:], *more))
    with pytest.raises(OperationError, match=r"lossy shard-00000: of \d+ rows \d+ were written and \d+ dropped, "):
        select.run(config)
    monkeypatch.undo()
    units = next((folder / "scores" / "units").glob("*-00001.units.parquet"))
    rows = pq.read_table(units)
    pq.write_table(rows.append_column("more", pa.nulls(len(rows))), units)
    monkeypatch.setattr("snowcoder.stages.steps.Step._is_there", lambda *_: True)  # as if it had the same size
    with pytest.raises(OperationError, match=f"{units} has the columns .*: it was changed .* remove {units} and run"):
        select.run(config)
    units.unlink()
    monkeypatch.undo()
    select.run(config)
