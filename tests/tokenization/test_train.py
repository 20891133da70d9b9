"""`snowcoder tokenizer train`: size, determinism, the sample, the folder it writes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.lineage.manifest import read_manifest
from snowcoder.storage.digest import digest_file
from snowcoder.tokenization.load import Tokenizer
from snowcoder.tokenization.training_text import HELD_OUT, TrainingText

Train = Callable[..., Tokenizer]
ShardOf = Callable[..., Path]


def sample_of(shards: Path, *overrides: str) -> TrainingText:
    return TrainingText(load_config([f"tokenizer.shards={shards}", *overrides]))


def test_the_vocabulary_has_exactly_the_size_asked_for(tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.backend.get_vocab()
    assert tokenizer.vocab_size == len(vocabulary) == 3000
    assert sorted(vocabulary.values()) == list(range(3000))


@pytest.mark.parametrize("algorithm", ["byte_bpe", "sentencepiece"])
def test_too_little_text_is_an_error_that_says_how_far_it_goes(
    train: Train,
    shard_of: ShardOf,
    tmp_path: Path,
    algorithm: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shards = shard_of([("r/a.py", "def answer():\n    return 42\n" * 9)])
    with pytest.raises(SystemExit) as end:
        train(tmp_path / "out", f"tokenizer={algorithm}", f"tokenizer.shards={shards}")
    message = capsys.readouterr().err
    assert end.value.code == 2
    reached = int(message.split("is enough for ")[1].split()[0])
    assert 267 < reached < 330
    assert f"set tokenizer.vocab_size={reached} or less" in message
    assert not (tmp_path / "out" / "tokenizer.json").exists()


def test_a_vocabulary_without_room_for_the_bytes_is_refused(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        train(tmp_path, "tokenizer.vocab_size=350", "tokenizer.spare_tokens=100")
    assert "tokenizer.vocab_size=350: must be at least 364" in capsys.readouterr().err


def test_a_vocabulary_without_room_for_the_characters_is_refused(
    train: Train, shard_of: ShardOf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = shard_of([("r/a.py", "".join(map(chr, range(0x4E00, 0x4F00))) * 3)])
    keys = ["tokenizer=sentencepiece", f"tokenizer.shards={shards}", "tokenizer.vocab_size=320"]
    with pytest.raises(SystemExit) as end:
        train(tmp_path, *keys)
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert "tokenizer.vocab_size=320: SentencePiece cannot train with it" in message


@pytest.mark.parametrize("algorithm", ["byte_bpe", "sentencepiece"])
def test_the_same_shards_make_the_same_bytes(
    shards: Path, tmp_path: Path, algorithm: str, request: pytest.FixtureRequest
) -> None:
    """Two processes with other numbers of threads and other hash seeds, and this one."""
    for threads in ("1", "2"):
        command = [
            sys.executable,
            "-m",
            "snowcoder",
            "tokenizer",
            "train",
            f"tokenizer={algorithm}",
        ]
        keys = ["tokenizer.vocab_size=3000", "model.vocab_size=3000", "tokenizer.spare_tokens=4"]
        places = [f"tokenizer.shards={shards}", f"tokenizer.dir={tmp_path / threads}"]
        environment = os.environ | {"RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        subprocess.run([*command, *keys, *places], env=environment, check=True)
    here = request.getfixturevalue("byte_bpe" if algorithm == "byte_bpe" else "sentencepiece_bpe")
    names = [output.name for output in read_manifest(here.folder, "").outputs]
    assert "tokenizer.json" in names
    for name in names:
        digests = {digest_file(folder / name) for folder in (tmp_path / "1", tmp_path / "2", here.folder)}
        assert len(digests) == 1, name
    manifests = [read_manifest(tmp_path / threads, "") for threads in ("1", "2")]
    assert manifests[0].digest == manifests[1].digest


def test_a_small_sample_takes_the_same_share_of_every_shard(
    sources: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shards = request.getfixturevalue("shards")
    whole, half = sample_of(shards), sample_of(shards, "tokenizer.sample_mib=1")
    all_texts, some_texts = list(whole), list(half)
    assert set(some_texts) < set(all_texts)
    assert 0.8 * 2**20 < half.counts["bytes_trained_on"] <= 2**20
    assert half.counts["bytes_trained_on"] == sum(len(text.encode()) for text in some_texts)
    documents = list(sources.values())
    for part in (documents[::2], documents[1::2]):
        share = sum(len(text) for text in some_texts if text in part) / sum(map(len, part))
        assert share == pytest.approx(2**20 / 3e6, rel=0.25)


def test_held_out_documents_are_never_trained_on(shards: Path, sources: dict[str, str]) -> None:
    sample = sample_of(shards)
    trained_on, held_out = set(sample), set(sample.held_out["Python"])
    assert held_out
    assert not trained_on & held_out
    assert trained_on | held_out == set(sources.values())
    assert len(held_out) < 4 * len(sources) / HELD_OUT


def test_report_and_manifest(byte_bpe: Tokenizer, shards: Path, sources: dict[str, str]) -> None:
    report = json.loads((byte_bpe.folder / "report.json").read_text())
    (row,) = report["languages"]
    held_out = sample_of(shards)
    list(held_out)
    texts = held_out.held_out["Python"]
    assert row["documents"] == len(texts)
    assert row["tokens"] == sum(len(byte_bpe.encode(text)) for text in texts)
    assert 2.5 < row["bytes"] / row["tokens"] < 5
    assert f"| Python | {len(texts)} |" in (byte_bpe.folder / "report.md").read_text()
    manifest = read_manifest(byte_bpe.folder, "")
    assert manifest.counts["documents_read"] == len(sources)
    assert [shard["name"] for shard in manifest.inputs["shards"]] == [
        "part-0.jsonl.gz",
        "part-1.jsonl.gz",
    ]
    assert manifest.inputs["shards"][0]["digest"] == digest_file(shards / "part-0.jsonl.gz")
    assert manifest.check_files(byte_bpe.folder, digests=True) == []
    repositories = (byte_bpe.folder / "sources.txt").read_text().split()
    assert repositories == sorted({name.split("/")[0] for name in sources})
    for name in ("manifest.json", "report.json", "report.md"):
        assert str(shards.parent) not in (byte_bpe.folder / name).read_text()


def test_comparison_with_another_tokenizer(
    train: Train, tmp_path: Path, sentencepiece_bpe: Tokenizer, byte_bpe: Tokenizer
) -> None:
    train(tmp_path / "ours", f"tokenizer.compare_with={sentencepiece_bpe.folder}")
    report = json.loads((tmp_path / "ours" / "report.json").read_text())
    (theirs,) = json.loads((sentencepiece_bpe.folder / "report.json").read_text())["languages"]
    (ours,) = json.loads((byte_bpe.folder / "report.json").read_text())["languages"]
    (both,) = report["languages"]
    assert report["compared_with"] == {"name": sentencepiece_bpe.folder.name, "vocab_size": 3000}
    assert both == {**ours, "peer_tokens": theirs["tokens"]}


def test_nothing_to_compare_with_is_an_error(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train(tmp_path / "out", f"tokenizer.compare_with={tmp_path}")
    assert end.value.code == 2
    assert f"tokenizer.compare_with={tmp_path}" in capsys.readouterr().err


def test_what_is_there_is_not_made_again(
    train: Train, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "tokenizer.sample_mib=1"
    train(tmp_path, small)
    before = (tmp_path / "tokenizer.json").stat().st_mtime_ns
    train(tmp_path, small)
    assert "is up to date" in capsys.readouterr().out
    assert (tmp_path / "tokenizer.json").stat().st_mtime_ns == before
    manifest = (tmp_path / "manifest.json").read_bytes()
    for path in shards.rglob("*.*"):
        path.touch()
    train(tmp_path, small)
    assert "is up to date" in capsys.readouterr().out
    assert (tmp_path / "tokenizer.json").stat().st_mtime_ns == before
    assert (tmp_path / "manifest.json").read_bytes() != manifest  # so that the bytes need not be looked at again
    there = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(SystemExit):
        train(tmp_path, small, "tokenizer.vocab_size=350", "model.vocab_size=350", "tokenizer.spare_tokens=100")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == there
    (tmp_path / "report.md").unlink()
    train(tmp_path, small)
    assert (tmp_path / "report.md").exists()
    assert train(tmp_path, small, "tokenizer.spare_tokens=5").decode([11]) == "<|spare_4|>"


def test_autotokenizer_loads_the_folder_without_snowcoder(tokenizer: Tokenizer, tmp_path: Path) -> None:
    script = r"""
import json, sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
text = "def f(x):\n    return '日本 \u2581' * 12  # <x>\r\n\t  "
ids = tokenizer(text)["input_ids"]
print(json.dumps({
    "ids": ids,
    "round_trip": tokenizer.decode(ids) == text,
    "skipped": tokenizer.decode([0, *ids], skip_special_tokens=True) == text,
    "fast": tokenizer.is_fast,
    "size": len(tokenizer),
    "eos": [tokenizer.eos_token, tokenizer.eos_token_id],
    "pad": [tokenizer.pad_token, tokenizer.pad_token_id],
    "parsed": tokenizer("a<|endoftext|>")["input_ids"][-1],
    "length": tokenizer.model_max_length,
    "ours": [name for name in sys.modules if name.startswith("snowcoder")],
}))
"""
    command = [sys.executable, "-P", "-c", script, str(tokenizer.folder)]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = json.loads(out)
    assert found["round_trip"]
    assert found["skipped"]
    assert found["ids"] == tokenizer.encode("def f(x):\n    return '日本 \u2581' * 12  # <x>\r\n\t  ")
    assert (found["fast"], found["size"], found["parsed"]) == (True, 3000, 0)
    assert (found["eos"], found["pad"]) == (["<|endoftext|>", 0], ["<|fim_pad|>", 4])
    assert (found["length"], found["ours"]) == (8192, [])


def test_dropped_documents_are_counted_by_reason(
    train: Train, shard_of: ShardOf, tmp_path: Path, sources: dict[str, str]
) -> None:
    bad = [("r/none", None), ("r/empty", ""), ("r/long", "x" * 2**20)]
    shards = shard_of([*sources.items(), *bad])
    train(tmp_path, f"tokenizer.shards={shards}", "index.max_document_mib=0.9")
    counts = read_manifest(tmp_path, "").counts
    assert counts["dropped"] == {"no content": 2, "too long": 1}
    assert counts["documents_read"] == len(sources)


@pytest.mark.parametrize("algorithm", ["byte_bpe", "sentencepiece"])
def test_a_corrupt_shard_is_an_error_or_skipped_and_recorded(
    train: Train, shards: Path, tmp_path: Path, algorithm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = tmp_path / "copies"
    shutil.copytree(shards, copies)
    broken = copies / "part-1.jsonl.gz"
    broken.write_bytes(broken.read_bytes()[:100_000])
    places = [f"tokenizer={algorithm}", f"tokenizer.shards={copies}"]
    with pytest.raises(SystemExit) as end:
        train(tmp_path / "out", *places)
    assert end.value.code == 1
    assert "part-1.jsonl.gz is corrupt at byte" in capsys.readouterr().err
    train(tmp_path / "out", *places, "index.on_corrupt_shard=skip", "tokenizer.vocab_size=1000")
    manifest = read_manifest(tmp_path / "out", "")
    assert list(manifest.counts["skipped"]) == ["part-1.jsonl.gz"]
