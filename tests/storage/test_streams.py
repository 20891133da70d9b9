"""Compressed streams as all kinds of tools write them are read to their end, and only to their real end."""

import contextlib
import gzip
import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest
from backports import zstd

from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.storage.decompress import ERRORS, open_decompressed
from snowcoder.storage.shards import read_shard
from snowcoder.storage.unreadable import CorruptShard, unreadable

COLUMNS = ColumnsConfig(
    content="content", repository="r", path="p", language="l", licence="c", file_paths="f", file_lengths="n"
)
ROWS = [{"content": f"x = {n}\n" * 20} for n in range(50)]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
BEFORE = [row["content"] for row in ROWS]
SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"pzst"
MARK = b"\xef\xbb\xbf"


def contents(path: Path) -> list[str]:
    return [content for batch in read_shard(path, path.name, COLUMNS, 1 << 20) for content in batch.contents]


def frame(data: bytes, window_log: int) -> bytes:
    """One raw block, as `zstd --long` declares its window; and no size of the content."""
    header = b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3])
    return header + struct.pack("<I", 1 | len(data) << 3)[:3] + data


def compress(name: str, data: bytes) -> bytes:
    return gzip.compress(data) if name.endswith(".gz") else zstd.compress(data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *((f"long{log}.jsonl.zst", frame(LINES, log)) for log in (20, 27, 28, 31)),
        ("mixed.jsonl.zst", zstd.compress(LINES[:999]) + frame(LINES[999:], 31)),
        (
            "pzstd.jsonl.zst",
            SKIPPABLE + zstd.compress(LINES[:999]) + SKIPPABLE + zstd.compress(LINES[999:]) + SKIPPABLE,
        ),
        ("bgzip.jsonl.gz", gzip.compress(LINES[:999]) + gzip.compress(LINES[999:]) + gzip.compress(b"")),
        ("tape.jsonl.gz", gzip.compress(LINES) + bytes(100_000)),
        ("between.jsonl.gz", gzip.compress(LINES[:999]) + bytes(7) + gzip.compress(LINES[999:]) + bytes(1)),
    ],
)
def test_good_streams_are_read(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert contents(tmp_path / name) == BEFORE


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.jsonl.gz"])
def test_marks_blank_lines_and_carriage_returns_are_no_rows(tmp_path: Path, name: str) -> None:
    lines = LINES.replace(b"\n", b"\r\n")
    (tmp_path / name).write_bytes(compress(name, MARK + lines + MARK + lines + b"\r\n \n\n" + MARK))
    assert contents(tmp_path / name) == BEFORE * 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstd.compress(LINES.decode().encode(encoding)))
    with pytest.raises(UserError, match=r"a\.jsonl\.zst is text in UTF-16 or UTF-32: convert it to UTF-8"):
        contents(path)


def read(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    with open_decompressed(path, path.name) as text:
        return text.read()


@pytest.mark.parametrize("name", ["a.zst", "a.gz"])
def test_a_stream_cut_anywhere_is_no_whole_one(tmp_path: Path, name: str) -> None:
    whole = compress(name, LINES)
    for cut in range(len(whole)):
        with pytest.raises(ERRORS):
            read(tmp_path / name, whole[:cut])
        if cut:
            with pytest.raises(ERRORS):
                read(tmp_path / name, whole + whole[:cut])
    assert read(tmp_path / name, whole * 2) == LINES * 2
    with pytest.raises(ERRORS):
        read(tmp_path / "a.zst", zstd.compress(LINES) + SKIPPABLE[:6])


@pytest.mark.parametrize("name", ["a.zst", "a.gz"])
def test_flipped_bits_are_noticed_where_there_is_a_checksum(tmp_path: Path, name: str) -> None:
    checked = zstd.compress(LINES, options={zstd.CompressionParameter.checksum_flag: 1})
    whole, draw = bytearray(checked if name == "a.zst" else gzip.compress(LINES)), random.Random(1)
    for _ in range(200):
        place, bit = draw.randrange(len(whole)), 1 << draw.randrange(8)
        whole[place] ^= bit
        with contextlib.suppress(*ERRORS):
            assert read(tmp_path / name, bytes(whole)) == LINES  # of gzip's header not all is checked
        whole[place] ^= bit


WITHOUT_MEMORY = """
import resource, sys
from pathlib import Path
from tests.storage.test_streams import contents
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    contents(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_window_without_memory_for_it_is_not_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(frame(LINES, 31))
    done = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY, path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OperationError not enough memory to read shard a.jsonl.zst at byte 0 of its text")
    assert "zstd --long=27" in done.stdout


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), OperationError),
        (pa.ArrowMemoryError("malloc of size 128 failed"), OperationError),
        (OSError(12, "Cannot allocate memory"), OperationError),
        (OSError(5, "Input/output error"), OperationError),
        (pa.ArrowNotImplementedError("Support for codec 'brotli' not built"), UserError),
        (OSError("Unknown encoding type."), UserError),
        (OSError("Corrupt snappy compressed data."), CorruptShard),
        (pa.ArrowInvalid("Parquet magic bytes not found in footer."), CorruptShard),
    ],
)
def test_only_what_is_corrupt_may_be_skipped(error: Exception, kind: type[SnowcoderError]) -> None:
    found = unreadable("a.parquet", "row group 3", error)
    assert isinstance(found, kind)
    assert isinstance(found, CorruptShard) == (kind is CorruptShard)
    assert "a.parquet" in str(found)
    assert "row group 3" in str(found)


def test_a_codec_that_is_not_there_is_named(tmp_path: Path) -> None:
    """LZO, which parquet knows and its reader here does not: the number of the codec is changed in the footer."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"content": ["x" * 100] * 9}), path, compression="snappy")
    data = bytearray(path.read_bytes())
    in_schema = data.index(b"content", len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    place = data.index(b"content", in_schema + 1) + len(b"content")
    assert data[place : place + 2] == b"\x15\x02"  # snappy
    data[place : place + 2] = b"\x15\x06"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"shard a\.parquet cannot be read at row group 0: While LZO compression"):
        contents(path)


class Keys(encryption.KmsClient):
    def wrap_key(self, key: bytes, master: str) -> bytes:
        return key.hex().encode()

    def unwrap_key(self, key: bytes, master: str) -> bytes:
        return bytes.fromhex(key.decode())


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_encrypted_parquet_is_named(tmp_path: Path, plaintext_footer: bool) -> None:
    path, table = tmp_path / "a.parquet", pa.table({"content": ["x"]})
    how = encryption.EncryptionConfiguration("k", column_keys={"c": ["content"]}, plaintext_footer=plaintext_footer)
    factory = encryption.CryptoFactory(lambda _: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), how)
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match=r"shard a\.parquet cannot be read at .*decrypt.* without encryption"):
        contents(path)


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        (
            "a.parquet",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "no parquet file but a git-lfs pointer",
        ),
        ("a.jsonl.zst", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git-lfs pointer .*git lfs pull"),
        ("a.jsonl.gz", b"/annex/objects/SHA256E-s1--0.gz\n", "a git-annex pointer"),
        ("a.parquet", b"\n<html><head>", "an HTML page"),
        ("a.parquet", b"<?xml version='1.0'?><Error><Code>AccessDenied", "an XML document"),
        ("a.jsonl.zst", b'{"error": "Repository not found"}', "plain JSON"),
        ("a.jsonl.gz", b"Entry not found", "text that begins 'Entry not found'"),
        ("a.jsonl.gz", zstd.compress(LINES), "no gzip stream but compressed by zstd: rename it to .jsonl.zst"),
        ("a.jsonl.zst", gzip.compress(LINES), "compressed by gzip"),
        ("a.jsonl.gz", b"PAR1", "parquet: rename it to .parquet"),
    ],
)
def test_what_is_no_shard_says_what_it_is(tmp_path: Path, name: str, data: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=rf"shard {name} is .*{what}"):
        contents(tmp_path / name)
