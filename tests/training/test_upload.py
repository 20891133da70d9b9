"""Checkpoints in a bucket: copied in the background, whole or not there, and enough to go on from on a bare machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.frozen import to_yaml
from snowcoder.config.schema import Config, StorageConfig
from snowcoder.errors import OperationError
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.storage.digest import digest_file
from snowcoder.storage.objects import Store
from snowcoder.storage.store import open_store
from snowcoder.training.checkpoints.checkpoint_record import sealed
from snowcoder.training.checkpoints.completion_record import RECORD, complete_steps, newest_valid, step_folder
from snowcoder.training.checkpoints.restore import restore, restore_before
from snowcoder.training.checkpoints.upload import listed, prune, upload
from snowcoder.training.events import read_events
from tests.object_stores import S3Server, seaweedfs_installed, storage_config
from tests.storage.faulty_proxy import faulty_proxy
from tests.tiny import steps_of, tiny_overrides
from tests.training.small_run import SmallRun

ASYNCHRONOUS = "checkpoint.asynchronous=true"


@pytest.fixture
def url(s3: tuple[StorageConfig, str], tmp_path: Path) -> str:
    return f"{s3[1]}/{tmp_path.name}"


@pytest.fixture
def store(s3: tuple[StorageConfig, str], url: str) -> Store:
    return open_store(url, s3[0])


@pytest.fixture
def config(s3: tuple[StorageConfig, str], tmp_path: Path, url: str) -> Config:
    """Of a run that uploads, on this machine."""
    return config_of(s3[0], tmp_path / "run", url)


def config_of(storage: StorageConfig, folder: Path, url: str) -> Config:
    return load_config(
        tiny_overrides(folder, "storage=s3", f"storage.endpoint={storage.endpoint}", f"checkpoint.upload={url}")
    ).model_copy(update={"storage": storage})


def checkpoints(config: Config) -> Path:
    return Path(config.run.dir) / "train" / "checkpoints"


def make(config: Config, step: int, phase_end: bool = False, content: str = "") -> Path:
    """A checkpoint as far as its record knows, with a file of several parts."""
    target = step_folder(checkpoints(config), step)
    target.mkdir(parents=True)
    (target / "__0_0.distcp").write_bytes(f"{content}{step:09d}".encode() * 150_000)
    (target / ".metadata").write_bytes(b"metadata")
    files = [{"name": p.name, "bytes": p.stat().st_size, "digest": digest_file(p)} for p in sorted(target.iterdir())]
    (target / RECORD).write_text(json.dumps(sealed({"step": step, "phase_end": phase_end, "files": files})))
    return target


def steps_in(store: Store) -> dict[int, bool]:
    """Of each checkpoint there, whether it is complete."""
    return {step: RECORD in names for step, names in sorted(listed(store).items())}


# A copy and its way back, without training


def test_a_checkpoint_comes_back_as_it_was(s3: tuple[StorageConfig, str], tmp_path: Path, config: Config) -> None:
    store = open_store(config.checkpoint.upload or "", config.storage)
    there = make(config, 5)
    (Path(config.run.dir) / "metrics.jsonl").write_text('{"step": 5}\n')
    for _ in range(2):  # the second time there is nothing to do
        upload(config, store, 5)
    (event,) = read_events(Path(config.run.dir))
    assert (event.kind, event.step) == ("uploaded", 5)
    bare = config_of(s3[0], tmp_path / "bare", store.url)
    restore(bare)
    found, passed_over = newest_valid(checkpoints(bare))
    assert (found, passed_over) == (step_folder(checkpoints(bare), 5), [])
    assert found
    for path in there.iterdir():
        assert (found / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "bare" / "metrics.jsonl").read_text() == '{"step": 5}\n'
    assert [path.name for path in checkpoints(bare).iterdir()] == [found.name]


def damage_remote(store: Store, kind: str) -> str:
    """Returns what is told of it."""
    part, record = "step-00000010/__0_0.distcp", f"step-00000010/{RECORD}"
    if kind == "flipped":
        store.write(part, store.read(part)[:-1] + b"x")
        return "the bytes of __0_0.distcp have changed"
    if kind == "gone":
        store.delete(part)
        return "__0_0.distcp is missing"
    if kind == "garbage":
        store.write(record, b"{")
        return f"its {RECORD} cannot be read"
    content = json.loads(store.read(record))
    content["files"][0]["name"] = "../../../escaped"
    store.write(record, json.dumps(sealed({k: v for k, v in content.items() if k != "digest"})).encode())
    return f"its {RECORD} cannot be read"


@pytest.mark.parametrize("kind", ["flipped", "gone", "garbage", "outside"])
def test_a_damaged_one_in_the_bucket_is_passed_over_by_name(
    s3: tuple[StorageConfig, str], tmp_path: Path, config: Config, store: Store, kind: str
) -> None:
    for step in (5, 10):
        make(config, step)
        upload(config, store, step)
    told = damage_remote(store, kind)
    bare = config_of(s3[0], tmp_path / "bare", store.url)
    restore(bare)
    assert complete_steps(checkpoints(bare)) == [5]
    (event,) = read_events(tmp_path / "bare")
    assert event.kind == "passed-over"
    assert event.text.startswith(f"{store.url}/step-00000010: {told}")
    assert not (tmp_path / "escaped").exists()


def test_half_an_upload_is_no_checkpoint(
    s3: tuple[StorageConfig, str], tmp_path: Path, config: Config, store: Store
) -> None:
    make(config, 5)
    upload(config, store, 5)
    store.delete(f"step-00000005/{RECORD}")
    bare = config_of(s3[0], tmp_path / "bare", store.url)
    restore(bare)
    assert not checkpoints(bare).exists()


def test_one_that_is_as_new_here_is_not_brought(config: Config, store: Store) -> None:
    for step in (5, 10):
        make(config, step)
        upload(config, store, step)
    shutil.rmtree(step_folder(checkpoints(config), 5))
    restore(config)
    assert complete_steps(checkpoints(config)) == [10]
    next(step_folder(checkpoints(config), 10).glob("__0_*")).write_bytes(b"damaged")
    restore(config)
    assert newest_valid(checkpoints(config)) == (step_folder(checkpoints(config), 10), [])


def test_a_rollback_may_need_an_older_one(
    s3: tuple[StorageConfig, str], tmp_path: Path, config: Config, store: Store
) -> None:
    for step in (5, 10, 15):
        make(config, step)
        upload(config, store, step)
    bare = config_of(s3[0], tmp_path / "bare", store.url)
    restore(bare)
    restore_before(bare, 12)
    assert complete_steps(checkpoints(bare)) == [10, 15]


def test_without_the_bucket_only_a_run_with_a_checkpoint_goes_on(config: Config) -> None:
    nowhere = config.model_copy(
        update={"storage": config.storage.model_copy(update={"endpoint": "http://127.0.0.1:9", "attempts": 2})}
    )
    with pytest.raises(OperationError, match=r"nothing answers at http://127\.0\.0\.1:9"):
        restore(nowhere)
    make(config, 5)
    restore(nowhere)
    (event,) = read_events(Path(config.run.dir))
    assert event.kind == "warning"
    assert "going on from step-00000005; a newer checkpoint may be in the bucket" in event.text


def test_the_bucket_is_pruned_like_the_folder(config: Config, store: Store) -> None:
    for step, end in ((5, True), (10, False), (15, False), (20, False), (25, False)):
        make(config, step, phase_end=end)
        upload(config, store, step)
    store.delete(f"step-00000015/{RECORD}")  # an upload that was never finished
    prune(store, newest=20, keep=1)  # step 25 was before the run went back
    assert steps_in(store) == {5: True, 20: True}


def test_a_checkpoint_of_another_past_is_replaced(config: Config, store: Store) -> None:
    make(config, 5)
    upload(config, store, 5)
    shutil.rmtree(step_folder(checkpoints(config), 5))
    there = make(config, 5, content="other")
    upload(config, store, 5)
    assert store.read("step-00000005/__0_0.distcp") == (there / "__0_0.distcp").read_bytes()
    assert store.read(f"step-00000005/{RECORD}") == (there / RECORD).read_bytes()


def test_a_damaged_checkpoint_is_not_uploaded(config: Config, store: Store) -> None:
    (make(config, 5) / ".metadata").write_bytes(b"Metadata")
    with pytest.raises(OperationError, match=r"is damaged: the bytes of \.metadata have changed"):
        upload(config, store, 5)
    assert steps_in(store) == {}


def test_an_upload_that_fails_is_a_warning(config: Config) -> None:
    make(config, 5)
    url = config.checkpoint.upload
    nowhere = {"endpoint": "http://127.0.0.1:9", "attempts": 2}
    config = config.model_copy(update={"storage": config.storage.model_copy(update=nowhere)})
    command = [sys.executable, "-m", "snowcoder.training.checkpoints.upload", "5"]
    done = subprocess.run(command, input=to_yaml(config), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = f"upload of step-00000005 to {url}: cannot look up {url}/step-00000005/{RECORD}: nothing answers at "
    assert done.stderr.startswith(f"snowcoder: warning: {told}http://127.0.0.1:9")
    (event,) = read_events(Path(config.run.dir))
    assert (event.kind, event.step) == ("warning", 5)
    assert event.text.startswith(told)
    assert event.text.endswith("Tried again with the next checkpoint")


# With training


def uploading(url: str, storage: StorageConfig, *more: str) -> list[str]:
    keys = ("attempts", "connections", "part_mib", "endpoint")
    settings = [f"storage.{key}={getattr(storage, key)}" for key in keys]
    return ["storage=s3", *settings, f"checkpoint.upload={url}", ASYNCHRONOUS, "checkpoint.every_steps=4", *more]


@pytest.mark.slow
def test_a_machine_that_has_only_the_bucket_goes_on(
    s3: tuple[StorageConfig, str], tmp_path: Path, workspace: Path, url: str, store: Store
) -> None:
    settings = uploading(url, s3[0], "checkpoint.keep=2")
    run = SmallRun(tmp_path / "run", workspace, "tp1", 12, *settings).plan()
    run.train()
    straight, plan = run.curve, load_plan(run.folder / "plan").digest
    assert steps_in(store) == {8: True, 12: True}
    assert 12 in {event.step for event in run.events("uploaded")}
    shutil.rmtree(run.folder)  # the machine is lost,
    store.delete(f"step-00000012/{RECORD}")  # and before the last upload was whole
    run.plan()
    assert load_plan(run.folder / "plan").digest == plan
    output = run.train()
    assert f"restoring step-00000008 from {url}" in output
    assert "step-00000008 (step 8, phase1)" in output
    assert run.curve == straight
    assert [record["step"] for record in steps_of(run.folder)] == list(range(1, 13))
    assert steps_in(store) == {8: True, 12: True}


@pytest.mark.slow
@pytest.mark.skipif(not seaweedfs_installed(), reason="SeaweedFS is not installed: pip install 'snowcoder[demo]'")
def test_a_server_that_is_killed_during_an_upload_disturbs_no_training(tmp_path: Path, workspace: Path) -> None:
    with S3Server(tmp_path / "server") as server, faulty_proxy(server.endpoint) as proxy:
        proxy.hold_after = 1 << 20  # in the midst of a checkpoint
        url, storage = "s3://snowcoder/under-fire", storage_config(proxy.endpoint, "storage.attempts=2")
        run = SmallRun(tmp_path / "run", workspace, "tp1", 12, *uploading(url, storage)).plan()

        def kill_midway() -> None:
            assert proxy.held.wait(240)
            server.kill()

        killer = threading.Thread(target=kill_midway)
        killer.start()
        output = run.train()
        killer.join()
        assert [record["step"] for record in steps_of(run.folder)] == list(range(1, 13))
        warnings = run.events("warning")
        assert warnings
        assert f"to {url}: cannot " in warnings[0].text
        assert warnings[0].text.endswith("Tried again with the next checkpoint")
        assert not run.events("uploaded")
        proxy.hold_after = None
        server.start()
        store = open_store(url, storage)
        assert not any(steps_in(store).values())  # half of one at most
        output = run.train()
        assert "nothing to do" in output
        assert steps_in(store)[12]
        assert 12 in {event.step for event in run.events("uploaded")}


@pytest.mark.slow
def test_an_upload_that_stalls_is_given_up_in_time(
    s3: tuple[StorageConfig, str], tmp_path: Path, workspace: Path, url: str
) -> None:
    with faulty_proxy(s3[0].endpoint) as proxy:
        proxy.hold_after = 0
        settings = uploading(url, s3[0].model_copy(update={"endpoint": proxy.endpoint}), "launch.timeout_minutes=1")
        run = SmallRun(tmp_path / "run", workspace, "tp1", 12, *settings).plan()
        run.train()
        assert any("is not done after 48 s and was given up" in event.text for event in run.events("warning"))
