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
from snowcoder.errors import OperationError, UserError
from snowcoder.lineage.digest import digest_bytes, digest_file, digest_json
from snowcoder.lineage.manifest import NAME, Manifest, Output
from snowcoder.progress import bar
from snowcoder.storage.shards import list_shards
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
    twice = sorted(name for name, count in Counter(name for name, _ in repositories).items() if count > 1)
    if twice:
        raise UserError(f"several folders are named {', '.join(twice)}: repositories need names of their own")
    store = open_store(config.index.sources["raw"].shards, config.storage)
    pack(repositories, store, config.index.columns)


def pack(repositories: Iterable[tuple[str, Path]], store: Store, columns: ColumnsConfig) -> Manifest:
    """Write shards of the repositories' source files to `store`, with a manifest. Prints a summary.

    Raises UserError where there is nothing to pack, or other shards lie in `store`.
    """
    found = (file for name, folder in repositories for file in find_files(name, folder))
    # By digest of the name, so that every shard is a mixture, and the same one on every run.
    files = sorted(found, key=lambda file: digest_json([file.repository, file.path]))
    dropped: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    outputs = []
    for number, rows in enumerate(_shards(files, dropped)):
        languages.update(row["language"] for row in rows)
        outputs.append(_write_shard(store, f"shard-{number:05d}.parquet", rows, columns))
    _check(store, outputs, dropped)
    counts = {
        "documents": sum(languages.values()),
        "languages": dict(languages.most_common()),
        "dropped": dict(dropped),
    }
    manifest = Manifest("corpus pack", {}, {"columns": columns.model_dump()}, counts, outputs)
    with tempfile.TemporaryDirectory() as folder:
        manifest.write(Path(folder))
        store.write(NAME, (Path(folder) / NAME).read_bytes())
    _print_summary(store, manifest)
    return manifest


def find_files(repository: str, folder: Path) -> Iterator[SourceFile]:
    """Source files below `folder`, by extension; links and hidden folders are passed over."""
    for root, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if name != "__pycache__" and name[0] != "."]
        for name in names:
            file = Path(root, name)
            language = language_of(file)
            if language and file.is_file() and not file.is_symlink():
                # Names on disk need not be UTF-8; those in a shard must be.
                path = os.fsencode(file.relative_to(folder).as_posix()).decode(errors="replace")
                yield SourceFile(repository, path, file, language)


def _unreadable(error: OSError) -> None:
    raise OperationError(f"cannot read {error.filename}: {error.strerror}")


def _shards(files: list[SourceFile], dropped: Counter[str]) -> Iterator[list[dict[str, str]]]:
    rows: list[dict[str, str]] = []
    size = 0
    for file in bar("pack", len(files), "file", files):
        data = _read(file.file)
        fault = _fault(data)
        if fault:
            dropped[fault] += 1
            continue
        rows.append(
            {
                "content": data.decode(),
                "repository": file.repository,
                "path": file.path,
                "language": file.language,
            }
        )
        size += len(data)
        if size >= _SHARD_BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _read(file: Path) -> bytes:
    """The bytes of a file, or of a too long one some more than are allowed."""
    try:
        with file.open("rb") as opened:
            return opened.read(_FILE_BYTES + 1)
    except OSError as error:
        raise OperationError(f"cannot read {file}: {error.strerror}") from None


def _fault(data: bytes) -> str | None:
    """Why a file is not packed, or None."""
    if len(data) > _FILE_BYTES:
        return "too long"
    try:
        return None if data.decode().strip() else "no content"
    except UnicodeDecodeError:
        return "not UTF-8"


def _write_shard(store: Store, key: str, rows: list[dict[str, str]], columns: ColumnsConfig) -> Output:
    names = columns.model_dump()
    kinds = ("repository", "path", "language", "content")
    table = pyarrow.table(
        {
            "blob_id": [digest_bytes(row["content"].encode()) for row in rows],
            **{names[kind]: [row[kind] for row in rows] for kind in kinds},
            # Licences are detected by the corpus stage; here none is known.
            columns.licence: pyarrow.array([[] for _ in rows], pyarrow.list_(pyarrow.string())),
        }
    )
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pyarrow.parquet.write_table(table, file.name, compression="zstd", row_group_size=1000)
        store.write_file(key, Path(file.name))
        return Output(key, os.path.getsize(file.name), digest_file(Path(file.name)))


def _check(store: Store, outputs: list[Output], dropped: Counter[str]) -> None:
    """Before the manifest is written: readers of `store` find these shards and no others."""
    if not outputs:
        raise UserError(
            f"nothing to pack for {store.url}: no source files of a known language"
            + (f" with text; dropped: {dict(dropped)}" if dropped else "")
        )
    others = {shard.key for shard in list_shards(store)} - {output.name for output in outputs}
    if others:
        raise UserError(
            f"{store.url} has {len(others)} other shard(s), such as {min(others)}: "
            "remove them, or pack into an empty place"
        )


def _print_summary(store: Store, manifest: Manifest) -> None:
    counts, size = manifest.counts, sum(output.bytes for output in manifest.outputs)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts["dropped"].items())
    print(
        f"{store.url}: {counts['documents']:,} files in {len(manifest.outputs)} shard(s), "
        f"{size / 2**20:.1f} MiB; {counts['languages']}; dropped: {reasons or 'nothing'}"
    )
