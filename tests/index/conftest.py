"""Real source code as shards, a small tokenizer, and configs that point to them."""

import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from index_helpers import write_shard

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.tokenization import byte_bpe
from snowcoder.tokenization.load import FILE, Tokenizer, load_tokenizer
from snowcoder.tokenization.special import special_tokens

VOCAB_SIZE = 1024
SHARDS = 6


@pytest.fixture(scope="session")
def rows() -> list[dict[str, str]]:
    """Distinct files of the standard library, some with text that is not ASCII."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    files += sorted(Path(sysconfig.get_path("stdlib"), "encodings").glob("*.py"))
    contents = {path.read_text(encoding="utf-8", errors="ignore"): path for path in files}
    contents["# <|endoftext|> spelled out, 12345 µ 中文 🐍\r\n\tx = 1"] = Path("odd/odd.py")
    return [
        {
            "content": content,
            "repo_name": path.parent.name,
            "path": path.name,
            "language": "Python" if number % 3 else "Cython",
            "detected_licenses": "PSF-2.0",
        }
        for number, (content, path) in enumerate(contents.items())
        if 0 < len(content) < 10_000
    ]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    texts = (row["content"] for row in rows[::8])
    byte_bpe.train_byte_bpe(texts, VOCAB_SIZE, special_tokens(4)).save(str(folder / FILE))
    return load_tokenizer(folder)


@pytest.fixture
def shards(tmp_path: Path, rows: list[dict[str, str]]) -> Path:
    """A folder with the rows in six parquet shards."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(SHARDS):
        write_shard(folder / f"part-{number}.parquet", rows[number::SHARDS])
    return folder


@pytest.fixture
def overrides(tmp_path: Path, shards: Path, tokenizer: Tokenizer) -> list[str]:
    """Words of the command line for an index of one source, `raw`, in `tmp_path`/index."""
    return [
        "~phases.phase2",
        "~phases.phase3",
        "~index.sources",
        f"+index.sources.raw.shards={shards}",
        f"index.dir={tmp_path / 'index'}",
        "index.held_out=0.1",
        "index.workers=2",
        f"tokenizer.dir={tokenizer.folder}",
        f"tokenizer.vocab_size={VOCAB_SIZE}",
        f"model.vocab_size={VOCAB_SIZE}",
    ]


@pytest.fixture
def configure(overrides: list[str]) -> Callable[..., Config]:
    """Composes a config: `configure("index.held_out=0")`."""

    def compose(*more: str) -> Config:
        return load_config([*overrides, *more])

    return compose
