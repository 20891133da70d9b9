"""The model that writes patches: evaluation's, with a guide for each gap."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from transformers import LogitsProcessor

from snowcoder.config.evaluation_schema import GenerationConfig
from snowcoder.evaluation.completions import CompletionRequest
from snowcoder.evaluation.local_model import LocalModel
from snowcoder.guided.guidance import Guidance
from snowcoder.guided.guide import Guide
from snowcoder.repair.prompts import Gap


class RepairModel(LocalModel):
    def __init__(self, folder: Path, config: GenerationConfig, seed: int) -> None:
        super().__init__(folder, config, seed)
        self.beside(None, {})

    def beside(self, guided: Guidance | None, gaps: dict[str, Gap]) -> None:
        """From now on for these gaps, by the names of their tasks. What a guide has found serves all samples."""
        self.guided = guided

        @cache
        def guide_of(task: str) -> Guide:
            assert guided
            return guided.guide(gaps[task].given, gaps[task].after)

        self.guide_of = guide_of

    def _processors(self, batch: list[CompletionRequest], width: int) -> list[LogitsProcessor]:
        found = super()._processors(batch, width)
        if self.guided is None:
            return found
        return [*found, self.guided.sampling([self.guide_of(request.task.name) for request in batch])]
