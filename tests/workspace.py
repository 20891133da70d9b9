"""Fixtures of real stages over a small corpus, made once a session: shards, tokenizer, index."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.tiny import snowcoder, tiny_overrides

SOURCES = {"raw": 240, "selected": 60, "synthetic/python": 60, "synthetic/other": 60}


def write_functions(folder: Path, seed: int, files: int) -> None:
    """Python files that are the same on every machine and Python, unlike anything installed."""
    draw = random.Random(seed)
    words = ["".join(draw.choice("bcdfgklmnprst") + draw.choice("aeiou") for _ in range(3)) for _ in range(400)]
    folder.mkdir(parents=True)
    for number in range(files):
        lines = [f'"""Module {number} of {seed}."""', ""]
        for _ in range(draw.randint(1, 12)):
            name, one, two = (draw.choice(words) for _ in range(3))
            lines += [
                f"def {name}_{draw.randint(0, 99)}({one}, {two}):",
                f"    return {one} + {draw.randint(0, 9)} * {two}",
                "",
            ]
        (folder / f"module_{number:03d}.py").write_text("\n".join(lines))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shards/, tokenizer/ and index/ of the recipe's four sources."""
    folder = tmp_path_factory.mktemp("workspace")
    make_workspace(folder)
    return folder


def make_workspace(folder: Path) -> None:
    for seed, (name, files) in enumerate(SOURCES.items()):
        repository = folder / "repositories" / name
        write_functions(repository, seed, files)
        shards = folder / "shards" / name
        places = [f"corpus.input={shards}", f"corpus.output={folder}/clean"]  # these files are clean as they are
        snowcoder("corpus", "pack", str(repository), *tiny_overrides(folder, *places))
    snowcoder("tokenizer", "train", *tiny_overrides(folder))
    snowcoder("index", "build", *tiny_overrides(folder, "index.held_out=0.1"))


@pytest.fixture(scope="session")
def tiny_tokenizer(workspace: Path) -> Path:
    return workspace / "tokenizer"
