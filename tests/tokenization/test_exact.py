"""Characters that libraries know from different versions of Unicode."""

import unicodedata

import pytest

from snowcoder.tokenization import byte_bpe
from snowcoder.tokenization.encoders import CANDIDATES, build_encoder
from snowcoder.tokenization.exact import with_new_characters
from snowcoder.tokenization.load import FILE, Tokenizer, load_tokenizer
from snowcoder.tokenization.special import special_tokens

LATEST = "\ua7cf"  # a letter since Unicode 17, which tokenizers takes for a symbol
NEW_TEXTS = [f"x{LATEST}y", f'"{LATEST}",\n', "\U000323b0\U000323b1 = 1", "\U0010fffd", "\u0378"]
OLD_TEXTS = ["", "x = 1", "µ 中文 日本 \uf8ff\u2581", "👩‍👩‍👧"]


def test_only_texts_with_unassigned_characters_are_new() -> None:
    texts = [*OLD_TEXTS, *NEW_TEXTS, *OLD_TEXTS]
    assert with_new_characters(texts) == [*range(4, 9)]
    assert with_new_characters([]) == []


def test_unassigned_is_what_python_says() -> None:
    points = [*range(0x20, 0xD800, 7), *range(0xE000, 0x40000, 7)]
    new = {points[number] for number in with_new_characters([chr(point) for point in points])}
    assert new == {point for point in points if unicodedata.category(chr(point)) == "Cn"}


@pytest.fixture(scope="module")
def merging(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A tokenizer with a merge of the last byte of LATEST and the quote behind it."""
    folder = tmp_path_factory.mktemp("merging")
    symbols = [chr(point) for point in range(0x218F, 0x2800, 0x40)]  # their last byte is that too
    texts = (f'{symbol}",\n' for symbol in symbols * 9)
    byte_bpe.train_byte_bpe(texts, 320, special_tokens(0)).save(str(folder / FILE))
    return load_tokenizer(folder)


@pytest.mark.parametrize("name", CANDIDATES)
def test_ids_are_the_references_for_new_characters_too(merging: Tokenizer, name: str) -> None:
    texts = [*OLD_TEXTS, *NEW_TEXTS, *OLD_TEXTS]
    ids, lengths = build_encoder(name, merging).encode_batch(texts)
    expected = [merging.encode(text) for text in texts]
    assert lengths.tolist() == [len(document) for document in expected]
    assert ids.tolist() == [number for document in expected for number in document]


def test_without_this_care_they_would_differ(merging: Tokenizer) -> None:
    ids, _ = CANDIDATES["gigatoken"](merging).encode_batch(NEW_TEXTS[:2])
    assert ids.tolist() != [number for text in NEW_TEXTS[:2] for number in merging.encode(text)]
