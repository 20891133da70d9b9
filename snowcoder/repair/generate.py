"""Patches by a model, alone or beside a completion engine: kept as they are made, with what they took."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.evaluation.completions import Completions
from snowcoder.evaluation.context import room
from snowcoder.evaluation.local_model import Beside, LocalModel
from snowcoder.guided.guidance import Guidance, guidance
from snowcoder.guided.guide import Guide
from snowcoder.progress import bar
from snowcoder.repair.bugs import Bug
from snowcoder.repair.prompts import Gap, Sample, samples_of
from snowcoder.repair.validate import Patch
from snowcoder.storage.atomic import write_json

PATCHES, TAKEN, ANSWERS = "patches.jsonl", "taken.json", "answers.jsonl"
_FILES = {"python": "program.py", "java": "Main.java"}


class Project(NamedTuple):
    """Where a completion engine looks around, and the file that bugs are in."""

    root: Path
    file: str


def patches_of(config: Config, digest: str, bugs: list[Bug], folder: Path) -> list[Patch]:
    """Of each bug in turn, by the numbers of its samples. Those that an earlier run has made stay."""
    samples = [sample for bug in bugs for sample in samples_of(bug, config.repair)]
    store = Completions(folder / PATCHES, _settings(config, digest))
    missing = {request.key for request in store.missing(sample.request for sample in samples)}
    todo = [sample for sample in samples if sample.request.key in missing]
    longest = _make(config, todo, store, folder) if todo else _longest(config)
    most = room(_new_tokens(config), longest)
    infill = config.repair.prompt == "infill"
    return [Patch(s.gap.bug, s.patch(store.found[s.request.key], most, infill)) for s in samples]


def _make(config: Config, todo: list[Sample], store: Completions, folder: Path) -> int:
    """All that are missing; returns the longest text that the model can have, in tokens."""
    model = LocalModel(Path(config.repair.model), config.repair.generation, config.run.seed)
    if config.repair.prompt == "infill" and not model.can_infill:
        raise UserError(
            f"repair.prompt=infill: {config.repair.model} has no tokens for fill-in-the-middle; "
            "set repair.prompt=left_to_right"
        )
    by_project: dict[Project, list[Sample]] = {}
    for sample in todo:
        by_project.setdefault(_project(sample.gap.bug, folder), []).append(sample)
    taken = Taken(folder)
    with bar("patches are written", len(todo), "patch") as progress:
        for project, samples in by_project.items():
            for count in _of_project(config, model, project, samples, store, taken):
                progress.update(count)
    return model.longest


def _of_project(
    config: Config, model: LocalModel, project: Project, samples: list[Sample], store: Completions, taken: Taken
) -> Iterator[int]:
    """How many were made, batch by batch."""
    session = taken.folder / "engine"
    project.root.mkdir(parents=True, exist_ok=True)
    session.mkdir(exist_ok=True)
    taken.keep_answers()  # of a run that was killed
    language = samples[0].gap.bug.language
    with guidance(config.guidance, language, project.root, project.file, model.tokenizer, session) as guided:
        beside = _beside(config, guided, samples) if config.guidance.is_on else None
        before, started, cpu = Counter[str](), time.monotonic(), time.process_time()
        for batch in model.complete([sample.request for sample in samples], _new_tokens(config), beside):
            store.add(batch)
            spent = {"generation_seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
            now = _numbers(guided, config) | spent
            tokens = sum(each.tokens for each in batch)
            read = {"reading_seconds": batch[0].reading}
            taken.add({"written_tokens": tokens, **read, **{name: now[name] - before[name] for name in now}})
            before = Counter(now)
            yield len(batch)
    taken.keep_answers()


def _beside(config: Config, guided: Guidance, samples: list[Sample]) -> Beside:
    """A guide for each gap, which serves all of its samples."""
    infill = config.repair.prompt == "infill"
    gaps: dict[str, Gap] = {sample.request.task.name: sample.gap for sample in samples}

    @cache
    def guide_of(task: str) -> Guide:
        gap = gaps[task]
        return guided.guide(gap.given, gap.after, replaced=gap.replaced, lines=0 if infill else gap.lines)

    return lambda batch: guided.sampling([guide_of(request.task.name) for request in batch])


def _numbers(guided: Guidance, config: Config) -> dict[str, float]:
    """What guiding has taken so far."""
    if not config.guidance.is_on:
        return {}
    counts = guided.counts()
    return {**counts, "failures": sum(counts["failures"].values())}


class Taken:
    """What all runs have taken that made the patches of a folder, and the answers of their engines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, numbers: dict[str, float]) -> None:
        found = Counter(self.read())
        found.update(numbers)
        write_json(self.folder / TAKEN, {name: round(value, 4) for name, value in found.items()})

    def read(self) -> dict[str, float]:
        try:
            found: dict[str, float] = json.loads((self.folder / TAKEN).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def keep_answers(self) -> None:
        """An engine that starts anew begins a new record: what it holds goes to the end of the whole one."""
        session = self.folder / "engine" / ANSWERS
        if session.exists():
            lines = session.read_text(encoding="utf-8").split("\n")
            whole = "".join(f"{line}\n" for line in lines[:-1])  # a kill may have torn the last one
            with (self.folder / ANSWERS).open("a", encoding="utf-8") as file:
                file.write(whole)
            session.unlink()


def _project(bug: Bug, folder: Path) -> Project:
    if bug.checkout:
        return Project(bug.checkout.root, str(bug.checkout.file))
    return Project(folder / "engine" / "project", _FILES[bug.language])


def _new_tokens(config: Config) -> int:
    assert config.repair.generation.new_tokens  # config/rules.py has seen to it
    return config.repair.generation.new_tokens


def _longest(config: Config) -> int:
    about = json.loads((Path(config.repair.model) / "config.json").read_text())
    return int(about["max_position_embeddings"])


def _settings(config: Config, digest: str) -> dict[str, Any]:
    """All that decides a patch besides its prompt, and where it was made."""
    generation = config.repair.generation.model_dump(mode="json")
    return {
        "digest": digest,
        "prompt": config.repair.prompt,
        "seed": config.run.seed,
        **{name: generation[name] for name in ("temperature", "top_p", "new_tokens", "dtype")},
        "guidance": config.guidance.written_by,
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }
