"""`snowcoder annotate inspect`: one HTML page of the best and the worst files of each language, with their scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snowcoder.annotation.code_files import CodeFile, files_of_batch
from snowcoder.annotation.scores import SUFFIX, read_scores
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.index.shard import ShardToIndex
from snowcoder.index.sources import find_sources
from snowcoder.pages.index import publish
from snowcoder.storage.objects import Store
from snowcoder.storage.shards import read_shard
from snowcoder.storage.store import open_store

PAGE = "inspect.html"
_EXCERPT = 1200  # characters: the beginning, which is one of the sections that were read
_BINS = np.linspace(0, 1, 21)  # of the histograms, as shares of the highest score there is


class Place(NamedTuple):
    """A scored file: where it is, by its number among the shard's files."""

    score: float
    shard: str
    file: int


class Language(NamedTuple):
    name: str
    scores: Scores
    best: list[Place]
    worst: list[Place]


class Scores:
    """All scores of a language: how many, their mean and a histogram."""

    def __init__(self) -> None:
        self.files, self.sum, self.histogram = 0, 0.0, np.zeros(len(_BINS) - 1, np.int64)

    def add(self, scores: np.ndarray, highest: float) -> None:
        """`scores` float32 [files]."""
        self.files += len(scores)
        self.sum += float(scores.sum())
        self.histogram += np.histogram(np.clip(scores / highest, 0, 1), _BINS)[0]

    @property
    def mean(self) -> float:
        return self.sum / self.files


def run(config: Config) -> None:
    """Raises UserError where nothing is scored, or the scores are those of other shards."""
    folder = Path(config.annotator.score.dir)
    read_scores(folder, open_store(config.index.sources["raw"].shards, config.storage))
    languages = find_extremes(sorted(folder.glob(f"*{SUFFIX}")), config.annotator.inspect, highest_score(config))
    texts = read_files(config, [place for each in languages for place in (*each.best, *each.worst)])
    values = {"annotator": config.annotator, "languages": languages, "texts": texts, "excerpt": _EXCERPT}
    template = Path(__file__).with_name("inspect.html.jinja")
    command = "snowcoder annotate inspect"
    publish(folder / PAGE, config.run.dir, template, command, highest=highest_score(config), **values)
    print(f"inspect: {folder / PAGE}")


def highest_score(config: Config) -> float:
    return 1.0 if config.annotator.head == "classification" else 5.0


def find_extremes(tables: Iterable[Path], count: int, highest: float) -> list[Language]:
    """The `count` best and worst files of each language, the language with most files first.

    Of two files with the same score the one in the earlier place comes first. No file is shown as both.
    """
    scores: defaultdict[str, Scores] = defaultdict(Scores)
    best: defaultdict[str, list[Place]] = defaultdict(list)
    worst: defaultdict[str, list[Place]] = defaultdict(list)
    for path in tables:
        table, shard = pq.read_table(path, columns=["language", "score"]), path.name.removesuffix(SUFFIX)
        for language in pc.unique(table["language"]).to_pylist():
            files = np.flatnonzero(pc.equal(table["language"], language).to_numpy())
            found = table["score"].to_numpy()[files]
            scores[language].add(found, highest)
            best[language] = sorted([*best[language], *_first(-found, found, files, shard, count)], key=_best)[:count]
            worst[language] = sorted([*worst[language], *_first(found, found, files, shard, count)])[:count]
    names = sorted(scores, key=lambda name: (-scores[name].files, name))
    return [
        Language(name, scores[name], best[name], [place for place in worst[name] if place not in best[name]])
        for name in names
    ]


def _first(order: np.ndarray, scores: np.ndarray, files: np.ndarray, shard: str, count: int) -> list[Place]:
    rows = np.argsort(order, kind="stable")[:count]
    return [Place(float(scores[row]), shard, int(files[row])) for row in rows]


def _best(place: Place) -> tuple[float, str, int]:
    return -place.score, place.shard, place.file


def read_files(config: Config, places: list[Place]) -> dict[Place, CodeFile]:
    """The files at these places, from the shards that were scored; no other shard is read."""
    [source] = find_sources(config, ["raw"])
    wanted: defaultdict[str, dict[int, Place]] = defaultdict(dict)
    for place in places:
        wanted[place.shard][place.file] = place
    found: dict[Place, CodeFile] = {}
    for shard in source.shards:
        if shard.name in wanted:
            files = enumerate(_files(config, source.store, shard))
            found |= {wanted[shard.name][number]: file for number, file in files if number in wanted[shard.name]}
    if len(found) < len(set(places)):
        raise OperationError(
            f"{config.annotator.score.dir} has scores of files that {source.store.url} has not: run "
            "`snowcoder annotate score` again"
        )
    return found


def _files(config: Config, store: Store, shard: ShardToIndex) -> Iterator[CodeFile]:
    limit = int(config.index.max_document_mib * 2**20)
    with store.local(shard.info) as local:
        for batch in read_shard(local.path, shard.info.key, config.index.columns, limit):
            for row in files_of_batch(batch):
                yield from row.files
