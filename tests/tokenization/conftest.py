"""A tokenizer of each algorithm, trained by the command on sources of the standard library."""

import gzip
import json
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from snowcoder.cli import main
from snowcoder.tokenization.load import Tokenizer, load_tokenizer

VOCAB_SIZE = 3000
Train = Callable[..., Tokenizer]


@pytest.fixture(scope="session")
def sources() -> dict[str, str]:
    """Path -> text of some 3 MB of the standard library."""
    root, found = Path(sysconfig.get_path("stdlib")), {}
    for path in sorted(root.glob("[a-z]*/*.py")):
        text = path.read_bytes().decode(errors="ignore")
        if text and "site-packages" not in path.parts:
            found[str(path.relative_to(root))] = text
        if sum(map(len, found.values())) > 3_000_000:
            break
    return found


def write_shard(path: Path, documents: Iterable[tuple[str, str | None]]) -> None:
    """A shard of paths and texts; the first part of the path is the repository."""
    rows = [
        {"content": text, "repo_name": name.split("/")[0], "path": name, "language": "Python"}
        for name, text in documents
    ]
    lines = [json.dumps({**row, "detected_licenses": ["PSF-2.0"]}) + "\n" for row in rows]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


@pytest.fixture(scope="session")
def shards(sources: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    documents = list(sources.items())
    write_shard(folder / "part-0.jsonl.gz", documents[::2])
    write_shard(folder / "part-1.jsonl.gz", documents[1::2])
    return folder


@pytest.fixture
def shard_of(tmp_path: Path) -> Callable[[Iterable[tuple[str, str | None]]], Path]:
    """Write documents as the one shard of a folder."""

    def write(documents: Iterable[tuple[str, str | None]]) -> Path:
        write_shard(tmp_path / "one" / "part.jsonl.gz", documents)
        return tmp_path / "one"

    return write


@pytest.fixture(scope="session")
def train(shards: Path) -> Train:
    """Run `snowcoder tokenizer train` into a folder, with overrides, and load what it made."""

    def run(folder: Path, *overrides: str) -> Tokenizer:
        size = [f"tokenizer.vocab_size={VOCAB_SIZE}", "model.vocab_size=${tokenizer.vocab_size}"]
        places = [f"tokenizer.shards={shards}", f"tokenizer.dir={folder}"]
        main(["tokenizer", "train", *places, *size, "tokenizer.spare_tokens=4", *overrides])
        return load_tokenizer(folder)

    return run


@pytest.fixture(scope="session")
def byte_bpe(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return train(tmp_path_factory.mktemp("byte_bpe"))


@pytest.fixture(scope="session")
def sentencepiece_bpe(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return train(tmp_path_factory.mktemp("sentencepiece"), "tokenizer=sentencepiece")


@pytest.fixture(params=["byte_bpe", "sentencepiece_bpe"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return request.getfixturevalue(request.param)
