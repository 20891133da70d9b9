"""A BERT of a few thousand weights, and files that it can learn to tell apart."""

from __future__ import annotations

import os
import shutil
import string
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from tests.tiny import tiny_overrides

os.environ["OMP_NUM_THREADS"] = "1"  # of commands; two threads of so small a model wait for each other
torch.set_num_threads(1)

GOOD, OTHER = "explain", "shuffle"  # a word that good files have, and one that others have
SHARDS = 2


def code(draw: np.random.Generator, share: float) -> str:
    """A file of which a share of the lines have the good word."""
    words = draw.choice([GOOD, OTHER], draw.integers(4, 9), p=[share, 1 - share])
    return "".join(f"f{draw.integers(99)} = {word}(x, {draw.integers(99)})\n" for word in words)


def write_files(folder: Path, texts: list[list[str]], **columns: list[str]) -> None:
    """A shard with a document for each list of files."""
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    rows = [
        {
            "content": "".join(files),
            "repo_name": f"owner/{folder.name}-{number}-{row}",
            "path": "0.py",
            "language": "Python",
            "file_paths": [f"{n}.py" for n in range(len(files))],
            "file_lengths": [len(text) for text in files],
            **{name: values[row] for name, values in columns.items()},
        }
        for row, files in enumerate(texts)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / f"part-{number}.parquet")


def write_corpus(folder: Path) -> None:
    """`raw`: documents of three files, more or less good; `good`: good ones; `labelled`: all sorts, with a label."""
    draw = np.random.default_rng(5)
    for _ in range(SHARDS):
        shares = draw.choice([0, 0.2, 0.4, 0.6, 0.8], (40, 3))
        write_files(folder / "raw", [[code(draw, share) for share in row] for row in shares])
    (folder / "one").mkdir()
    shutil.copy(next((folder / "raw").iterdir()), folder / "one")  # a single shard, for which no worker is started
    write_files(folder / "good", [[code(draw, 1)] for _ in range(120)])
    shares = draw.choice([0, 0.5, 1], 120)
    labels = [str(1 + 3 * share) for share in shares]
    write_files(folder / "labelled", [[code(draw, share)] for share in shares], score=labels)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("annotator-files")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    characters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", GOOD, OTHER, *characters, *(f"##{c}" for c in characters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def overrides(folder: Path, files: Path, encoder: Path, *more: str) -> list[str]:
    places = [
        f"annotator.encoder.name={encoder}",
        "annotator.encoder.tokens=48",
        "annotator.encoder.train=all",
        "annotator.sections.characters=120",
        f"index.sources.raw.shards={files}/raw",
        "~annotator.positives",
        f"annotator.positives={{good:{{shards:'{files}/good',files:120}}}}",
        "annotator.negatives.files=120",
        "annotator.train.epochs=6",
        "annotator.train.batch=16",
        "annotator.train.learning_rate=2e-3",
        "annotator.train.held_out=0.2",
    ]
    return tiny_overrides(folder, *places, *more)


def configure(folder: Path, files: Path, encoder: Path, *more: str) -> Config:
    return load_config(overrides(folder, files, encoder, *more))
