"""SentencePiece BPE with byte fallback, and the tokenizer.json that does the same without sentencepiece.

SentencePiece writes a space as U+2581, so a text that holds U+2581 does not come back. The tokenizer.json
escapes that one character (and the escape character), which makes every UTF-8 text round-trip.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers

from snowcoder.errors import UserError
from snowcoder.tokenization.special import END_OF_TEXT, FIM_PAD

SPACE = "\u2581"
# Private-use characters: the escape, what follows it for an escape, and for a real U+2581.
ESCAPE, ESCAPED_ESCAPE, ESCAPED_SPACE = "\uf8ff", "\uf8ff\uf8fe", "\uf8ff\uf8fd"
# The trainer drops a whole text that holds one of these (NUL, and its own mark for unknown characters).
RESERVED = dict.fromkeys(map(ord, ("\0", "\u2585", SPACE)))
# Its pair counter holds positions in 16 bits, and a minified file can be one word.
CHARACTERS = 8192


def train(texts: Iterator[str], vocab_size: int, special: list[str]) -> tuple[Tokenizer, bytes]:
    """A tokenizer of exactly `vocab_size` entries, and the same as SentencePiece's own model file.

    Ids: `special`, <unk> (which byte fallback leaves without use), 256 bytes, pieces.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_chunks(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
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
        raise _explained(error, vocab_size) from None
    return to_tokenizers(model.getvalue(), special), model.getvalue()


def _chunks(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        clean = text.translate(RESERVED)
        yield from (clean[at : at + CHARACTERS] for at in range(0, len(clean), CHARACTERS))


def _explained(error: RuntimeError, vocab_size: int) -> Exception:
    """SentencePiece says only in words how far the text reached."""
    reached = re.search(r"value <= (\d+)", str(error))
    if reached is None:
        return error
    return UserError(str(reached.group(1)))


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
    """Every pair of pieces that makes a piece, in the order in which SentencePiece would merge them."""
    ids = {
        pieces.id_to_piece(number): number
        for number in range(pieces.get_piece_size())
        if not (pieces.is_control(number) or pieces.is_byte(number) or pieces.is_unknown(number))
    }
    return [
        pair
        for piece in ids  # in order of ids, which is the order of the scores
        for pair in sorted(
            (
                (piece[:at], piece[at:])
                for at in range(1, len(piece))
                if piece[:at] in ids and piece[at:] in ids
            ),
            key=lambda pair: (ids[pair[0]], ids[pair[1]]),
        )
    ]
