"""The model card: what the model is, what it was trained on, and how to load it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from snowcoder.config.schema import Config
from snowcoder.export.sources import sources_of
from snowcoder.lineage.manifest import code_version, describe_outputs, find_manifest
from snowcoder.model.size import count_parameters
from snowcoder.storage.atomic import write_text
from snowcoder.training.checkpoints.checkpoint_record import CheckpointRecord

if TYPE_CHECKING:
    from snowcoder.export.parity import ParityReport


def write_card(
    folder: Path,
    config: Config,
    record: CheckpointRecord,
    inputs: dict[str, Any],
    parity: ParityReport,
) -> None:
    """Write README.md. `record` is the checkpoint's, `inputs` the digests of what went in."""
    from snowcoder.export.parity import TOLERANCE  # late: brings torch, which `add_evaluation` does not need

    template = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        (Path(__file__).parent / "README.md.jinja").read_text()
    )
    content = template.render(
        name=Path(config.run.dir).resolve().name,
        parameters=count_parameters(config.model).total,
        model=config.model,
        record=record,
        licence=config.export.licence,
        sources=sources_of(config, record.ledger, inputs),
        inputs=inputs,
        parity=parity,
        tolerance=TOLERANCE,
        code=code_version(),
    )
    write_text(folder / "README.md", content + "\n")


_HEADING = "## Evaluation"


def add_evaluation(folder: Path, table: str) -> None:
    """Put the results into the card of an export, in place of earlier ones. Other folders stay as they are."""
    manifest = find_manifest(folder)
    if manifest is None or manifest.stage != "export":
        return
    card = folder / "README.md"
    before = card.read_text().partition(f"\n{_HEADING}\n")[0]
    text = f"By `snowcoder evaluate`; the versions of the benchmarks are in its results.\n\n{table}"
    write_text(card, f"{before}\n{_HEADING}\n\n{text}")
    outputs = [output for output in manifest.outputs if output.name != card.name]
    outputs = sorted([*outputs, *describe_outputs(folder, [card.name])], key=lambda output: output.name)
    replace(manifest, outputs=outputs).write(folder)
