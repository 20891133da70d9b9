"""TensorBoard, W&B and MLflow, the real ones (offline, and in a folder): same numbers, one run across resumes."""

from __future__ import annotations

import importlib.util
import json
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_training import PHASES

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.phase_plan import SourceSize, make_plan
from snowcoder.training.callbacks.metrics import Metrics
from snowcoder.training.events import Events, read_events
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult
from snowcoder.training.trackers.open import close_trackers, open_trackers
from snowcoder.training.trackers.packages import check_packages, missing_packages
from snowcoder.training.trackers.sender import Sender
from tests.tiny import snowcoder, steps_of, tiny_overrides

needs_wandb = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")
needs_mlflow = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow-skinny is not installed")
needs_prometheus = pytest.mark.skipif(
    importlib.util.find_spec("prometheus_client") is None, reason="prometheus-client is not installed"
)
EXPERIMENT = "experiment"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_TRACKING_URI": f"file:{tmp_path}/mlflow",
    }.items():
        monkeypatch.setenv(name, value)


def config_of(folder: Path, *overrides: str) -> Config:
    return load_config(tiny_overrides(folder, *PHASES, *overrides))


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)
    return found


def warnings(folder: Path) -> list[str]:
    return [event.text for event in read_events(folder) if event.kind == "warning"]


def mlflow_losses(run: str) -> list[tuple[int, float]]:
    import mlflow

    return sorted((metric.step, metric.value) for metric in mlflow.MlflowClient().get_metric_history(run, "loss"))


def wandb_rows(file: Path) -> list[dict[str, float]]:
    """The history in an offline run's file, as `wandb sync` would send it."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for data in wandb_records(file.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items})
    return rows


def wandb_records(data: bytes) -> Iterator[bytes]:
    """LevelDB's log format, after a header of 7 bytes: in blocks of 32 KiB, pieces of records with a header each."""
    position, record, block = 7, b"", 1 << 15
    while position + 7 <= len(data):
        if block - position % block < 7:
            position += block - position % block
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        record += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            yield record
            record = b""


def board_losses(folder: Path) -> list[tuple[int, float]]:
    board = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in board.Scalars("loss")]


@needs_wandb
@needs_mlflow
@pytest.mark.slow
def test_a_resumed_training_goes_on_in_the_same_runs_and_logs_each_step_once(tmp_path: Path, workspace: Path) -> None:
    shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
    wanted = ["logging.wandb=project", f"logging.mlflow={EXPERIMENT}", "logging.tensorboard=true"]
    overrides = tiny_overrides(tmp_path / "run", *shared, *PHASES, "parallel=single", *wanted)
    snowcoder("plan", *overrides)
    snowcoder("train", *overrides, "phase=phase1")
    folder = tmp_path / "run" / "train"
    before = [(folder / name).read_text() for name in ("wandb.run", "mlflow.run")]
    snowcoder("train", *overrides, "phase=phase2")
    assert [(folder / name).read_text() for name in ("wandb.run", "mlflow.run")] == before
    assert not warnings(tmp_path / "run")

    losses = [(record["step"], record["loss"]) for record in steps_of(tmp_path / "run")]
    assert len(losses) == 24
    assert mlflow_losses(before[1].split()[1]) == losses
    number = before[0].split()[1]
    files = sorted((folder / "wandb").glob(f"offline-run-*-{number}/run-{number}.wandb"))
    rows = [row for file in files for row in wandb_rows(file)]
    assert len(files) == 2
    assert [(row["step"], row["loss"]) for row in rows] == losses
    # TensorBoard keeps 32 bits.
    assert dict(board_losses(folder / "tensorboard")) == pytest.approx(dict(losses))


def run_of(config: Config) -> Run:
    """What Metrics looks at of a run; no model is built."""
    run = Run.__new__(Run)
    sizes = {name: SourceSize(10**6, "") for name in config.index.sources}
    run.config, run.plan, run.step = config, make_plan(config, sizes), 0
    return run


def do_steps(metrics: Metrics, run: Run, count: int, loss: float) -> None:
    for _ in range(count):
        run.step += 1
        metrics.on_step(
            run, run.plan.phases[0], StepResult(run.step, "phase1", loss, 1.0, 1e-3, 512, 0.1, 0.02, 0.07, 0.01)
        )


@pytest.mark.usefixtures("one_rank")
def test_after_a_rewind_metrics_and_tensorboard_have_each_step_once(tmp_path: Path) -> None:
    run = run_of(config_of(tmp_path, "logging.tensorboard=true"))
    metrics = Metrics(run)
    metrics.on_start(run)
    do_steps(metrics, run, 6, loss=9.0)
    metrics.write({"kind": "validation", "step": 6, "phase": "phase1", "losses": {"raw": 9.5}})
    run.step = 3
    metrics.on_rollback(run)
    do_steps(metrics, run, 5, loss=2.0)
    metrics.on_end(run)
    expected = [(step, 9.0 if step <= 3 else 2.0) for step in range(1, 9)]
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(record["step"], record["loss"]) for record in records] == expected
    assert board_losses(tmp_path / "train" / "tensorboard") == expected


@pytest.mark.usefixtures("one_rank")
def test_a_resume_drops_what_was_recorded_after_the_checkpoint_and_half_a_line(tmp_path: Path) -> None:
    run = run_of(config_of(tmp_path))
    first = Metrics(run)
    first.on_start(run)
    do_steps(first, run, 6, loss=9.0)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')
    run.step = 4
    second = Metrics(run)
    second.on_start(run)
    do_steps(second, run, 1, loss=2.0)
    second.on_end(run)
    assert [record["step"] for record in steps_of(tmp_path)] == [1, 2, 3, 4, 5]


def prometheus_values(file: Path) -> dict[tuple[str, str], float]:
    """As Prometheus reads them: by name and source, all of one run."""
    from prometheus_client.parser import text_string_to_metric_families

    samples = [sample for family in text_string_to_metric_families(file.read_text()) for sample in family.samples]
    assert len({sample.labels["run"] for sample in samples}) == 1
    return {(sample.name, sample.labels.get("source", "")): sample.value for sample in samples}


@needs_prometheus
@pytest.mark.usefixtures("one_rank")
def test_prometheus_reads_the_newest_numbers_while_the_run_lasts(tmp_path: Path) -> None:
    """Two runs of one name have a file each; one that has ended has none."""
    folder = tmp_path / "textfiles"
    folder.mkdir()
    runs = []
    for place in ("a", "b"):
        run = run_of(config_of(tmp_path / place / "run", f"logging.prometheus={folder}"))
        runs.append((run, Metrics(run)))
        runs[-1][1].on_start(run)
    for run, metrics in runs:
        do_steps(metrics, run, 3, loss=float("nan"))
        do_steps(metrics, run, 1, loss=2.5)
        metrics.write({"kind": "validation", "step": 4, "phase": "phase1", "losses": {"raw": 3.5, "selected": 4.5}})
        until(lambda metrics=metrics: not metrics.trackers[0]._waiting, "the last record")
    one, two = sorted(folder.iterdir())
    assert [path.suffix for path in (one, two)] == [".prom", ".prom"]
    values = prometheus_values(one)
    assert values["snowcoder_step", ""] == 4
    assert values["snowcoder_loss", ""] == 2.5
    assert values["snowcoder_held_out", "raw"] == 3.5
    assert values["snowcoder_held_out", "selected"] == 4.5
    assert [values[f"snowcoder_{name}_seconds", ""] for name in ("data", "forward_backward", "update")] == [
        0.02,
        0.07,
        0.01,
    ]
    assert values["snowcoder_tokens_per_second", ""] == 5120
    assert values["snowcoder_tflops", ""] > values["snowcoder_tflops_causal", ""] > 0
    assert ("snowcoder_mfu", "") not in values  # of a CPU it is not known
    assert time.time() - 60 < values["snowcoder_last_record_timestamp_seconds", ""] <= time.time()
    runs[0][1].on_end(runs[0][0])
    (left,) = folder.iterdir()
    assert f'run="{tmp_path}/b/run"' in left.read_text()
    runs[1][1].on_end(runs[1][0])
    assert not list(folder.iterdir())


@needs_prometheus
def test_a_textfile_folder_that_is_not_there_is_one_warning(tmp_path: Path) -> None:
    config = config_of(tmp_path, f"logging.prometheus={tmp_path}/nowhere")
    (sender,) = open_trackers(config, tmp_path / "train", 0, Events(config))
    sender.log({"loss": 1.0}, 1)
    (text,) = until(lambda: warnings(tmp_path), "a warning")
    assert text.startswith("Prometheus takes no records (FileNotFoundError: ")
    close_trackers([sender])


@needs_mlflow
def test_a_store_that_is_away_is_one_warning_and_gets_everything_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "retry_seconds", 0.1)
    config = config_of(tmp_path, f"logging.mlflow={EXPERIMENT}")
    (sender,) = open_trackers(config, tmp_path / "train", 0, Events(config))
    sender.log({"loss": 1.0}, 1)
    until(lambda: not sender._waiting, "the first record")
    (tmp_path / "mlflow").rename(tmp_path / "away")
    (tmp_path / "mlflow").write_text("where the store was")
    started = time.monotonic()
    for step in range(2, 1000):
        sender.log({"loss": 1.0 / step}, step)
    assert time.monotonic() - started < 10  # training does not wait: each record would take a try
    until(lambda: warnings(tmp_path), "a warning")
    (tmp_path / "mlflow").unlink()
    (tmp_path / "away").rename(tmp_path / "mlflow")
    until(lambda: len(warnings(tmp_path)) > 1, "the end of the outage")
    close_trackers([sender])
    first, second = warnings(tmp_path)
    assert first.startswith("MLflow takes no records (")
    assert second == "MLflow takes records again"
    run = (tmp_path / "train" / "mlflow.run").read_text().split()[1]
    assert mlflow_losses(run) == [(step, 1.0 / step) for step in range(1, 1000)]


KILL_THE_SERVICE = """
import faulthandler, sys, time
faulthandler.dump_traceback_later(200)  # should it hang, then say where
from pathlib import Path
import psutil
from snowcoder.config.compose import load_config
from snowcoder.training.trackers.open import close_trackers, open_trackers
from snowcoder.training.trackers.sender import Sender
from snowcoder.training.events import Events

Sender.retry_seconds = 0.2
config = load_config(sys.argv[1:])
(sender,) = open_trackers(config, Path(config.run.dir) / "train", 0, Events(config))
step = 0

def log():
    global step
    step += 1
    sender.log({"loss": 1.0}, step)
    while sender._waiting:
        time.sleep(0.01)

for _ in range(3):
    log()
for child in psutil.Process().children(recursive=True):
    child.kill()
    child.wait()
while not (Path(config.run.dir) / "events.log").exists():  # W&B itself must notice
    log()
log()
close_trackers([sender])
print(step)
"""


@needs_wandb
@pytest.mark.slow
def test_wandb_goes_on_after_its_service_was_killed(tmp_path: Path) -> None:
    """In a process of its own, for all of a process share one service."""
    overrides = tiny_overrides(tmp_path / "run", "logging.wandb=project")
    command = [sys.executable, "-c", KILL_THE_SERVICE, *overrides]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    first, second = warnings(tmp_path / "run")
    assert first.startswith("W&B takes no records (")
    assert second == "W&B takes records again"
    rows = [wandb_rows(file) for file in (tmp_path / "run").rglob("*.wandb")]
    assert max(row["step"] for file in rows for row in file) == int(done.stdout)


def test_closing_waits_no_longer_than_it_says_for_a_server_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "close_seconds", 0.5)
    forever = threading.Event()

    class Hangs:
        def log(self, scalars: dict[str, float], step: int) -> None:
            forever.wait()

    sender = Sender("MLflow", Hangs, Events(config_of(tmp_path)))  # type: ignore[arg-type]
    sender.log({"loss": 1.0}, 1)
    started = time.monotonic()
    close_trackers([sender])
    assert 0.4 < time.monotonic() - started < 5
    assert warnings(tmp_path) == ["MLflow closed without 1 records; metrics.jsonl has them all"]
    forever.set()


def test_a_long_outage_keeps_the_newest_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One warning however often it is tried; and none is lost that was pushed on while one was on its way."""
    monkeypatch.setattr(Sender, "keep", 10)
    monkeypatch.setattr(Sender, "retry_seconds", 0.05)
    there, slow, go_on = threading.Event(), threading.Event(), threading.Event()
    tried, taken = [], []

    class Gone:
        def __init__(self) -> None:
            tried.append(1)
            if not there.is_set():
                raise ConnectionError("https://user:secret@server is gone")

        def log(self, scalars: dict[str, float], step: int) -> None:
            slow.set()
            go_on.wait()
            taken.append(step)

        def close(self) -> None: ...

    sender = Sender("MLflow", Gone, Events(config_of(tmp_path)))  # type: ignore[arg-type]
    for step in range(50):
        sender.log({"loss": 1.0}, step)
    until(lambda: len(tried) > 3, "a fourth try")
    assert warnings(tmp_path) == ["MLflow takes no records (ConnectionError); training goes on, they wait"]
    there.set()
    slow.wait()  # 40 is on its way
    for step in range(50, 53):
        sender.log({"loss": 1.0}, step)
    go_on.set()
    close_trackers([sender])
    assert taken == [40, *range(43, 53)]
    assert "secret" not in (tmp_path / "events.log").read_text()


def test_a_missing_package_is_named_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where W&B left a folder `wandb` in the working directory, which Python takes for a package."""
    names = ["logging.wandb=project", f"logging.mlflow={EXPERIMENT}", f"logging.prometheus={tmp_path}"]
    config = config_of(tmp_path, *names)
    (tmp_path / "wandb").mkdir()
    (tmp_path / "snowcoder-0.dist-info").mkdir()  # what is left of the packages that are installed
    (tmp_path / "snowcoder-0.dist-info" / "METADATA").write_text(str(distribution("snowcoder").read_text("METADATA")))
    here = [str(tmp_path), *(path for path in sys.path if "site-packages" not in path)]
    monkeypatch.setattr(sys, "path", here)
    for name in ("wandb", "mlflow", "prometheus_client"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    assert missing_packages(config) == [
        "logging.wandb=project: the package wandb is not installed; `pip install 'snowcoder[wandb]'`",
        "logging.mlflow=experiment: the package mlflow-skinny is not installed; `pip install 'snowcoder[mlflow]'`",
        f"logging.prometheus={tmp_path}: the package prometheus-client is not installed; "
        "`pip install 'snowcoder[prometheus]'`",
    ]
    with pytest.raises(UserError, match="wandb is not installed"):
        check_packages(config)
