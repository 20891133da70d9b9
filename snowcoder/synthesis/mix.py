"""Which files are seeds: so many of each language, drawn without keeping more of a file than where it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from snowcoder.config.synthesis_schema import SeedsConfig
from snowcoder.errors import UserError
from snowcoder.permutation import key_of, permute
from snowcoder.synthesis.indexed_files import IndexedFiles

OTHERS = "others"


class Chosen(NamedTuple):
    """All int64 [seeds], in the order of the seeds."""

    shards: np.ndarray
    rows: np.ndarray  # of the shard's files
    copies: np.ndarray  # of several seeds of one file, the number

    def part(self, start: int, stop: int) -> list[list[int]]:
        return [column[start:stop].tolist() for column in self]


def choose_files(files: IndexedFiles, config: SeedsConfig, seed: int) -> Chosen:
    """Languages take turns, so that any beginning has the mix of all; and more seeds are these and others after them.

    Raises UserError where there is no file in a language with a share.
    """
    shards, codes, names = _where(files)
    counts = dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))
    picked = []
    for language, share in shares_by_language(counts, config.shares).items():
        places = np.flatnonzero(codes == names.index(language))
        turns = np.arange(min(round(config.count * share), len(places) * config.per_file))
        order = permute(turns % len(places), len(places), key_of(seed, "seeds", language))
        picked.append(np.stack([(turns + 0.5) / share, places[order], turns // len(places)]))
    if not picked:
        found = ", ".join(sorted(filter(None, counts)))
        if counts and not found:
            raise UserError(
                "synthesis.seeds.shares needs languages, and the index knows none of any file: set "
                "index.columns.language to the shards' column and run `snowcoder index build` again"
            )
        raise UserError(
            f"synthesis.seeds.shares: no file is in a language with a share; there are {found or 'no file at all'}"
        )
    times, *columns = np.concatenate(picked, axis=1)
    place, copy = (column[np.argsort(times, kind="stable")].astype(np.int64) for column in columns)
    starts = np.searchsorted(shards, np.arange(len(files.shards)))
    return Chosen(shards[place], place - starts[shards[place]], copy)


def shares_by_language(counts: dict[str, int], shares: dict[str, float]) -> dict[str, float]:
    """Of each language that has files. Those without a share of their own keep their proportions in that of "others".

    What a language without files would have got goes to nobody: the others keep theirs.
    """
    counts = {language: count for language, count in sorted(counts.items()) if count and language}
    rest = {language: count for language, count in counts.items() if language not in shares}
    found = {language: share for language, share in shares.items() if language in counts}
    found |= {language: shares.get(OTHERS, 0.0) * count / sum(rest.values()) for language, count in rest.items()}
    return {language: share / sum(shares.values()) for language, share in found.items() if share}


def _where(files: IndexedFiles) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Of all files the shard (in order) and the language's number, and the languages."""
    numbers: dict[str, int] = {}
    shards, codes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for shard in range(len(files.shards)):
        languages = files.languages(shard)
        codes.append(np.array([numbers.setdefault(name, len(numbers)) for name in languages], np.int64))
        shards.append(np.full(len(languages), shard))
    return np.concatenate(shards), np.concatenate(codes), list(numbers)
