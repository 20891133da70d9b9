"""Texts are cut where a word ends anyway; a word without end is cut, and its training ends."""

from __future__ import annotations

import random
import re
import time
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from snowcoder.tokenization import byte_bpe, cut
from snowcoder.tokenization.special import special_tokens

ALPHABET = [
    "a",
    "B",
    "é",
    "7",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    "(",
    ";\n",
    "'s",
    "\u00a0",
    "\u2028",
    "\x1c",
    "漢",
    "\u0301",
]


def words(text: str) -> list[str]:
    split = pre_tokenizers.Split(Regex(byte_bpe.PATTERN), "isolated")
    return [word for word, _ in split.pre_tokenize_str(text)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ALPHABET), max_size=80).map("".join))
def test_pieces_have_the_words_of_the_whole(text: str) -> None:
    small = re.compile(cut._PIECE.pattern.replace(str(cut.CHARACTERS), "12"), cut._PIECE.flags)
    pieces = small.findall(text)
    assert "".join(pieces) == text
    assert all(len(piece) <= 12 for piece in pieces)
    ends = list(accumulate(map(len, pieces)))[:-1]
    if all(is_a_place(text[end - 1], text[end]) for end in ends):  # there is not always one in twelve characters
        assert [word for piece in pieces for word in words(piece)] == words(text)


def is_a_place(before: str, after: str) -> bool:
    return not after.isspace() if before == "\n" else after in " \t" and not before.isspace()


def test_a_text_comes_back_whole_in_pieces_that_end_at_lines() -> None:
    text = "def f():\n    return 1\n" * 5000
    pieces = list(cut.cut_texts(["short", text, "", "x" * 20000]))
    assert pieces[0] == "short"
    assert "".join(pieces) == f"short{text}{'x' * 20000}"
    assert all(len(piece) <= cut.CHARACTERS for piece in pieces)
    assert all(piece.endswith(("\n", ":", "f", "n")) for piece in pieces[1:-4])


def test_a_word_without_end_is_learned_from_in_seconds() -> None:
    word = "".join(random.Random(0).choices("acgt", k=1 << 18))
    started = time.process_time()
    tokenizer = byte_bpe.train_byte_bpe(iter([word]), 600, special_tokens(0))
    assert time.process_time() - started < 8  # whole, it takes half a minute
    assert tokenizer.get_vocab_size() == 600
