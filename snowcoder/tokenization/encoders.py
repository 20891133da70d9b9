"""Encode many documents as fast as a library can whose ids were checked equal to the reference.

Hugging Face tokenizers (some 1 MB/s) is the reference. gigatoken (100 MB/s and more) and tiktoken
(10 MB/s) know only certain tokenizers, so each is tried on a sample of the very data first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gigatoken
import numpy as np
import tiktoken
from tokenizers.pre_tokenizers import ByteLevel

from snowcoder.tokenization.encoder import Encoded, Encoder
from snowcoder.tokenization.exact import ExactEncoder
from snowcoder.tokenization.load import FILE, Tokenizer


def fastest_encoder(tokenizer: Tokenizer, sample: list[str]) -> Encoder:
    """The fastest encoder that gives the reference's ids for every document of `sample`."""
    reference = HuggingFaceEncoder(tokenizer)
    expected = reference.encode_batch(sample)
    rejected: dict[str, str] = {}
    for name in CANDIDATES:
        try:
            encoder = build_encoder(name, tokenizer)
            problem = _difference(encoder.encode_batch(sample), expected)
        except Exception as error:  # whatever a library makes of a tokenizer it does not know
            problem = f"cannot encode with this tokenizer: {error!r}"
        if problem is None:
            encoder.rejected = rejected
            return encoder
        rejected[name] = problem
    reference.rejected = rejected
    return reference


def build_encoder(name: str, tokenizer: Tokenizer) -> Encoder:
    """The encoder of that name, as `fastest_encoder` found it."""
    if name == HuggingFaceEncoder.name:
        return HuggingFaceEncoder(tokenizer)
    return ExactEncoder(CANDIDATES[name](tokenizer), tokenizer)


def _difference(found: Encoded, expected: Encoded) -> str | None:
    """Where the first document with other ids is, or None."""
    (ids, lengths), (expected_ids, expected_lengths) = found, expected
    if len(lengths) != len(expected_lengths):
        return f"encoded {len(lengths)} documents of {len(expected_lengths)}"
    ends, expected_ends = np.cumsum(lengths), np.cumsum(expected_lengths)
    for number, (end, expected_end) in enumerate(zip(ends, expected_ends, strict=True)):
        document = ids[end - lengths[number] : end]
        wanted = expected_ids[expected_end - expected_lengths[number] : expected_end]
        if not np.array_equal(document, wanted):
            return f"other ids than tokenizers in document {number} of the sample"
    return None


class HuggingFaceEncoder:
    """The reference: Hugging Face tokenizers, one document after the other, without threads."""

    name = "tokenizers"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.rejected: dict[str, str] = {}
        self._encode = tokenizer.encode

    def encode_batch(self, texts: list[str]) -> Encoded:
        """Ids uint32 [tokens], lengths int64 [texts]."""
        return _concatenate([np.array(self._encode(text), np.uint32) for text in texts])


class GigatokenEncoder:
    """gigatoken, which uses all cores, but only the calling thread inside a worker process."""

    name = "gigatoken"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.rejected: dict[str, str] = {}
        raw = _tokenizer_json(tokenizer)
        # Or it would turn a special token that a document spells out into that token's id.
        raw["added_tokens"] = []
        self._backend = gigatoken.Tokenizer.from_json(json.dumps(raw))

    def encode_batch(self, texts: list[str]) -> Encoded:
        """Ids uint32 [tokens], lengths int64 [texts]."""
        layout = self._backend.encode_batch(texts).layout
        offsets = np.asarray(layout.offsets)
        ids = np.asarray(layout.content.data)[offsets[0] : offsets[-1]]
        return ids.astype(np.uint32, copy=False), np.diff(offsets).astype(np.int64, copy=False)


class TiktokenEncoder:
    """tiktoken, fed with the merges of a byte-level BPE as ranks. Ranks are mapped back to ids."""

    name = "tiktoken"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.rejected: dict[str, str] = {}
        raw = _tokenizer_json(tokenizer)
        tokens = _tokens_by_rank(raw["model"])
        vocab, as_bytes = raw["model"]["vocab"], _byte_alphabet()
        self._ids = np.array([vocab[token] for token in tokens], np.uint32)
        self._backend = tiktoken.Encoding(
            "snowcoder",
            pat_str=_pattern(raw["pre_tokenizer"]),
            mergeable_ranks={
                bytes(as_bytes[character] for character in token): rank for rank, token in enumerate(tokens)
            },
            special_tokens={},
        )

    def encode_batch(self, texts: list[str]) -> Encoded:
        """Ids uint32 [tokens], lengths int64 [texts]."""
        ranks = [self._backend.encode_to_numpy(text, disallowed_special=()) for text in texts]
        ids, lengths = _concatenate(ranks)
        return self._ids[ids], lengths


_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# Fastest first. The reference is what is left when none of them fits.
CANDIDATES: dict[str, Callable[[Tokenizer], Encoder]] = {
    "gigatoken": GigatokenEncoder,
    "tiktoken": TiktokenEncoder,
}


def _concatenate(documents: list[np.ndarray]) -> Encoded:
    ids = np.concatenate(documents) if documents else np.empty(0, np.uint32)
    return ids, np.array([len(document) for document in documents], np.int64)


def _tokenizer_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """With an id above all others for each byte that the vocabulary lacks, for no fast library takes one without:
    `ExactEncoder` leaves texts with such bytes to the reference, which leaves the bytes out."""
    found: dict[str, Any] = json.loads((tokenizer.folder / FILE).read_bytes())
    vocabulary = found["model"]["vocab"]
    if found["model"]["type"] == "BPE" and not found["model"].get("byte_fallback"):
        lacking = [character for character in sorted(ByteLevel.alphabet()) if character not in vocabulary]
        first = max(tokenizer.vocab_size, *vocabulary.values())
        vocabulary.update((character, first + number) for number, character in enumerate(lacking, 1))
    return found


def _pattern(pre_tokenizer: dict[str, Any]) -> str:
    """The regular expression of a byte-level pre-tokenizer: its own, or GPT-2's, which may find each digit apart."""
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    if steps[0]["type"] == "Split":
        return str(steps[0]["pattern"]["Regex"])
    if steps[-1] != {**steps[-1], "type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
        raise ValueError(f"pre-tokenizer {pre_tokenizer}")
    if steps[:-1] == [{"type": "Digits", "individual_digits": True}]:
        return _GPT2.replace(r" ?\p{N}+", r"\p{N}|\s+(?=\p{N})")  # what stands before a digit ends there
    if steps[:-1]:
        raise ValueError(f"pre-tokenizer {pre_tokenizer}")
    return _GPT2


def _tokens_by_rank(model: dict[str, Any]) -> list[str]:
    """The 256 bytes, then what each merge makes, in the order in which merges apply."""
    made = ("".join(pair) for pair in model["merges"])
    return list(dict.fromkeys([*sorted(ByteLevel.alphabet()), *made]))


def _byte_alphabet() -> dict[str, int]:
    """Byte-level BPE's printable stand-in of each byte -> the byte (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{chr(byte): byte for byte in printable},
        **{chr(256 + number): byte for number, byte in enumerate(others)},
    }
