"""Fast encoders: trusted only where their ids are those of the reference."""

import numpy as np
import pytest

from snowcoder.tokenization import encoders
from snowcoder.tokenization.encoder import Encoded
from snowcoder.tokenization.encoders import CANDIDATES, GigatokenEncoder, fastest_encoder
from snowcoder.tokenization.load import Tokenizer

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
