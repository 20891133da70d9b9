"""The names that a completion engine knows at places of a text: asked once for each place, kept and recorded.

Behind a dot one question gives all members. Elsewhere engines leave most names out before a letter is there, so that
the first letter of what is being written is asked with: a list for each. One list serves all that may follow, whichever
token is tried: Repilot (Wei et al., 2023) asks once for each candidate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

import xxhash

from snowcoder.errors import UserError
from snowcoder.guided.engines import Engine
from snowcoder.guided.language_server import LanguageServer, Missing, Reply


@dataclass
class EngineCounts:
    calls: int = 0
    from_cache: int = 0
    unknown: int = 0  # replies that say nothing
    failures: dict[str, int] = field(default_factory=dict)  # by kind: each is a reply that says nothing
    seconds: float = 0.0


class NameSource(Protocol):
    """Names at the end of `before`, where `after` follows; None: nothing is known."""

    counts: EngineCounts

    def ask(self, before: str, after: str) -> frozenset[str] | None: ...


class Asked:
    """A language server's answers. What it does not answer in `seconds` is unknown, and so is all after its end."""

    def __init__(self, engine: Engine, server: LanguageServer, name: str, seconds: float, record: TextIO) -> None:
        self.engine, self.server, self.seconds, self.record = engine, server, seconds, record
        self.counts, self.missing = EngineCounts(), Missing()
        self._new_names: dict[str, bool] = {}
        self.open(name)

    def open(self, name: str) -> None:
        """Take another file of the project for the document: what it says is asked with."""
        self.server.open(name, "")

    def ask(self, before: str, after: str) -> frozenset[str] | None:
        started = time.monotonic()
        names = self._ask(before, after)
        self.counts.unknown += names is None
        self.counts.seconds += time.monotonic() - started
        line = {"at": place_key(before, after), "names": None if names is None else sorted(names)}
        self.record.write(json.dumps(line) + "\n")
        return names

    def _ask(self, before: str, after: str) -> frozenset[str] | None:
        try:
            if not self.server.version:
                self._open(before + after)
            if self.missing.members if before.endswith((".", "::")) else self.missing.names:
                return None
            names = self.engine.names_of(self._complete(before, after), before)
            return None if names is not None and self._is_new_name(before, after) else names
        except (TimeoutError, RuntimeError, EOFError, OSError) as error:
            kind = type(error).__name__
            self.counts.failures[kind] = self.counts.failures.get(kind, 0) + 1
            return None

    def _complete(self, before: str, after: str) -> Reply:
        self.counts.calls += 1
        self.server.change(before + after)
        return self.server.complete(len(before), self.seconds)

    def _is_new_name(self, before: str, after: str) -> bool:
        """What the list with the first letter cannot say, and is asked for without it, once for all letters."""
        start = before[:-1]
        if not self.engine.may_be_new_name or not before[-1:].islower() or not self.engine.may_be_new_name(start):
            return False
        key = place_key(start, after)
        if key not in self._new_names and self.engine.is_new_name:
            self._new_names[key] = self.engine.is_new_name(self._complete(start, after), start)
        return self._new_names[key]

    def _open(self, text: str) -> None:
        self.missing = Missing()
        self.server.change(text)
        if self.engine.missing:
            self.missing = self.engine.missing(self.server.problems(self.seconds), text)


class Recorded:
    """Answers of an earlier run: the same patches on a machine that is slower, or has no engine."""

    def __init__(self, path: Path) -> None:
        self.path, self.counts = path, EngineCounts()
        try:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            self.answers = {line["at"]: line["names"] for line in lines}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no record of a completion engine's answers: {error!r}") from error

    def ask(self, before: str, after: str) -> frozenset[str] | None:
        self.counts.calls += 1
        at = place_key(before, after)
        if at not in self.answers:
            raise UserError(f"{self.path} has no answer for a place: it is of another model, seed, bug or version")
        names = self.answers[at]
        self.counts.unknown += names is None
        return None if names is None else frozenset(names)


class Names:
    """What a source says, each place asked once. Samples of one text share it."""

    def __init__(self, source: NameSource) -> None:
        self.source = source
        self._known: dict[str, frozenset[str] | None] = {}

    def at(self, before: str, after: str) -> frozenset[str] | None:
        key = place_key(before, after)
        if key in self._known:
            self.source.counts.from_cache += 1
        else:
            self._known[key] = self.source.ask(before, after)
        return self._known[key]


def place_key(before: str, after: str) -> str:
    return xxhash.xxh3_128_hexdigest(f"{len(before)}\0{before}{after}".encode(errors="surrogatepass"))


@contextmanager
def asked(engine: Engine, root: Path, name: str, seconds: float, folder: Path) -> Iterator[Asked]:
    """A started server in `root`, with its log and the record of its answers in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    server = engine.start(root, folder / f"{engine.language.name}.log")
    try:
        with (folder / "answers.jsonl").open("w") as record:
            yield Asked(engine, server, name, seconds, record)
    finally:
        server.close()
