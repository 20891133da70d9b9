"""The model card: what the model is, what it was trained on, and how to load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from snowcoder.config.schema import Config
from snowcoder.export.parity import TOLERANCE, ParityReport
from snowcoder.lineage.manifest import code_version
from snowcoder.model.size import parameters
from snowcoder.storage.atomic import write_text


def write_card(
    folder: Path,
    config: Config,
    record: dict[str, Any],
    inputs: dict[str, Any],
    parity: ParityReport,
) -> None:
    """Write README.md. `record` is the checkpoint's, `inputs` the digests of what went in."""
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        (Path(__file__).parent / "README.md.jinja").read_text()
    )
    content = template.render(
        name=Path(config.run.dir).resolve().name,
        parameters=parameters(config.model).total,
        model=config.model,
        record=record,
        inputs=inputs,
        parity=parity,
        tolerance=TOLERANCE,
        code=code_version(),
    )
    write_text(folder / "README.md", content + "\n")
