"""What the models show that were trained on the annotators' selections: pass@1, or bits per byte of solutions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from snowcoder.annotation.study_table import BITS, PASS_AT_1, ModelMeasure
from snowcoder.config.annotation_schema import StudyConfig
from snowcoder.errors import UserError


class Models(NamedTuple):
    measure: ModelMeasure
    values: Mapping[str, Mapping[str, float]]  # annotator -> benchmark -> the measure

    def get(self, annotator: str, benchmark: str) -> float | None:
        return self.values.get(annotator, {}).get(benchmark)


def known_models(study: StudyConfig) -> Models:
    """Of `study.results` if that is given. Raises UserError where it cannot be read, or has none of the annotators."""
    if study.results is None:
        return Models(PASS_AT_1, study.pass_at_1)
    values: dict[str, dict[str, float]] = defaultdict(dict)
    try:
        for each in json.loads(Path(study.results).read_text())["bits_per_byte"]:
            if each["given_a_prompt"]:
                values[each["model"]][_benchmark(each["of"])] = each["bits_per_byte"]["value"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"study.results={study.results} is no results.json of `snowcoder evaluate`: {error!r}"
        ) from error
    if not set(values) & set(study.annotators):
        raise UserError(
            f"study.results={study.results}: no bits per byte of solutions for models named "
            f"{', '.join(study.annotators)}; it has {', '.join(values) or 'none'}"
        )
    return Models(BITS, values)


def _benchmark(title: str) -> str:
    """Suites are called in the config as in their titles, in small letters: evoeval_tool_use, EvoEval tool use."""
    return title.casefold().replace(" ", "_")
