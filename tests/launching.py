"""A config small enough to start ranks in tests, and a tokenizer to go with it."""

import json
import sysconfig
from pathlib import Path

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.tokenization import byte_bpe
from snowcoder.tokenization.load import FILE
from snowcoder.tokenization.special import END_OF_TEXT, FIM_PAD, special_tokens

VOCAB_SIZE = 500  # padded to 512


def tiny_config(folder: Path, *overrides: str) -> Config:
    """A run in `folder`/run of a Llama with 4 layers of 64, on one CPU thread a rank; `overrides` have the last word."""
    return load_config(
        [
            "model=tiny",
            "precision=fp32",
            "checkpoint=sync",
            f"run.dir={folder / 'run'}",
            f"tokenizer.dir={folder / 'tokenizer'}",
            f"tokenizer.vocab_size={VOCAB_SIZE}",
            "model.vocab_size=${tokenizer.vocab_size}",
            "model.hidden=64",
            "model.ffn=96",
            "model.sequence_length=64",
            "launch.threads=1",
            "parallel=single",
            *overrides,
        ]
    )


def write_tokenizer(folder: Path) -> Path:
    """A tokenizer folder of `VOCAB_SIZE` entries, trained on the standard library."""
    folder.mkdir(parents=True)
    texts = (path.read_text(errors="ignore") for path in Path(sysconfig.get_path("stdlib"), "json").glob("*.py"))
    byte_bpe.train(texts, VOCAB_SIZE, special_tokens(4)).save(str(folder / FILE))
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_TEXT, "pad_token": FIM_PAD}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder
