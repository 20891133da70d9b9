"""SentencePiece BPE with byte fallback, and the tokenizer.json that does the same.

SentencePiece writes a space as U+2581, so a text that holds U+2581 does not come back. The
tokenizer.json escapes that one character, and the escape, so that every UTF-8 text does.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers

from snowcoder.errors import UserError
from snowcoder.tokenization.cut import CHARACTERS, cut_texts
from snowcoder.tokenization.special import END_OF_TEXT, FIM_PAD

SPACE = "\u2581"
# Private-use characters: the escape, and what stands for the escape itself and for U+2581.
ESCAPE, ESCAPED_ESCAPE, ESCAPED_SPACE = "\uf8ff", "\uf8ff\uf8fe", "\uf8ff\uf8fd"
# Not learned from: SPACE, NUL, and U+2585, for which the trainer would drop the whole text.
RESERVED = dict.fromkeys(map(ord, (SPACE, "\0", "\u2585")))


def train_sentencepiece(texts: Iterator[str], vocab_size: int, special: list[str]) -> bytes:
    """SentencePiece's model file, with at most `vocab_size` entries.

    Ids: `special`, <unk> (which byte fallback leaves without use), 256 bytes, then pieces.
    Raises UserError where `vocab_size` has no room for the characters of the text.
    """
    model, clean = io.BytesIO(), _Clean(texts)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(clean),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            hard_vocab_limit=False,  # the caller says better what to do
            character_coverage=0.9999,
            max_sentence_length=4 * CHARACTERS,
            max_sentencepiece_length=32,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            byte_fallback=True,
            bos_id=-1,
            eos_id=special.index(END_OF_TEXT),
            eos_piece=END_OF_TEXT,
            pad_id=special.index(FIM_PAD),
            pad_piece=FIM_PAD,
            unk_id=len(special),
            control_symbols=[token for token in special if token not in (END_OF_TEXT, FIM_PAD)],
            num_threads=1,  # recorded in the model file
            minloglevel=2,
        )
    except RuntimeError as error:
        raise clean.error or UserError(
            f"tokenizer.vocab_size={vocab_size}: SentencePiece cannot train with it: {error}"
        ) from None
    return model.getvalue()


class _Clean:
    """The texts as the trainer takes them. It makes a RuntimeError of any error: kept here."""

    def __init__(self, texts: Iterator[str]) -> None:
        self.error: Exception | None = None
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        try:
            for text in cut_texts(self._texts):
                if clean := text.translate(RESERVED):
                    yield clean
        except Exception as error:
            self.error = error
            raise


def to_tokenizers(model: bytes, special: list[str]) -> Tokenizer:
    """The tokenizers twin of a SentencePiece model: same ids, and exact for U+2581 as well."""
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    vocab = {pieces.id_to_piece(number): number for number in range(pieces.get_piece_size())}
    tokenizer = Tokenizer(models.BPE(vocab, _merges(pieces), byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(ESCAPE, ESCAPED_ESCAPE),
            normalizers.Replace(SPACE, ESCAPED_SPACE),
            normalizers.Replace(" ", SPACE),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Replace(ESCAPED_SPACE, SPACE),
            decoders.Replace(ESCAPED_ESCAPE, ESCAPE),
        ]
    )
    tokenizer.add_special_tokens(special)
    return tokenizer


def _merges(pieces: sentencepiece.SentencePieceProcessor) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, in the order in which SentencePiece merges."""
    known = {
        pieces.id_to_piece(number): None
        for number in range(pieces.get_piece_size())  # which is the order of the scores
        if not (pieces.is_control(number) or pieces.is_byte(number) or pieces.is_unknown(number))
    }
    return [
        (piece[:at], piece[at:])
        for piece in known
        for at in range(1, len(piece))
        if piece[:at] in known and piece[at:] in known
    ]
