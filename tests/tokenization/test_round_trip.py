"""What any text becomes: ids that give the very same text back."""

import random
import sys
from pathlib import Path

import pytest
import sentencepiece

from snowcoder.errors import UserError
from snowcoder.tokenization.load import Tokenizer, load_tokenizer
from snowcoder.tokenization.special import SPECIAL_TOKENS, special_tokens

NASTY = [
    "",
    " ",
    "\0",
    "a\0b\x01\x7f\x1c\x85",
    "line\r\nline\r\n\r\n\tx  \n\n\n",
    "   leading, trailing   ",
    "\t\t \t  mixed",
    "\u2581",
    " \u2581 \u2581\u2581x\u2581 ",
    "\uf8ff\uf8fd\uf8fe\uf8ff \uf8ff\u2581\uf8fd",
    "\u2585",
    "\ufeffwith a mark",
    "\u0301\u0308 alone, e\u0301 combined, \u00e9 composed",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇭",
    "日本語のコメント العربية हिन्दी İıſK",
    "\u00a0\u2028\u2029\u3000\u200b",
    "<0x41><unk><s></s>",
    "it's WE'LL can't",
    "\U0010ffff\ud7ff\ue000\ufffe",
]


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_nasty_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_every_character_comes_back(tokenizer: Tokenizer) -> None:
    for first in range(0, sys.maxunicode, 4096):
        text = "".join(chr(c) for c in range(first, first + 4096) if not 0xD800 <= c < 0xE000)
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_random_text_comes_back(tokenizer: Tokenizer) -> None:
    alphabet = "a1 \n\r\t\u2581\uf8ff\uf8fd\uf8fe\0\u0301é日🇨<|>'"
    choose = random.Random(1)
    for _ in range(2000):
        text = "".join(choose.choices(alphabet, k=choose.randrange(24)))
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_real_sources_come_back(tokenizer: Tokenizer, sources: dict[str, str]) -> None:
    for text in list(sources.values())[:60]:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_every_digit_is_a_token_of_its_own(tokenizer: Tokenizer) -> None:
    for token in tokenizer.backend.get_vocab():
        named = token.startswith(("<|", "<0x"))  # special tokens, and bytes as SentencePiece has them
        assert named or len(token) == 1 or not any(c.isdecimal() for c in token), token
    text = "x = 31415.92653 + 0xFF00"
    pieces = [tokenizer.decode([number]) for number in tokenizer.encode(text)]
    digits = [piece for piece in pieces if any(c.isdigit() for c in piece)]
    assert digits == list("3141592653000")


@pytest.mark.parametrize("spaces", [4, 8, 12, 16])
def test_indentation_takes_at_most_two_tokens(tokenizer: Tokenizer, spaces: int) -> None:
    bare = len(tokenizer.encode("\n\nreturn"))
    assert len(tokenizer.encode("\n\n" + " " * spaces + "return")) <= bare + 2


def test_special_tokens_are_the_first_ids(tokenizer: Tokenizer) -> None:
    ids = [tokenizer.backend.token_to_id(token) for token in special_tokens(4)]
    assert ids == list(range(11))
    assert tokenizer.end_of_text == 0
    assert tokenizer.decode([0, 1]) == "<|endoftext|><|fim_prefix|>"


def test_a_document_never_becomes_a_special_token(tokenizer: Tokenizer) -> None:
    text = " ".join(special_tokens(4)) + "".join(special_tokens(4)) + "x<|endoftext|>"
    ids = tokenizer.encode(text)
    assert min(ids) >= 11
    assert tokenizer.decode(ids) == text


def test_ids_are_those_of_sentencepiece_itself(sentencepiece_bpe: Tokenizer, sources: dict[str, str]) -> None:
    model = str(sentencepiece_bpe.folder / "tokenizer.model")
    original = sentencepiece.SentencePieceProcessor(model_file=model)
    assert original.get_piece_size() == sentencepiece_bpe.vocab_size
    for text in sources.values():
        assert "\u2581" in text or original.encode(text) == sentencepiece_bpe.encode(text)


def test_what_is_no_tokenizer_is_refused(tmp_path: Path, byte_bpe: Tokenizer) -> None:
    with pytest.raises(UserError, match="is not there"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="is not a tokenizer"):
        load_tokenizer(tmp_path)
    with_other_names = (byte_bpe.folder / "tokenizer.json").read_text().replace("fim_pad", "padding")
    (tmp_path / "tokenizer.json").write_text(with_other_names)
    with pytest.raises(UserError, match=r"lacks the special tokens <\|fim_pad\|>"):
        load_tokenizer(tmp_path)
    assert "<|fim_pad|>" in SPECIAL_TOKENS
