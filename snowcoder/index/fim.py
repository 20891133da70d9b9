"""Fill-in-the-middle: files rearranged so that a model learns to write what is missing between two parts.

After Bavarian et al., Efficient Training of Language Models to Fill in the Middle (2022), with cuts between any two
characters, as StarCoder has them (Li et al., 2023). Prefix P, middle M and suffix S are encoded each by itself:

    PSM  <|fim_prefix|> P <|fim_suffix|> S <|fim_middle|> M
    SPM  <|fim_prefix|><|fim_suffix|> S <|fim_middle|> P M      (the paper's variant 2)

The token that ends the file follows. In a document of several files the path belongs to the prefix, as StarCoder2 has
it (Lozhkov et al., 2024, 5.1).
"""

from __future__ import annotations

import numpy as np

from snowcoder.config.schema import FimConfig
from snowcoder.index.reader import IndexedSource
from snowcoder.permutation import key_of
from snowcoder.tokenization.encoder import Encoder
from snowcoder.tokenization.encoders import build_encoder
from snowcoder.tokenization.load import Tokenizer
from snowcoder.tokenization.special import FIM_MIDDLE, FIM_PAD, FIM_PREFIX, FIM_SUFFIX


def file_key(seed: int, source: str, document: int, epoch: int, file: int) -> int:
    """What decides how a file is trained on in an epoch."""
    return key_of(seed, "fim", source, document, epoch, file)


def fim_of(index: IndexedSource, config: FimConfig, tokenizer: Tokenizer) -> Fim:
    """The transform for files of an index, with the encoder that made most of it."""
    encoders = index.manifest.counts["encoders"]
    return Fim(config, tokenizer, build_encoder(max(encoders, key=encoders.get), tokenizer))


class Fim:
    """The transform of one file."""

    def __init__(self, config: FimConfig, tokenizer: Tokenizer, encoder: Encoder) -> None:
        self.config, self._tokenizer, self._encoder = config, tokenizer, encoder
        self.padding = tokenizer.special(FIM_PAD)
        names = (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE)
        self._prefix, self._suffix, self._middle = (np.array([tokenizer.special(name)]) for name in names)

    def takes(self, key: int, length: int) -> bool:
        """Whether a file of `length` tokens is to be transformed."""
        return length <= self.config.longest and _share(key, "rate") < self.config.rate

    def __call__(self, ids: np.ndarray, key: int, has_path: bool) -> np.ndarray:
        """Ids of a file, the last of which is the token that ends it, as `key` decides: at most `reserved` more.

        uint16 or int32 [n] -> the same dtype [at most n + reserved].
        They stay as they are if it does not take the file, or where they would become too many.
        """
        if not self.takes(key, len(ids)):
            return ids
        prefix, middle, suffix = self._encode(*self._cut(self._tokenizer.decode(ids[:-1].tolist()), key, has_path))
        if _share(key, "spm") < self.config.spm:
            parts = [self._prefix, self._suffix, suffix, self._middle, prefix, middle]
        else:
            parts = [self._prefix, prefix, self._suffix, suffix, self._middle, middle]
        changed = np.concatenate([*parts, ids[-1:]]).astype(ids.dtype)
        return changed if len(changed) <= len(ids) + self.config.reserved else ids

    def of_document(
        self, pieces: list[np.ndarray], seed: int, source: str, document: int, epoch: int
    ) -> list[np.ndarray]:
        """What becomes of a document's pieces (uint16 or int32 [n] each), as `layout.split` cuts it, in an epoch."""
        name, files = (pieces[:1], pieces[1:]) if len(pieces) > 1 else ([], pieces)
        keys = [file_key(seed, source, document, epoch, number) for number in range(len(files))]
        return [*name, *(self(ids, key, bool(name)) for ids, key in zip(files, keys, strict=True))]

    def _cut(self, text: str, key: int, has_path: bool) -> tuple[str, str, str]:
        """Prefix, middle and suffix: two places of the code, each as likely as any other."""
        code = text.index("\n") + 1 if has_path else 0
        first, second = sorted(code + _below(key, end, len(text) - code + 1) for end in ("one cut", "other cut"))
        return text[:first], text[first:second], text[second:]

    def _encode(self, *texts: str) -> list[np.ndarray]:
        ids, lengths = self._encoder.encode_batch(list(texts))
        return np.split(ids, np.cumsum(lengths)[:-1])


def _share(key: int, what: str) -> float:
    """In [0, 1)."""
    return key_of(key, what) / 2**64


def _below(key: int, what: str, count: int) -> int:
    """In [0, count)."""
    return key_of(key, what) * count >> 64
