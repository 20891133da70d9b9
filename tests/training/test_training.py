"""Training as the user runs it: every layout agrees, kills and resumes change nothing, phases may run one by one."""

import shutil
from pathlib import Path

import pytest

from snowcoder.training.checkpoints.completion_record import RECORD, complete_steps, read_record, step_folder
from tests.tiny import LAYOUTS, curve, kill_after_step, snowcoder, steps_of, tiny_overrides

GOLDEN = Path(__file__).with_name("golden_losses.txt")
# 30 steps in three phases, two of which share a source; each with its own schedule, the last with fresh moments.
PHASES = [
    "phases.phase1.tokens=7168",
    "phases.phase1.global_batch=8",
    "phases.phase1.learning_rate.warmup_steps=4",
    "phases.phase2.tokens=5120",
    "phases.phase2.global_batch=8",
    "phases.phase3.tokens=3072",
    "phases.phase3.global_batch=8",
    "phases.phase3.learning_rate.warmup_steps=2",
    "phases.phase3.optimizer_state=reset",
    "checkpoint.every_steps=5",
]


class Training:
    """A run folder over the session's index, in one layout."""

    def __init__(self, folder: Path, workspace: Path, layout: str, *more: str) -> None:
        self.folder = folder
        shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
        self.overrides = tiny_overrides(folder, *shared, *PHASES, *LAYOUTS[layout], *more)
        self.checkpoints = folder / "train" / "checkpoints"

    def plan(self) -> "Training":
        snowcoder("plan", *self.overrides)
        return self

    def train(self, *more: str) -> str:
        return snowcoder("train", *self.overrides, *more).stdout

    @property
    def curve(self) -> list[tuple[float, float]]:
        return curve(self.folder)


LONG = pytest.mark.slow  # a minute and more on two cores


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Training:
    """All phases in one run on one rank, undisturbed: what everything else is compared with."""
    training = Training(tmp_path_factory.mktemp("straight"), workspace, "tp1", "checkpoint.keep=9").plan()
    training.train()
    return training


def largest_difference(ours: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> tuple[float, float]:
    """Of losses, absolute; of gradient norms, relative."""
    assert len(ours) == len(theirs)
    losses = max(abs(a[0] - b[0]) for a, b in zip(ours, theirs, strict=True))
    norms = max(abs(a[1] - b[1]) / b[1] for a, b in zip(ours, theirs, strict=True))
    return losses, norms


def test_losses_are_the_golden_ones(straight: Training) -> None:
    golden = [float(line) for line in GOLDEN.read_text().split()]
    ours = [loss for loss, _ in straight.curve]
    assert ours == pytest.approx(golden, abs=2e-4), "\n".join(f"{loss:.6f}" for loss in ours)
    assert ours[-1] < ours[0] - 0.5


@pytest.mark.parametrize(
    "layout",
    # dp2overlap does all that dp2 does, and more.
    [pytest.param(name, marks=LONG if "pp2" in name[1:] or name == "dp2" else ()) for name in LAYOUTS if name != "tp1"],
)
def test_every_layout_gives_the_same_losses_and_gradient_norms(
    tmp_path: Path, workspace: Path, straight: Training, layout: str
) -> None:
    training = Training(tmp_path, workspace, layout).plan()
    training.train()
    losses, norms = largest_difference(training.curve, straight.curve)
    assert losses < 1e-5
    assert norms < 1e-4


def test_two_kills_and_resumes_are_bit_equal_to_a_straight_run(
    tmp_path: Path, workspace: Path, straight: Training
) -> None:
    training = Training(tmp_path, workspace, "tp1", "checkpoint.asynchronous=true").plan()
    for step in (8, 17):  # in the first phase; in the second
        kill_after_step(step, training.folder, "train", *training.overrides)
    output = training.train()
    assert "resumed from" in output
    assert training.curve == straight.curve
    assert [record["step"] for record in steps_of(training.folder)] == list(range(1, 31))


@pytest.mark.parametrize(
    "layout",
    [
        "tp2sp",
        pytest.param("tp2pp2", marks=LONG),  # four ranks
        pytest.param("dp2overlap", marks=pytest.mark.slow),
        pytest.param("dp2", marks=pytest.mark.slow),
        pytest.param("pp2", marks=pytest.mark.slow),
    ],
)
def test_a_checkpoint_is_resumed_in_another_layout_and_back(
    tmp_path: Path, workspace: Path, straight: Training, layout: str
) -> None:
    """Steps 11 to 24 in the other layout, 25 to 30 in the first again."""
    training = Training(tmp_path, workspace, layout).plan()
    copy_until(straight, training, 10)
    training.train("phase=[phase1,phase2]")
    back = Training(tmp_path, workspace, "tp1")
    assert "step-00000024" in back.train()
    losses, _ = largest_difference(training.curve, straight.curve)
    assert losses < 1e-6


def copy_until(source: Training, target: Training, step: int) -> None:
    """Start `target` from the checkpoint and metrics that `source` had at `step`."""
    shutil.copytree(step_folder(source.checkpoints, step), step_folder(target.checkpoints, step))
    shutil.copy(source.folder / "metrics.jsonl", target.folder / "metrics.jsonl")


def test_phases_one_by_one_equal_all_in_one_run(tmp_path: Path, workspace: Path, straight: Training) -> None:
    training = Training(tmp_path, workspace, "tp1").plan()
    ends = []
    for phase in ("phase1", "phase2", "phase3"):
        training.train(f"phase={phase}")
        ends.append(complete_steps(training.checkpoints)[-1])
    assert ends == [14, 24, 30]
    assert training.curve == straight.curve
    log = training.folder / "events.log"
    *before, _ = log.read_text().splitlines(keepends=True)
    log.write_text("".join(before))  # as if killed before it could say that it has ended
    assert "nothing to do" in training.train("phase=phase3")
    assert [line.split()[1] for line in log.read_text().splitlines()[len(before) :]] == ["ended"]
    assert "(phase3 was done before)" in snowcoder("status", str(training.folder)).stdout


def test_a_phase_waits_for_the_one_before_it(tmp_path: Path, workspace: Path) -> None:
    training = Training(tmp_path, workspace, "tp1").plan()
    done = snowcoder("train", *training.overrides, "phase=phase2", check=False)
    assert done.returncode == 2
    assert "phase2 starts at step 14, where the phase before it ends" in done.stderr
    assert "finish `phase=phase1` first" in done.stderr


def test_record_and_status_tell_ledger_and_cursors(straight: Training) -> None:
    record = read_record(step_folder(straight.checkpoints, 30))
    assert {phase: sum(sources.values()) for phase, sources in record.ledger.items()} == {
        "phase1": 7168,
        "phase2": 5120,
        "phase3": 3072,
    }
    assert record.cursors["raw"] == 7168 + record.ledger["phase2"]["raw"]
    status = snowcoder("status", str(straight.folder)).stdout
    assert "phase3, step 30 of 30" in status
    assert f"{record.cursors['raw']:,}" in status


def test_report_is_one_page_with_curves_and_ledger(straight: Training) -> None:
    snowcoder("report", str(straight.folder))
    page = (straight.folder / "report.html").read_text()
    assert page.count("<svg") == 6
    assert "7,168" in page


def test_damaged_checkpoints_are_passed_over_by_name(tmp_path: Path, workspace: Path, straight: Training) -> None:
    training = Training(tmp_path, workspace, "tp1").plan()
    for step in (10, 20, 25, 30):
        shutil.copytree(step_folder(straight.checkpoints, step), step_folder(training.checkpoints, step))
    flip_a_bit(next(step_folder(training.checkpoints, 20).glob("__0_*")))
    truncated = next(step_folder(training.checkpoints, 25).glob("__0_*"))
    truncated.write_bytes(truncated.read_bytes()[:-1])
    (step_folder(training.checkpoints, 30) / RECORD).unlink()
    output = training.train()
    assert "passed over step-00000030: it has no completion record" in output
    assert "passed over step-00000025: __0_" in output
    assert "passed over step-00000020: the bytes of __0_" in output
    assert "resumed from" in output
    assert "step-00000010" in output
    assert training.curve[-20:] == straight.curve[-20:]


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_another_past_is_refused_and_another_future_is_not(tmp_path: Path, workspace: Path, straight: Training) -> None:
    training = Training(tmp_path, workspace, "tp1")
    training.checkpoints.mkdir(parents=True)
    shutil.copytree(step_folder(straight.checkpoints, 14), step_folder(training.checkpoints, 14))
    for verb in ("plan", "train"):
        done = snowcoder(verb, *training.overrides, "run.seed=99", check=False)
        assert done.returncode == 2
        assert "was trained by another plan of phase1 (run.seed: 1234 -> 99)" in done.stderr
    later = "phases.phase2.learning_rate.peak=1e-3"
    snowcoder("plan", *training.overrides, later)
    assert "resumed from" in training.train(later)


def test_training_without_its_inputs_lists_what_is_missing(tmp_path: Path, workspace: Path) -> None:
    training = Training(tmp_path, workspace, "tp1", f"index.dir={tmp_path}/nowhere")
    done = snowcoder("train", *training.overrides, check=False)
    assert done.returncode == 2
    assert "source raw is not indexed" in done.stderr
    assert "source synthetic_other is not indexed" in done.stderr


def test_profiler_and_tensorboard_write_what_the_config_asks_for(tmp_path: Path, workspace: Path) -> None:
    wanted = ["logging.tensorboard=true", "logging.profile_steps=[13,15]", "logging.validate_every=5"]
    training = Training(tmp_path, workspace, "tp2sp", *wanted).plan()
    output = training.train("phase=phase1")
    assert output.count("held-out loss: raw") == 3  # after steps 5 and 10, and at the phase's end
    # Phase 1 ends before step 15.
    profiles = sorted(path.name for path in (tmp_path / "train" / "profile").iterdir())
    assert profiles == ["rank0.json.gz", "rank1.json.gz"]
    assert any((tmp_path / "train" / "tensorboard").iterdir())


def test_phase_1_trains_before_the_sources_of_later_phases_exist(
    tmp_path: Path, workspace: Path, straight: Training
) -> None:
    shutil.copytree(workspace / "index" / "raw", tmp_path / "index" / "raw")
    sizes = [f"index.sources.{name}.planned_tokens=1e5" for name in ("selected", "synthetic_python", "synthetic_other")]
    training = Training(tmp_path, workspace, "tp1", f"index.dir={tmp_path}/index", *sizes).plan()
    training.train("phase=phase1")
    assert training.curve == straight.curve[:14]
    done = snowcoder("train", *training.overrides, check=False)
    assert done.returncode == 2
    assert "source selected is not indexed" in done.stderr
