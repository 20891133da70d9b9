"""MLflow."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.training.trackers.tracker import SECTIONS, remember, remembered


class MLflow:
    def __init__(self, config: Config, folder: Path) -> None:
        mlflow: Any = importlib.import_module("mlflow")
        self.entities, self.client = mlflow.entities, mlflow.MlflowClient()
        experiment = config.logging.mlflow or ""
        self.run = self._find(remembered(folder / "mlflow.run", experiment)) or self._create(experiment, config)
        remember(folder / "mlflow.run", experiment, self.run)

    def log(self, scalars: dict[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        metrics = [self.entities.Metric(name, value, now, step) for name, value in scalars.items()]
        self.client.log_batch(self.run, metrics=metrics)

    def rewind(self, step: int) -> None:
        """Both passes stay in the history."""

    def close(self) -> None:
        self.client.set_terminated(self.run)

    def _find(self, number: str | None) -> str | None:
        """The run of before, if this server has it, open again."""
        if number is None:
            return None
        try:
            self.client.update_run(number, status="RUNNING")
        except importlib.import_module("mlflow").MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return number

    def _create(self, experiment: str, config: Config) -> str:
        found = self.client.get_experiment_by_name(experiment)
        home = found.experiment_id if found else self.client.create_experiment(experiment)
        run = self.client.create_run(home, run_name=Path(config.run.dir).name)
        parameters = _flat(config.model_dump(mode="json", include=SECTIONS))
        entries = [self.entities.Param(name, str(value)) for name, value in parameters.items()]
        for first in range(0, len(entries), 100):  # the most that a server takes at once
            self.client.log_batch(run.info.run_id, params=entries[first : first + 100])
        result: str = run.info.run_id
        return result


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
