"""Completions beside a completion engine, which knows the standard library and what is installed here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from transformers import LogitsProcessor

from snowcoder.config.guidance_schema import GuidanceConfig
from snowcoder.evaluation.completions import Completion, CompletionRequest
from snowcoder.evaluation.local_model import LocalModel
from snowcoder.guided.guidance import guidance
from snowcoder.storage.atomic import write_json

ENGINE, COUNTS = "engine", "guidance.json"
_NAME = "program.py"


def complete_guided(
    model: LocalModel, requests: list[CompletionRequest], new_tokens: int, settings: GuidanceConfig, folder: Path
) -> Iterator[list[Completion]]:
    """As `LocalModel.complete`. In `folder` the engine's log and record, and counts of the last time."""
    engine = folder / ENGINE
    engine.mkdir(parents=True, exist_ok=True)
    with guidance(settings, "python", engine, _NAME, model.tokenizer, engine) as guided:
        tasks = {request.task.name: request.task for request in requests}
        guide_of = cache(lambda name: guided.guide(tasks[name].prompt, tasks[name].suffix))  # for all of its samples

        def beside(batch: list[CompletionRequest]) -> LogitsProcessor:
            return guided.sampling([guide_of(request.task.name) for request in batch])

        yield from model.complete(requests, new_tokens, beside)
        write_json(folder / COUNTS, guided.counts())
