"""`snowcoder synthesize report`: one HTML page of what a recipe asked, what each rule took, and what is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT
from snowcoder.errors import UserError
from snowcoder.pages.index import publish
from snowcoder.synthesis.similarity import Similarity, similarities
from snowcoder.synthesis.summary import REPORT

_LANGUAGES = 16  # columns; the others are summed up


class StepRow(NamedTuple):
    step: str
    what: str
    samples: int
    share: float  # of the samples that came to the step
    by_language: list[int]


def run(config: Config) -> None:
    folder = Path(config.synthesis.dir)
    try:
        report = json.loads((folder / REPORT).read_text())
    except FileNotFoundError:
        raise UserError(f"{folder} has no {REPORT}: run `snowcoder synthesize` first") from None
    path = folder / "report.html"
    template, values = Path(__file__).with_name("report.html.jinja"), _values(config, report, similarities(config))
    publish(path, config.run.dir, template, "snowcoder synthesize report", **values)
    print(f"report: {path}")


def _values(config: Config, report: dict[str, Any], similar: list[Similarity]) -> dict[str, Any]:
    languages = _languages(report)
    return {
        "report": report,
        "languages": languages,
        "rows": _rows(config, report, languages),
        "kept": sum(report["kept"].values()),
        "kept_size": readable.size(report["kept_bytes"]),
        "similar": similar,
        "folder": config.synthesis.dir,
    }


def _languages(report: dict[str, Any]) -> list[str]:
    """Of the seeds, the most frequent ones first; then "others" if there are more."""
    names = sorted(report["seeds"], key=lambda name: -report["seeds"][name])
    return names[:_LANGUAGES] + (["others"] if len(names) > _LANGUAGES else [])


def _rows(config: Config, report: dict[str, Any], languages: list[str]) -> list[StepRow]:
    """Step by step what ended there, and why; then what the rules took of whole samples, and what is left."""
    outcomes, rows = report["outcomes"], []
    order = {step: number for number, step in enumerate(["seed", *config.synthesis.steps])}
    for step, number in order.items():
        came = sum(count for name, _, _, count in outcomes if order[name] >= number)
        ended = [each[1:] for each in outcomes if each[0] == step and each[1] is not None]
        rows += _grouped(step, ended, came, languages)
    whole = sum(count for _, reason, _, count in outcomes if reason is None)
    dropped = [row[:3] for row in report["dropped_by_language"]]
    kept = [[KEPT, *each] for each in report["kept"].items()]
    return [*rows, *_grouped("whole samples", dropped, whole, languages), *_grouped("", kept, whole, languages)]


def _grouped(step: str, counts: list[list[Any]], came: int, languages: list[str]) -> list[StepRow]:
    """A row for each reason, the one that took most first."""
    rows = []
    for reason in dict.fromkeys(reason for reason, _, _ in counts):
        by_language = dict.fromkeys(languages, 0)
        for each, language, count in counts:
            if each == reason:
                key = language if language in by_language else "others"
                by_language[key] = by_language.get(key, 0) + count
        total = sum(by_language.values())
        rows.append(StepRow(step, reason, total, total / max(1, came), [by_language[name] for name in languages]))
    return sorted(rows, key=lambda row: -row.samples)
