"""Killed builds, dead workers, corrupt shards, encoders that lie."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from index_helpers import times, tree, write_shard

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.index import build
from snowcoder.index.documents import by_split
from snowcoder.index.ledger import made_with
from snowcoder.index.pool import index_shards
from snowcoder.index.reader import IndexedSource
from snowcoder.index.shard import Job, ShardIndexer, ShardToIndex
from snowcoder.index.sidecar import read_sidecar
from snowcoder.storage.shards import list_shards
from snowcoder.storage.store import open_store
from snowcoder.tokenization.exact import ExactEncoder
from snowcoder.tokenization.load import Tokenizer

Configure = Callable[..., Config]
Rows = list[dict[str, str]]


def make_job(config: Config, tokenizer: Tokenizer, encoder: str) -> Job:
    return Job(
        folder=Path(config.index.dir) / "raw",
        shards=config.index.sources["raw"].shards,
        tokenizer=tokenizer.folder,
        encoder=encoder,
        made_with=made_with(config.index, tokenizer),
        index=config.index,
        storage=config.storage,
    )


def first_shard(config: Config) -> ShardToIndex:
    store = open_store(config.index.sources["raw"].shards, config.storage)
    return ShardToIndex("shard-00000", list_shards(store)[0], None)


def test_killed_in_the_middle_it_continues_to_the_same_bytes(
    tmp_path: Path, configure: Configure, overrides: list[str], shards: Path, rows: Rows
) -> None:
    for number in range(24):  # more shards than can be done by the time of the kill
        write_shard(shards / f"part-{number}.parquet", rows[number::6])
    records = tmp_path / "index" / "raw" / "records"
    command = [sys.executable, "-m", "snowcoder", "index", "build", *overrides]
    process = subprocess.Popen(command)
    while not list(records.glob("*.json")):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    time.sleep(1)  # its workers notice and end
    finished = times(records)
    assert 0 < len(finished) < 24

    build.run(configure())
    kept = times(records)
    assert {name: kept[name] for name in finished} == finished
    build.run(configure(f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")


def test_a_dead_worker_is_an_error_that_names_its_shard(
    configure: Configure, tokenizer: Tokenizer, shards: Path, rows: Rows
) -> None:
    write_shard(shards / "part-0.parquet", rows * 20)
    config = configure()
    job = make_job(config, tokenizer, "tokenizers")  # slow enough to be killed at work

    def kill_worker() -> None:
        while not list(job.folder.glob("train/.*.tmp")):
            time.sleep(0.01)
        worker = next(p for p in multiprocessing.active_children() if p.pid != os.getpid())
        os.kill(worker.pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill_worker)
    killer.start()
    with pytest.raises(OperationError, match=r"(?s)part-0\.parquet.*exit code -9"):
        list(index_shards(job, [first_shard(config)], 1))
    killer.join()


def test_workers_see_the_folder_and_environment_of_the_caller(
    tmp_path: Path, configure: Configure, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.run(configure())  # the server that forks workers is there from now on
    monkeypatch.chdir(tmp_path)
    build.run(configure("index.sources.raw.shards=shards", "index.dir=elsewhere"))
    assert tree(tmp_path / "elsewhere") == tree(tmp_path / "index")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3000])


def test_a_corrupt_shard_is_an_error_that_names_it(tmp_path: Path, configure: Configure, shards: Path) -> None:
    cut_short(shards / "part-2.parquet")
    with pytest.raises(OperationError, match=r"part-2\.parquet"):
        build.run(configure())
    assert not (tmp_path / "index" / "raw" / "manifest.json").exists()


def test_a_corrupt_shard_is_skipped_and_recorded_where_the_config_says_so(
    tmp_path: Path, configure: Configure, shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_short(shards / "part-2.parquet")
    build.run(configure("index.on_corrupt_shard=skip"))
    index = IndexedSource(tmp_path / "index" / "raw")
    (key, reason), *others = index.manifest.counts["skipped"].items()
    assert "part-2.parquet" in key
    assert "part-2.parquet" in reason
    assert not others
    assert len(index.prefixes) == 5
    assert "skipped" in capsys.readouterr().out
    with pytest.raises(OperationError, match=r"part-2\.parquet"):
        build.run(configure())


def test_ids_outside_the_vocabulary_are_caught(configure: Configure, tokenizer: Tokenizer) -> None:
    class Wrong:
        name = "wrong"
        rejected: dict[str, str] = {}  # noqa: RUF012

        def encode_batch(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
            ids = np.full(len(texts), tokenizer.vocab_size, np.uint32)
            return ids, np.ones(len(texts), np.int64)

    config = configure()
    indexer = ShardIndexer(make_job(config, tokenizer, "gigatoken"))
    indexer.encoder = Wrong()
    with pytest.raises(OperationError, match=f"ids up to {tokenizer.vocab_size}"):
        indexer(first_shard(config))
    assert not tree(Path(config.index.dir))


class Forgetful:
    """An encoder that stops where the reader of files of gigatoken does: at a row without text."""

    name = "forgetful"
    rejected: dict[str, str] = {}  # noqa: RUF012

    def encode_batch(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        count = texts.index("") if "" in texts else len(texts)
        return np.zeros(count, np.uint32), np.ones(count, np.int64)


def test_rows_without_text_are_counted_and_those_after_them_read(
    configure: Configure, tokenizer: Tokenizer, shards: Path, rows: Rows
) -> None:
    texts = [rows[0]["content"], None, "", rows[1]["content"], rows[2]["content"]]
    write_shard(shards / "part-0.parquet", [{**rows[0], "content": text} for text in texts])
    config = configure("index.held_out=0")
    record = ShardIndexer(make_job(config, tokenizer, "gigatoken"))(first_shard(config))
    assert (record.splits["train"]["documents"], record.dropped) == (3, {"no content": 2})
    source = Path(config.index.dir) / "raw" / "train" / "shard-00000"
    assert [row["bytes"] for row in read_sidecar(source).to_pylist()] == [len(t.encode()) for t in texts if t]


def test_an_encoder_that_loses_texts_is_refused(tokenizer: Tokenizer) -> None:
    encoder = ExactEncoder(Forgetful(), tokenizer)
    assert len(encoder.encode_batch(["a", "b"])[1]) == 2
    with pytest.raises(OperationError, match=r"forgetful encoded 1 documents of 3, 1 tokens by their lengths, in 1"):
        encoder.encode_batch(["a", "", "b"])


def test_documents_that_are_lost_on_the_way_are_missed(
    configure: Configure, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowcoder.index.shard.by_split", lambda *arguments: list(by_split(*arguments))[1:])
    config = configure()
    with pytest.raises(OperationError, match=r"index of part-0.parquet: of \d+ rows \d+ were written and 0 dropped"):
        ShardIndexer(make_job(config, tokenizer, "gigatoken"))(first_shard(config))
    assert not list(Path(config.index.dir).rglob("*.json"))


def test_a_sidecar_of_other_documents_is_refused(configure: Configure, tokenizer: Tokenizer) -> None:
    config = configure()
    ShardIndexer(make_job(config, tokenizer, "gigatoken"))(first_shard(config))
    prefix = Path(config.index.dir) / "raw" / "train" / "shard-00000"
    path, rows = prefix.with_suffix(".docs.parquet"), read_sidecar(prefix)
    tokens = rows.schema.get_field_index("tokens")
    for changed, message in [
        (rows.slice(1), "rows, and .*shard-00000.idx"),
        (rows.set_column(tokens, "tokens", rows["tokens"].cast("int64")), "has other columns than"),
        (rows.drop_columns("tokens"), "cannot be read|has other columns than"),
    ]:
        pq.write_table(changed, path)
        with pytest.raises(OperationError, match=f"{path}.*({message}).*remove it and run `snowcoder index build`"):
            read_sidecar(prefix, ["tokens", "files"])
