"""The repositories that a user's SOURCE stands for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from snowcoder.config.schema import StorageConfig
from snowcoder.corpus.sources.archive import SUFFIXES, Archive, archive_suffix
from snowcoder.corpus.sources.folder import Folder
from snowcoder.corpus.sources.git import GitRepository, git_folder
from snowcoder.corpus.sources.repository import Repository
from snowcoder.errors import UserError
from snowcoder.storage.disk import DiskStore
from snowcoder.storage.store import open_store


def find_repositories(sources: Sequence[str], storage: StorageConfig) -> list[Repository]:
    """All of them, by name.

    A source is a folder of code, a git repository, an archive, or a folder or S3 prefix that holds nothing but those,
    where each is named by its path without the suffix.
    """
    missing = [source for source in sources if "://" not in source and not _is_source(Path(source))]
    if missing:
        raise UserError(f"no folders, git repositories or archives ({' '.join(SUFFIXES)}): {', '.join(missing)}")
    found = [repository for source in sources for repository in _expand(source, storage)]
    counts = Counter(repository.name for repository in found)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise UserError(f"several repositories are named {', '.join(twice[:10])}: they need names of their own")
    return sorted(found, key=lambda repository: repository.name)


def _is_source(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and archive_suffix(path.name) is not None)


def _expand(source: str, storage: StorageConfig) -> Iterator[Repository]:
    if "://" in source:
        yield from _in_bucket(source, storage)
    elif Path(source).is_file():
        yield _archive(_without_suffix(Path(source).resolve().name), Path(source))
    else:
        folder = Path(source).resolve()
        yield from _in_collection(folder, "") or [_single(folder.name, folder)]


def _in_bucket(url: str, storage: StorageConfig) -> Iterator[Repository]:
    store = open_store(url, storage)
    found = [info for info in store.list() if archive_suffix(info.key)]
    if not found:
        raise UserError(f"no archives in {url}: expected objects ending in {', '.join(SUFFIXES)}")
    for info in found:
        yield Archive(_without_suffix(info.key), store, info)


def _in_collection(folder: Path, prefix: str) -> list[Repository]:
    """The repositories of a folder that holds nothing but folders and archives; of any other, none."""
    if git_folder(folder):
        return []
    with os.scandir(folder) as entries:
        inside = sorted((entry for entry in entries if not entry.is_symlink()), key=lambda entry: entry.name)
    if any(not entry.is_dir() and archive_suffix(entry.name) is None for entry in inside):
        return []
    found: list[Repository] = []
    plain: list[Repository] = []
    for entry in inside:
        path, name = Path(entry.path), prefix + entry.name
        if entry.is_file():
            found.append(_archive(_without_suffix(name), path))
        elif git_folder(path):
            found.append(_single(name, path))
        else:
            deeper = _in_collection(path, f"{name}/")
            found += deeper
            plain += [] if deeper else [Folder(name, path)]
    return found + plain if found else []  # folders in folders alone are one tree of code


def _single(name: str, path: Path) -> Repository:
    git = git_folder(path)
    return GitRepository(name.removesuffix(".git"), git) if git else Folder(name, path)


def _archive(name: str, path: Path) -> Archive:
    store = DiskStore(str(path.parent))
    info = store.stat(path.name)
    assert info
    return Archive(name, store, info)


def _without_suffix(name: str) -> str:
    return name[: -len(archive_suffix(name) or "")]
