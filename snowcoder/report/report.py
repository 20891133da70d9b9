"""`snowcoder report RUN`: one self-contained HTML page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup

from snowcoder.pages.figure import as_svg
from snowcoder.pages.index import publish
from snowcoder.report.records import Records, read_records
from snowcoder.report.state import restarts
from snowcoder.report.status import brief

matplotlib.use("Agg")
from matplotlib import pyplot  # after the backend is chosen

_POINTS = 2000  # of a curve: a page of 500,000 steps is no larger


def run(folder: str) -> None:
    records = read_records(folder)
    path = Path(folder) / "report.html"
    template = Path(__file__).with_name("report.html.jinja")
    publish(path, folder, template, f"snowcoder report {folder}", **values_of(records))
    print(f"report: {path}")


def values_of(records: Records) -> dict[str, Any]:
    """What the page's template is filled with."""
    marks = _marks(records)
    return {
        "records": records,
        "status": brief(records),
        "ledger": ledger_rows(records),
        "plots": [
            ("Loss", _plot(records, marks, "loss", "nats a token", held_out=True)),
            ("Learning rate", _plot(records, marks, "learning_rate", "")),
            ("Throughput", _plot(records, marks, "tokens_per_second", "tokens/s")),
            ("Model TFLOP/s of a rank, with full attention", _plot(records, marks, "tflops", "TFLOP/s")),
            ("Waiting for data", _plot(records, marks, "data_seconds", "s a step, of the slowest rank")),
            ("Gradient norm", _plot(records, marks, "gradient_norm", "before clipping")),
        ],
    }


def ledger_rows(records: Records) -> list[dict[str, Any]]:
    """One row a phase and source: tokens consumed, tokens planned, epochs of the source by then.

    Without a plan, what the last checkpoint says of the tokens consumed.
    """
    if records.plan is None:
        ledger = records.checkpoint.ledger if records.checkpoint else {}
        return [
            {"phase": phase, "source": source, "tokens": tokens, "planned": None, "epochs": None}
            for phase, sources in ledger.items()
            for source, tokens in sources.items()
        ]
    consumed = records.plan.consumed(records.last["step"] if records.last else 0)
    rows: list[dict[str, Any]] = []
    for phase in records.plan.phases:
        for source in phase.sources:
            tokens = consumed.get(phase.name, {}).get(source.name, 0)
            planned = source.draws * phase.sequence_length
            epochs = (source.first_token + tokens) / source.epoch_tokens
            rows.append(
                {"phase": phase.name, "source": source.name, "tokens": tokens, "planned": planned, "epochs": epochs}
            )
    return rows


class _Marks(NamedTuple):
    """What the plots show besides curves."""

    restarts: list[int]  # steps at which a run went on
    skipped: list[int]
    windows: list[tuple[int, int]]


def _marks(records: Records) -> _Marks:
    return _Marks(
        [restart["step"] for restart in restarts(records) if restart["step"] is not None],
        [record["step"] for record in records.skipped],
        [(window["first"], window["last"]) for window in records.windows],
    )


def _plot(records: Records, marks: _Marks, key: str, unit: str, held_out: bool = False) -> Markup:
    """A curve over steps with the phases shaded, as SVG."""
    figure, axes = pyplot.subplots(figsize=(9, 2.8))
    points = thinned([(r["step"], r[key]) for r in records.steps if r.get(key) is not None])
    # A single step is a point: a line would not show.
    style = {"marker": "o", "markersize": 4} if len(points) == 1 else {"linewidth": 1}
    axes.plot([x for x, _ in points], [y for _, y in points], label="training", **style)
    if held_out:
        _plot_held_out(axes, records)
    _shade_phases(axes, records)
    _plot_marks(axes, marks)
    if held_out or any(marks):
        axes.legend(fontsize=8)
    axes.set_xlabel("step")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    image = as_svg(figure, key)
    pyplot.close(figure)
    return image


def thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `_POINTS`: of each stretch of steps the lowest and the highest, so that no spike is lost."""
    width = -(-len(points) // (_POINTS // 2))
    if width <= 2:
        return points
    stretches = (points[first : first + width] for first in range(0, len(points), width))
    return [point for each in stretches for point in sorted({min(each, key=_value), max(each, key=_value)})]


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _shade_phases(axes: Any, records: Records) -> None:
    for number, span in enumerate(records.spans):
        axes.axvspan(span.first_step, span.end, alpha=0.08, color=f"C{number}")
        middle = span.first_step + span.steps / 2
        axes.text(middle, 1.02, span.name, transform=axes.get_xaxis_transform(), ha="center")


def _plot_marks(axes: Any, marks: _Marks) -> None:
    """Each kind once in the legend."""
    for number, step in enumerate(marks.restarts):
        axes.axvline(step, color="k", linestyle="--", linewidth=0.8, label="_" * bool(number) + "restart")
    for number, (first, last) in enumerate(marks.windows):
        axes.axvspan(first + 0.5, last + 0.5, color="red", alpha=0.2, label="_" * bool(number) + "passed over")
    for number, step in enumerate(marks.skipped):
        axes.axvline(step, color="red", linewidth=0.8, alpha=0.6, label="_" * bool(number) + "skipped step")


def _plot_held_out(axes: Any, records: Records) -> None:
    for source in sorted({name for record in records.validations for name in record["losses"]}):
        points = [(r["step"], r["losses"][source]) for r in records.validations if source in r["losses"]]
        axes.plot(*zip(*points, strict=True), "o", markersize=4, label=f"held out: {source}")
