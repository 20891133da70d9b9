"""What all imports of a repository are resolved against."""

from __future__ import annotations

import functools
import posixpath
from collections import Counter, defaultdict

from snowcoder.corpus.document import Document
from snowcoder.corpus.grouping.imports import FileImports
from snowcoder.corpus.grouping.paths import Paths

# Languages whose files import each other
FAMILIES = {"Java": "JVM", "Kotlin": "JVM", "Scala": "JVM", "C#": "C#", "PHP": "PHP"}
_LONGEST = 20  # parts of a Go import


class ImportTargets:
    def __init__(self, files: list[Document], sources: list[FileImports]) -> None:
        self._files, self._sources = files, sources
        self.paths = Paths([file.path.lstrip("/") for file in files])
        self.classes: dict[tuple[str, str], list[int]] = defaultdict(list)  # by family and full name
        self.packages: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, (file, source) in enumerate(zip(files, sources, strict=True)):
            self._declare(number, file, source)

    def _declare(self, number: int, file: Document, source: FileImports) -> None:
        """A file is named after the class in it, in all languages that have packages."""
        family = FAMILIES.get(file.language)
        stem = posixpath.basename(file.path).partition(".")[0]
        if family is None:
            return
        for package in packages_of(file.language, source):
            self.packages[family, package].append(number)
            self.classes[family, f"{package}.{stem}"].append(number)

    @functools.cached_property
    def go_packages(self) -> dict[str, list[int]]:
        """Files by folder, without tests."""
        packages = defaultdict(list)
        for path, number in self.paths.files.items():
            if path.endswith(".go") and not path.endswith("_test.go"):
                packages[posixpath.dirname(path)].append(number)
        return packages

    @functools.cached_property
    def go_module(self) -> str:
        """The module's path stands in go.mod, which is no Go file: it is what leaves folders of most imports."""
        imports = {
            one.target
            for file, source in zip(self._files, self._sources, strict=True)
            if file.language == "Go"
            for one in source.imports
        }
        votes: Counter[str] = Counter()
        for target in imports:
            parts = target.split("/")[:_LONGEST]
            for end in range(1, len(parts)):
                if "/".join(parts[end:]) in self.paths.folder_suffixes:
                    votes["/".join(parts[:end])] += 1
        return min(votes, key=lambda module: (-votes[module], len(module), module), default="")

    def rust_root(self, folder: str) -> str:
        """The folder in which the crate's own file is."""
        while folder and not any(f"{folder}/{name}.rs" in self.paths.files for name in ("lib", "main")):
            folder = posixpath.dirname(folder)
        return folder


def packages_of(language: str, source: FileImports) -> list[str]:
    """Scala's clauses follow on each other: `package a; package b` is a.b."""
    packages = [dotted(package) for package in source.packages]
    return [".".join(packages)] if language == "Scala" and packages else packages


def dotted(name: str) -> str:
    return name.removeprefix("global::").replace("\\", ".").replace(" ", "").strip(".")
