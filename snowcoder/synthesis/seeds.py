"""The first step of a recipe: what it starts from, a table for each part of the seeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.rows import RowCounts
from snowcoder.permutation import key_of
from snowcoder.stages.steps import Record, Step, WorkItem, run_step
from snowcoder.stages.tables import count_rows
from snowcoder.storage.digest import digest_file
from snowcoder.synthesis.functions import functions
from snowcoder.synthesis.indexed_files import IndexedFile, IndexedFiles
from snowcoder.synthesis.mix import choose_files

SEEDS = ".seeds.parquet"
SCHEMA = pa.schema(
    {
        "id": pa.string(),  # of the seed; those of its samples begin with it
        "language": pa.string(),
        "repository": pa.string(),
        "path": pa.string(),
        "score": pa.float32(),
        "text": pa.string(),  # null: there is none to be cut from the file
    }
)


class Seeds(NamedTuple):
    inputs: dict[str, Any]  # for the manifest
    folder: Path
    records: list[Record]  # of the parts


def make_seeds(config: Config, before: Callable[[], None] | None = None) -> Seeds:
    """Raises UserError where there is nothing to start from. `before`: called once, if any are to be cut."""
    seeds = config.synthesis.seeds
    inputs, parts = _of_files(config) if seeds.cut in ("lines", "function") else _of_numbers(config)
    cut = Cut(Path(config.synthesis.dir) / "seeds", config)
    items = [cut.work_item(f"part-{n:05d}", [inputs, part], {"part": part}) for n, part in enumerate(parts)]
    return Seeds(inputs, cut.folder, run_step(cut, "seeds", items, config.corpus.engine, before=before))


class Cut(Step):
    """A part's seeds. A file is cut as the digest of where it lies has it."""

    def __init__(self, folder: Path, config: Config) -> None:
        super().__init__(folder)
        self.config = config

    def decided_by(self) -> dict[str, Any]:
        # What is left out decides which files or numbers a part has.
        seeds = self.config.synthesis.seeds.model_dump(exclude={"count", "shares", "per_file", "part"})
        return {"seeds": seeds, "seed": self.config.run.seed}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        seeds = self.config.synthesis.seeds
        files = seeds.cut in ("lines", "function")
        found = self._of_files(item) if files else self._of_numbers(item)
        table = pa.Table.from_pylist(list(found), SCHEMA)
        pq.write_table(table, folder / f"{item.name}{SEEDS}", compression="zstd")
        cut = table.filter(table["text"].is_valid())
        rows = RowCounts(
            len(item.data["part"][0]) if files else len(item.data["part"]), count_rows(folder / f"{item.name}{SEEDS}")
        )
        return rows, {"languages": dict(Counter(cut["language"].to_pylist())), "nothing to cut": len(table) - len(cut)}

    def _of_files(self, item: WorkItem) -> Iterator[dict[str, Any]]:
        files = IndexedFiles(self.config, str(self.config.synthesis.seeds.source))
        shards, rows, copies = map(np.array, item.data["part"])
        order = np.lexsort((rows, shards))  # as they lie in the index
        found: dict[int, dict[str, Any]] = {}
        for shard in np.unique(shards):
            mine = order[shards[order] == shard]
            for number, file in zip(mine.tolist(), files.read(int(shard), rows[mine]), strict=True):
                name = f"{files.shards[shard]}-{rows[number]}" + (f"-{copies[number]}" if copies[number] else "")
                found[number] = self._seed(name, file)
        for number in range(len(rows)):
            yield found[number]

    def _seed(self, name: str, file: IndexedFile) -> dict[str, Any]:
        cut = cut_function if self.config.synthesis.seeds.cut == "function" else cut_lines
        lines, key = self.config.synthesis.seeds.lines, key_of(self.config.run.seed, "cut", name)
        text = cut(file.text, lines, key)
        if text is not None:
            text = text[: self.config.synthesis.seeds.characters]
        return {"id": name, "text": text, **{field: getattr(file, field) for field in file._fields if field != "text"}}

    def _of_numbers(self, item: WorkItem) -> Iterator[dict[str, Any]]:
        texts = read_instructions(self.config.synthesis.seeds.chat)
        for number in item.data["part"]:
            yield {"id": f"{number:07d}", "text": texts[number] if texts else "", "language": "Python"}


def cut_lines(text: str, lines: tuple[int, int], key: int) -> str | None:
    """Consecutive lines, of a number drawn first, then of a place that leaves room for the least number.

    From 1 to 15 lines this is Magicoder's rule: every line may be the first, near the end there are fewer.
    """
    every = text.splitlines(keepends=True)
    low, high = lines
    count = low + key_of(key, "length") % (high - low + 1)
    start = key_of(key, "start") % max(1, len(every) - low + 1)
    piece = "".join(every[start : start + count]).rstrip()
    return piece if piece.strip() else None


def cut_function(text: str, lines: tuple[int, int], key: int) -> str | None:
    low, high = lines
    found = [function for function in functions(text) if low <= function.count("\n") + 1 <= high]
    return found[key % len(found)] if found else None


def read_instructions(paths: list[str]) -> list[str]:
    """Of conversations that recipes wrote: what the user says first."""
    found = []
    for path in paths:
        try:
            with Path(path).open(encoding="utf-8") as file:  # splitlines() would also split at U+2028
                rows = [json.loads(line) for line in file]
            found += [next(turn["content"] for turn in row["messages"] if turn["role"] == "user") for row in rows]
        except FileNotFoundError:
            raise UserError(
                f"synthesis.seeds.chat: {path} is not there; a recipe that writes it must run first"
            ) from None
        except (ValueError, KeyError, TypeError, StopIteration):
            raise UserError(f"synthesis.seeds.chat: {path} has lines that are no conversations") from None
    return found


def _of_files(config: Config) -> tuple[dict[str, Any], list[Any]]:
    seeds = config.synthesis.seeds
    files = IndexedFiles(config, str(seeds.source))
    chosen = choose_files(files, seeds, config.run.seed)
    starts = range(0, len(chosen.rows), seeds.part)
    return {str(seeds.source): files.manifest.digest}, [chosen.part(n, n + seeds.part) for n in starts]


def _of_numbers(config: Config) -> tuple[dict[str, Any], list[Any]]:
    seeds = config.synthesis.seeds
    total = len(read_instructions(seeds.chat)) if seeds.cut == "chat" else seeds.count
    if not total:
        raise UserError("synthesis.seeds.chat: name the chat.jsonl of a recipe, with at least one conversation")
    numbers = range(min(total, seeds.count))
    inputs = {path: digest_file(Path(path)) for path in seeds.chat}
    return inputs, [list(numbers[n : n + seeds.part]) for n in range(0, len(numbers), seeds.part)]
