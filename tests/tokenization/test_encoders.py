"""Fast encoders: trusted only where their ids are those of the reference."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snowcoder.tokenization import encoders
from snowcoder.tokenization.encoder import Encoded
from snowcoder.tokenization.encoders import CANDIDATES, GigatokenEncoder, build_encoder, fastest_encoder
from snowcoder.tokenization.load import FILE, Tokenizer, load_tokenizer

PLAIN = [
    "",
    "x",
    "",
    "<|endoftext|> <|fim_pad|>x<|endoftext|>",
    "a\0b \u2581 \uf8ff 日本 👩‍👩‍👧",
    "\r\n  \r\n",
    " " * 999,
]


@pytest.fixture(scope="module")
def documents(sources: dict[str, str]) -> list[str]:
    return [*PLAIN, *list(sources.values())[:100]]


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_encoder_gives_the_reference_ids(byte_bpe: Tokenizer, documents: list[str], name: str) -> None:
    ids, lengths = CANDIDATES[name](byte_bpe).encode_batch(documents)
    expected = [byte_bpe.encode(document) for document in documents]
    assert (ids.dtype, lengths.dtype) == (np.uint32, np.int64)
    assert lengths.tolist() == [len(document) for document in expected]
    assert ids.tolist() == [number for document in expected for number in document]


def test_the_fastest_is_taken(tokenizer: Tokenizer, documents: list[str]) -> None:
    encoder = fastest_encoder(tokenizer, documents)
    assert (encoder.name, encoder.rejected) == ("gigatoken", {})


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}


@pytest.mark.parametrize("pre_tokenizer", [BYTES, {"type": "Sequence", "pretokenizers": [DIGITS, BYTES]}])
def test_tokenizers_of_others(
    tmp_path: Path, byte_bpe: Tokenizer, documents: list[str], pre_tokenizer: dict[str, Any]
) -> None:
    """StarCoder2's and SmolLM2's find digits apart, and lack the bytes that their training data had not."""
    raw = json.loads((byte_bpe.folder / FILE).read_bytes())
    vocabulary = raw["model"]["vocab"]
    for number, byte in enumerate(["\u0104", "\u0106"]):  # as GPT-2's table writes 4 and 6
        vocabulary[f"never {number}"] = vocabulary.pop(byte)
    (tmp_path / FILE).write_text(json.dumps({**raw, "pre_tokenizer": pre_tokenizer}))
    theirs = load_tokenizer(tmp_path)
    texts = [*documents, "a\4b", "in  2024,   3.14 and\n\n 0x1f,  \t7\r\n 8", "\6\4", "½ ²³ Ⅷ  ٣٤  x5"]
    encoder = fastest_encoder(theirs, texts)
    assert encoder.name != "tokenizers"
    for name in {encoder.name, "tiktoken"}:
        ids, lengths = build_encoder(name, theirs).encode_batch(texts)
        expected = [theirs.encode(text) for text in texts]
        assert lengths.tolist() == [len(each) for each in expected]
        assert ids.tolist() == [number for each in expected for number in each]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_nothing_to_encode(byte_bpe: Tokenizer, texts: list[str]) -> None:
    for build in [*CANDIDATES.values(), encoders.HuggingFaceEncoder]:
        ids, lengths = build(byte_bpe).encode_batch(texts)
        assert (ids.dtype, len(ids), lengths.tolist()) == (np.uint32, 0, [0] * len(texts))


class OneWrongId(GigatokenEncoder):
    """Right but for one id of one document."""

    def encode_batch(self, texts: list[str]) -> Encoded:
        ids, lengths = super().encode_batch(texts)
        ids = ids.copy()
        ids[lengths[:50].sum()] += 1
        return ids, lengths


class EndMoved(GigatokenEncoder):
    """The right ids in a row, but a document's last one is counted to the next."""

    def encode_batch(self, texts: list[str]) -> Encoded:
        ids, lengths = super().encode_batch(texts)
        lengths[60] -= 1
        lengths[61] += 1
        return ids, lengths


class OneMissing(GigatokenEncoder):
    def encode_batch(self, texts: list[str]) -> Encoded:
        return super().encode_batch(texts[:-1])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (OneWrongId, "other ids than tokenizers in document 50"),
        (EndMoved, "other ids than tokenizers in document 60"),
        (OneMissing, "encoded 106 documents of 107"),
    ],
)
def test_a_wrong_encoder_is_passed_over(
    byte_bpe: Tokenizer,
    documents: list[str],
    monkeypatch: pytest.MonkeyPatch,
    wrong: type[GigatokenEncoder],
    reason: str,
) -> None:
    monkeypatch.setitem(CANDIDATES, "gigatoken", wrong)
    encoder = fastest_encoder(byte_bpe, documents)
    assert encoder.name == "tiktoken"
    assert reason in encoder.rejected["gigatoken"]


def test_the_reference_is_left_where_no_other_fits(
    sentencepiece_bpe: Tokenizer, documents: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CANDIDATES, "gigatoken", OneWrongId)
    encoder = fastest_encoder(sentencepiece_bpe, documents)
    assert encoder.name == "tokenizers"
    assert "cannot encode with this tokenizer" in encoder.rejected["tiktoken"]
    ids, lengths = encoder.encode_batch(documents)
    assert len(lengths) == len(documents)
    assert ids[-lengths[-1] :].tolist() == sentencepiece_bpe.encode(documents[-1])
