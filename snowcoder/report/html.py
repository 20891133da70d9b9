"""`snowcoder report RUN`: one self-contained HTML page of a run."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
import matplotlib

from snowcoder.lineage.manifest import code_version
from snowcoder.report.records import Records, read_records
from snowcoder.storage.atomic import write_text

matplotlib.use("Agg")
from matplotlib import pyplot  # after the backend is chosen


def run(folder: str) -> None:
    records = read_records(folder)
    path = Path(folder) / "report.html"
    write_text(path, render(records))
    print(f"report: {path}")


def render(records: Records) -> str:
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        (Path(__file__).parent / "report.html.jinja").read_text()
    )
    return template.render(
        records=records,
        ledger=ledger_rows(records),
        plots=[
            ("Loss", _plot(records, "loss", "nats a token", held_out=True)),
            ("Learning rate", _plot(records, "learning_rate", "")),
            ("Throughput", _plot(records, "tokens_per_second", "tokens/s")),
            ("Gradient norm", _plot(records, "gradient_norm", "before clipping")),
        ],
        code=code_version(),
    )


def ledger_rows(records: Records) -> list[dict[str, Any]]:
    """One row a phase and source: tokens consumed, tokens planned, epochs of the source by then."""
    step = records.last["step"] if records.last else 0
    consumed = records.plan.consumed(step)
    rows = []
    for phase in records.plan.phases:
        for source in phase.sources:
            tokens = consumed.get(phase.name, {}).get(source.name, 0)
            planned = source.draws * phase.sequence_length
            epochs = (source.first_token + tokens) / source.epoch_tokens
            rows.append(
                {"phase": phase.name, "source": source.name, "tokens": tokens, "planned": planned, "epochs": epochs}
            )
    return rows


def _plot(records: Records, key: str, unit: str, held_out: bool = False) -> str:
    """A curve over steps with the phases shaded, as a PNG in base64."""
    figure, axes = pyplot.subplots(figsize=(9, 2.8), dpi=110)
    axes.plot([r["step"] for r in records.steps], [r[key] for r in records.steps], linewidth=1, label="training")
    if held_out:
        _plot_held_out(axes, records)
    for number, phase in enumerate(records.plan.phases):
        axes.axvspan(phase.first_step, phase.first_step + phase.steps, alpha=0.08, color=f"C{number}")
        axes.text(
            phase.first_step + phase.steps / 2, 1.02, phase.name, transform=axes.get_xaxis_transform(), ha="center"
        )
    axes.set_xlabel("step")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    pyplot.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()


def _plot_held_out(axes: Any, records: Records) -> None:
    for source in sorted({name for record in records.validations for name in record["losses"]}):
        points = [(r["step"], r["losses"][source]) for r in records.validations if source in r["losses"]]
        axes.plot(*zip(*points, strict=True), "o", markersize=4, label=f"held out: {source}")
    axes.legend(fontsize=8)
