"""`snowcoder doctor`: each check finds what it is there for, and a sound run has no problem."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config, StorageConfig
from snowcoder.doctor import clocks, disk, dry_step, inputs, objects, services, topology, versions
from snowcoder.doctor.doctor import examine
from snowcoder.doctor.finding import Finder
from snowcoder.model import platform
from snowcoder.planning.disk import checkpoint_bytes, needs
from snowcoder.training.checkpoints.completion_record import complete_steps, read_record, step_folder
from snowcoder.training.lock import run_lock
from tests.tiny import snowcoder, tiny_overrides
from tests.training.records import vouch_for

PHASES = [
    "phases.phase1.tokens=1024",
    "phases.phase1.global_batch=8",
    "phases.phase1.learning_rate.warmup_steps=1",
    "phases.phase2.tokens=2048",
    "phases.phase2.global_batch=8",
    "phases.phase3.tokens=2048",
    "phases.phase3.global_batch=8",
    "parallel=single",
]


BIG = [f"phases.phase{n}.{key}" for n in (1, 2, 3) for key in ("global_batch=4096", "tokens=1e7")]


class Trained:
    """A run whose first phase, two steps long, is trained."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
        self.folder = folder
        self.overrides = tiny_overrides(folder, f"storage.root={workspace}/shards", *shared, *PHASES)
        snowcoder("plan", *self.overrides)
        self.told = snowcoder("train", *self.overrides, "phase=phase1").stdout

    def config(self, *more: str) -> Config:
        return load_config([*self.overrides, *more])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"), workspace)


def test_after_a_phase_comes_the_next(trained: Trained) -> None:
    assert trained.told.splitlines()[-1].startswith("phase1 has ended. Train on with `phase=phase2`")


def config_of(folder: Path, *more: str) -> Config:
    return load_config(tiny_overrides(folder, *PHASES, *more))


def found(check: Finder, config: Config) -> list[tuple[str, str]]:
    return [(finding.level, finding.text) for finding in check(config)]


def only(check: Finder, config: Config) -> tuple[str, str]:
    (one,) = found(check, config)
    return one


def test_a_sound_run_has_no_problem_and_nothing_is_changed(trained: Trained) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*") if path.is_file()}
    done = snowcoder("doctor", *trained.overrides)
    *lines, following = done.stdout.splitlines()
    assert {line.split()[1] for line in lines[:-1]} >= {
        *("tokenizer", "inputs", "plan", "checkpoint", "topology", "disk", "shards", "clock", "versions", "cuda")
    }
    assert {line.split()[0] for line in lines[:-1]} == {"ok"}
    assert lines[-1] == "no problem, 0 warning(s)"
    assert following.startswith("next: snowcoder train ")
    assert done.stderr == ""
    assert {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*") if path.is_file()} == before


def test_every_problem_is_told_and_the_command_fails(tmp_path: Path) -> None:
    done = snowcoder("doctor", *tiny_overrides(tmp_path / "run"), "notify.command=no-such-program", check=False)
    assert done.returncode == 2
    problems = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("problem")]
    assert problems == ["tokenizer", "shards", "shards", "shards", "shards", "notify"]
    assert "notify.command: no-such-program is not a program here; nobody would be told" in done.stdout
    assert "6 problem(s), 0 warning(s); the lines above say what to do" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_check_that_the_system_refuses_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "train").write_text("not a folder")
    (tmp_path / "train").chmod(0)
    (tmp_path / "plan").symlink_to("plan")  # a loop
    findings = list(examine(config_of(tmp_path)))
    assert ("problem", "checkpoint") in [(finding.level, finding.subject) for finding in findings]
    assert findings[-1].subject in ("cuda", "notify")


def test_inputs_that_do_not_fit_are_one_line_each(trained: Trained) -> None:
    config = trained.config("model.vocab_size=600", "tokenizer.vocab_size=600", "index.dir=nowhere")
    levels, texts = zip(*found(inputs.input_findings, config), strict=True)
    assert levels == ("ok", *["problem"] * 5)
    assert texts[1].startswith("model.vocab_size=600: the tokenizer in ")
    assert [text.split(" is not indexed in nowhere/")[0] for text in texts[2:]] == [
        "source raw",
        "source selected",
        "source synthetic_python",
        "source synthetic_other",
    ]


def test_a_plan_of_another_config(trained: Trained) -> None:
    level, text = found(inputs.input_findings, trained.config("run.seed=7"))[-1]
    assert level == "problem"
    assert "is of another config: run `snowcoder plan` with the same arguments" in text
    assert text.endswith("what differs: run.seed: 1234 -> 7")


def test_a_training_that_goes_on_is_told(trained: Trained) -> None:
    config = trained.config()
    with run_lock(config, {}):
        (level, text), fits = found(inputs.checkpoint_findings, config)
    assert (level, fits[0]) == ("warning", "ok")
    assert f"is being trained by process {os.getpid()} on" in text


def test_checkpoints_whole_damaged_and_of_another_model(trained: Trained, tmp_path: Path) -> None:
    here = tmp_path / "run"
    shutil.copytree(trained.folder / "train", here / "train")
    shutil.copytree(trained.folder / "plan", here / "plan")
    config = trained.config(f"run.dir={here}")
    newest = step_folder(here / "train" / "checkpoints", 2)
    assert only(inputs.checkpoint_findings, config) == ("ok", f"{newest} is whole and fits")
    level, text = only(inputs.checkpoint_findings, trained.config(f"run.dir={here}", "model.rope_theta=5e5"))
    assert level == "problem"
    assert "is of another model: model.rope_theta: 10000.0 there, 500000.0 here" in text
    vouch_for(newest, written_by={"torch": "9.15.0"})
    (level, text), fits = found(inputs.checkpoint_findings, config)
    assert (level, fits[0]) == ("warning", "ok")
    assert "was written by a newer version, torch 9.15.0: the one here may not read it" in text
    vouch_for(newest, written_by={})
    next(newest.glob("__0_*")).write_bytes(b"cut")
    (passed_over, none) = found(inputs.checkpoint_findings, config)
    assert passed_over[0] == "warning"
    assert "has 3 bytes instead of" in passed_over[1]
    assert none == ("ok", "none yet: training starts from initial weights")
    level, text = found(inputs.checkpoint_findings, trained.config(f"run.dir={here}", "phase=phase2"))[-1]
    assert level == "problem"
    assert "finish `phase=phase1` first" in text


def test_the_size_of_a_checkpoint_is_the_one_on_disk(trained: Trained) -> None:
    folder = trained.folder / "train" / "checkpoints"
    record = read_record(step_folder(folder, complete_steps(folder)[-1]))
    size = sum(file.bytes for file in record.files)
    overhead = 300_000  # what names and places tensors, whatever their size
    assert checkpoint_bytes(trained.config()) < size < checkpoint_bytes(trained.config()) + overhead


def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    level, text = only(disk.disk_findings, config_of(tmp_path / "not" / "yet", "model.layers=200000"))
    assert level == "problem"
    assert "6 checkpoints" in text  # 2 kept, 3 ends of phases, and the one being written
    assert f"free in {tmp_path}" in text
    config = config_of(tmp_path, "phase=phase1", "checkpoint.keep=7")
    need = int(sum(each.bytes or 0 for each in needs(config, ["phase1"])))
    assert need > 9 * checkpoint_bytes(config)  # and the exported model
    usage = shutil.disk_usage(tmp_path)
    for free, expected in [(need - 1, "problem"), (need + 1, "warning"), (2 * need, "ok")]:
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert only(disk.disk_findings, config)[0] == expected
    (tmp_path / "train" / "checkpoints").mkdir(parents=True)
    (tmp_path / "train" / "checkpoints" / "data").write_bytes(b"x" * 1000)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage._replace(free=need - 900))
    assert only(disk.disk_findings, config)[0] == "warning"  # what is there already needs no space


def test_room_for_an_index_that_is_not_there_yet(tmp_path: Path) -> None:
    level, text = only(
        disk.disk_findings, config_of(tmp_path, "phase=phase1", "index.sources.raw.planned_tokens=400e12")
    )
    assert level == "problem"
    assert "740 TiB for index of raw" in text
    assert text.endswith("make room, lower checkpoint.keep, or set index.dir or plan.dir or run.dir or export.dir")
    assert "size is not known: index of raw" in only(disk.disk_findings, config_of(tmp_path, "phase=phase1"))[1]


def test_each_file_system_has_a_line_of_its_own(tmp_path: Path) -> None:
    """The paper's index does not fit into memory, which is where /dev/shm lies."""
    elsewhere = ["index.dir=/dev/shm/snowcoder-not-there", "index.sources.raw.planned_tokens=4e12"]
    index, run = found(disk.disk_findings, config_of(tmp_path, "phase=phase1", *elsewhere))
    assert index[0] == "problem"
    assert "free in /dev/shm" in index[1]
    assert index[1].endswith("set index.dir")
    assert run[0] == "ok"
    assert "index" not in run[1]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    level, text = only(disk.disk_findings, config_of(Path("/proc/self/run")))
    assert level == "problem"
    assert text.startswith("cannot write in /proc")


@pytest.fixture
def bucket(s3: tuple[StorageConfig, str], tmp_path: Path, workspace: Path) -> list[str]:
    """Overrides with shards of all sources on a real S3 server."""
    storage, url = s3
    client = boto3.Session().client("s3", endpoint_url=storage.endpoint)
    for path in (workspace / "shards").rglob("*.parquet"):
        name = path.relative_to(workspace / "shards")
        client.upload_file(str(path), url.removeprefix("s3://"), f"{tmp_path.name}/{name}")
    return ["storage=s3", f"storage.endpoint={storage.endpoint}", f"storage.root={url}/{tmp_path.name}"]


def test_shards_on_s3_are_listed_and_read(tmp_path: Path, bucket: list[str]) -> None:
    findings = found(objects.shard_findings, config_of(tmp_path, *bucket))
    assert [level for level, _ in findings] == ["ok"] * 4
    assert findings[0][1].startswith("raw: 1 shard(s), ")
    assert "KiB as stored (compressed), in s3://tests-" in findings[0][1]


def test_shards_that_are_not_there_or_not_what_they_are_called(tmp_path: Path, bucket: list[str]) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.jsonl.zst").write_text("plain text")
    wrong = ["index.sources.raw.shards=" + str(broken), "index.sources.selected.shards=s3://no-such-bucket/x"]
    one, two, *others = found(objects.shard_findings, config_of(tmp_path, *bucket, *wrong))
    assert one[0] == "problem"
    assert one[1].startswith(f"raw: shard {broken}/a.jsonl.zst is no zstd stream but text that begins 'plain text'")
    assert two[0] == "problem"
    assert "there is no bucket no-such-bucket" in two[1]
    assert [level for level, _ in others] == ["ok", "ok"]


def test_shards_of_an_indexed_source_may_be_gone(trained: Trained) -> None:
    config = trained.config("phase=phase1", "index.sources.raw.shards=/nowhere")
    level, text = only(objects.shard_findings, config)
    assert level == "warning"
    assert "training does not read them" in text


def test_a_server_that_does_not_answer(tmp_path: Path, bucket: list[str]) -> None:
    config = config_of(tmp_path, *bucket, "storage.endpoint=http://127.0.0.1:9", "phase=phase1")
    level, text = only(objects.shard_findings, config)
    assert level == "problem"
    assert "nothing answers at http://127.0.0.1:9" in text
    assert found(clocks.clock_findings, config) == [("ok", "within 5 s of the file system of run.dir")]


def test_upload_rights_are_tried_and_leave_nothing_behind(
    tmp_path: Path, s3: tuple[StorageConfig, str], bucket: list[str]
) -> None:
    place = f"{s3[1]}/upload-{tmp_path.name}"
    config = config_of(tmp_path, *bucket, f"checkpoint.upload={place}")
    assert only(objects.upload_findings, config) == ("ok", f"{place}: an object was written, read and deleted")
    client = boto3.Session().client("s3", endpoint_url=s3[0].endpoint)
    listed = client.list_objects_v2(Bucket=s3[1].removeprefix("s3://"), Prefix=f"upload-{tmp_path.name}")
    assert listed["KeyCount"] == 0
    nowhere = config_of(tmp_path, *bucket, "checkpoint.upload=s3://no-such-bucket/x")
    (finding,) = [f for f in examine(nowhere) if f.subject == "upload"]
    assert (finding.level, "no-such-bucket" in finding.text) == ("problem", True)
    assert found(objects.upload_findings, config_of(tmp_path, *bucket)) == []


@pytest.mark.parametrize(
    ("ahead", "level"), [(0.0, "ok"), (4.0, "ok"), (-60.0, "warning"), (61.0, "warning"), (-301.0, "problem")]
)
def test_how_far_a_clock_may_be_off(ahead: float, level: str) -> None:
    finding = clocks.compare("the S3 server", ahead)
    assert finding.level == level
    if level != "ok":
        assert f"is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine" in finding.text
        assert "set both clocks by NTP" in finding.text


@pytest.fixture
def server_of_tomorrow() -> Iterator[str]:
    """Answers, and refuses, with a Date that is wrong; a real server's date cannot be set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return "Fri, 01 Jan 2100 00:00:00 GMT"

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_the_clock_is_compared_with_s3_and_the_file_system(
    tmp_path: Path, bucket: list[str], server_of_tomorrow: str
) -> None:
    good = found(clocks.clock_findings, config_of(tmp_path, *bucket))
    assert good == [("ok", "within 5 s of the file system of run.dir"), ("ok", "within 5 s of the S3 server")]
    _, (level, text) = found(
        clocks.clock_findings, config_of(tmp_path, *bucket, f"storage.endpoint={server_of_tomorrow}")
    )
    assert level == "problem"
    assert text.startswith("the S3 server is ")


def test_ranks_against_this_machine(tmp_path: Path) -> None:
    assert only(topology.topology_findings, config_of(tmp_path))[0] == "ok"
    level, text = only(
        topology.topology_findings, config_of(tmp_path, "parallel.data=4096", "parallel.micro_batch=1", *BIG)
    )
    assert level != "ok"
    assert text.startswith("4096 rank(s) on this machine, which has ")


def test_ranks_against_the_header_of_the_job_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no sinfo
    config = config_of(tmp_path, "launch=slurm", "phase=phase1", *BIG, "parallel.data=128")
    (level, text), without = found(topology.topology_findings, config)
    assert (level, text) == ("ok", "slurm/phase1.sh asks for 16 node(s) of 8 rank(s), as `parallel` does (128)")
    assert without == ("warning", "sinfo is not on this machine: the cluster's nodes cannot be checked")
    for ranks, options in [(16, "--nodes=2"), (2, "--nodes=1 --ntasks-per-node=2")]:
        config = config_of(tmp_path, "launch=slurm", "phase=phase1", *BIG, f"parallel.data={ranks}")
        (level, text), _ = found(topology.topology_findings, config)
        assert level == "warning"
        assert f"`parallel` makes {ranks}: `sbatch {options} slurm/phase1.sh ...`" in text
    monkeypatch.chdir(tmp_path)
    assert "no slurm/<phase>.sh here" in found(topology.topology_findings, config)[0][1]


def test_ranks_of_a_container_are_started_by_programs_that_are_here_and_bring_their_own_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "srun").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    more = ["launch=slurm", "phase=phase1", "precision=fp8", "launch.python=[no-apptainer,exec,x.sif,python]"]
    config = config_of(tmp_path, *more)
    level, text = found(topology.topology_findings, config)[-1]
    assert level == "warning"
    assert text.startswith("launch.python=['no-apptainer', 'exec', 'x.sif', 'python']: no-apptainer is no program on ")
    assert found(versions.version_findings, config)[-1] == (
        "ok",
        "ranks run by no-apptainer exec x.sif python, whose packages are not looked at from here",
    )


@pytest.mark.parametrize(
    ("gres", "gpus"), [("(null)", 0), ("gpu:8", 8), ("gpu:h100:8(S:0-1)", 8), ("gpu:a100:4,gpu:v100:2,nvme:9", 6)]
)
def test_gpus_of_a_node(gres: str, gpus: int) -> None:
    assert topology._gpus(gres) == gpus


def test_versions_of_this_environment_are_in_range(tmp_path: Path) -> None:
    levels = dict(found(versions.version_findings, config_of(tmp_path)))
    assert "problem" not in levels
    assert found(versions.version_findings, config_of(tmp_path))[0][1].startswith(
        f"Python {sys.version.split()[0]}, torch 2."
    )


def test_a_version_out_of_range_a_missing_package_and_fp8_without_its_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = versions.installed
    odd = {"torch": "1.13", "tqdm": None, "transformer-engine": None, "hypothesis": "1.0"}
    monkeypatch.setattr(versions, "installed", lambda name: odd[name] if name in odd else there(name))
    texts = [
        text
        for level, text in found(versions.version_findings, config_of(tmp_path, "precision=fp8"))
        if level == "problem"
    ]
    assert sorted(text.split(":")[0] for text in texts) == [
        "hypothesis 1.0",
        "precision.fp8=tensorwise needs Transformer Engine",
        "torch 1.13",
        "tqdm is not installed",
    ]


@pytest.mark.parametrize(("launch", "level"), [("local", "problem"), ("slurm", "warning")])
def test_a_gpu_that_lacks_the_recipe_of_fp8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launch: str, level: str
) -> None:
    monkeypatch.setattr(versions, "installed", lambda name: "2.11")
    for name, value in {"is_available": True, "get_device_capability": (9, 0), "get_device_name": "H100"}.items():
        monkeypatch.setattr(versions.torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(versions.torch.version, "cuda", "13.0")
    *_, (found_level, text), (last, _) = found(
        versions.version_findings, config_of(tmp_path, "precision=mxfp8", "model.ffn=192", f"launch={launch}")
    )
    assert (found_level, last) == (level, "ok")
    assert text.startswith("precision.fp8=mxfp8: needs Blackwell of a data centre (B200, GB200, B300), this is H100; ")


def test_a_processor_that_does_not_compute_in_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "ON_CPU", True)
    monkeypatch.setattr(versions.torch.version, "cuda", None)
    monkeypatch.setattr(versions.torch.backends.mkldnn, "is_available", lambda: False)
    assert platform.slow_dtype("fp32") == ""
    *_, last = found(versions.version_findings, config_of(tmp_path, "precision=bf16"))
    assert last == ("warning", platform.slow_dtype("bf16"))
    assert "precision=fp32" in last[1]


@pytest.mark.parametrize(("folder", "level"), [("there", "ok"), ("not-there", "problem")])
def test_the_folder_of_the_textfile_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, level: str
) -> None:
    monkeypatch.setattr(services, "missing_packages", lambda _: [])
    (tmp_path / "there").mkdir()
    assert only(services.logging_findings, config_of(tmp_path, f"logging.prometheus={tmp_path}/{folder}"))[0] == level


@pytest.mark.parametrize(
    ("command", "level"),
    [
        ("true", "ok"),
        ("CHANNEL=ops true", "ok"),
        ("CHANNEL=ops curl-not-there --data x", "problem"),
        ("echo $SNOWCODER_EVENT | mail -s run me@example.org", "ok"),
        ('mail "unfinished', "problem"),
        ("# nothing", "problem"),
    ],
)
def test_the_program_of_the_hook(tmp_path: Path, command: str, level: str) -> None:
    config = config_of(tmp_path)
    notify = config.notify.model_copy(update={"command": command})
    assert only(services.notify_findings, config.model_copy(update={"notify": notify}))[0] == level


def test_the_hook_is_not_run_and_its_events_must_exist(tmp_path: Path) -> None:
    touch = f"notify.command='touch {tmp_path}/ran'"
    (one, two) = found(services.notify_findings, config_of(tmp_path, touch, "notify.events=[fialed]"))
    assert one[0] == "problem"
    assert one[1].startswith("notify.events: 'fialed' is no event; allowed: started, ")
    assert two[0] == "ok"
    assert not (tmp_path / "ran").exists()


def test_mlflow_and_wandb_must_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    pytest.importorskip("wandb", reason="wandb is not installed")
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "set back after the test")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = config_of(tmp_path, "logging.wandb=project", "logging.mlflow=experiment")
    wandb, mlflow = found(services.logging_findings, config)
    assert wandb == ("ok", "W&B project project, mode offline")
    assert mlflow[0] == "problem"
    assert mlflow[1].startswith("MLflow does not answer (")
    assert "secret" not in mlflow[1]
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlflow")
    assert found(services.logging_findings, config)[1] == ("ok", "MLflow answers; experiment experiment")


def test_the_first_step_is_tried(tmp_path: Path) -> None:
    (fits,) = dry_step.step_findings(load_config(tiny_overrides(tmp_path, "parallel=single")))
    assert (fits.level, "by a dry run" in fits.text) == ("ok", True)
    small = load_config(tiny_overrides(tmp_path, "parallel=single", "device.memory_gib=0.001"))
    (full,) = dry_step.step_findings(small)
    assert (full.level, "`snowcoder plan layouts`" in full.text) == ("warning", True)
    (fp8,) = dry_step.step_findings(load_config(tiny_overrides(tmp_path, "device=h100", "precision=fp8")))
    assert (fp8.level, "not tried" in fp8.text) == ("warning", True)
