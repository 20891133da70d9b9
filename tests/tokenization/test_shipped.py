"""The tokenizer that ships with snowcoder."""

import json
from pathlib import Path

import pytest

from snowcoder.lineage.manifest import read_manifest
from snowcoder.tokenization.encoders import fastest_encoder
from snowcoder.tokenization.load import Tokenizer, load_tokenizer
from snowcoder.tokenization.special import special_tokens

FOLDER = Path(__file__).parents[2] / "tokenizer" / "snowcoder-64k"


@pytest.fixture(scope="module")
def shipped() -> Tokenizer:
    return load_tokenizer(FOLDER)


def test_it_has_64000_entries(shipped: Tokenizer) -> None:
    assert sorted(shipped.backend.get_vocab().values()) == list(range(64000))
    assert [shipped.decode([number]) for number in range(39)] == special_tokens(32)


def test_real_sources_come_back_at_the_speed_of_the_fast_encoder(shipped: Tokenizer, sources: dict[str, str]) -> None:
    texts = list(sources.values())[:100]
    encoder = fastest_encoder(shipped, texts)
    assert (encoder.name, encoder.rejected) == ("gigatoken", {})
    for text in texts:
        assert shipped.decode(shipped.encode(text)) == text


def test_it_packs_python_well(shipped: Tokenizer, sources: dict[str, str]) -> None:
    texts = list(sources.values())[:100]
    tokens = sum(len(shipped.encode(text)) for text in texts)
    assert sum(len(text.encode()) for text in texts) / tokens > 3.0


def test_its_manifest_vouches_for_every_file() -> None:
    manifest = read_manifest(FOLDER, "snowcoder tokenizer train tokenizer=snowcoder_64k")
    assert manifest.check_files(FOLDER, digests=True) == []
    names = {output.name for output in manifest.outputs} | {"manifest.json"}
    assert {path.name for path in FOLDER.iterdir()} == names
    report = json.loads((FOLDER / "report.json").read_text())
    assert report["vocab_size"] == 64000
    assert len((FOLDER / "sources.txt").read_text().split()) == report["repositories"]
