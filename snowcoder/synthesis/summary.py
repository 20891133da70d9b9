"""What became of a recipe's seeds, in numbers: for the terminal, the manifest and the report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.dropped_examples import DroppedExamples
from snowcoder.stages.steps import Record

REPORT = "report.json"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def summarize_synthesis(
    config: Config,
    seeds: list[Record],
    answers: list[Record],
    checked: list[Record],
    copies: Record,
    published: list[Record],
) -> dict[str, Any]:
    judged = _counts([*checked, *published])
    kept = _counts(published)
    judged.forget(KEPT)
    samples = DroppedExamples(config.corpus.samples)
    for record in (*checked, *published):
        samples.merge(record.counts["samples"])
    usage = _sum(answers, "usage")
    return {
        "recipe": config.synthesis.name,
        "model": config.synthesis.model,
        "seeds": _seeds(seeds),
        "outcomes": _outcomes(answers),
        "kept": {language: files for (what, language), files in kept.files.most_common() if what == KEPT},
        "kept_bytes": kept.total(KEPT)[1],
        "dropped": judged.files_by_rule(),
        "dropped_by_language": judged.rows(),
        "copies": {name: copies.counts[name] for name in ("exact", "near", "pairs", "verified")},
        "hits": [hit for record in published for hit in record.counts["hits"]],
        "replaced": _sum(published, "replaced"),
        "sizes": _sizes([size for record in published for size in record.counts["sizes"]]),
        "requests": _requests(answers),
        "usage": usage,
        "cost": cost(config, usage),
        "samples": dict(samples.rules),
    }


def cost(config: Config, usage: dict[str, int]) -> float:
    requests = config.synthesis.requests
    paid = usage.get("prompt_tokens", 0) * requests.input_price
    return (paid + usage.get("completion_tokens", 0) * requests.output_price) / 1e6


def print_summary(config: Config, report: dict[str, Any], seconds: float) -> None:
    requests, usage = report["requests"], report["usage"]
    print(
        f"{report['recipe']}: {requests['answered']:,} answers of {report['model']} "
        f"({usage.get('prompt_tokens', 0):,} tokens in, {usage.get('completion_tokens', 0):,} out"
        + (f", cost {report['cost']:,.2f}" if report["cost"] else "")
        + f"), {seconds:.1f} s"
    )
    if requests["reasoned"]:
        print(f"reasoning was left out of {requests['reasoned']:,} answers")
    if requests["unanswered"]:
        print(f"no answer yet: {requests['unanswered']:,} requests, which the same command asks again")
    print(f"dropped: {lost(report)}")
    where = Path(config.synthesis.dir) / "chat.jsonl" if config.synthesis.chat else config.synthesis.python
    print(f"kept: {readable.counts(report['kept'])}, {readable.size(report['kept_bytes'])} of text, in {where}")


def lost(report: dict[str, Any]) -> str:
    """What was not kept, by reason."""
    ended = Counter[str]()
    for step, reason, _, count in report["outcomes"]:
        if reason:
            ended[f"{step}: {reason}"] += count
    return readable.counts(dict([*ended.most_common(), *report["dropped"].items()]))


def _seeds(records: list[Record]) -> dict[str, int]:
    return dict(Counter(_sum(records, "languages")).most_common())


def _outcomes(records: list[Record]) -> list[list[Any]]:
    """[step, reason or null, language, count], for each way that samples went."""
    counts = Counter[tuple[str, str | None, str]]()
    for record in records:
        for step, reason, language, count in record.counts["outcomes"]:
            counts[step, reason, language] += count
    return [[*key, count] for key, count in sorted(counts.items(), key=lambda each: -each[1])]


def _requests(answers: list[Record]) -> dict[str, Any]:
    """`asked_again`: the process was killed before the answer came, which the server may have counted all the same."""
    log = _sum(answers, "log")
    answered = log.get("answer", 0)
    of_last_run = [record.counts["requests"] for record in answers]
    return {
        "answered": answered,
        **{name: sum(each[name] for each in of_last_run) for name in ("reasoned", "refused", "unanswered")},
        "asked_again": log.get("ask", 0) - answered - log.get("refused", 0),
        "failed": {kind.partition(": ")[2]: count for kind, count in log.items() if kind.startswith("failed: ")},
    }


def _sizes(sizes: list[list[int]]) -> dict[str, Any]:
    """Quantiles, and a histogram of characters by powers of two."""
    if not sizes:
        return {"characters": [], "lines": [], "histogram": []}
    characters, lines = np.array(sizes).T
    powers = np.bincount(np.log2(np.maximum(characters, 1)).astype(int))
    return {
        "characters": np.quantile(characters, _QUANTILES).round().astype(int).tolist(),
        "lines": np.quantile(lines, _QUANTILES).round().astype(int).tolist(),
        "histogram": [[1 << power, int(count)] for power, count in enumerate(powers) if count],
    }


def _counts(records: list[Record]) -> Counts:
    counts = Counts()
    for record in records:
        counts.merge(record.counts["counts"])
    return counts


def _sum(records: list[Record], key: str) -> dict[str, int]:
    total = Counter[str]()
    for record in records:
        total.update(record.counts[key])
    return dict(total)
