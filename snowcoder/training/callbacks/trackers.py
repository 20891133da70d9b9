"""Where a run's scalars go beside metrics.jsonl: TensorBoard, Weights & Biases, MLflow, Prometheus.

All get the same numbers, each in a thread of its own: neither a server's delay nor its absence reaches training.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.digest import digest_bytes
from snowcoder.packages import install_command, package_of
from snowcoder.storage.atomic import write_text
from snowcoder.training.events import Events

# What a tracker is told about the run. Not `notify`: its command may hold the address of a private channel.
_SECTIONS = {"run", "model", "phases", "parallel", "precision", "optimizer", "packing", "guard"}
_OPTIONAL = {"wandb": "wandb", "mlflow": "mlflow", "prometheus": "prometheus_client"}  # key of logging -> module

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
    "tflops": "TFLOP/s of the model on a rank, attention counted in full",
    "tflops_causal": "TFLOP/s of the model on a rank, the causal half of attention counted",
    "mfu": "Share of a device's peak FLOP/s, attention counted in full",
    "mfu_causal": "Share of a device's peak FLOP/s, the causal half of attention counted",
    "held_out": "Mean loss on held-out documents of a source, nats",
}


class Tracker(Protocol):
    def log(self, scalars: dict[str, float], step: int) -> None: ...

    def rewind(self, step: int) -> None:
        """The steps after `step` will come again."""

    def close(self) -> None: ...


def missing_packages(config: Config) -> list[str]:
    """What `logging` asks for and this Python does not have, as sentences. Needs no torch."""
    wanted = {name: (module, getattr(config.logging, name)) for name, module in _OPTIONAL.items()}
    return [
        f"logging.{name}={value}: the package {package_of(module)} is not installed; "
        f"`{install_command(package_of(module))}`"
        for name, (module, value) in wanted.items()
        if value and not _has(module)
    ]


def check_packages(config: Config) -> None:
    if missing := missing_packages(config):
        raise UserError("; ".join(missing))


def wandb_login(verify: bool) -> bool:
    """Whether W&B has a key, or needs none. `verify`: raises where its server does not take the key."""
    wandb: Any = importlib.import_module("wandb")
    if wandb.setup().settings.mode not in ("online", "shared"):
        return True
    return wandb.login(prompt=False, verify=verify)


def open_trackers(config: Config, folder: Path, step: int, events: Events) -> list[Sender]:
    """What the config asks for, from the first record after `step` on. `folder` keeps the names of its runs."""
    openers: dict[str, Callable[[], Tracker]] = {}
    if config.logging.tensorboard:
        openers["TensorBoard"] = lambda: TensorBoard(folder / "tensorboard", step)
    if config.logging.wandb:
        openers["W&B"] = lambda: WandB(config, folder)
    if config.logging.mlflow:
        openers["MLflow"] = lambda: MLflow(config, folder)
    if config.logging.prometheus:
        openers["Prometheus"] = lambda: Prometheus(config)
    return [Sender(name, opener, events) for name, opener in openers.items()]


def close_trackers(trackers: list[Sender]) -> None:
    for tracker in trackers:
        tracker.stop()
    deadline = time.monotonic() + Sender.close_seconds
    for tracker in trackers:
        tracker.join(deadline)


class Sender:
    """A tracker in a thread. What it does not take is a warning, is kept, and is tried again."""

    keep = 100_000  # records that wait while a server is away; then the oldest are let go
    retry_seconds = 60.0
    close_seconds = 20.0  # well below the silence after which a rank counts as lost

    def __init__(self, name: str, opener: Callable[[], Tracker], events: Events) -> None:
        self.name, self._open, self._events = name, opener, events
        self._waiting: deque[Callable[[Tracker], None]] = deque(maxlen=self.keep)
        self._changed = threading.Condition()
        self._closing = False
        self._tracker: Tracker | None = None
        self._failing = False
        # A daemon: no rank waits at its end for a server that does not answer.
        self._thread = threading.Thread(target=self._work, name=f"snowcoder-{name}", daemon=True)
        self._thread.start()

    def log(self, scalars: dict[str, float], step: int) -> None:
        self._add(lambda tracker: tracker.log(scalars, step))

    def rewind(self, step: int) -> None:
        self._add(lambda tracker: tracker.rewind(step))

    def stop(self) -> None:
        """Send what waits, then end; does not wait for it."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, deadline: float) -> None:
        """Wait for the end until `deadline` on the monotonic clock."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._waiting or self._thread.is_alive():
            self._warn(f"closed without {len(self._waiting)} records; metrics.jsonl has them all")

    def _add(self, item: Callable[[Tracker], None]) -> None:
        with self._changed:
            self._waiting.append(item)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._send():
                if self._closing and not self._waiting:
                    self._finish()
                    return
            elif self._closing:
                return
            else:
                self._pause()

    def _send(self) -> bool:
        """Whether all that waited was taken."""
        try:
            self._tracker = self._tracker or self._open()
            while self._waiting:
                item = self._waiting[0]
                item(self._tracker)
                with self._changed:
                    if self._waiting and self._waiting[0] is item:  # else it was let go meanwhile
                        self._waiting.popleft()
        except Exception as error:  # whatever a library throws
            if not self._failing:
                self._warn(f"takes no records ({_summary(error)}); training goes on, they wait")
            self._failing, self._tracker = True, None
            return False
        if self._failing:
            self._failing = False
            self._warn("takes records again")
        return True

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, self.retry_seconds)

    def _finish(self) -> None:
        try:
            if self._tracker is not None:
                self._tracker.close()
        except Exception as error:
            self._warn(f"did not close ({_summary(error)})")

    def _warn(self, text: str) -> None:
        self._events.add("warning", f"{self.name} {text}")


class TensorBoard:
    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.rewind(step)

    def log(self, scalars: dict[str, float], step: int) -> None:
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)

    def rewind(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if hasattr(self, "writer"):
            self.writer.close()
        self.writer: Any = SummaryWriter(str(self.folder), purge_step=step + 1)

    def close(self) -> None:
        self.writer.close()


class WandB:
    """Steps are a column: W&B's own count cannot go back, which a run that rolls back or resumes does."""

    def __init__(self, config: Config, folder: Path) -> None:
        wandb: Any = importlib.import_module("wandb")
        if not wandb_login(verify=False):  # a rank must not wait for somebody to type one
            raise UserError("there is no key: `wandb login`, WANDB_API_KEY, or WANDB_MODE=offline")
        project = config.logging.wandb or ""
        number = _remembered(folder / "wandb.run", project) or uuid.uuid4().hex[:8]
        self.run = wandb.init(
            project=project,
            id=number,
            name=Path(config.run.dir).name,
            dir=str(folder),
            resume="allow",
            allow_val_change=True,
            config=config.model_dump(mode="json", include=_SECTIONS),
            # It neither reads the console, nor sends the checkout's uncommitted changes.
            settings=wandb.Settings(console="off", disable_git=True, finish_timeout=Sender.close_seconds),
        )
        _remember(folder / "wandb.run", project, number)
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def log(self, scalars: dict[str, float], step: int) -> None:
        try:
            self.run.log({**scalars, "step": step})
        except Exception:
            # Its service is gone, and it would ask for the same one ever after.
            with suppress(Exception):
                importlib.import_module("wandb").teardown()
            raise

    def rewind(self, step: int) -> None:
        """Both passes stay in the history."""

    def close(self) -> None:
        self.run.finish()


class MLflow:
    def __init__(self, config: Config, folder: Path) -> None:
        mlflow: Any = importlib.import_module("mlflow")
        self.entities, self.client = mlflow.entities, mlflow.MlflowClient()
        experiment = config.logging.mlflow or ""
        self.run = self._find(_remembered(folder / "mlflow.run", experiment)) or self._create(experiment, config)
        _remember(folder / "mlflow.run", experiment, self.run)

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
        parameters = _flat(config.model_dump(mode="json", include=_SECTIONS))
        entries = [self.entities.Param(name, str(value)) for name, value in parameters.items()]
        for first in range(0, len(entries), 100):  # the most that a server takes at once
            self.client.log_batch(run.info.run_id, params=entries[first : first + 100])
        return run.info.run_id


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


def _has(module: str) -> bool:
    """A folder of that name, as W&B leaves one in the working directory, is no package."""
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


def _remembered(path: Path, project: str) -> str | None:
    """The tracker's name of this run, if it was made in the same project."""
    words = path.read_text().splitlines() if path.is_file() else []
    return words[1] if len(words) == 2 and words[0] == project else None


def _remember(path: Path, project: str, number: str) -> None:
    write_text(path, f"{project}\n{number}\n")


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _summary(error: Exception) -> str:
    """The first line of what a library says; an address in it may hold a password."""
    text = str(error).strip() or "no reason given"
    line = text.splitlines()[0][:200]
    return type(error).__name__ if "@" in line else f"{type(error).__name__}: {line}"
