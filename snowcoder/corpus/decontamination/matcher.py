"""Which tasks a file holds: by the share of a problem's or a solution's n-grams of words that are in it.

DeepSeek-Coder (arXiv 2401.14196, section 2.4) drops a file for any 10-gram in common, and looks for texts of 3 to 9
words as a whole. One 10-gram may be what anybody would write; so a share of all can be asked for. A short text has few,
and an everyday loop is a share of them: unless much of the text is there, what is must have names of its own.

Words know neither layout nor punctuation. A problem may be in comments; a solution is looked for without them, too,
and without its names.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from snowcoder.config.corpus_schema import DecontaminationConfig
from snowcoder.corpus.decontamination import renamed
from snowcoder.corpus.decontamination.index import Index
from snowcoder.corpus.decontamination.task_texts import TaskTexts, read_task_texts
from snowcoder.corpus.decontamination.words import Words, grams
from snowcoder.storage.digest import digest_json

_EXCERPT = 25  # words
_MUCH = 0.4  # of a text's n-grams: no accident, whatever its words
_NAMES = 2  # that are not Python's, in what is there of a text
_RENAMED = "renamed"
_SHAPES = 4  # at least so many n-grams without names make a solution known
_BATCH = 1 << 17  # characters
_DEF = Words("def").hashes[0]  # without it there is no function in Python


class Hit(NamedTuple):
    benchmark: str
    task: str
    rule: str  # "exact": all of it is there; "10-gram": so many of its n-grams; "renamed": so many without its names
    share: float
    excerpt: str  # of what is there, in words


class Matcher:
    """All tasks of some benchmarks, to be looked for in one text after another."""

    def __init__(self, tasks: list[TaskTexts], config: DecontaminationConfig) -> None:
        how = [config.model_dump(exclude={"benchmarks"}), renamed.PYTHONS]
        self.digest = digest_json([*how, sorted(map(list, tasks))])
        self._config, self._any = config, config.share == 0
        self._texts = [_Text(task, Words(problem), True, False) for task in tasks for problem in task.problems]
        self._texts += [_solution(task) for task in tasks]
        self._long = Index([_telling(text.words, config.ngram) for text in self._texts])
        self._short = Index([_beginning(text, config) for text in self._texts])
        self._shapes = Index([_shapes(text, config) for text in self._texts])

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
            streams = _streams(Words(*some))
            there = [(words, index.has(grams(words.hashes, size))) for words in streams for index, size in indexes]
            if self._config.renamed is not None:
                functions = streams[-1].of_texts_with(_DEF)
                there.append((functions, self._shapes.has(renamed.shapes(functions))))
            for words, is_there in there:
                places = np.flatnonzero(is_there)
                if len(places):
                    yield from (first + np.unique(words.texts_of(places))).tolist()

    def _hits(self, streams: list[Words]) -> list[Hit]:
        hits = [*self._find_long(streams), *self._find_short(streams), *self._find_renamed(streams[-1])]
        found = sorted(hits, key=lambda hit: (hit.rule == _RENAMED, -hit.share, hit))
        best: dict[tuple[str, str], Hit] = {}
        for hit in found:
            best.setdefault((hit.benchmark, hit.task), hit)
        return list(best.values())

    def _find_long(self, streams: list[Words]) -> Iterator[Hit]:
        size = self._config.ngram
        hashes = self._long.those_of(_grams(streams, size))
        for number, share in self._long.shares_of(hashes):
            text = self._texts[number]
            if share >= self._config.share and (self._any or share >= _MUCH or text.names_in(hashes, size) >= _NAMES):
                yield text.hit("exact" if share == 1 else f"{size}-gram", share, hashes, size)

    def _find_renamed(self, code: Words) -> Iterator[Hit]:
        if self._config.renamed is None:
            return
        for number, share in self._shapes.shares_of(self._shapes.those_of(renamed.shapes(code))):
            if share >= self._config.renamed:
                text = self._texts[number]
                yield Hit(text.task.benchmark, text.task.name, _RENAMED, share, text.words.excerpt(0, _EXCERPT))

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
    return Matcher(read_task_texts(parsed.benchmarks), parsed)


class _Text(NamedTuple):
    """A problem or a solution."""

    task: TaskTexts
    words: Words
    says_much: bool  # even if it is short, as `result = df.iloc[0]` does not
    is_function: bool

    def names_in(self, hashes: np.ndarray, size: int) -> int:
        """Distinct ones, neither Python's nor single letters, in what is there of it."""
        there = np.isin(grams(self.words.hashes, size), hashes)
        is_covered = np.convolve(there, np.ones(size)) > 0
        names = self.words.hashes[is_covered & self.words.names()]
        return len(np.unique(names[~renamed.is_pythons(names)]))

    def hit(self, rule: str, share: float, hashes: np.ndarray, size: int) -> Hit:
        """Shown are the first of its words that are in the file one after another."""
        missing = ~np.isin(grams(self.words.hashes, size), hashes)
        first = int(np.argmin(missing))
        run = int(np.argmax(np.append(missing[first:], True)))
        excerpt = self.words.excerpt(first, min(run + size - 1, _EXCERPT))
        return Hit(self.task.benchmark, self.task.name, rule, share, excerpt)


def _solution(task: TaskTexts) -> _Text:
    is_function = "def " in task.solution
    return _Text(task, Words(task.solution).without_comments(), is_function, is_function)


def _telling(words: Words, size: int) -> np.ndarray:
    hashes = grams(words.hashes, size)
    return np.unique(hashes[words.telling(size)]) if len(hashes) else hashes


def _beginning(text: _Text, config: DecontaminationConfig) -> np.ndarray:
    """The hash of the first words of a text that is shorter than an n-gram."""
    is_short = text.says_much and len(text.words.hashes) < config.ngram
    return grams(text.words.hashes, config.shortest)[: int(is_short)]


def _shapes(text: _Text, config: DecontaminationConfig) -> np.ndarray:
    """Of a solution that is a function."""
    hashes = renamed.shapes(text.words)
    found = np.unique(hashes[hashes > 0])
    return found if text.is_function and config.renamed is not None and len(found) >= _SHAPES else found[:0]


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
