"""Completions of a model for a suite: a line each, under a line with all settings, kept as they are made.

A generation that was killed goes on after the last whole line of a file with the same settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.answers.read import is_text
from snowcoder.evaluation.tasks import Task
from snowcoder.storage.atomic import write_text
from snowcoder.storage.digest import digest_json


class CompletionRequest(NamedTuple):
    """One completion that is wanted."""

    task: Task
    sample: int

    @property
    def key(self) -> tuple[str, int]:
        return self.task.name, self.sample

    @property
    def prompt(self) -> str:
        """Digest of all that the model is given for it."""
        return digest_json([self.task.prompt, self.task.suffix, self.task.stops])


@dataclass(frozen=True)
class Completion:
    task: str
    sample: int
    prompt: str  # its request's
    text: str  # as the model wrote it; cut.py says what of it counts
    tokens: int
    seconds: float  # of the batch that it was in
    left_to_server: list[str] = field(default_factory=list)  # sampling settings that it refused to be told
    reading: float = 0.0  # seconds of the batch until its first token could be drawn; a server does not say


class Completions:
    """The file. `settings` and prompts decide everything in it: more tasks or samples are added to it."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.found: dict[tuple[str, int], Completion] = {}
        lines = self._lines()
        if not lines or lines[0] != settings:
            write_text(path, json.dumps(settings) + "\n")
            return
        # Without what a kill has torn, or an earlier version kept of a server that gave no text.
        whole = [raw for raw in lines[1:] if is_text(raw.get("text"))]
        for raw in whole:
            self.found[raw["task"], raw["sample"]] = Completion(**raw)
        write_text(path, "".join(json.dumps(line) + "\n" for line in [settings, *whole]))

    def missing(self, wanted: Iterable[CompletionRequest]) -> list[CompletionRequest]:
        """Those that are not there, or were made from another prompt."""
        found = {(key, completion.prompt) for key, completion in self.found.items()}
        return [request for request in wanted if (request.key, request.prompt) not in found]

    def add(self, completions: Iterable[Completion]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            for completion in completions:
                file.write(json.dumps(vars(completion)) + "\n")
                self.found[completion.task, completion.sample] = completion
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        try:
            for line in self.path.read_text(encoding="utf-8").splitlines():
                lines.append(json.loads(line))
        except (FileNotFoundError, ValueError):
            pass
        return lines
