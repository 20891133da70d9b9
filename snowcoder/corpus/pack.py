"""`snowcoder corpus pack FOLDER...`: folders of source code into shards in the schema of The Stack.

Files are read as bytes and never executed; symbolic links are not followed.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow
import pyarrow.parquet

from snowcoder.config.schema import ColumnsConfig, Config
from snowcoder.corpus.languages import language_of
from snowcoder.errors import UserError
from snowcoder.lineage.digest import digest_bytes, digest_file, digest_json
from snowcoder.lineage.manifest import NAME, Manifest, Output
from snowcoder.progress import bar
from snowcoder.storage.store import Store, open_store

_SHARD_BYTES = 32 << 20
_FILE_BYTES = 1 << 20  # larger files are data, not code that people write


class SourceFile(NamedTuple):
    repository: str
    path: str  # in the repository
    file: Path
    language: str


def run(config: Config, *folders: str) -> None:
    """Each folder is a repository, named as the folder is; the shards become the source `raw`."""
    missing = [folder for folder in folders if not Path(folder).is_dir()]
    if missing:
        raise UserError(f"not folders: {', '.join(missing)}")
    repositories = [(Path(folder).resolve().name, Path(folder)) for folder in folders]
    pack(repositories, open_store(config.index.sources["raw"].shards, config.storage), config.index.columns)


def pack(repositories: Iterable[tuple[str, Path]], store: Store, columns: ColumnsConfig) -> Manifest:
    """Write shards of the repositories' source files to `store`, with a manifest. Prints a summary."""
    files = sorted(file for name, folder in repositories for file in find_files(name, folder))
    # By digest of the name, so that every shard is a mixture, and the same one on every run.
    files.sort(key=lambda file: digest_json([file.repository, file.path]))
    if not files:
        raise UserError(f"nothing to pack for {store.url}: no source files of a known language")
    dropped: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    outputs = []
    for number, rows in enumerate(_shards(files, dropped)):
        languages.update(row["language"] for row in rows)
        outputs.append(_write_shard(store, f"shard-{number:05d}.parquet", rows, columns))
    counts = {"documents": sum(languages.values()), "languages": dict(languages.most_common()), "dropped": dict(dropped)}
    manifest = Manifest("corpus pack", {}, {"columns": columns.model_dump()}, counts, outputs)
    with tempfile.TemporaryDirectory() as folder:
        manifest.write(Path(folder))
        store.write(NAME, (Path(folder) / NAME).read_bytes())
    size = sum(output.bytes for output in outputs)
    print(f"{store.url}: {counts['documents']:,} files in {len(outputs)} shard(s), {size / 2**20:.1f} MiB; {counts['languages']}")
    return manifest


def find_files(repository: str, folder: Path) -> Iterator[SourceFile]:
    """Source files below `folder`, by extension; links and hidden folders are passed over."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            file = Path(root, name)
            language = language_of(file)
            if language and file.is_file() and not file.is_symlink():
                yield SourceFile(repository, file.relative_to(folder).as_posix(), file, language)


def _shards(files: list[SourceFile], dropped: Counter[str]) -> Iterator[list[dict[str, str]]]:
    rows: list[dict[str, str]] = []
    size = 0
    for file in bar("pack", len(files), "file", files):
        content = _read(file.file)
        if content is None or not content.strip():
            dropped["empty" if content == "" else "not UTF-8, or too long"] += 1
            continue
        rows.append({"content": content, "repository": file.repository, "path": file.path, "language": file.language})
        size += len(content)
        if size >= _SHARD_BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _read(file: Path) -> str | None:
    if file.stat().st_size > _FILE_BYTES:
        return None
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        return None


def _write_shard(store: Store, key: str, rows: list[dict[str, str]], columns: ColumnsConfig) -> Output:
    names = columns.model_dump()
    table = pyarrow.table(
        {
            "blob_id": [digest_bytes(row["content"].encode()) for row in rows],
            **{names[kind]: [row[kind] for row in rows] for kind in ("repository", "path", "language", "content")},
            # Licences are detected by the corpus stage; here none is known.
            columns.licence: pyarrow.array([[] for _ in rows], pyarrow.list_(pyarrow.string())),
        }
    )
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pyarrow.parquet.write_table(table, file.name, compression="zstd", row_group_size=1000)
        store.write_file(key, Path(file.name))
        return Output(key, os.path.getsize(file.name), digest_file(Path(file.name)))
