"""`snowcoder corpus report`: one HTML page of what each rule of the last build took, with examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.corpus.build import REPORT, read_report
from snowcoder.corpus.labelled.scores import held_out_scores
from snowcoder.errors import UserError
from snowcoder.pages.index import publish

_LANGUAGES = 24  # columns; the others are summed up
_HITS = 1000  # rows; the file has them all


class FilterRow(NamedTuple):
    rule: str
    files: int
    bytes: int
    share: float  # of all files read
    by_language: list[int]  # files


def run(config: Config) -> None:
    report = read_report(config)
    if report is None:
        raise UserError(f"{config.corpus.work} has no {REPORT}: run `snowcoder corpus build` first")
    path = Path(config.corpus.work) / "report.html"
    template = Path(__file__).with_name("report.html.jinja")
    publish(path, config.run.dir, template, "snowcoder corpus report", **_values(config, report))
    print(f"report: {path}")


def _values(config: Config, report: dict[str, Any]) -> dict[str, Any]:
    languages = _languages(report)
    return {
        "report": report,
        "languages": languages,
        "rows": _rows(report, languages),
        "size": readable.size,
        "hits": report["hits"][:_HITS],
        "scores": held_out_scores(),
        "work": config.corpus.work,
    }


def _languages(report: dict[str, Any]) -> list[str]:
    """The most frequent ones, then "others" if there are any."""
    files: dict[str, int] = {}
    for _, language, count, _ in report["kept"] + report["dropped"]:
        files[language] = files.get(language, 0) + count
    names = sorted(files, key=lambda name: -files[name])
    return names[:_LANGUAGES] + (["others"] if len(names) > _LANGUAGES else [])


def _rows(report: dict[str, Any], languages: list[str]) -> list[FilterRow]:
    """What was kept, then a row for each rule, the one that took most first."""
    everything = sum(count for _, _, count, _ in report["kept"] + report["dropped"])
    kept = _row("kept", report["kept"], languages, everything)
    rules = {rule for rule, *_ in report["dropped"]}
    rows = [_row(rule, [r for r in report["dropped"] if r[0] == rule], languages, everything) for rule in rules]
    return [kept, *sorted(rows, key=lambda row: (-row.files, row.rule))]


def _row(rule: str, counts: list[list[Any]], languages: list[str], everything: int) -> FilterRow:
    by_language = dict.fromkeys(languages, 0)
    for _, language, files, _ in counts:
        by_language[language if language in by_language else "others"] += files
    files, size = (sum(row[column] for row in counts) for column in (2, 3))
    return FilterRow(rule, files, size, files / max(1, everything), list(by_language.values()))
