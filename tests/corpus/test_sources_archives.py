"""Archives, and what hostile ones try: each attack is refused or counted, and what is good beside it is read."""

import bz2
import gzip
import io
import json
import lzma
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from snowcoder.corpus.sources.find import find_repositories
from snowcoder.corpus.sources.repository import BadRepository, Gate, Repository
from snowcoder.errors import UserError
from tests.corpus.repositories import LIMITS, STORAGE, read

FILES = {f"json-1.0/{path.name}": path.read_bytes() for path in Path(json.__file__).parent.glob("*.py")}
GOOD = {"good.py": b"x = 1\n"}


def zstd(data: bytes) -> bytes:
    return pyarrow.compress(data, codec="zstd", asbytes=True)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": zstd,
}


def zipped(files: dict[str, bytes], **options: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data, **options)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], *members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for member in members:
            archive.addfile(member, io.BytesIO(b"\0" * member.size))
    return buffer.getvalue()


def archive(folder: Path, name: str, data: bytes) -> Repository:
    (folder / name).write_bytes(data)
    (found,) = find_repositories([str(folder / name)], STORAGE)
    return found


@pytest.mark.parametrize("suffix", [*COMPRESS, ".zip", ".whl"])
def test_every_kind_of_archive_is_read(tmp_path: Path, suffix: str) -> None:
    data = COMPRESS[suffix](tarred(FILES)) if suffix in COMPRESS else zipped(FILES)
    found = archive(tmp_path, f"json{suffix}", data)
    assert read(found) == (FILES, {})
    assert found.name == "json"
    assert len(found.revision) == 32


@pytest.mark.parametrize("suffix", [*COMPRESS, ".zip"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_archive_is_a_bad_one(tmp_path: Path, suffix: str, kept: float) -> None:
    data = COMPRESS[suffix](tarred(FILES)) if suffix in COMPRESS else zipped(FILES)
    data = data[: -10240 if suffix == ".tar" and kept == 0.9 else int(len(data) * kept)]  # without the end's blocks
    with pytest.raises(BadRepository, match="not a whole"):
        read(archive(tmp_path, f"json{suffix}", data))


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    data = bytearray(tarred(FILES))
    at = data.index(b"json-1.0/", 512)
    data[at : at + 9] = b"evil-1.0/"
    with pytest.raises(BadRepository, match="not a whole tar"):
        read(archive(tmp_path, "json.tar", bytes(data)))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_streams_that_follow_each_other_are_one(tmp_path: Path, suffix: str) -> None:
    data, compress = tarred(FILES), COMPRESS[suffix]
    assert read(archive(tmp_path, f"json{suffix}", compress(data[:5000]) + compress(data[5000:]))) == (FILES, {})


ESCAPES = [
    *("../up.py", "a/../../up.py", "/etc/rooted.py", "C:/drive.py", "C:drive.py", "..\\up.py", "a\\..\\..\\up.py"),
    *("\\\\host\\share.py", "new\nline.py", "a" * 5000 + ".py"),
]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_paths_that_lead_outside_are_refused(tmp_path: Path, suffix: str) -> None:
    files = {**dict.fromkeys(ESCAPES, b"x = 1\n"), **GOOD, "./dotted//twice.py": b"y\n"}
    found = archive(tmp_path, f"a{suffix}", zipped(files) if suffix == ".zip" else tarred(files))
    assert read(found) == ({**GOOD, "dotted/twice.py": b"y\n"}, {"unsafe path": len(ESCAPES)})
    assert sorted(os.listdir(tmp_path)) == [f"a{suffix}"]


def test_a_name_that_hides_another_behind_a_nul_is_refused(tmp_path: Path) -> None:
    data = zipped({"a.pyX.png": b"x", **GOOD}).replace(b"a.pyX.png", b"a.py\0.png")
    assert read(archive(tmp_path, "a.zip", data)) == (GOOD, {"unsafe path": 1})


def test_links_and_devices_in_a_zip_are_counted(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, kind in [("link.py", stat.S_IFLNK), ("pipe.py", stat.S_IFIFO), ("disk.py", stat.S_IFBLK)]:
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o777) << 16
            opened.writestr(info, "/etc/passwd")
        opened.writestr("good.py", GOOD["good.py"])
    found = archive(tmp_path, "a.zip", buffer.getvalue())
    assert read(found) == (GOOD, {"symbolic link": 1, "device or pipe": 2})


def test_links_and_devices_in_a_tar_are_counted(tmp_path: Path) -> None:
    members = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        member = tarfile.TarInfo(f"evil{kind.decode()}.py")
        member.type, member.linkname = kind, "good.py"
        members.append(member)
    found = archive(tmp_path, "a.tar", tarred(GOOD, *members))
    assert read(found) == (GOOD, {"symbolic link": 1, "hard link": 1, "device or pipe": 3})


def test_the_first_of_two_files_of_one_path_is_read_and_case_tells_paths_apart(tmp_path: Path) -> None:
    files = {"a.py": b"first\n", "./a.py": b"second\n", "A.py": b"other\n"}
    for name, data in [("a.tar", tarred(files)), ("a.zip", zipped(files))]:
        found = read(archive(tmp_path, name, data))
        assert found == ({"a.py": b"first\n", "A.py": b"other\n"}, {"path seen before": 1})


def test_encrypted_entries_are_counted(tmp_path: Path) -> None:
    data = bytearray(zipped({"secret.py": b"x\n", **GOOD}))
    for signature, flags in [(b"PK\3\4", 6), (b"PK\1\2", 8)]:  # of the first entry, here and in the list
        data[data.index(signature) + flags] |= 1
    assert read(archive(tmp_path, "a.zip", bytes(data))) == (GOOD, {"encrypted": 1})


def test_compression_that_takes_any_amount_of_memory_is_refused(tmp_path: Path) -> None:
    data = zipped({"a.py": b"x" * 1000}, compress_type=zipfile.ZIP_LZMA)
    assert read(archive(tmp_path, "a.zip", data)) == ({}, {"other compression": 1})


def test_one_damaged_entry_of_a_zip_does_not_lose_the_others(tmp_path: Path) -> None:
    data = bytearray(zipped({"bad.py": b"import os\n" * 100, **GOOD}))
    data[45] ^= 0xFF
    assert read(archive(tmp_path, "a.zip", bytes(data))) == (GOOD, {"damaged": 1})


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_file_too_long_is_counted_and_not_held(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowcoder.storage.digest._CHUNK", 1 << 20)
    files = {"huge.py": b"#" * (64 << 20), **GOOD}
    found = archive(tmp_path, f"a{suffix}", zipped(files) if suffix == ".zip" else tarred(files))
    tracemalloc.start()
    assert read(found) == (GOOD, {"too long": 1})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_an_entry_longer_than_it_says_gives_no_more_than_it_says(tmp_path: Path) -> None:
    data = zipped({"liar.py": b"#" * (8 << 20), **GOOD}).replace(struct.pack("<I", 8 << 20), struct.pack("<I", 100))
    files, dropped = read(archive(tmp_path, "a.zip", data))
    assert (files, dropped) == (GOOD, {"damaged": 1})


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_a_bomb_ends_at_the_limit_of_its_ratio(tmp_path: Path, suffix: str) -> None:
    bomb = COMPRESS[suffix](tarred({"zeros.bin": b"\0" * (80 << 20), **GOOD}))
    with pytest.raises(BadRepository, match="more than 200 times its size"):
        read(archive(tmp_path, f"a{suffix}", bomb))


def test_a_zip_of_many_files_from_few_bytes_ends_at_the_limit_of_its_ratio(tmp_path: Path) -> None:
    bomb = zipped({f"{n}.py": b"#" * (1 << 20) for n in range(70)})
    with pytest.raises(BadRepository, match="more than 200 times its size"):
        read(archive(tmp_path, "a.zip", bomb))


def test_an_archive_ends_at_the_limit_of_its_size(tmp_path: Path) -> None:
    limits = LIMITS.model_copy(update={"max_gib": 1e-6})
    for name, data in [("a.tar.gz", gzip.compress(tarred(FILES))), ("a.zip", zipped(FILES))]:
        with pytest.raises(BadRepository, match="larger than 1e-06 GiB"):
            read(archive(tmp_path, name, data), limits)


def test_an_archive_ends_at_the_limit_of_its_entries(tmp_path: Path) -> None:
    limits = LIMITS.model_copy(update={"max_files": 3})
    files = {f"{n}.py": b"" for n in range(4)}
    for name, data in [("a.tar", tarred(files)), ("a.zip", zipped(files))]:
        with pytest.raises(BadRepository, match="more than 3 entries"):
            read(archive(tmp_path, name, data), limits)


def test_a_zip_with_a_huge_list_of_entries_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowcoder.corpus.sources.zips._DIRECTORY_BYTES", 1 << 20)
    data = zipped({f"{n:0250d}": b"" for n in range(4000)})
    with pytest.raises(BadRepository, match="list of entries is larger than 1 MiB"):
        read(archive(tmp_path, "a.zip", data))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_of_any_length_is_not_held(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, 2 << 20
    with pytest.raises(BadRepository, match="header is larger than 1 MiB"):
        read(archive(tmp_path, "a.tar", tarred(GOOD, header)))


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    old = tarfile.TarInfo("sparse.py")
    old.type = tarfile.GNUTYPE_SPARSE
    new = tarfile.TarInfo("sparse.py")
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse.py"}
    for member in (old, new):
        with pytest.raises(BadRepository, match="sparse"):
            read(archive(tmp_path, "a.tar", tarred(GOOD, member)))


def test_members_of_a_tar_are_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowcoder.storage.digest._CHUNK", 1 << 20)
    data = tarred({f"{n}.txt": b"" for n in range(10_000)})
    gate = Gate(LIMITS, lambda path: False, Counter())
    found = archive(tmp_path, "a.tar", data)
    del data
    tracemalloc.start()
    assert list(found.files(gate)) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 << 20


def test_xz_that_takes_any_amount_of_memory_is_refused(tmp_path: Path) -> None:
    data = bytearray(lzma.compress(tarred(GOOD)))
    assert data[12:16] == b"\x02\x00\x21\x01"  # the block's header: one filter, LZMA2, one byte of properties
    data[16] = 36  # a dictionary of 1 GiB
    data[20:24] = struct.pack("<I", zlib.crc32(bytes(data[12:20])))
    with pytest.raises(BadRepository, match="not a whole"):
        read(archive(tmp_path, "a.tar.xz", bytes(data)))


def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as opened:
        opened.addfile(tarfile.TarInfo(os.fsdecode(b"caf\xe9.py")))
    assert read(archive(tmp_path, "a.tar", buffer.getvalue())) == ({"caf\ufffd.py": b""}, {})


def test_a_zip_whose_names_are_not_the_utf8_it_says_is_a_bad_one(tmp_path: Path) -> None:
    data = zipped({"café.py": b"x"}).replace("é".encode(), b"\xff\xff")
    with pytest.raises(BadRepository, match="not a whole zip"):
        read(archive(tmp_path, "a.zip", data))


def test_archives_in_an_archive_are_not_opened(tmp_path: Path) -> None:
    inner = zipped(GOOD)
    assert read(archive(tmp_path, "a.zip", zipped({"inner.zip": inner})))[0] == {"inner.zip": inner}


def test_other_files_are_no_sources(tmp_path: Path) -> None:
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(UserError, match=r"no folders, git repositories or archives .*a\.rar"):
        find_repositories([str(tmp_path / "a.rar")], STORAGE)
