"""A writer that is killed midway leaves what was there before, on disk and on S3."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy

from snowcoder.config.schema import StorageConfig
from snowcoder.storage.atomic import atomic_path, publish_folder, write_json
from snowcoder.storage.s3 import S3Store
from snowcoder.storage.store import open_store

DISK_WRITER = """
import sys, time
from pathlib import Path
from snowcoder.storage.atomic import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary, temporary.open("wb") as file:
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    time.sleep(60)
"""
S3_WRITER = """
import sys
from pathlib import Path
from snowcoder.config.compose import load_config
from snowcoder.storage.store import open_store
storage = load_config(["storage=s3", f"storage.endpoint={sys.argv[1]}", "storage.part_mib=5"]).storage
open_store(sys.argv[2], storage).write_file("object", Path(sys.argv[3]))
"""


@pytest.mark.parametrize("before", [None, b"the old one"])
def test_a_killed_writer_leaves_the_old_file_or_none(
    tmp_path: Path, s3: tuple[StorageConfig, str], before: bytes | None
) -> None:
    store, path = open_store(str(tmp_path), s3[0]), tmp_path / "object"
    if before:
        store.write("object", before)
    command = [sys.executable, "-c", DISK_WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == (2 if before else 1)  # with half a temporary file
    assert [info.key for info in store.list()] == (["object"] if before else [])
    assert not before or path.read_bytes() == before


@pytest.mark.parametrize("before", [None, b"the old one"])
def test_a_killed_upload_leaves_the_old_object_or_none(
    tmp_path: Path, s3_store: S3Store, proxy: FaultyProxy, before: bytes | None
) -> None:
    if before:
        s3_store.write("object", before)
    (tmp_path / "new").write_bytes(bytes(24 << 20))
    proxy.hold_after = 8 << 20
    command = [sys.executable, "-c", S3_WRITER, proxy.endpoint, s3_store.url, str(tmp_path / "new")]
    with subprocess.Popen(command) as writer:
        assert proxy.held.wait(60)
        writer.send_signal(signal.SIGKILL)
    assert [info.key for info in s3_store.list()] == (["object"] if before else [])
    assert not before or s3_store.read("object") == before


def test_an_error_while_writing_leaves_no_trace(tmp_path: Path) -> None:
    def write_half() -> None:
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_published_folder_replaces_the_one_before_it(tmp_path: Path) -> None:
    for number, name in enumerate(["old", "new"]):
        write_json(tmp_path / name / "nested" / f"{name}.json", number)
        publish_folder(tmp_path / name, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target" / "nested").iterdir()] == ["new.json"]
