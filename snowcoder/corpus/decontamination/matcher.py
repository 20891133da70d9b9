"""Which tasks a file holds: by the share of a problem's or a solution's n-grams of words that are in it.

DeepSeek-Coder (arXiv 2401.14196, section 2.4) drops a file for any 10-gram in common, and looks for texts of 3 to 9
words as a whole. One 10-gram may be what anybody would write; so a share of all can be asked for.

Words know neither layout nor punctuation. A problem may be in comments; a solution is looked for without them, too.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from snowcoder.config.corpus_schema import DecontaminationConfig
from snowcoder.corpus.decontamination.index import Index
from snowcoder.corpus.decontamination.tasks import Task, read_tasks
from snowcoder.corpus.decontamination.words import Words, grams
from snowcoder.storage.digest import digest_json

_EXCERPT = 25  # words
_BATCH = 1 << 17  # characters


class Hit(NamedTuple):
    benchmark: str
    task: str
    rule: str  # "exact": all of it is there; "10-gram": so many of its n-grams
    share: float
    excerpt: str  # of what is there, in words


class Matcher:
    """All tasks of some benchmarks, to be looked for in one text after another."""

    def __init__(self, tasks: list[Task], config: DecontaminationConfig) -> None:
        self.digest = digest_json([config.model_dump(exclude={"benchmarks"}), sorted(map(list, tasks))])
        self._config = config
        self._texts = [_Text(task, Words(problem), True) for task in tasks for problem in task.problems]
        self._texts += [_Text(task, Words(task.solution).without_comments(), "def " in task.solution) for task in tasks]
        self._long = Index([_telling(text.words, config.ngram) for text in self._texts])
        self._short = Index([_beginning(text, config) for text in self._texts])

    @staticmethod
    def build(config: DecontaminationConfig) -> Matcher:
        """Of the config's benchmarks, which a process reads once. Raises UserError where one cannot be read."""
        return _built(config.model_dump_json())

    def find(self, content: str) -> list[Hit]:
        """One hit for each task that the text holds, the surest first."""
        return self.find_all([content])[0]

    def find_all(self, contents: list[str]) -> list[list[Hit]]:
        """Of each; many together are faster. Most have no n-gram of any task, and only the others are looked at."""
        found: list[list[Hit]] = [[] for _ in contents]
        suspects = set(self._suspects(contents)) if self._texts else set()
        for number in suspects:
            found[number] = self._hits(_streams(Words(contents[number])))
        return found

    def _suspects(self, contents: list[str]) -> Iterator[int]:
        indexes = (self._long, self._config.ngram), (self._short, self._config.shortest)
        for first, some in _batches(contents):
            for words in _streams(Words(*some)):
                for index, size in indexes:
                    places = np.flatnonzero(index.has(grams(words.hashes, size)))
                    if len(places):
                        yield from (first + np.unique(words.texts_of(places))).tolist()

    def _hits(self, streams: list[Words]) -> list[Hit]:
        found = sorted([*self._find_long(streams), *self._find_short(streams)], key=lambda hit: (-hit.share, hit))
        best: dict[tuple[str, str], Hit] = {}
        for hit in found:
            best.setdefault((hit.benchmark, hit.task), hit)
        return list(best.values())

    def _find_long(self, streams: list[Words]) -> Iterator[Hit]:
        size = self._config.ngram
        hashes = self._long.those_of(_grams(streams, size))
        numbers, counts = np.unique(self._long.numbers_of(hashes), return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            share = count / self._long.totals[number]
            if share >= self._config.share:
                rule = "exact" if share == 1 else f"{size}-gram"
                yield self._texts[number].hit(rule, share, hashes, size)

    def _find_short(self, streams: list[Words]) -> Iterator[Hit]:
        hashes = self._short.those_of(_grams(streams, self._config.shortest))
        for number in np.unique(self._short.numbers_of(hashes)).tolist():
            text = self._texts[number]
            size = len(text.words.hashes)
            whole = grams(text.words.hashes, size)
            if np.isin(whole, _grams(streams, size))[0]:
                yield text.hit("exact", 1.0, whole, size)


@functools.lru_cache(maxsize=1)
def _built(config: str) -> Matcher:
    parsed = DecontaminationConfig.model_validate_json(config)
    return Matcher(read_tasks(parsed.benchmarks), parsed)


class _Text(NamedTuple):
    """A problem or a solution."""

    task: Task
    words: Words
    says_much: bool  # even if it is short, as `result = df.iloc[0]` does not

    def hit(self, rule: str, share: float, hashes: np.ndarray, size: int) -> Hit:
        """Shown are the first of its words that are in the file one after another."""
        missing = ~np.isin(grams(self.words.hashes, size), hashes)
        first = int(np.argmin(missing))
        run = int(np.argmax(np.append(missing[first:], True)))
        excerpt = self.words.excerpt(first, min(run + size - 1, _EXCERPT))
        return Hit(self.task.benchmark, self.task.name, rule, share, excerpt)


def _telling(words: Words, size: int) -> np.ndarray:
    hashes = grams(words.hashes, size)
    return np.unique(hashes[words.telling(size)]) if len(hashes) else hashes


def _beginning(text: _Text, config: DecontaminationConfig) -> np.ndarray:
    """The hash of the first words of a text that is shorter than an n-gram."""
    is_short = text.says_much and len(text.words.hashes) < config.ngram
    return grams(text.words.hashes, config.shortest)[: int(is_short)]


def _streams(words: Words) -> list[Words]:
    """All words, and if there are comments those outside them."""
    code = words.without_comments()
    return [words] if code is words else [words, code]


def _grams(streams: list[Words], size: int) -> np.ndarray:
    return np.concatenate([grams(words.hashes, size) for words in streams])


def _batches(contents: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Some at a time, and the first one's number: what is made of them should stay in the processor's cache."""
    first, size = 0, 0
    for number, content in enumerate(contents):
        size += len(content)
        if size >= _BATCH or number == len(contents) - 1:
            yield first, contents[first : number + 1]
            first, size = number + 1, 0
