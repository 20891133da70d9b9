"""Which tasks a file holds: by the share of a problem's or a solution's n-grams of tokens that are in it.

DeepSeek-Coder (arXiv 2401.14196, section 2.3) drops a file for any 10-gram in common, and compares texts of 3 to 9
tokens whole. One 10-gram of a solution is often what anybody would write; so by default it takes three in ten.

Tokens are words, numbers and names in lower case. Solutions are compared without comments and docstrings, Python's:
neither another layout nor other comments hide a copy. Escaped line breaks are spaces: a notebook's code is JSON.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from snowcoder.config.corpus_schema import DecontaminationConfig
from snowcoder.corpus.decontamination.tasks import Task, read_tasks
from snowcoder.corpus.dedup.shingles import Tokens, tokens
from snowcoder.lineage.digest import digest_json

_COMMENTS = re.compile(r"\"\"\".*?\"\"\"|'''.*?'''|#[^\n]*", re.DOTALL)
_EXCERPT = 160  # characters
_LETTERS = 2.5  # bytes a token with the space after it, up to which an n-gram is one of letters
_MAP_BITS = 22
_SHIFT = np.uint64(64 - _MAP_BITS)


class Hit(NamedTuple):
    benchmark: str
    task: str
    rule: str  # "exact": all of it is there; "10-gram": so many of its n-grams
    share: float
    excerpt: str  # of what is there, in tokens


class Matcher:
    """All tasks of some benchmarks, to be looked for in one text after another."""

    def __init__(self, tasks: list[Task], config: DecontaminationConfig) -> None:
        problems = [_Text(task, words(problem)) for task in tasks for problem in task.problems]
        solutions = [_Text(task, code_words(task.solution)) for task in tasks if task.solution]
        self._problems, self._solutions = _Table(problems, config), _Table(solutions, config)
        self.digest = digest_json([config.model_dump(exclude={"benchmarks"}), sorted(map(list, tasks))])

    @staticmethod
    def build(config: DecontaminationConfig) -> Matcher:
        """Of the config's benchmarks. Raises UserError where one cannot be read."""
        return _built(config.model_dump_json())

    def find(self, content: str) -> list[Hit]:
        """One hit for each task that the text holds, the surest first."""
        if not self._problems.texts and not self._solutions.texts:
            return []
        everything = Tokens(words(content))
        # Many files have neither comments nor docstrings of this kind.
        code = Tokens(code_words(content)) if _COMMENTS.search(content) else everything
        found = [*self._problems.find(everything), *self._solutions.find(code)]
        best: dict[tuple[str, str], Hit] = {}
        for hit in sorted(found, key=lambda hit: -hit.share):
            best.setdefault((hit.benchmark, hit.task), hit)
        return list(best.values())


@functools.lru_cache(maxsize=1)
def _built(config: str) -> Matcher:
    parsed = DecontaminationConfig.model_validate_json(config)
    return Matcher(read_tasks(parsed.benchmarks), parsed)


def words(text: str) -> str:
    """Tokens with a space between them."""
    return tokens(text.replace("\\n", " ").replace("\\t", " ").lower())


def code_words(text: str) -> str:
    """Without comments and docstrings."""
    return words(_COMMENTS.sub(" ", text))


class _Text(Tokens):
    def __init__(self, task: Task, joined: str) -> None:
        super().__init__(joined)
        self.task = task


class _Table:
    """Texts by the hashes of their n-grams; those that are shorter than one by the hash of their first tokens."""

    def __init__(self, texts: list[_Text], config: DecontaminationConfig) -> None:
        self.ngram, self.share, self.shortest = config.ngram, config.share, config.shortest
        self.texts = texts
        lengths = [text.joined.count(" ") + 1 for text in texts]
        long = {number: _telling(texts[number], self.ngram) for number in _at_least(lengths, self.ngram)}
        short = {
            number: texts[number].grams(self.shortest)[:1]
            for number in _at_least(lengths, self.shortest)
            if lengths[number] < self.ngram
        }
        self._totals = {number: len(hashes) for number, hashes in long.items()}
        self._long, self._short = _Index(long), _Index(short)

    def find(self, text: Tokens) -> list[Hit]:
        return [*self._find_long(text), *self._find_short(text)]

    def _find_long(self, text: Tokens) -> Iterable[Hit]:
        if not self._long:
            return
        hashes = text.grams(self.ngram)
        numbers, counts = np.unique(self._long.numbers_of(hashes), return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            share = count / self._totals[number]
            if share >= self.share:
                yield self._hit(number, share, self._excerpt(number, hashes))

    def _find_short(self, text: Tokens) -> Iterable[Hit]:
        if not self._short:
            return
        padded = f" {text.joined} "
        for number in np.unique(self._short.numbers_of(text.grams(self.shortest))).tolist():
            if f" {self.texts[number].joined} " in padded:
                yield self._hit(number, 1.0, self.texts[number].joined)

    def _hit(self, number: int, share: float, excerpt: str) -> Hit:
        task = self.texts[number].task
        return Hit(task.benchmark, task.name, "exact" if share == 1 else f"{self.ngram}-gram", share, excerpt)

    def _excerpt(self, number: int, hashes: np.ndarray) -> str:
        """The text from its first n-gram on that was found."""
        text = self.texts[number]
        first = int(np.flatnonzero(np.isin(text.grams(self.ngram), hashes))[0])
        return " ".join(text.joined.split(" ")[first:])[:_EXCERPT]


class _Index:
    """Which texts have a hash: two sorted columns, and before them a map of the hashes' first bits that most miss."""

    def __init__(self, hashes: dict[int, np.ndarray]) -> None:
        keys = np.concatenate([*hashes.values(), np.empty(0, np.uint64)])
        numbers = np.repeat(list(hashes), [len(each) for each in hashes.values()]).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        self._keys, self._numbers = keys[order], numbers[order]
        self._may_be_there = np.zeros(1 << _MAP_BITS, bool)
        self._may_be_there[keys >> _SHIFT] = True

    def __bool__(self) -> bool:
        return len(self._keys) > 0

    def numbers_of(self, hashes: np.ndarray) -> np.ndarray:
        """The texts of each distinct hash, one after another."""
        few = np.unique(hashes[self._may_be_there[hashes >> _SHIFT]])
        starts, ends = (np.searchsorted(self._keys, few, side=side) for side in ("left", "right"))
        spans = [self._numbers[start:end] for start, end in zip(starts, ends, strict=True) if end > start]
        return np.concatenate([*spans, self._numbers[:0]])


def _telling(text: Tokens, size: int) -> np.ndarray:
    """Distinct n-grams, without those of single letters: the alphabet is in many files."""
    return np.unique(text.grams(size)[text.lengths(size) > _LETTERS * size])


def _at_least(lengths: list[int], length: int) -> list[int]:
    return [number for number, count in enumerate(lengths) if count >= length]
