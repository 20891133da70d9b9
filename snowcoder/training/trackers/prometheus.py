"""Prometheus, by node_exporter's collector of text files."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.storage.digest import digest_bytes

# What Prometheus is told of a number, with its unit.
_GAUGES = {
    "step": "Finished steps",
    "last_record_timestamp_seconds": "When the newest of these numbers was recorded, seconds since 1970",
    "loss": "Mean loss of the step's tokens, nats",
    "gradient_norm": "Norm of the gradient before clipping",
    "learning_rate": "Learning rate of the step",
    "tokens_per_second": "Tokens a second, of all ranks",
    "seconds": "Time of the step",
    "data_seconds": "Time of the step spent waiting for data, seconds, of the slowest rank",
    "forward_backward_seconds": "Time of the step in forward and backward, seconds",
    "update_seconds": "Time of the step in the update, seconds",
    "rest_seconds": "Time before the step in saves, validation and records, seconds, which `seconds` is without",
    "tflops": "TFLOP/s of the model on a rank, attention counted in full",
    "tflops_causal": "TFLOP/s of the model on a rank, the causal half of attention counted",
    "mfu": "Share of a device's peak FLOP/s, attention counted in full",
    "mfu_causal": "Share of a device's peak FLOP/s, the causal half of attention counted",
    "held_out": "Mean loss on held-out documents of a source, nats",
}


class Prometheus:
    """The newest numbers as a file for node_exporter's textfile collector, replaced as a whole.

    A run that ends takes it away; one that was killed leaves it, so that an alert on its age tells.
    """

    def __init__(self, config: Config) -> None:
        self.client: Any = importlib.import_module("prometheus_client")
        self.registry = self.client.CollectorRegistry()
        self.gauges: dict[str, Any] = {}
        self.run = str(Path(config.run.dir).absolute())
        self.path = textfile(config)

    def log(self, scalars: dict[str, float], step: int) -> None:
        for name, value in {**scalars, "step": step, "last_record_timestamp_seconds": time.time()}.items():
            kind, _, source = name.partition("/")  # held_out/raw
            self._gauge(kind, source).set(value)
        self.client.write_to_textfile(str(self.path), self.registry)

    def rewind(self, step: int) -> None:
        """The next record replaces this one."""

    def close(self) -> None:
        self.path.unlink(missing_ok=True)

    def _gauge(self, kind: str, source: str) -> Any:
        labels = {"run": self.run, **({"source": source} if source else {})}
        if kind not in self.gauges:
            text = _GAUGES.get(kind, kind.replace("_", " "))
            self.gauges[kind] = self.client.Gauge(f"snowcoder_{kind}", text, list(labels), registry=self.registry)
        return self.gauges[kind].labels(**labels)


def textfile(config: Config) -> Path:
    """Of a run: its name for people, and its folder's digest, for several runs may have one name."""
    assert config.logging.prometheus is not None
    run = Path(config.run.dir).absolute()
    return Path(config.logging.prometheus) / f"snowcoder-{run.name}-{digest_bytes(str(run).encode())[:8]}.prom"
