"""What a run has written about itself: frozen config, plan, metrics, completion records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snowcoder.config.compose import read_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.plan import Plan, load_plan
from snowcoder.training.completion import complete_steps, read_record, step_folder


@dataclass(frozen=True)
class Records:
    folder: Path
    config: Config
    plan: Plan
    steps: list[dict[str, Any]]  # one a finished step, ascending
    validations: list[dict[str, Any]]
    checkpoint: dict[str, Any] | None  # the newest completion record

    @property
    def last(self) -> dict[str, Any] | None:
        return self.steps[-1] if self.steps else None


def read_records(run: str) -> Records:
    """Read a run's folder. Raises `UserError` where `snowcoder train` has not been."""
    folder = Path(run)
    if not (folder / "resolved.yaml").is_file():
        raise UserError(f"{folder} is not a run: it has no resolved.yaml, which `snowcoder train` writes")
    config = read_config(folder / "resolved.yaml")
    metrics = _read_lines(folder / "metrics.jsonl")
    checkpoints = folder / "train" / "checkpoints"
    steps = complete_steps(checkpoints)
    return Records(
        folder=folder,
        config=config,
        plan=load_plan(Path(config.plan.dir)),
        steps=[record for record in metrics if record["kind"] == "step"],
        validations=[record for record in metrics if record["kind"] == "validation"],
        checkpoint=read_record(step_folder(checkpoints, steps[-1])) if steps else None,
    )


def _read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break  # the last line of a run that is being written, or was killed
    return records
