"""A real index of documents of one and of several files, and what fill-in-the-middle made of a file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config, FimConfig
from snowcoder.index import build
from snowcoder.index.fim import Fim
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.mixture.samples import SampleReader
from snowcoder.planning import plan
from snowcoder.tokenization import byte_bpe
from snowcoder.tokenization.encoders import build_encoder
from snowcoder.tokenization.load import FILE, Tokenizer, load_tokenizer
from snowcoder.tokenization.special import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, special_tokens

VOCAB_SIZE = 450  # as many entries as there is text for
WORDS = (
    *("def", "return", "import", "class", "self", "value", "index", "==", "µ", "中文", "🐍", "café", "<|fim_middle|>"),
    *("\t", "\r\n", "\n", "\n", "\n", "", "", "", ""),
)
ON = FimConfig(rate=0.5, spm=0.5, slack=8, longest=4096)


def code(draw: random.Random, words: int) -> str:
    return "".join(draw.choice(WORDS) + draw.choice(["", " ", "_"]) for _ in range(words))


def rows() -> list[dict[str, Any]]:
    """40 documents: half of them one file, the others two to five of a repository."""
    draw = random.Random(0)
    found = []
    for number in range(40):
        files = [code(draw, draw.randint(1, 60)) or "x" for _ in range(1 if number % 2 else draw.randint(2, 5))]
        found.append(
            {
                "content": "".join(files),
                "repo_name": f"me/{number}",
                "path": "0.py",
                "language": "Python",
                "detected_licenses": "MIT",
                "file_paths": [f"{n}.py" for n in range(len(files))],
                "file_lengths": [len(text) for text in files],
            }
        )
    return found


def train_tokenizer(folder: Path) -> Tokenizer:
    texts = iter([row["content"] for row in rows()])
    byte_bpe.train_byte_bpe(texts, VOCAB_SIZE, special_tokens(4)).save(str(folder / FILE))
    return load_tokenizer(folder)


def configure(folder: Path, *more: str) -> Config:
    """A config over the index in `folder`/index, with a plan of its own in `folder`/plan."""
    return load_config(
        [
            *("parallel=single", "~phases.phase2", "~phases.phase3", "~index.sources"),
            *(f"+index.sources.raw.shards={folder}/shards", f"run.dir={folder}", f"tokenizer.dir={folder}"),
            *(f"{part}.vocab_size={VOCAB_SIZE}" for part in ("tokenizer", "model")),
            *("index.held_out=0.1", "index.workers=1"),
            *("phases.phase1.tokens=10240", "phases.phase1.sequence_length=32", "phases.phase1.global_batch=8"),
            *("phases.phase1.sources.raw.max_epochs=99", "phases.phase1.learning_rate.warmup_steps=0"),
            *more,
        ]
    )


def make_index(folder: Path) -> None:
    (folder / "shards").mkdir()
    for number in range(2):
        pq.write_table(pa.Table.from_pylist(rows()[number::2]), folder / "shards" / f"part-{number}.parquet")
    train_tokenizer(folder)
    build.run(configure(folder))


def open_plan(config: Config) -> SampleReader:
    """Write the plan of `config` as `snowcoder plan` does, and open it."""
    plan.run(config)
    folder = Path(config.plan.dir)
    return SampleReader(load_plan(folder), folder, Path(config.index.dir), load_tokenizer(Path(config.tokenizer.dir)))


def make_fim(tokenizer: Tokenizer, encoder: str = "tokenizers", **changes: Any) -> Fim:
    return Fim(ON.model_copy(update=changes), tokenizer, build_encoder(encoder, tokenizer))


def mode_of(ids: np.ndarray, tokenizer: Tokenizer) -> str:
    """PSM, SPM or, of a file that was left alone, nothing. A prefix is never empty in these tests."""
    if ids[0] != tokenizer.special(FIM_PREFIX):
        return ""
    return "SPM" if ids[1] == tokenizer.special(FIM_SUFFIX) else "PSM"


def parts_of(ids: np.ndarray, tokenizer: Tokenizer) -> tuple[str, str, str]:
    """What stands after each sentinel of a transformed file, the token that ends it left out."""
    ids = ids[:-1]
    at = [int(np.flatnonzero(ids == tokenizer.special(name))[0]) for name in (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE)]
    assert sum(np.isin(ids, [tokenizer.special(name) for name in (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE)])) == 3
    one, two, three = np.split(ids, at[1:])
    first, second, third = (tokenizer.decode(part[1:].tolist()) for part in (one, two, three))
    return first, second, third


def restore(ids: np.ndarray, tokenizer: Tokenizer) -> str:
    """The text of a file, transformed or not."""
    if not mode_of(ids, tokenizer):
        return tokenizer.decode(ids[:-1].tolist())
    prefix, suffix, middle = parts_of(ids, tokenizer)
    return prefix + middle + suffix  # of SPM the first is empty, and the last begins with the prefix
