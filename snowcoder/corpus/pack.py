"""`snowcoder corpus pack SOURCE...`: repositories of source code into shards in the schema of The Stack.

Files are read as bytes and never executed; links are not followed.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pyarrow.parquet

from snowcoder import readable
from snowcoder.config.corpus_schema import RepositoriesConfig
from snowcoder.config.schema import ColumnsConfig, Config
from snowcoder.corpus.languages import detect, known_language, languages_of_name
from snowcoder.corpus.licences import LicenceTree, is_licence_text, is_metadata, tagged_licence
from snowcoder.corpus.sources.find import find_repositories
from snowcoder.corpus.sources.folder import Folder
from snowcoder.corpus.sources.repository import BadRepository, File, Gate, Repository
from snowcoder.corpus.sources.spool import Spool
from snowcoder.corpus.sources.text import decode
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import NAME, Manifest, Output
from snowcoder.progress import bar
from snowcoder.storage.digest import digest_bytes, digest_file, digest_json
from snowcoder.storage.objects import Store
from snowcoder.storage.shards import SUFFIXES
from snowcoder.storage.store import open_store

_SHARD_BYTES = 32 << 20
_SHARD = re.compile(r"shard-\d{5}\.parquet")  # the names that a run before this one gave, too
_FAILURES_SHOWN = 20
_NAMED = 8  # of the other languages, in the summary
_KEPT_NAMES = 100  # in the manifest
_ENDING = 12  # characters; longer ones are names of their own


def run(config: Config, *sources: str) -> None:
    """The repositories of all sources; the shards are what `snowcoder corpus build` reads."""
    store = open_store(config.corpus.input, config.storage)
    pack(find_repositories(sources, config.storage), store, config.index.columns, config.repositories)


def pack(
    repositories: Iterable[Repository | tuple[str, Path]],
    store: Store,
    columns: ColumnsConfig,
    limits: RepositoriesConfig,
) -> Manifest:
    """Write shards of the repositories' source files to `store`, with a manifest. Prints a summary.

    A repository that cannot be read is counted and named. Memory holds a shard and some bytes a file, whatever the size
    of the repositories. Raises UserError where there is nothing to pack, or other shards lie in `store`.
    """
    _refuse_beside(store, {key for key in _shards_in(store) if not _SHARD.fullmatch(key)})
    packer = _Packer(limits)
    found = [Folder(*each) if isinstance(each, tuple) else each for each in repositories]
    found.sort(key=lambda repository: repository.name)
    with packer.spool:
        for repository in bar("read", len(found), "repository", found):
            packer.read(repository)
        outputs = [
            _write_shard(store, f"shard-{number:05d}.parquet", rows, columns)
            for number, rows in enumerate(_shards(packer.rows()))
        ]
    counts = packer.counts()
    _check(store, outputs, counts)
    chosen = {"columns": columns.model_dump(), "limits": limits.model_dump()}
    manifest = Manifest("corpus pack", {}, chosen, counts, outputs)
    with tempfile.TemporaryDirectory() as folder:
        manifest.write(Path(folder))
        store.write(NAME, (Path(folder) / NAME).read_bytes())
    _print_summary(store, manifest)
    return manifest


class _Packer:
    """What has been read: files in the spool, licences and failures by repository."""

    def __init__(self, limits: RepositoriesConfig) -> None:
        unknown = [language for language in limits.languages if not known_language(language)]
        if unknown:
            raise UserError(f"repositories.languages: not names of GitHub's Linguist: {', '.join(unknown)}")
        self.limits = limits
        self.languages = frozenset(limits.languages)
        self.spool = Spool()
        self.repositories: list[tuple[str, str, LicenceTree]] = []  # name, revision, licences
        self.dropped: Counter[str] = Counter()
        self.others: Counter[str] = Counter()  # languages, or endings of names, of what is dropped as another language
        self.packed: Counter[str] = Counter()
        self.bytes = 0  # of the packed text
        self.failed: dict[str, str] = {}

    def read(self, repository: Repository) -> None:
        """All of a repository, or nothing of one that fails."""
        before, dropped, others, licences = len(self.spool), Counter[str](), Counter[str](), LicenceTree()
        try:
            for file in repository.files(Gate(self.limits, partial(self._wanted, others), dropped)):
                fault = self._keep(repository.name, file, licences, others)
                if fault:
                    dropped[fault] += 1
        except BadRepository as error:
            self.spool.cut(before)
            self.failed[repository.name] = str(error)
            return
        self.repositories.append((repository.name, repository.revision, licences))
        self.dropped += dropped
        self.others += others

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows by digest of the name, so that every shard is a mixture, and the same one on every run."""
        for record in bar("pack", len(self.spool), "file", self.spool.sorted()):
            number, path, language, tag, content = orjson.loads(record)
            name, revision, licences = self.repositories[number]
            self.packed[language] += 1
            self.bytes += len(content.encode())
            yield {
                "content": content,
                "repository": name,
                "revision": revision,
                "path": path,
                "language": language,
                "licence": [tag] if tag else licences.of(path),
            }

    def counts(self) -> dict[str, Any]:
        return {
            "documents": self.packed.total(),
            "bytes": self.bytes,
            "languages": dict(self.packed.most_common()),
            "dropped": dict(sorted(self.dropped.items())),
            "other_languages": dict(sorted(self.others.items(), key=lambda each: (-each[1], each[0]))[:_KEPT_NAMES]),
            "repositories": len(self.repositories),
            "failed": self.failed,
        }

    def _wanted(self, others: Counter[str], path: str) -> bool:
        languages = languages_of_name(path)
        by_name = languages is None or not self.languages.isdisjoint(languages)
        if by_name or is_licence_text(path) or is_metadata(path):
            return True
        others[_kind(path, languages or ())] += 1
        return False

    def _keep(self, repository: str, file: File, licences: LicenceTree, others: Counter[str]) -> str | None:
        """Put a file where it belongs; why it is not packed, or None."""
        text, fault = _text(file)
        if is_licence_text(file.path) or is_metadata(file.path):
            licences.add(file.path, text)
        language = detect(file.path, text) if text is not None else None
        if text is None:
            return fault or "unreadable"
        if language not in self.languages:
            others[_kind(file.path, (language,) if language else ())] += 1
            return "other language"
        key = int(digest_json([repository, file.path])[:16], 16)
        record = [len(self.repositories), file.path, language, tagged_licence(text), text]
        self.spool.add(key, orjson.dumps(record))
        return None


def _kind(path: str, languages: tuple[str, ...]) -> str:
    """The language of a file; the ending of its name where that leaves none or several."""
    if len(languages) == 1:
        return languages[0]
    ending = os.path.splitext(path)[1]
    return f"*{ending}" if 1 < len(ending) <= _ENDING else "no ending"


def _text(file: File) -> tuple[str | None, str | None]:
    """A file's text, or None and why there is none."""
    if file.data is None:
        return None, file.fault
    try:
        return decode(file.data), None
    except ValueError as error:
        return None, str(error)


def _shards(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    shard: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        shard.append(row)
        size += len(row["content"])
        if size >= _SHARD_BYTES:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def _write_shard(store: Store, key: str, rows: list[dict[str, Any]], columns: ColumnsConfig) -> Output:
    contents = [row["content"].encode() for row in rows]
    names = columns.model_dump()
    kinds = ("repository", "path", "language", "content")
    licences = pyarrow.array([row["licence"] for row in rows], pyarrow.list_(pyarrow.string()))
    table = pyarrow.table(
        {
            "blob_id": [digest_bytes(content) for content in contents],
            "revision_id": [row["revision"] for row in rows],
            "length_bytes": [len(content) for content in contents],
            **{names[kind]: [row[kind] for row in rows] for kind in kinds},
            columns.licence: licences,
        }
    )
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pyarrow.parquet.write_table(table, file.name, compression="zstd", row_group_size=1000)
        store.write_file(key, Path(file.name))
        return Output(key, os.path.getsize(file.name), digest_file(Path(file.name)))


def _check(store: Store, outputs: list[Output], counts: dict[str, Any]) -> None:
    """Before the manifest is written: readers of `store` find these shards and no others."""
    if not outputs:
        what = {"dropped": counts["dropped"], "failed": counts["failed"]}
        raise UserError(
            f"nothing to pack for {store.url}: no source files of a wanted language with text"
            + "".join(f"; {kind}: {found}" for kind, found in what.items() if found)
        )
    _refuse_beside(store, _shards_in(store) - {output.name for output in outputs})


def _shards_in(store: Store) -> set[str]:
    return {info.key for info in store.list() if info.key.endswith(SUFFIXES)}


def _refuse_beside(store: Store, others: set[str]) -> None:
    if others:
        raise UserError(
            f"{store.url} has {len(others)} other shard(s), such as {min(others)}: "
            "remove them, or pack into an empty place"
        )


def _print_summary(store: Store, manifest: Manifest) -> None:
    counts, stored = manifest.counts, sum(output.bytes for output in manifest.outputs)
    print(
        f"{store.url}: {counts['documents']:,} files of {counts['repositories']:,} repositories, "
        f"{readable.size(counts['bytes'])} of text in {len(manifest.outputs)} shard(s) of {readable.size(stored)} "
        f"(compressed); {readable.counts(counts['languages'])}; dropped: {readable.counts(counts['dropped'])}"
    )
    if counts["other_languages"]:
        print(f"  other languages: {readable.counts(counts['other_languages'], most=_NAMED)}")
    failed = counts["failed"]
    for name, reason in list(failed.items())[:_FAILURES_SHOWN]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if len(failed) > _FAILURES_SHOWN:
        print(f"left out: {len(failed) - _FAILURES_SHOWN:,} more, named in {store.url}/{NAME}", file=sys.stderr)
