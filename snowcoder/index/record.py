"""The record of one indexed shard: written when its files are in place, read to resume a build."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from snowcoder.lineage.manifest import Output
from snowcoder.storage.atomic import write_json
from snowcoder.storage.objects import ObjectInfo


@dataclass(frozen=True)
class ShardRecord:
    name: str  # shard-00000
    key: str  # of the input object
    bytes: int
    tag: str
    digest: str
    made_with: str  # digest of tokenizer and config
    encoder: str
    splits: dict[str, dict[str, int]]  # train, held_out -> documents, files, tokens, bytes
    tokens_by_language: dict[str, int]
    dropped: dict[str, int]  # reason -> documents
    max_token_id: int
    skipped: str | None  # why the whole shard is left out
    outputs: list[Output]
    without: dict[str, int] = field(default_factory=dict)  # column -> documents that lack it

    def write(self, folder: Path) -> None:
        write_json(record_path(folder, self.name), asdict(self))

    def is_of(self, info: ObjectInfo, made_with: str) -> bool:
        """Whether it was made from this very object, with this tokenizer and config."""
        found = (self.key, self.bytes, self.tag, self.made_with)
        return found == (info.key, info.bytes, info.tag, made_with)

    def is_of_touched(self, info: ObjectInfo, made_with: str) -> bool:
        """Whether all is as `is_of` asks but the tag: the bytes may be the same, which their digest tells."""
        return self.tag != info.tag and self.is_of(info._replace(tag=self.tag), made_with)

    def files_in_place(self, folder: Path) -> bool:
        paths = [(folder / output.name, output.bytes) for output in self.outputs]
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def record_path(folder: Path, name: str) -> Path:
    return folder / "records" / f"{name}.json"


def find_record(folder: Path, name: str) -> ShardRecord | None:
    try:
        raw = json.loads(record_path(folder, name).read_text())
    except FileNotFoundError:
        return None
    return ShardRecord(**{**raw, "outputs": [Output(**output) for output in raw["outputs"]]})
