"""What a SOURCE stands for, what becomes of text, and how many repositories become shards."""

import codecs
import io
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import StorageConfig
from snowcoder.corpus.pack import pack
from snowcoder.corpus.sources.find import find_repositories
from snowcoder.corpus.sources.folder import Folder
from snowcoder.corpus.sources.repository import BadRepository, Gate
from snowcoder.corpus.sources.spool import Spool
from snowcoder.corpus.sources.text import decode
from snowcoder.errors import UserError
from snowcoder.storage.store import open_store
from tests.corpus.repositories import LIMITS, STORAGE, git_repository, licence_of, read

SOURCE = "import json\n\nprint(json.dumps({'a': 1}))\n"


def tar(path: Path, files: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return path


def names(*sources: Path) -> list[str]:
    return [repository.name for repository in find_repositories([str(source) for source in sources], STORAGE)]


def test_a_collection_is_its_repositories_named_by_their_paths(tmp_path: Path) -> None:
    tar(tmp_path / "c" / "owner" / "one.tar.gz", {"a.py": SOURCE})
    tar(tmp_path / "c" / "two.tgz", {"a.py": SOURCE})
    git_repository(tmp_path / "c" / "owner" / "three.git", {"a.py": SOURCE})
    (tmp_path / "c" / "plain" / "src").mkdir(parents=True)
    (tmp_path / "c" / "plain" / "README.md").write_text("A folder of code.\n")
    assert names(tmp_path / "c") == ["owner/one", "owner/three", "plain", "two"]


def test_a_folder_with_files_of_its_own_is_one_repository(tmp_path: Path) -> None:
    tar(tmp_path / "code" / "data.tar.gz", {"a.py": SOURCE})
    (tmp_path / "code" / "setup.py").write_text(SOURCE)
    (tmp_path / "java" / "src" / "main").mkdir(parents=True)
    (tmp_path / "java" / "src" / "main" / "A.java").write_text("class A {}\n")
    assert names(tmp_path / "code", tmp_path / "java") == ["code", "java"]


def test_names_must_differ(tmp_path: Path) -> None:
    for suffix in ("tgz", "tar.gz"):
        tar(tmp_path / "c" / f"same.{suffix}", {"a.py": SOURCE})
    with pytest.raises(UserError, match="several repositories are named same"):
        names(tmp_path / "c")


def test_archives_in_a_bucket(tmp_path: Path, s3: tuple[StorageConfig, str]) -> None:
    url = f"{s3[1]}/{tmp_path.name}"
    store = open_store(url, s3[0])
    with pytest.raises(UserError, match="no archives in"):
        find_repositories([url], s3[0])
    store.write_file("owner/one.tar.gz", tar(tmp_path / "one.tar.gz", {"a.py": SOURCE}))
    store.write("notes.txt", b"of no kind")
    (found,) = find_repositories([url], s3[0])
    assert found.name == "owner/one"
    assert read(found) == ({"a.py": SOURCE.encode()}, {})


def test_a_file_that_becomes_a_link_while_it_is_read_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("SECRET = 1\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").symlink_to(secret)
    monkeypatch.setattr("snowcoder.corpus.sources.folder._kind", lambda _: None)
    assert read(Folder("code", tmp_path / "code")) == ({}, {"unreadable": 1})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("é = 1\n".encode(), "é = 1\n"),
        (codecs.BOM_UTF8 + "é = 1\n".encode(), "é = 1\n"),
        ("é = 1\n".encode("utf-16"), "é = 1\n"),
        (codecs.BOM_UTF16_BE + "é = 1\n".encode("utf-16-be"), "é = 1\n"),
        (b"a = 1\r\n", "a = 1\r\n"),
    ],
)
def test_text_is_utf8_or_says_that_it_is_utf16(data: bytes, expected: str) -> None:
    assert decode(data) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("é = 1\n".encode("latin-1"), "not UTF-8"),
        ("a = 1\n".encode("utf-16-le"), "binary"),
        ("a = 1\n".encode("utf-32"), "binary"),
        (b"\x7fELF\xff\xfe\x00", "binary"),
        (codecs.BOM_UTF16_LE + b"a", "not UTF-8"),
        (codecs.BOM_UTF8 + b" \n", "no content"),
        (b"", "no content"),
    ],
)
def test_other_bytes_are_no_text(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(data)


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pyarrow.parquet.read_table(path).to_pylist()]


def test_repositories_become_rows_with_revision_language_and_licence(tmp_path: Path) -> None:
    tar(
        tmp_path / "c" / "two.tgz",
        {"LICENSE": licence_of("pydantic"), "a.h": "namespace a {\nclass B;\n}\n", "run": "#!/bin/sh\nls\n"},
    )
    tagged = "# SPDX-License-Identifier: Apache-2.0\n"
    git_repository(tmp_path / "c" / "one", {"a.py": SOURCE, "b.py": tagged, "package.json": '{"license": "ISC"}'})
    store = open_store(str(tmp_path / "shards"), STORAGE)
    manifest = pack(find_repositories([str(tmp_path / "c")], STORAGE), store, load_config([]).index.columns, LIMITS)
    found = {(row["repo_name"], row["path"]): row for row in rows(tmp_path / "shards")}
    assert {key: (row["language"], row["detected_licenses"]) for key, row in found.items()} == {
        ("one", "a.py"): ("Python", ["ISC"]),
        ("one", "b.py"): ("Python", ["Apache-2.0"]),
        ("two", "a.h"): ("C++", ["MIT"]),
        ("two", "run"): ("Shell", ["MIT"]),
    }
    assert found["one", "a.py"]["length_bytes"] == len(SOURCE)
    assert [len(found[key]["revision_id"]) for key in [("one", "a.py"), ("two", "a.h")]] == [40, 32]
    assert manifest.counts["dropped"] == {"other language": 2}


def test_a_bad_repository_is_named_and_loses_no_other(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    whole = tar(tmp_path / "c" / "a.tar.gz", {f"{n}.py": SOURCE for n in range(50)}).read_bytes()
    (tmp_path / "c" / "bad.tar.gz").write_bytes(whole[:-30])
    (tmp_path / "c" / "worse.zip").write_bytes(b"no zip at all")
    tar(tmp_path / "c" / "z.tar.gz", {"z.py": SOURCE})
    store = open_store(str(tmp_path / "shards"), STORAGE)
    manifest = pack(find_repositories([str(tmp_path / "c")], STORAGE), store, load_config([]).index.columns, LIMITS)
    assert Counter(row["repo_name"] for row in rows(tmp_path / "shards")) == {"a": 50, "z": 1}
    assert manifest.counts["failed"] == {"bad": "not a whole tar archive", "worse": "not a whole zip archive"}
    assert manifest.counts["repositories"] == 2
    assert "left out: bad: not a whole tar archive\n" in capsys.readouterr().err


def test_the_list_of_languages_is_the_users(tmp_path: Path) -> None:
    tar(tmp_path / "a.tgz", {"a.py": SOURCE, "Makefile": "all:\n\ttrue\n", "b.zig": "const x = 1;\n"})
    columns, found = load_config([]).index.columns, find_repositories([str(tmp_path / "a.tgz")], STORAGE)
    limits = LIMITS.model_copy(update={"languages": ["Makefile", "Zig"]})
    manifest = pack(found, open_store(str(tmp_path / "shards"), STORAGE), columns, limits)
    assert manifest.counts["languages"] == {"Makefile": 1, "Zig": 1}
    with pytest.raises(UserError, match="Pyhton"):
        pack(
            found,
            open_store(str(tmp_path / "s"), STORAGE),
            columns,
            LIMITS.model_copy(update={"languages": ["Pyhton"]}),
        )


def test_records_come_back_by_key_and_a_cut_forgets_the_last() -> None:
    with Spool() as spool:
        for key in (7, 2**63 + 1, 3):
            spool.add(key, str(key).encode())
        spool.add(1, b"to be forgotten")
        spool.cut(3)
        spool.add(5, b"")
        assert list(spool.sorted()) == [b"3", b"", b"7", str(2**63 + 1).encode()]


def test_memory_does_not_grow_with_the_repositories(tmp_path: Path) -> None:
    """150 MiB of files are packed in less than 100 MiB more than nothing takes."""
    program = f"""
import resource, sys
from pathlib import Path
from snowcoder.config.compose import load_config
from snowcoder.corpus import pack as packing
from snowcoder.corpus.sources.find import find_repositories
from snowcoder.storage.store import open_store
packing._SHARD_BYTES = 4 << 20
config = load_config(["storage=disk"])
store = open_store({str(tmp_path / "shards")!r}, config.storage)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = find_repositories([{str(tmp_path / "big.tar")!r}], config.storage)
packing.pack(found, store, config.index.columns, config.repositories)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    text = Path(json.__file__).read_text()
    line = "\n".join(text[:40].splitlines())
    tar(tmp_path / "big.tar", {f"{n}.py": f"# {n}\n" + f"{line}{n}\n" * 10_000 for n in range(350)})
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 100


def test_an_unreadable_folder_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code" / "closed").mkdir(parents=True)
    (tmp_path / "code" / "a.py").write_text(SOURCE)
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scandir(path if "closed" not in str(path) else "/nowhere"))
    assert read(Folder("code", tmp_path / "code")) == ({"a.py": SOURCE.encode()}, {"unreadable": 1})


def test_a_folder_ends_at_its_limits(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    for n in range(3):
        (tmp_path / "code" / f"{n}.py").write_text(SOURCE)
    gate = Gate(LIMITS.model_copy(update={"max_files": 2}), lambda _: True, Counter())
    with pytest.raises(BadRepository, match="more than 2 entries"):
        list(Folder("code", tmp_path / "code").files(gate))
