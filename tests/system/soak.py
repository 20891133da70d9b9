"""An hour of faults: `python -m tests.system.soak [MINUTES]`, or `make soak`.

The three phases run as chained jobs over two nodes of a real Slurm cluster of three, with checkpoints uploaded to a
real S3 server, while something breaks every two minutes or so. Beside it the same training runs undisturbed. At the
end their losses and gradient norms must be equal to the bit. The table of faults goes to benchmarks/results/soak.md.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.result import RESULTS, machine
from snowcoder.training.checkpoints.completion_record import complete_steps, step_folder
from snowcoder.training.events import Event, read_events
from tests.system.jobs import SIZE, events_of, nodes_of, rank_of
from tests.system.slurm.cluster import Cluster, why_not
from tests.system.slurm.store import Store
from tests.tiny import curve, snowcoder, steps_of, tiny_overrides
from tests.workspace import make_workspace

SEED = 20261123
PAUSE = (70, 130)  # seconds of training between a recovery and the next fault
RECOVERED = 300  # seconds within which it must
# Seconds after which an operator sees to what is broken: with its script's node dead and another one in ExcNodeList,
# too few are left of three, and nobody is left who could tell Slurm.
OPERATOR = 150
BATCH, LENGTH = 32, 64
Undo = Callable[[], None]
Fault = Callable[[], Undo | None]


class Row(NamedTuple):
    minute: float
    fault: str
    step: int
    noticed: str  # what events.log said first, and after how many seconds
    back: float  # seconds until a step beyond the fault's was done
    again: int  # steps that were done twice


def main(minutes: float) -> None:
    reason = why_not()
    if reason:
        sys.exit(f"no soak: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="snowcoder-soak-"))
    make_workspace(folder / "workspace")
    steps = round(minutes * 60 / (2.6 * seconds_a_step(folder)))  # two trainings share the cores; restarts take time
    print(f"{steps} steps, in {folder}", flush=True)
    reference = Reference(folder / "undisturbed", folder / "workspace", steps)
    (folder / "slurm").mkdir()
    with Cluster(folder / "slurm") as cluster, Store(cluster, folder / "s3") as store:
        soak = Soak(folder / "soak", cluster, store)
        soak.submit(planned(soak.folder, folder / "workspace", steps, store.overrides))
        rows = soak.run()
    reference.wait()
    same = curve(soak.folder) == curve(reference.folder)
    text = report(rows, soak, steps, same)
    (RESULTS / "soak.md").write_text(text)
    print(text)
    sys.exit(0 if same else 1)


def planned(folder: Path, workspace: Path, steps: int, more: list[str]) -> list[str]:
    """The overrides of a run of `steps` steps in three phases, 6 : 2.5 : 1.5, whose plan is made."""
    sizes = {"phase1": 0.6, "phase2": 0.25, "phase3": 0.15}
    phases = [f"phases.{name}.tokens={round(share * steps) * BATCH * LENGTH}" for name, share in sizes.items()]
    phases += [
        f"phases.{name}.{what}" for name in sizes for what in (f"global_batch={BATCH}", "learning_rate.peak=1e-3")
    ]
    phases += [f"phases.{name}.learning_rate.warmup_steps=2" for name in sizes]
    phases += ["phases.phase1.sources.raw.max_epochs=9999", "phases.phase2.sources.raw.max_epochs=9999"]
    phases += ["phases.phase2.sources.selected.max_epochs=9999"]
    phases += [f"phases.phase3.sources.synthetic_{kind}.max_epochs=9999" for kind in ("python", "other")]
    shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
    saves = ["checkpoint.asynchronous=true", "checkpoint.every_steps=40", "parallel=tp2", "parallel.micro_batch=8"]
    watch = [
        "launch.silent_seconds=20",
        "launch.outlier=100",
        "guard.sigma=20",
    ]  # the cores are busy with two trainings
    overrides = tiny_overrides(folder, *shared, *phases, *saves, *watch, *more)
    snowcoder("plan", *overrides)
    return overrides


def seconds_a_step(folder: Path) -> float:
    snowcoder("train", *planned(folder / "pace", folder / "workspace", 60, []), "phase=phase1")
    times = [step["seconds"] for step in steps_of(folder / "pace")][5:]
    return sum(times) / len(times)


class Reference:
    """The same training, beside, on this machine and without faults."""

    def __init__(self, folder: Path, workspace: Path, steps: int) -> None:
        self.folder = folder
        overrides = planned(folder, workspace, steps, [])
        with (folder / "log").open("w") as log:
            command = [sys.executable, "-m", "snowcoder", "train", *overrides]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait(self) -> None:
        assert self.process.wait() == 0, (self.folder / "log").read_text()[-2000:]


class Soak:
    def __init__(self, folder: Path, cluster: Cluster, store: Store) -> None:
        self.folder, self.cluster, self.store = folder, cluster, store
        self.draw = random.Random(SEED)
        self.started = time.monotonic()

    def submit(self, overrides: list[str]) -> None:
        self.overrides = overrides
        output = f"--output={self.cluster.folder}/job-%j.log"
        self.jobs = re.findall(r"job (\d+)", self.cluster.call("slurm/pipeline.sh", *SIZE, output, *overrides))

    def run(self) -> list[Row]:
        """Break something again and again until the last phase has ended."""
        rows: list[Row] = []
        faults: list[Fault] = []
        while self.train_for(self.draw.uniform(*PAUSE)):
            if not faults:
                faults = self.draw.sample(every := self.faults(), len(every))
            rows.append(self.do(faults.pop()))
            print(rows[-1], flush=True)
        for job in self.jobs:
            ended = self.cluster.wait(job, seconds=60)
            assert ended.code == 0, ended.log[-3000:]
        return rows

    def faults(self) -> list[Fault]:
        """Each does harm, and returns what undoes it once the run goes on, if anything does."""
        return [
            self.kill_a_rank,
            self.stop_a_rank,
            self.power_off_a_node,
            self.power_off_the_node_of_the_script,
            self.cut_a_link,
            self.warn_of_the_time_limit,
            self.requeue_the_job,
            self.kill_the_writer_of_a_save,
            self.flip_a_bit_and_kill_a_rank,
            self.truncate_a_file_and_kill_a_rank,
            self.kill_the_s3_server,
            self.lose_the_checkpoints_and_kill_a_rank,
        ]

    def do(self, fault: Fault) -> Row:
        at, step, known = time.monotonic(), self.step, len(read_events(self.folder))
        undo = fault()
        lowest, noticed = step, ""
        while not self._goes_on(new := self._told(known), step):
            lowest = min(lowest, self.step)
            if new and not noticed:
                noticed = f"{new[0].kind}, {time.monotonic() - at:.0f} s"
            if undo and time.monotonic() - at > OPERATOR:
                undo()
                undo = None
            assert time.monotonic() - at < RECOVERED, f"{fault.__name__}: no step beyond {step}\n{self.log()[-5000:]}"
            time.sleep(0.1)
        if undo:
            undo()
        again = step - lowest
        return Row(
            (at - self.started) / 60, fault.__name__.replace("_", " "), step, noticed, time.monotonic() - at, again
        )

    def _told(self, known: int) -> list[Event]:
        return [event for event in read_events(self.folder)[known:] if event.kind not in ("checkpoint", "uploaded")]

    def _goes_on(self, events: list[Event], step: int) -> bool:
        """Whether the run is beyond `step`, having started again if the fault was more than a warning."""
        starts = [event.step or 0 for event in events if event.kind == "started"]
        warned = bool(events) and events[0].kind == "warning"
        return (bool(starts) or warned) and self.step > max([step, *starts])

    @property
    def step(self) -> int:
        """The last that metrics.jsonl has, in its last whole line."""
        try:
            with (self.folder / "metrics.jsonl").open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 4096))
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return 0
        return json.loads(lines[-1])["step"] if lines else 0

    def train_for(self, seconds: float) -> bool:
        """Let it train; False if the last phase ends meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or self.step == 0:
            if not self.cluster.call("squeue", "--noheader").strip():
                return False
            time.sleep(0.5)
        return True

    def log(self) -> str:
        return "\n".join(self.cluster.log_of(job) for job in self.jobs)

    # Faults.

    def kill_a_rank(self) -> None:
        rank_of(self.draw.randrange(2), self.folder).kill()

    def stop_a_rank(self) -> None:
        rank_of(1, self.folder).send_signal(signal.SIGSTOP)

    def power_off_a_node(self) -> Undo:
        return self._power_off(1)

    def power_off_the_node_of_the_script(self) -> Undo:
        return self._power_off(0)

    def _power_off(self, number: int) -> Undo:
        node = nodes_of(self.job, self.cluster)[number]
        self.cluster.power_off(node)
        return partial(self.cluster.power_on, node)

    def cut_a_link(self) -> Undo:
        node = nodes_of(self.job, self.cluster)[1]
        self.cluster.cut(node)
        return partial(self.cluster.mend, node)

    def warn_of_the_time_limit(self) -> None:
        self.cluster.call("scancel", "--signal=USR1", "--batch", self.job)

    def requeue_the_job(self) -> None:
        self.cluster.call("scontrol", "requeue", self.job)

    def kill_the_writer_of_a_save(self) -> None:
        """The process beside a rank that writes its part of checkpoints: the next save starts another."""
        deadline = time.monotonic() + RECOVERED
        while time.monotonic() < deadline:
            with suppress(psutil.Error):
                rank = rank_of(1, self.folder)
                for child in rank.children():
                    if child.cmdline() == rank.cmdline():
                        child.kill()
                        return
            time.sleep(0.01)
        raise AssertionError("no writer in all this time")

    def flip_a_bit_and_kill_a_rank(self) -> None:
        path = self._newest_file()
        data = bytearray(path.read_bytes())
        data[self.draw.randrange(len(data))] ^= 1 << self.draw.randrange(8)
        path.write_bytes(data)
        rank_of(0, self.folder).kill()

    def truncate_a_file_and_kill_a_rank(self) -> None:
        path = self._newest_file()
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        rank_of(1, self.folder).kill()

    def kill_the_s3_server(self) -> Undo:
        """Until an upload has failed."""
        known = len(events_of(self.folder, "warning"))
        self.store.kill()
        deadline = time.monotonic() + RECOVERED
        while len(events_of(self.folder, "warning")) == known:
            assert time.monotonic() < deadline, "no upload failed"
            time.sleep(0.2)
        return self.store.start

    def lose_the_checkpoints_and_kill_a_rank(self) -> None:
        """Only the bucket has them then."""
        rank_of(0, self.folder).kill()
        for path in self.checkpoints.glob("step-*"):
            shutil.rmtree(path, ignore_errors=True)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "train" / "checkpoints"

    def _newest_file(self) -> Path:
        newest = step_folder(self.checkpoints, complete_steps(self.checkpoints)[-1])
        return self.draw.choice(sorted(newest.glob("*.distcp")))

    @property
    def job(self) -> str:
        """The one that runs, or is to run next."""
        return self.cluster.call("squeue", "--noheader", "--format=%i", "--sort=i").split()[0]


def report(rows: list[Row], soak: Soak, steps: int, same: bool) -> str:
    """The table of faults, in Markdown."""
    about, events = machine(), read_events(soak.folder)
    count = {
        kind: sum(event.kind == kind for event in events) for kind in ("failed", "requeued", "checkpoint", "uploaded")
    }
    verdict = "equal to the bit" if same else "NOT EQUAL"
    lines = [
        "# An hour of faults",
        "",
        f"`make soak`, {about['date']}: {steps} steps of three phases on two nodes of a Slurm cluster, "
        f"{len(rows)} faults in {(time.monotonic() - soak.started) / 60:.0f} minutes, beside the same training "
        f"undisturbed, on {about['cores']} cores ({about['cpu']}). "
        f"Losses and gradient norms of all steps: **{verdict}**.",
        f"Faults that ended ranks: {count['failed']}; requeued by itself: {count['requeued']}; checkpoints: "
        f"{count['checkpoint']}, of which uploaded: {count['uploaded']}.",
        "",
        "| minute | fault | at step | noticed as, after | next step after | steps done again |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {r.minute:.0f} | {r.fault} | {r.step} | {r.noticed} | {r.back:.0f} s | {r.again} |" for r in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
